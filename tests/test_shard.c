/* A batch in shards: how many images one is, and that their gradients are added as a balanced binary tree, bit for bit,
 * on every device. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/net.h"
#include "core/plan/shard.h"
#include "harness.h"

enum { SIZE = 32, BATCH = 23, CLASSES = 3, VALUES = SIZE * SIZE * 3 };

static int size_of(const char *arch_name, int h, int w, const char *head, const char *what, int from)
{
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, arch_name, h, w, NULL), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, head), VGG_OK);
    int trainable = vgg_arch_trainable(&arch, what);
    while (arch.layer[trainable].kernel.n == 0)
        trainable++;
    return vgg_shard_size(&arch, from < 0 ? trainable : from, trainable);
}

Test(shard, size_follows_from_the_shape)
{
    static const char head[] = "flatten,dense:256:relu,dense:1:sigmoid";
    cr_expect_eq(size_of("vgg16", 224, 224, head, "all", -1), 8);
    cr_expect_eq(size_of("vgg16", 150, 150, head, "all", -1), 16);
    cr_expect_eq(size_of("vgg16", 32, 32, head, "all", -1), 256);
    cr_expect_eq(size_of("vgg16", 224, 448, head, "all", -1), 4);
    cr_expect_eq(size_of("vgg16", 2240, 2240, head, "all", -1), 1);
    /* 14x14x512: its input, three convolutions and a pool twice; below it runs a layer of 224x224x64 where asked. */
    cr_expect_eq(size_of("vgg16", 224, 224, head, "block5", -1), 256);
    cr_expect_eq(size_of("vgg16", 224, 224, head, "block5", 0), 32);
    cr_expect_eq(size_of("vgg16", 224, 224, head, "head", -1), 8192);
    cr_expect_eq(size_of("vgg16", 32, 32, "gap,dense:1:sigmoid", "head", -1), 65536);
}

struct setting {
    struct vgg_arch arch;
    struct vgg_plan_spec spec;
    struct vgg_step step;
    float x[BATCH * VALUES], t[BATCH], w[BATCH];
};

static struct setting *new_setting(void)
{
    struct setting *s = calloc(1, sizeof *s);
    cr_assert_eq(vgg_arch_base(&s->arch, "vgg11", SIZE, SIZE, "block2_conv1"), VGG_OK);
    cr_assert_eq(vgg_arch_head(&s->arch, "gap,dropout:0.4,dense:3:softmax"), VGG_OK);
    s->spec = (struct vgg_plan_spec) { .arch = &s->arch,
                                       .batch = BATCH,
                                       .last = s->arch.count,
                                       .loss = true,
                                       .optimizer = VGG_OPTIMIZER_SGD,
                                       .hyper = { .momentum = 0.9f } };
    s->step = (struct vgg_step) { .seed = 3, .step = 5 };
    harness_image(s->x, 1, BATCH, SIZE, SIZE);
    for (int i = 0; i < BATCH; i++) {
        s->t[i] = (float)(i * i % 7 % CLASSES);
        s->w[i] = 0.5f + (float)(i % 5);
    }
    return s;
}

/* The gradient of images at .. at + n - 1 of a batch of `batch`, alone on the device. *params: what was trained. */
static float *gradient_of(const struct harness_target *target, const struct setting *s, int at, int n, int batch,
                          size_t *count, float **params)
{
    struct harness h;
    struct vgg_plan_spec spec = s->spec;
    struct vgg_step step = s->step;
    spec.batch = n;
    step.first = (uint32_t)at;
    step.loss_scale = 1.0f / (float)batch;
    harness_open(&h, target);
    harness_plan(&h, &spec);
    harness_put(&h, &h.plan->input, s->x + at * VALUES);
    harness_put(&h, &h.plan->targets, s->t + at);
    harness_put(&h, &h.plan->weights, s->w + at);
    harness_plan_run(&h, 0, h.plan->forward + h.plan->backward, &step);
    *count = vgg_view_count(&h.plan->grads);
    float *gradient = harness_fetch(&h, &h.plan->grads);
    if (!*params) *params = harness_fetch(&h, &h.plan->params);
    harness_close(&h);
    return gradient;
}

/* leaf[0] = the sum of `leaves` as a tree: the larger half, a power of two, comes first. */
static void add_tree(float *const *leaf, int leaves, size_t count)
{
    int half = 1;
    if (leaves < 2) return;
    while (2 * half < leaves)
        half *= 2;
    add_tree(leaf, half, count);
    add_tree(leaf + half, leaves - half, count);
    for (size_t i = 0; i < count; i++)
        leaf[0][i] += leaf[half][i];
}

/* The same in the order of the leaves, which is another sum from three on. */
static size_t differs_in_order(float *const *leaf, int leaves, size_t count, const float *tree)
{
    size_t differs = 0;
    for (size_t i = 0; i < count; i++) {
        float sum = leaf[0][i];
        for (int k = 1; k < leaves; k++)
            sum += leaf[k][i];
        differs += sum != tree[i];
    }
    return differs;
}

/* From moments of zero, momentum leaves the gradient itself. */
static void check(const struct harness_target *target, struct vgg_net *net, const struct setting *s, int batch,
                  int shard)
{
    float *leaf[BATCH], *kept[BATCH], *params = NULL, y[BATCH * CLASSES], loss[BATCH];
    size_t count = 0;
    int leaves = 0;
    for (int at = 0; at < batch; at += shard, leaves++)
        leaf[leaves] = gradient_of(target, s, at, batch - at < shard ? batch - at : shard, batch, &count, &params);
    for (int i = 0; i < leaves; i++)
        kept[i] = memcpy(malloc(count * sizeof(float)), leaf[i], count * sizeof(float));
    add_tree(leaf, leaves, count);
    if (leaves > 3) cr_assert_gt(differs_in_order(kept, leaves, count, leaf[0]), 0, "any order would do");

    float *moments = calloc(count, sizeof *moments);
    cr_assert_eq(vgg_net_moment_size(net), count * sizeof *moments);
    cr_assert_eq(vgg_net_set_params(net, params), VGG_OK);
    cr_assert_eq(vgg_net_set_moments(net, moments), VGG_OK);
    struct vgg_net_io io = { .n = batch, .x = s->x, .t = s->t, .w = s->w, .y = y, .loss = loss };
    cr_assert_eq(vgg_net_train(net, &io, &s->step), VGG_OK);
    cr_assert_eq(vgg_net_get_moments(net, moments), VGG_OK);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(moments[i], leaf[0][i], "%s: %d images in shards of %d: gradient %zu is %.9g, not %.9g",
                     target->name, batch, shard, i, (double)moments[i], (double)leaf[0][i]);
    for (int i = 0; i < leaves; i++)
        free(leaf[i]), free(kept[i]);
    free(moments);
    free(params);
}

/* Whole batches and rests, one after the other on one network, as epochs have them. */
Test(shard, gradients_are_added_as_a_tree, .timeout = 300)
{
    static const int shards[] = { 1, 2, 3, 8, 23 }, batches[] = { 23, 7, 16, 1, 23 };
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    struct setting *s = new_setting();
    for (size_t k = 0; k < targets; k++) {
        for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
            struct harness h;
            struct vgg_net *net;
            bool few = target[k].scalar || strcmp(target[k].backend, "cpu") != 0; /* slow, or slow to open */
            if (few && shards[i] != 3) continue;
            harness_open(&h, &target[k]);
            cr_assert_eq(vgg_net_create(&net, h.backend, &s->spec, 0, shards[i], 0), VGG_OK);
            for (size_t j = 0; j < (few ? 2 : sizeof batches / sizeof *batches); j++)
                check(&target[k], net, s, batches[j], shards[i]);
            vgg_net_destroy(net);
            harness_close(&h);
        }
    }
    free(s);
}
