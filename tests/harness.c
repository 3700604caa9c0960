#include "tests/harness.h"
#include "core/engine/device.h"
#include "core/engine/variant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

enum { POISON = 0xFF }; /* four of them are a NaN */

/* conv: of the CPU; else "auto", which says nothing. */
static void target_init(struct harness_target *target, const struct vgg_variant *variant, const char *conv)
{
    *target =
        (struct harness_target) { .scalar = vgg_variant_is_plain(variant), .winograd = strcmp(conv, "auto") == 0 };
    snprintf(target->backend, sizeof target->backend, "%s", variant->device->backend);
    snprintf(target->device, sizeof target->device, "%d", variant->own);
    snprintf(target->isa, sizeof target->isa, "%s", vgg_variant_is_plain(variant) ? "scalar" : "auto");
    snprintf(target->conv, sizeof target->conv, "%s", conv);
    snprintf(target->name, sizeof target->name, "%s (%s)", variant->device->name,
             vgg_variant_is_plain(variant) ? "scalar" : conv);
}

size_t harness_targets(struct harness_target target[HARNESS_MAX_TARGETS])
{
    struct vgg_variants variants;
    size_t count = 0;
    cr_assert_eq(vgg_variants_init(&variants, &(struct vgg_engine_options) { .backend = getenv("VGG16_TEST_BACKEND") }),
                 VGG_OK);
    for (size_t i = 0; i < variants.count; i++) {
        const struct vgg_variant *variant = &variants.item[i];
        cr_assert_leq(count + 3, (size_t)HARNESS_MAX_TARGETS);
        if (vgg_variant_is_plain(variant)) target_init(&target[count++], variant, "direct");
        if (!variant->best) continue;
        const struct vgg_variant best = { .device = variant->device, .own = variant->own };
        if (variant->isa[0]) target_init(&target[count++], &best, "direct");
        target_init(&target[count++], &best, "auto");
    }
    vgg_variants_finish(&variants);
    cr_assert_gt(count, 0u, "no backend at all");
    return count;
}

void harness_open(struct harness *harness, const struct harness_target *target)
{
    *harness = (struct harness) { .name = target->name };
    struct vgg_engine_options options = {
        .backend = target->backend, .device = target->device, .isa = target->isa, .conv = target->conv
    };
    cr_assert_eq(vgg_backend_open(&harness->backend, &options), VGG_OK, "%s does not open", target->name);
    cr_assert_str_eq(harness->backend->device.backend, target->backend);
}

void harness_close(struct harness *harness)
{
    for (int a = 0; a < VGG_ARENA_COUNT; a++)
        vgg_buf_destroy(harness->arena[a]);
    vgg_plan_destroy(harness->plan);
    vgg_backend_close(harness->backend);
    *harness = (struct harness) { 0 };
}

static struct vgg_view reserve(struct harness *harness, enum vgg_arena arena, enum vgg_type type, int n, int h, int w,
                               int c)
{
    struct vgg_view view = { harness->size[arena] + VGG_VIEW_ALIGN, arena, type, n, h, w, c };
    size_t end = view.offset + vgg_view_size(&view);
    cr_assert_lt(harness->views, (size_t)HARNESS_MAX_VIEWS);
    harness->view[harness->views++] = view;
    harness->size[arena] = (end + VGG_VIEW_ALIGN - 1) / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN;
    return view;
}

struct vgg_view harness_view(struct harness *harness, enum vgg_arena arena, int n, int h, int w, int c)
{
    return reserve(harness, arena, VGG_F32, n, h, w, c);
}

struct vgg_view harness_view_u8(struct harness *harness, int n, int h, int w, int c)
{
    return reserve(harness, VGG_ARENA_ACT, VGG_U8, n, h, w, c);
}

void harness_allocate(struct harness *harness)
{
    for (int a = 0; a < VGG_ARENA_COUNT; a++) {
        if (harness->size[a] == 0) continue;
        harness->size[a] += VGG_VIEW_ALIGN;
        cr_assert_eq(vgg_buf_create(harness->backend, &harness->arena[a], harness->size[a]), VGG_OK);
        unsigned char *poison = malloc(harness->size[a]);
        memset(poison, POISON, harness->size[a]);
        cr_assert_eq(vgg_buf_upload(harness->arena[a], 0, poison, harness->size[a]), VGG_OK);
        free(poison);
    }
}

/* Everything between the views must still be poison. */
static void check_guards(struct harness *harness, const char *op)
{
    for (int a = 0; a < VGG_ARENA_COUNT; a++) {
        if (!harness->arena[a]) continue;
        unsigned char *bytes = malloc(harness->size[a]);
        cr_assert_eq(vgg_buf_download(harness->arena[a], 0, bytes, harness->size[a]), VGG_OK);
        for (size_t v = 0; v < harness->views; v++)
            if (harness->view[v].arena == (enum vgg_arena)a)
                memset(bytes + harness->view[v].offset, POISON, vgg_view_size(&harness->view[v]));
        for (size_t i = 0; i < harness->size[a]; i++)
            cr_assert_eq(bytes[i], POISON, "%s: %s wrote outside its views, at byte %zu of arena %d", harness->name, op,
                         i, a);
        free(bytes);
    }
}

static void submit(struct harness *harness, const struct vgg_op *op, size_t count, const struct vgg_step *step)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = "";
        cr_assert(vgg_op_check(&op[i], harness->size, &why), "%s: %s", vgg_op_name(op[i].kind), why);
    }
    struct vgg_list list = { .op = op, .count = count };
    memcpy(list.arena, harness->arena, sizeof list.arena);
    cr_assert_eq(vgg_backend_run(harness->backend, &list, step), VGG_OK, "%s cannot run %s", harness->name,
                 count ? vgg_op_name(op->kind) : "an empty list");
}

void harness_run(struct harness *harness, const struct vgg_op *op, size_t count, const struct vgg_step *step)
{
    submit(harness, op, count, step);
    check_guards(harness, vgg_op_name(op[count - 1].kind));
}

static size_t view_count(const struct vgg_view *view)
{
    return (size_t)view->n * (size_t)view->h * (size_t)view->w * (size_t)view->c;
}

void harness_plan(struct harness *harness, const struct vgg_plan_spec *spec)
{
    cr_assert_eq(vgg_plan_build(&harness->plan, spec), VGG_OK);
    memcpy(harness->size, harness->plan->arena_size, sizeof harness->size);
    for (int a = 0; a < VGG_ARENA_COUNT; a++)
        if (harness->size[a])
            cr_assert_eq(vgg_buf_create(harness->backend, &harness->arena[a], harness->size[a]), VGG_OK);
    for (int i = spec->first; i < spec->last; i++) {
        const struct vgg_layer *layer = &spec->arch->layer[i];
        if (layer->kernel.n == 0) continue;
        size_t kernel = view_count(&layer->kernel), bias = view_count(&layer->bias);
        float *values = malloc((kernel + bias) * sizeof *values);
        harness_fill(values, kernel, 2 * (uint32_t)i, sqrt(6.0 / ((double)kernel / layer->kernel.c)));
        harness_fill(values + kernel, bias, 2 * (uint32_t)i + 1, 0.05);
        harness_put(harness, &layer->kernel, values);
        harness_put(harness, &layer->bias, values + kernel);
        free(values);
    }
}

void harness_plan_run(struct harness *harness, size_t first, size_t count, const struct vgg_step *step)
{
    cr_assert_leq(first + count, harness->plan->forward + harness->plan->backward + harness->plan->update);
    submit(harness, harness->plan->op + first, count, step);
}

struct vgg_view harness_grad(const struct harness *harness, const struct vgg_view *param)
{
    struct vgg_view grad = *param;
    grad.arena = VGG_ARENA_GRAD;
    grad.offset = param->offset - harness->plan->params.offset + harness->plan->grads.offset;
    return grad;
}

void harness_put(struct harness *harness, const struct vgg_view *view, const void *data)
{
    cr_assert_eq(vgg_buf_upload(harness->arena[view->arena], view->offset, data, vgg_view_size(view)), VGG_OK);
}

void harness_get(struct harness *harness, const struct vgg_view *view, void *data)
{
    cr_assert_eq(vgg_buf_download(harness->arena[view->arena], view->offset, data, vgg_view_size(view)), VGG_OK);
}

float *harness_fetch(struct harness *harness, const struct vgg_view *view)
{
    cr_assert_gt(view->n, 0, "the view is absent");
    float *values = malloc(vgg_view_size(view));
    harness_get(harness, view, values);
    return values;
}

double *harness_fetch_double(struct harness *harness, const struct vgg_view *view)
{
    float *values = harness_fetch(harness, view);
    size_t count = view_count(view);
    double *wide = malloc(count * sizeof *wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = values[i];
    free(values);
    return wide;
}

double harness_uniform(uint32_t stream, uint32_t index)
{
    uint32_t x = index * 0x9E3779B1u + stream * 0x85EBCA77u + 1u;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x *= 0x846CA68Bu;
    x ^= x >> 16;
    return (double)(x >> 8) * 0x1p-23 - 1.0;
}

void harness_fill(float *values, size_t count, uint32_t stream, double scale)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(scale * harness_uniform(stream, (uint32_t)i));
}

void harness_image(float *values, uint32_t index, int n, int h, int w)
{
    uint32_t i = 0;
    for (int image = 0; image < n; image++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                for (int c = 0; c < 3; c++, i++) {
                    double ramp = (7 * y + 3 * x + 11 * c) % 32 / 16.0 - 1.0;
                    values[i] = (float)(ramp + 0.5 * harness_uniform(HARNESS_STREAM_IMAGE + index, i));
                }
}

struct record {
    char name[56];
    uint64_t count;
};

struct harness_golden {
    size_t size;
    char bytes[];
};

struct harness_golden *harness_golden_open(const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s cannot be opened", path);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    struct harness_golden *golden = malloc(sizeof *golden + size);
    golden->size = fread(golden->bytes, 1, size, file);
    cr_assert_eq(golden->size, size, "%s cannot be read", path);
    fclose(file);
    return golden;
}

void harness_golden_close(struct harness_golden *golden)
{
    free(golden);
}

const double *harness_golden_find(const struct harness_golden *golden, const char *name, size_t *count)
{
    size_t at = 0;
    while (at < golden->size) {
        const struct record *record = (const void *)(golden->bytes + at);
        at += sizeof *record;
        if (!strncmp(record->name, name, sizeof record->name)) {
            *count = record->count;
            return (const void *)(golden->bytes + at);
        }
        at += record->count * sizeof(double);
    }
    cr_assert_fail("%s is not in the golden file", name);
    return NULL;
}

enum { GROUPS = 31, HEADER = 4 };

const double *harness_golden_samples(const struct harness_golden *golden, const char *name, size_t at[HARNESS_SAMPLES])
{
    size_t length;
    const double *want = harness_golden_find(golden, name, &length);
    cr_assert_eq(length, (size_t)(HEADER + GROUPS + HARNESS_SAMPLES));
    uint64_t count = (uint64_t)want[0];
    for (uint32_t s = 0; s < HARNESS_SAMPLES; s++)
        at[s] = (size_t)((uint64_t)((harness_uniform(HARNESS_STREAM_SAMPLE, s) + 1.0) * 0x1p23) * count >> 24);
    at[0] = 0, at[HARNESS_SAMPLES - 1] = count - 1;
    return want + HEADER + GROUPS;
}

double harness_compare(const struct harness_golden *golden, const char *name, const float *values, size_t count,
                       double bound, const char *target)
{
    size_t length, at[HARNESS_SAMPLES];
    const double *sample = harness_golden_samples(golden, name, at);
    const double *want = harness_golden_find(golden, name, &length);
    cr_assert_eq(count, (size_t)want[0], "%s: %s has %zu values, not %.0f", target, name, count, want[0]);
    double scale = want[1], most = 0, sum = 0, squares = 0, group[GROUPS] = { 0 };
    for (size_t i = 0; i < count; i++) {
        cr_assert(isfinite(values[i]), "%s: %s[%zu] is %g", target, name, i, (double)values[i]);
        most = fmax(most, fabs((double)values[i]));
        sum += values[i];
        squares += (double)values[i] * values[i];
        group[i % GROUPS] += values[i] * harness_uniform(HARNESS_STREAM_GROUP, (uint32_t)i);
    }
    double worst = fabs(most - scale), random = bound * scale * sqrt((double)count / GROUPS + 1);
    cr_assert_leq(worst, bound * scale, "%s: %s: largest magnitude %g, not %g", target, name, most, scale);
    cr_assert_float_eq(squares, want[3], 2 * bound * want[3], "%s: %s: sum of squares %g, not %g", target, name,
                       squares, want[3]);
    cr_assert_float_eq(sum, want[2], random * GROUPS, "%s: %s: sum %g, not %g", target, name, sum, want[2]);
    for (int g = 0; g < GROUPS; g++)
        cr_assert_float_eq(group[g], want[HEADER + g], random, "%s: %s: weighted sum %d is %g, not %g", target, name, g,
                           group[g], want[HEADER + g]);
    for (int s = 0; s < HARNESS_SAMPLES; s++) {
        double error = fabs(values[at[s]] - sample[s]);
        cr_assert_leq(error, bound * scale, "%s: %s[%zu] is %.9g, not %.9g (scale %g)", target, name, at[s],
                      (double)values[at[s]], sample[s], scale);
        worst = fmax(worst, error);
    }
    return scale > 0 ? worst / scale : 0;
}
