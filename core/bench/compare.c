/* Two benchmarks side by side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bench/stats.h"

/* Medians that differ by less than this share, and by less than the quartiles of both lie apart, count as equal. */
static const double least_change = 0.02;

void vgg_bench_comparison_destroy(struct vgg_bench_comparison *comparison)
{
    if (!comparison) return;
    free(comparison->change);
    free(comparison);
}

static struct vgg_bench_change change_of(const struct vgg_bench_time *old, const struct vgg_bench_time *now)
{
    struct vgg_bench_change change = { .layer = SIZE_MAX };
    change.ratio = now->median / old->median;
    change.noise = least_change + vgg_bench_spread(old) + vgg_bench_spread(now);
    /* In logarithms, so that twice as slow and twice as fast weigh the same. */
    double size = log(change.ratio);
    change.verdict = size > log(1 + change.noise) ? 1 : size < -log(1 + change.noise) ? -1 : 0;
    return change;
}

static enum vgg_status add(struct vgg_bench_comparison *c, struct vgg_bench_change change)
{
    struct vgg_bench_change *grown = realloc(c->change, (c->changes + 1) * sizeof *grown);
    if (!grown) return vgg_fail_memory("a comparison", (c->changes + 1) * sizeof *grown);
    c->change = grown;
    grown[c->changes++] = change;
    return VGG_OK;
}

/* The same device by the name that the user gives and by its own. */
static bool same_case(const struct vgg_bench *a, const struct vgg_bench_result *x, const struct vgg_bench *b,
                      const struct vgg_bench_result *y)
{
    const struct vgg_bench_device *d = &a->device[x->device], *e = &b->device[y->device];
    bool network = strcmp(a->arch, b->arch) == 0 && strcmp(a->head, b->head) == 0 &&
                   (x->pass == VGG_BENCH_FORWARD || strcmp(a->trainable, b->trainable) == 0);
    return network && x->pass == y->pass && x->batch == y->batch && x->height == y->height && x->width == y->width &&
           strcmp(d->name, e->name) == 0 && strcmp(d->info.name, e->info.name) == 0;
}

static enum vgg_status add_layers(struct vgg_bench_comparison *c, struct vgg_bench_change of,
                                  const struct vgg_bench_result *old, const struct vgg_bench_result *now)
{
    for (size_t i = 0; i < now->layers; i++) {
        for (size_t j = 0; j < old->layers; j++) {
            const struct vgg_bench_layer *a = &old->layer[j], *b = &now->layer[i];
            if (strcmp(a->name, b->name) != 0 || strcmp(a->op, b->op) != 0) continue;
            struct vgg_bench_change change = change_of(&a->time, &b->time);
            change.old_result = of.old_result, change.new_result = of.new_result, change.layer = i;
            enum vgg_status status = add(c, change);
            if (status != VGG_OK) return status;
            break;
        }
    }
    return VGG_OK;
}

enum vgg_status vgg_bench_compare(struct vgg_bench_comparison **out, const struct vgg_bench *old,
                                  const struct vgg_bench *now)
{
    enum vgg_status status = VGG_OK;
    *out = NULL;
    struct vgg_bench_comparison *c = vgg_mem_calloc(1, sizeof *c);
    if (!c) return vgg_fail_memory("a comparison", sizeof *c);
    c->only_old = old->results;
    for (size_t i = 0; i < now->results; i++) {
        size_t j = 0;
        while (j < old->results && !same_case(old, &old->result[j], now, &now->result[i]))
            j++;
        if (j == old->results) {
            c->only_new++;
            continue;
        }
        struct vgg_bench_change change = change_of(&old->result[j].time, &now->result[i].time);
        change.old_result = j, change.new_result = i;
        c->only_old -= c->only_old > 0;
        c->slower += change.verdict > 0;
        c->faster += change.verdict < 0;
        CHECK(add(c, change));
        CHECK(add_layers(c, change, &old->result[j], &now->result[i]));
    }
    *out = c;
    return VGG_OK;
fail:
    vgg_bench_comparison_destroy(c);
    return status;
}
