/* test_vk_half.c: precision fp16 on Vulkan beside plain C on operands rounded to fp16, with the bounds of fp32; tensors
 * that are stored in fp16. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/engine.h"
#include "core/engine/net.h"
#include "core/format/safetensors.h"
#include "core/model/model.h"
#include "vk/vk_base.h"
#include "vk_driver.h"

TestSuite(vk_half, .timeout = 300);

/* Shapes that all suit matrix cores: sides around the tiles' and beside them, sums whole and in parts. */
static void run_matrices(const struct vk_driver_cases *cases)
{
    static const struct vk_driver_shape shapes[] = { { 2, 10, 14, 64, 96 },
                                                     { 1, 5, 23, 160, 32 },
                                                     { 3, 17, 4, 32, 64 } };
    enum { POOLED = VGG_OP_RELU | VGG_OP_POOL };
    struct vk *vk = (struct vk *)cases->vk;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct vk_driver_shape *s = &shapes[i];
        const struct vgg_op_case tests[] = {
            vk_driver_conv_case(s, VGG_OP_CONV, 0, false),
            vk_driver_conv_case(s, VGG_OP_CONV, VGG_OP_RELU, false),
            vk_driver_conv_case(s, VGG_OP_CONV, VGG_OP_POOL, false),
            vk_driver_conv_case(s, VGG_OP_CONV, POOLED, true),
            vk_driver_conv_case(s, VGG_OP_CONV_BWD_DATA, 0, false),
            vk_driver_conv_case(s, VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false),
            vk_driver_conv_case(s, VGG_OP_CONV_BWD_WEIGHT, 0, false),
            vk_driver_dense_case(s->h, 9 * s->in, s->out),
        };
        for (vk->limits.split = 1; vk->limits.split <= 3; vk->limits.split += 2)
            for (size_t k = 0; k < sizeof tests / sizeof *tests; k++)
                vk_driver_cases_run_one(cases, &tests[k]);
    }
    vk->limits.split = 0;
}

static void check_operations(const char *class)
{
    struct vk_driver_cases cases;
    vk_driver_lavapipe();
    if (class) setenv("VGG16_VK_CLASS", class, 1);
    vk_driver_cases_open_half(&cases);
    cr_expect_gt(vk_driver_cases_run(&cases, "CONV", 1, 0), 120u);
    cr_expect_gt(vk_driver_cases_run(&cases, "POOL2_BWD", 1, 0), 15u);
    cr_expect_gt(vk_driver_cases_run(&cases, "DENSE", 1, 0), 30u);
    struct vk *vk = (struct vk *)cases.vk;
    cr_expect_eq(vk->matrix, vk->gpu.matrix.m != 0);
    vk->limits.split = 3; /* sums in parts, whose end is another shader's */
    cr_expect_gt(vk_driver_cases_run(&cases, " f16", 2, 0), 15u);
    vk->limits.split = 0;
    if (vk->matrix) {
        run_matrices(&cases);
        vk->matrix_bits = !vk->matrix_bits;
        for (size_t phase = 0; phase < 2; phase++)
            cr_expect_gt(vk_driver_cases_run(&cases, phase ? "DENSE" : "CONV", 6, phase), 4u);
        cr_expect_eq(vk_driver_expect_matrices(vk->gpu.class), 3);
    }
    vk_driver_cases_close(&cases);
}

Test(vk_half, cpu_operations)
{
    check_operations(NULL);
}

Test(vk_half, discrete_operations)
{
    check_operations("discrete");
}

Test(vk_half, integrated_operations)
{
    check_operations("integrated");
}

static float *values_of(struct vgg_op_case_memory *memory, const struct vgg_view *view)
{
    return (float *)(void *)(memory->arena[view->arena] + view->offset);
}

/* What rounds to what. */
static const float in[] = {
    1.0f,          0x1.002p0f, 0x1.006p0f,   0x1.002002p0f, -0x1.002p0f, 2049,         2051,         65504,
    65519.996f,    65520,      1e9f,         -3e38f,        0x1p-14f,    0x1.ffep-15f, 0x1p-24f,     0x1p-25f,
    0x1.0002p-25f, 0x3p-25f,   0x1.fffp-15f, -0x1.8p-24f,   INFINITY,    -INFINITY,    0x1.ffcp-16f, 0.1f,
};
static const float out[] = {
    1.0f,     1.0f,     0x1.008p0f, 0x1.004p0f, -1.0f,    2048,      2052,     65504,
    65504,    65504,    65504,      -65504,     0x1p-14f, 0x1p-14f,  0x1p-24f, 0,
    0x1p-24f, 0x1p-23f, 0x1p-14f,   -0x1p-23f,  INFINITY, -INFINITY, 0x1p-15f, 0x1.998p-4f,
};
enum { COUNT = sizeof in / sizeof *in };

/* A dense layer with the unit matrix shows each rounded value as it is. */
Test(vk_half, rounding)
{
    struct vk_driver_cases cases;
    vk_driver_lavapipe();
    vk_driver_cases_open_half(&cases);
    for (int inputs = 1; inputs <= 4; inputs += 3) { /* four: on matrix cores, where there are any */
        struct vgg_op_case test = vk_driver_dense_case(COUNT, inputs, 4);
        struct vgg_op_case_memory got;
        cr_assert_eq(vgg_op_case_memory_init(&got, &test), VGG_OK);
        float *x = values_of(&got, &test.op.x), *w = values_of(&got, &test.op.w);
        memset(x, 0, vgg_view_size(&test.op.x));
        memset(values_of(&got, &test.op.b), 0, vgg_view_size(&test.op.b));
        for (int i = 0; i < COUNT; i++)
            x[inputs * i + i % inputs] = in[i];
        for (int k = 0; k < inputs * 4; k++)
            w[k] = inputs == 1 || k / 4 == k % 4;
        cr_assert_eq(vgg_op_case_run(cases.vk, &test, &got, NULL), VGG_OK);
        for (int i = 0; i < COUNT; i++) {
            float is = values_of(&got, &test.op.y)[4 * i + i % 4];
            cr_expect_eq(is, out[i], "%d: %a becomes %a, not %a", inputs, (double)in[i], (double)is, (double)out[i]);
        }
        vgg_op_case_memory_finish(&got);
    }
    vk_driver_cases_close(&cases);
}

/* ---- tensors of halves ---- */

enum { CHANNELS = 32 }; /* as many as a matrix core's shader takes */

static float half_at(const struct vgg_op_case_memory *memory, const struct vgg_view *view, int i)
{
    float value;
    vgg_dtype_to_f32(&value, memory->arena[view->arena] + view->offset + 2 * (size_t)i, VGG_DTYPE_F16, 1);
    return value;
}

/* What value i becomes; as a gradient it is infinite where it is too large. */
static float rounded(int i, bool gradient)
{
    return gradient && fabsf(in[i]) >= 65520 ? copysignf(INFINITY, in[i]) : out[i];
}

static void expect_halves(const struct vgg_op_case_memory *got, const struct vgg_view *view, bool gradients)
{
    for (int i = 0; i < COUNT; i++) {
        float is = half_at(got, view, i), want = rounded(i, gradients);
        bool small = want != 0 && fabsf(want) < 0x1p-14f; /* a device may take it for 0 */
        cr_expect(is == want || (small && is == 0), "%d: %a becomes %a, not %a", gradients, (double)in[i], (double)is,
                  (double)want);
    }
}

/* Biases that nothing is added to show how activations are stored; a pool that no place but the last takes, gradients:
 * what is too large is infinite there. */
Test(vk_half, rounding_of_what_is_stored)
{
    struct vk_driver_cases cases;
    struct vgg_op_case_memory got;
    vk_driver_lavapipe();
    vk_driver_cases_open_half(&cases);
    struct vgg_op_case conv = { .op = { .kind = VGG_OP_CONV } };
    conv.op.x = vgg_op_case_place(&conv, VGG_ARENA_ACT, VGG_F16, 1, 1, 1, CHANNELS);
    conv.op.y = vgg_op_case_place(&conv, VGG_ARENA_ACT, VGG_F16, 1, 1, 1, CHANNELS);
    conv.op.w = vgg_op_case_place(&conv, VGG_ARENA_PARAM, VGG_F32, 3, 3, CHANNELS, CHANNELS);
    conv.op.b = vgg_op_case_place(&conv, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, CHANNELS);
    cr_assert_eq(vgg_op_case_memory_init(&got, &conv), VGG_OK);
    memset(values_of(&got, &conv.op.w), 0, vgg_view_size(&conv.op.w));
    memcpy(values_of(&got, &conv.op.b), in, sizeof in);
    cr_assert_eq(vgg_op_case_run(cases.vk, &conv, &got, NULL), VGG_OK);
    expect_halves(&got, &conv.op.y, false);
    vgg_op_case_memory_finish(&got);

    struct vgg_op_case pool = { .op = { .kind = VGG_OP_POOL2_BWD } };
    pool.op.dx = vgg_op_case_place(&pool, VGG_ARENA_ACT, VGG_F16, 1, 2, 2, CHANNELS);
    pool.op.dy = vgg_op_case_place(&pool, VGG_ARENA_ACT, VGG_F32, 1, 1, 1, CHANNELS);
    pool.op.arg = vgg_op_case_place(&pool, VGG_ARENA_ACT, VGG_U8, 1, 1, 1, CHANNELS);
    cr_assert_eq(vgg_op_case_memory_init(&got, &pool), VGG_OK);
    memset(got.arena[VGG_ARENA_ACT] + pool.op.arg.offset, 0, CHANNELS);
    memcpy(values_of(&got, &pool.op.dy), in, sizeof in);
    cr_assert_eq(vgg_op_case_run(cases.vk, &pool, &got, NULL), VGG_OK);
    expect_halves(&got, &pool.op.dx, true);
    for (int i = CHANNELS; i < 4 * CHANNELS; i++)
        cr_expect_eq(half_at(&got, &pool.op.dx, i), 0);
    vgg_op_case_memory_finish(&got);
    vk_driver_cases_close(&cases);
}

/* Gradients in fp32, as factors of products whose other factors are 1: image i of dx, or channel i of dw, is what value
 * i becomes. Convolutions are of one pixel, whose neighbours add nothing. */
static void check_gradients(struct vgg_backend *vk, enum vgg_op_kind kind, int channels)
{
    bool data = kind == VGG_OP_DENSE_BWD_DATA || kind == VGG_OP_CONV_BWD_DATA;
    int side = kind == VGG_OP_CONV_BWD_DATA || kind == VGG_OP_CONV_BWD_WEIGHT ? 3 : 1, images = data ? COUNT : 1;
    struct vgg_op_case test = { .op = { .kind = kind } };
    struct vgg_view x = vgg_op_case_place(&test, VGG_ARENA_ACT, VGG_F32, images, 1, 1, channels);
    struct vgg_view dy = vgg_op_case_place(&test, VGG_ARENA_ACT, VGG_F32, images, 1, 1, data ? channels : COUNT);
    struct vgg_view w =
        vgg_op_case_place(&test, data ? VGG_ARENA_PARAM : VGG_ARENA_GRAD, VGG_F32, side, side, channels, dy.c);
    test.op.dy = dy;
    if (data)
        test.op.dx = x, test.op.w = w;
    else
        test.op.x = x, test.op.dw = w, test.op.db = vgg_op_case_place(&test, VGG_ARENA_GRAD, VGG_F32, 1, 1, 1, dy.c);
    struct vgg_op_case_memory got;
    cr_assert_eq(vgg_op_case_memory_init(&got, &test), VGG_OK);
    memset(values_of(&got, &dy), 0, vgg_view_size(&dy));
    memset(values_of(&got, &w), 0, vgg_view_size(&w));
    const struct vgg_view *ones = data ? &w : &x;
    for (size_t k = 0; k < vgg_view_count(ones); k++)
        values_of(&got, ones)[k] = 1;
    for (int i = 0; i < COUNT; i++)
        values_of(&got, &dy)[data ? i * channels + i % channels : i] = in[i];
    cr_assert_eq(vgg_op_case_run(vk, &test, &got, NULL), VGG_OK);
    const float *result = values_of(&got, data ? &x : &w) + (data ? 0 : side * side / 2 * channels * COUNT);
    for (int i = 0; i < COUNT; i++)
        for (int c = 0; c < channels; c++) {
            float is = result[data ? i * channels + c : c * COUNT + i], want = rounded(i, true);
            cr_expect_eq(is, want, "%s, %d: %a becomes %a, not %a", vgg_op_name(kind), channels, (double)in[i],
                         (double)is, (double)want);
        }
    vgg_op_case_memory_finish(&got);
}

Test(vk_half, rounding_of_gradients)
{
    static const enum vgg_op_kind kinds[] = { VGG_OP_DENSE_BWD_DATA, VGG_OP_DENSE_BWD_WEIGHT, VGG_OP_CONV_BWD_DATA,
                                              VGG_OP_CONV_BWD_WEIGHT };
    struct vk_driver_cases cases;
    vk_driver_lavapipe();
    vk_driver_cases_open_half(&cases);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        check_gradients(cases.vk, kinds[k], 1);
        check_gradients(cases.vk, kinds[k], CHANNELS); /* on matrix cores, where there are any */
    }
    vk_driver_cases_close(&cases);
}

/* Maps that no binding holds as a whole, which begin anywhere in theirs. */
Test(vk_half, parts_of_maps)
{
    static const struct vk_driver_shape shape = { 3, 37, 22, 32, 48 };
    struct vk_driver_cases cases;
    vk_driver_lavapipe();
    vk_driver_cases_open_half(&cases);
    struct vk *vk = (struct vk *)cases.vk;
    vk->limits.align = 256;
    for (vk->limits.range = 64000; vk->limits.range <= 640000; vk->limits.range *= 10) {
        struct vgg_op_case tests[] = {
            vk_driver_conv_case(&shape, VGG_OP_CONV, VGG_OP_RELU, false),
            vk_driver_conv_case(&shape, VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, true),
            vk_driver_conv_case(&shape, VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false),
            vk_driver_conv_case(&shape, VGG_OP_CONV_BWD_WEIGHT, 0, false),
            { .op = { .kind = VGG_OP_POOL2_BWD, .flags = VGG_OP_RELU }, .text = "POOL2_BWD" },
        };
        struct vgg_op *pool = &tests[4].op;
        pool->dx = vgg_op_case_place(&tests[4], VGG_ARENA_ACT, VGG_F16, 3, 37, 23, 64);
        pool->dy = vgg_op_case_place(&tests[4], VGG_ARENA_ACT, VGG_F16, 3, 18, 11, 64);
        pool->y = vgg_op_case_place(&tests[4], VGG_ARENA_ACT, VGG_F16, 3, 18, 11, 64);
        pool->arg = vgg_op_case_place(&tests[4], VGG_ARENA_ACT, VGG_U8, 3, 18, 11, 64);
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
            struct vgg_view *view[] = { &tests[i].op.x, &tests[i].op.y, &tests[i].op.dx, &tests[i].op.dy };
            for (size_t k = 0; k < sizeof view / sizeof *view; k++)
                if (view[k]->n) view[k]->type = VGG_F16;
            cr_assert(vk->base.vtable->supports(cases.vk, &tests[i].op), "%s", tests[i].text);
            vk_driver_cases_run_one(&cases, &tests[i]);
        }
    }
    vk_driver_cases_close(&cases);
}

/* 32 products of 300 and -250 are too much for a half: the gradient is infinite, the activation its largest. */
Test(vk_half, sums_too_large)
{
    struct vk_driver_cases cases;
    struct vgg_op_case_memory got;
    vk_driver_lavapipe();
    vk_driver_cases_open_half(&cases);
    for (int backward = 0; backward < 2; backward++) {
        struct vgg_op_case test = { .op = { .kind = backward ? VGG_OP_CONV_BWD_DATA : VGG_OP_CONV } };
        struct vgg_view x = vgg_op_case_place(&test, VGG_ARENA_ACT, VGG_F16, 1, 1, 1, CHANNELS);
        struct vgg_view y = vgg_op_case_place(&test, VGG_ARENA_ACT, VGG_F16, 1, 1, 1, CHANNELS);
        test.op.w = vgg_op_case_place(&test, VGG_ARENA_PARAM, VGG_F32, 3, 3, CHANNELS, CHANNELS);
        if (backward)
            test.op.dy = x, test.op.dx = y;
        else
            test.op.x = x, test.op.y = y,
            test.op.b = vgg_op_case_place(&test, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, CHANNELS);
        cr_assert_eq(vgg_op_case_memory_init(&got, &test), VGG_OK);
        const float factor = 300;
        for (size_t i = 0; i < CHANNELS; i++)
            vgg_dtype_to_f16((uint16_t *)(void *)(got.arena[x.arena] + x.offset) + i, &factor, 1);
        for (size_t i = 0; i < vgg_view_count(&test.op.w); i++)
            values_of(&got, &test.op.w)[i] = -250;
        cr_assert_eq(vgg_op_case_run(cases.vk, &test, &got, NULL), VGG_OK);
        for (int i = 0; i < CHANNELS; i++)
            cr_expect_eq(half_at(&got, &y, i), backward ? -INFINITY : -65504, "%d: %g", backward,
                         (double)half_at(&got, &y, i));
        vgg_op_case_memory_finish(&got);
    }
    vk_driver_cases_close(&cases);
}

/* ---- networks ---- */

/* Opens lavapipe, and makes a model and images. */
static void open_network(struct vgg_model **model, const struct vgg_model_options *network, float *x, size_t count)
{
    vk_driver_lavapipe();
    cr_assert_eq(vgg_model_create(model, network), VGG_OK);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(i * 2654435761u % 256) - 120.5f;
}

/* The operands of a forward pass are rounded once, when they are stored or when they are read. */
Test(vk_half, storage_changes_no_feature)
{
    enum { SIZE = 32, IMAGES = 2 };
    static float x[IMAGES * SIZE * SIZE * 3], y[2][IMAGES * 512];
    const struct vgg_model_options network = { .weights = "random", .height = SIZE, .width = SIZE, .seed = 7 };
    const struct vgg_engine_options device = { .backend = "vulkan", .precision = "fp16" };
    struct vgg_model *model;
    struct vgg_engine *engine;
    open_network(&model, &network, x, sizeof x / sizeof *x);
    cr_assert_eq(vgg_engine_create(&engine, &device), VGG_OK);
    cr_assert(engine->backend->halves);
    for (int halves = 0; halves < 2; halves++) {
        struct vgg_features *features;
        engine->backend->halves = halves;
        cr_assert_eq(vgg_features_create(&features, engine, model, NULL), VGG_OK);
        cr_assert_eq(vgg_features_run(features, y[halves], x, IMAGES), VGG_OK);
        vgg_features_destroy(features);
    }
    cr_expect(memcmp(y[0], y[1], sizeof *y) == 0);
    cr_expect_neq(y[0][0], y[0][1]);
    vgg_engine_destroy(engine);
    vgg_model_destroy(model);
}

/* A scale that fp32 bears and a half does not: the step is passed over, however gradients are stored. */
Test(vk_half, gradients_too_large_are_found)
{
    enum { SIZE = 32, IMAGES = 2 };
    static float x[IMAGES * SIZE * SIZE * 3];
    const float labels[IMAGES] = { 1, 1 };
    const struct vgg_model_options network = { .arch = "vgg11",
                                               .last = "block2_pool",
                                               .weights = "random",
                                               .head = "gap,dense:2:softmax",
                                               .height = SIZE,
                                               .width = SIZE };
    static const struct {
        const char *precision;
        bool halves;
    } runs[] = { { "fp32", false }, { "fp16", false }, { "fp16", true } };
    struct vgg_model *model;
    open_network(&model, &network, x, sizeof x / sizeof *x);
    /* The head is far from the labels, and makes large gradients of it. */
    const struct vgg_view *kernel = &model->arch.layer[model->arch.count - 1].kernel;
    for (size_t i = 0; i < vgg_view_count(kernel); i++)
        model->params[kernel->offset / sizeof(float) + i] = i % 2 ? -20000 : 20000;
    for (size_t run = 0; run < sizeof runs / sizeof *runs; run++) {
        const struct vgg_engine_options device = { .backend = "vulkan", .precision = runs[run].precision };
        bool half = strcmp(runs[run].precision, "fp16") == 0;
        const struct vgg_plan_spec spec = { .arch = &model->arch,
                                            .batch = IMAGES,
                                            .last = model->arch.count,
                                            .loss = true,
                                            .optimizer = VGG_OPTIMIZER_SGD,
                                            .scaled = true };
        float loss[IMAGES];
        bool skipped = !half;
        struct vgg_net_io io = { .n = IMAGES, .x = x, .t = labels, .loss = loss, .skipped = &skipped };
        const struct vgg_step step = { .unscale = 0x1p-24f, .learning_rate = 1e-3f };
        struct vgg_engine *engine;
        struct vgg_net *net;
        cr_assert_eq(vgg_engine_create(&engine, &device), VGG_OK);
        engine->backend->halves = runs[run].halves;
        cr_assert_eq(vgg_net_create(&net, engine->backend, &spec, 0, 0, 0), VGG_OK);
        cr_assert_eq(vgg_net_set_params(net, model->params), VGG_OK);
        cr_assert_eq(vgg_net_train(net, &io, &step), VGG_OK);
        cr_expect_eq(skipped, half, "run %zu", run);
        cr_expect(isfinite(loss[0]) && isfinite(loss[1]));
        vgg_net_destroy(net);
        vgg_engine_destroy(engine);
    }
    vgg_model_destroy(model);
}
