/* What a training asks for: no more for its evaluation than for its steps, and where memory is short less, since it
 * computes again what it did not keep; the same bits on every device. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/net_store.h"
#include "harness.h"

enum { H = 33, W = 38, BATCH = 5, CLASSES = 3, STEPS = 2, MANY = 24 };

/* What STEPS steps leave. */
struct result {
    float *params;
    float y[BATCH * CLASSES], loss[BATCH];
    uint64_t size; /* of all arenas */
    bool again;
};

static void train(struct result *result, const struct harness_target *target, const struct vgg_plan_spec *spec,
                  uint64_t memory)
{
    static float x[BATCH * H * W * 3];
    static const float t[BATCH] = { 1, 0, 2, 2, 1 };
    struct harness h;
    struct vgg_net *net;
    struct vgg_step step = { .seed = 3, .learning_rate = 0.01f };
    harness_open(&h, target);
    harness_plan(&h, spec);
    result->params = harness_fetch(&h, &h.plan->params);
    cr_assert_eq(vgg_net_create(&net, h.backend, spec, 0, 0, memory), VGG_OK);
    cr_assert_eq(vgg_net_set_params(net, result->params), VGG_OK);
    for (; step.step < STEPS; step.step++) {
        harness_image(x, (uint32_t)step.step, BATCH, H, W);
        const struct vgg_net_io io = { .n = BATCH, .x = x, .t = t, .y = result->y, .loss = result->loss };
        cr_assert_eq(vgg_net_train(net, &io, &step), VGG_OK);
    }
    cr_assert_eq(vgg_net_get_params(net, result->params), VGG_OK);
    result->again = net->spec.again;
    result->size = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        result->size += net->arena[i] ? net->arena[i]->size : 0;
    vgg_net_destroy(net);
    harness_close(&h);
}

static struct vgg_plan_spec new_spec(struct vgg_arch *arch, int batch)
{
    cr_assert_eq(vgg_arch_base(arch, "vgg13", H, W, "block2_pool"), VGG_OK);
    cr_assert_eq(vgg_arch_head(arch, "gap,dropout:0.4,dense:3:softmax"), VGG_OK);
    return (struct vgg_plan_spec) { .arch = arch,
                                    .batch = batch,
                                    .last = arch->count,
                                    .loss = true,
                                    .optimizer = VGG_OPTIMIZER_SGD,
                                    .hyper = { .momentum = 0.9f } };
}

Test(again, less_memory_and_the_same_bits, .timeout = 300)
{
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    struct vgg_arch arch;
    const struct vgg_plan_spec spec = new_spec(&arch, BATCH);
    for (size_t k = 0; k < targets; k++) {
        struct result whole, less;
        train(&whole, &target[k], &spec, 0);
        cr_expect_not(whole.again, "%s", target[k].name);
        train(&less, &target[k], &spec, whole.size - 1);
        cr_expect(less.again, "%s", target[k].name);
        cr_expect_lt(less.size, whole.size, "%s", target[k].name);
        cr_expect_arr_eq(whole.params, less.params, arch.param_size, "%s", target[k].name);
        cr_expect_arr_eq(whole.y, less.y, sizeof whole.y, "%s", target[k].name);
        cr_expect_arr_eq(whole.loss, less.loss, sizeof whole.loss, "%s", target[k].name);
        free(whole.params);
        free(less.params);
    }
}

/* The probabilities of MANY images, and of how many at once. */
static int evaluate(float y[MANY * CLASSES], const struct harness_target *target, const struct vgg_plan_spec *spec,
                    int shard)
{
    static float x[MANY * H * W * 3], t[MANY], loss[MANY];
    struct harness h;
    struct vgg_net *net;
    harness_open(&h, target);
    harness_plan(&h, spec);
    harness_image(x, 7, MANY, H, W);
    float *params = calloc(1, spec->arch->param_size);
    harness_get(&h, &(struct vgg_view) { 0, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, (int)(spec->arch->param_size / 4) },
                params);
    cr_assert_eq(vgg_net_create(&net, h.backend, spec, 0, shard, 0), VGG_OK);
    cr_assert_eq(vgg_net_set_params(net, params), VGG_OK);
    const struct vgg_net_io io = { .n = MANY, .x = x, .t = t, .y = y, .loss = loss };
    cr_assert_eq(vgg_net_forward(net, &io), VGG_OK);
    int forward = net->forward;
    vgg_net_destroy(net);
    harness_close(&h);
    free(params);
    return forward;
}

Test(again, evaluation_asks_for_no_more_than_a_step)
{
    struct harness_target target[HARNESS_MAX_TARGETS];
    struct vgg_arch arch;
    struct vgg_plan_spec spec = new_spec(&arch, MANY);
    static float parts[MANY * CLASSES], whole[MANY * CLASSES];
    harness_targets(target);
    int few = evaluate(parts, &target[0], &spec, 2);
    cr_expect(few >= 2 && few < MANY, "%d at once", few);
    spec.trainable = arch.count;
    cr_expect_eq(evaluate(whole, &target[0], &spec, 0), MANY);
    cr_expect_arr_eq(parts, whole, sizeof whole);
}
