/* What GPUs run, on the software driver: its device is taken for a discrete or an integrated GPU. Every operation and a
 * training as such run in test_vk_class. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/engine/device.h"
#include "core/format/safetensors.h"
#include "core/model/model.h"
#include "vk/vk_wino.h"
#include "vk_driver.h"

static void open_as(const char *class)
{
    vk_driver_lavapipe();
    setenv("VGG16_VK_CLASS", class, 1);
}

TestSuite(vk_gpu, .timeout = 300);

Test(vk_gpu, forced_splits)
{
    static const char *const parts[] = { "2", "3", "7" };
    open_as("discrete");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        setenv("VGG16_VK_SPLIT", parts[i], 1);
        cr_expect_gt(vk_driver_run_cases("CONV", 3, i), 15u);
    }
}

/* ---- Winograd's way beside plain C ---- */

static struct vk_conv conv_of(const struct vgg_op *op)
{
    bool data = op->kind == VGG_OP_CONV_BWD_DATA, weight = op->kind == VGG_OP_CONV_BWD_WEIGHT;
    return (struct vk_conv) { .op = op,
                              .x = data ? &op->dy : &op->x,
                              .out = data     ? &op->dx
                                     : weight ? &op->dy
                                              : &op->y,
                              .co = data     ? op->dx.c
                                    : weight ? op->dy.c
                                             : op->w.c,
                              .transposed = data,
                              .relu = op->flags & VGG_OP_RELU,
                              .pool = op->flags & VGG_OP_POOL,
                              .arg = op->arg.n != 0 };
}

static bool by_winograd(const struct vk *vk, const struct vgg_op *op)
{
    const struct vk_conv conv = conv_of(op);
    return vk_wino_wanted(vk, &conv);
}

/* Every pass and epilogue of one shape: within the bound of plain C, and the same bits on a device opened anew. */
static void check_winograd(const struct vk_driver_shape *s)
{
    const struct vgg_op_case tests[] = { vk_driver_conv_case(s, VGG_OP_CONV, 0, false),
                                         vk_driver_conv_case(s, VGG_OP_CONV, VGG_OP_RELU, false),
                                         vk_driver_conv_case(s, VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, false),
                                         vk_driver_conv_case(s, VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, true),
                                         vk_driver_conv_case(s, VGG_OP_CONV_BWD_DATA, 0, false),
                                         vk_driver_conv_case(s, VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false),
                                         vk_driver_conv_case(s, VGG_OP_CONV_BWD_WEIGHT, 0, false) };
    const struct vgg_engine_options plain = { .backend = "cpu", .isa = "scalar" }, vulkan = { .backend = "vulkan" };
    struct vgg_backend *cpu, *vk, *again;
    cr_assert_eq(vgg_backend_open(&cpu, &plain), VGG_OK);
    cr_assert_eq(vgg_backend_open(&vk, &vulkan), VGG_OK);
    cr_assert_eq(vgg_backend_open(&again, &vulkan), VGG_OK);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        const struct vgg_op_case *test = &tests[i];
        struct vgg_op_case_memory expected, got, same;
        struct vgg_op_case_error error;
        cr_expect(by_winograd((struct vk *)vk, &test->op), "%s is not made by Winograd's way", test->text);
        cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&same, test), VGG_OK);
        cr_assert_eq(vgg_op_case_run(cpu, test, &expected, NULL), VGG_OK);
        cr_assert_eq(vgg_op_case_run(vk, test, &got, NULL), VGG_OK);
        cr_assert_eq(vgg_op_case_run(again, test, &same, NULL), VGG_OK);
        cr_expect(vgg_op_case_check(test, &expected, &got, &error), "%s: %s differs by %g, allowed %g", test->text,
                  error.what, error.error, error.bound);
        printf("%s: %s differs by %.1e, allowed %.0e\n", test->text, error.what, error.error, error.bound);
        cr_expect(vgg_op_case_same(test, &got, &same), "%s: other bits", test->text);
        vgg_op_case_memory_finish(&expected);
        vgg_op_case_memory_finish(&got);
        vgg_op_case_memory_finish(&same);
    }
    vgg_backend_close(again);
    vgg_backend_close(vk);
    vgg_backend_close(cpu);
}

Test(vk_gpu, winograd_discrete)
{
    open_as("discrete");
    check_winograd(&(struct vk_driver_shape) { 1, 20, 20, 96, 96 });
}

Test(vk_gpu, winograd_integrated)
{
    open_as("integrated");
    check_winograd(
        &(struct vk_driver_shape) { 3, 21, 18, 96, 132 }); /* neither tiles of 4x4 nor of the products are full */
}

/* Scratch for 68 rows of an image of 96. */
Test(vk_gpu, winograd_in_parts)
{
    open_as("integrated");
    setenv("VGG16_VK_RANGE", "7400000", 1);
    check_winograd(&(struct vk_driver_shape) { 1, 96, 26, 128, 128 });
}

/* The kernel's gradient of few channels: its sums over tiles in parts, the last of which is shorter. */
Test(vk_gpu, winograd_split)
{
    const struct vk_driver_shape s = { 3, 62, 50, 36, 68 };
    const struct vgg_engine_options plain = { .backend = "cpu", .isa = "scalar" }, vulkan = { .backend = "vulkan" };
    const struct vgg_op_case test = vk_driver_conv_case(&s, VGG_OP_CONV_BWD_WEIGHT, 0, false);
    struct vgg_op_case_memory expected, got, same;
    struct vgg_op_case_error error;
    struct vgg_backend *cpu, *vk;
    open_as("discrete");
    cr_assert_eq(vgg_backend_open(&cpu, &plain), VGG_OK);
    cr_assert_eq(vgg_backend_open(&vk, &vulkan), VGG_OK);
    const struct vk_conv conv = conv_of(&test.op);
    cr_assert(by_winograd((struct vk *)vk, &test.op));
    cr_expect_gt(vk_wino_plan((struct vk *)vk, &conv).parts, 2u);
    cr_assert_eq(vgg_op_case_memory_init(&expected, &test), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&got, &test), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&same, &test), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cpu, &test, &expected, NULL), VGG_OK);
    cr_assert_eq(vgg_op_case_run(vk, &test, &got, NULL), VGG_OK);
    cr_assert_eq(vgg_op_case_run(vk, &test, &same, NULL), VGG_OK);
    cr_expect(vgg_op_case_check(&test, &expected, &got, &error), "%s differs by %g, allowed %g", error.what,
              error.error, error.bound);
    cr_expect(vgg_op_case_same(&test, &got, &same), "other bits");
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_memory_finish(&got);
    vgg_op_case_memory_finish(&same);
    vgg_backend_close(vk);
    vgg_backend_close(cpu);
}

/* Rows of one image, or some images, at a time, as a small cache holds them: the bits of all at once. */
Test(vk_gpu, winograd_in_groups)
{
    static const struct vk_driver_shape shapes[] = { { 2, 66, 50, 64, 64 }, { 9, 32, 30, 64, 64 } };
    const struct vgg_engine_options vulkan = { .backend = "vulkan" };
    struct vgg_backend *backend;
    open_as("discrete");
    cr_assert_eq(vgg_backend_open(&backend, &vulkan), VGG_OK);
    struct vk *vk = (struct vk *)backend;
    struct vk_class all = *vk->gpu.class, few;
    all.cache = 0;
    all.per_call = 0; /* and a machine for which small groups are better, and Winograd's way in all of them */
    all.per_byte = 4;
    all.busy = 8;
    few = all;
    few.cache = 3 << 20;
    for (size_t i = 0; i < 4; i++) {
        enum vgg_op_kind kind = i % 2 ? VGG_OP_CONV_BWD_DATA : VGG_OP_CONV;
        const struct vgg_op_case test =
            vk_driver_conv_case(&shapes[i / 2], kind, VGG_OP_RELU | (i % 2 ? 0u : VGG_OP_POOL), i % 2 == 0);
        const struct vk_conv conv = conv_of(&test.op);
        struct vgg_op_case_memory together, apart;
        cr_assert_eq(vgg_op_case_memory_init(&together, &test), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&apart, &test), VGG_OK);
        vk->gpu.class = &all;
        cr_assert(by_winograd(vk, &test.op));
        cr_expect_eq(vk_wino_groups(vk, &conv), 1u);
        cr_assert_eq(vgg_op_case_run(backend, &test, &together, NULL), VGG_OK);
        vk->gpu.class = &few;
        cr_assert(by_winograd(vk, &test.op));
        cr_expect_gt(vk_wino_groups(vk, &conv), 2u, "%s: %zu groups", test.text, vk_wino_groups(vk, &conv));
        cr_assert_eq(vgg_op_case_run(backend, &test, &apart, NULL), VGG_OK);
        cr_expect(vgg_op_case_same(&test, &together, &apart), "%s: other bits in groups", test.text);
        vgg_op_case_memory_finish(&together);
        vgg_op_case_memory_finish(&apart);
    }
    vgg_backend_close(backend);
}

static struct vgg_op_case square(int n, int size, int channels, enum vgg_op_kind kind)
{
    return vk_driver_conv_case(&(struct vk_driver_shape) { n, size, size, channels, channels }, kind, 0, false);
}

/* By the shape and the class of device; never by a rate, which is measured, nor where --conv direct forbids it. */
Test(vk_gpu, choice_of_way)
{
    const struct vgg_engine_options options = { .backend = "vulkan" },
                                    direct = { .backend = "vulkan", .conv = "direct" };
    struct vgg_backend *backend, *forced;
    open_as("discrete");
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    cr_assert_eq(vgg_backend_open(&forced, &direct), VGG_OK);
    struct vk *vk = (struct vk *)backend;
    for (int i = 0; i < 2; i++, vk->rate *= 1000) {
        struct vgg_op_case block4 = square(1, 28, 512, VGG_OP_CONV), low = square(1, 10, 512, VGG_OP_CONV);
        struct vgg_op_case many = square(16, 14, 512, VGG_OP_CONV), one = square(1, 14, 512, VGG_OP_CONV);
        struct vgg_op_case gradient = square(1, 28, 512, VGG_OP_CONV_BWD_WEIGHT);
        const struct vk_conv conv = { .op = &low.op, .x = &low.op.x, .out = &low.op.y, .co = 512 };
        cr_expect(by_winograd(vk, &block4.op));
        cr_expect(by_winograd(vk, &gradient.op));
        cr_expect_eq(by_winograd(vk, &many.op), by_winograd(vk, &one.op));
        cr_expect_not(by_winograd(vk, &low.op));
        cr_expect_gt(vk_conv_plan(vk, &conv, 1).parts, 1u);
        cr_expect_eq(vk_conv_plan(vk, &conv, 1).parts, vk_conv_plan(vk, &conv, 16).parts);
        cr_expect_not(by_winograd((struct vk *)forced, &block4.op));
    }
    vgg_backend_close(forced);
    vgg_backend_close(backend);
}

/* The images of a batch one by one: the same bits. */
static void check_batch(struct vgg_backend *vk, const struct vgg_op_case *whole)
{
    struct vgg_op_case_memory together, apart;
    struct vgg_op_case one = *whole;
    struct vgg_view *views[] = { &one.op.x, &one.op.y, &one.op.dx, &one.op.dy, &one.op.arg };
    size_t images = (size_t)(whole->op.x.n ? whole->op.x.n : whole->op.dx.n);
    cr_assert_eq(vgg_op_case_memory_init(&together, whole), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&apart, whole), VGG_OK);
    cr_assert_eq(vgg_op_case_run(vk, whole, &together, NULL), VGG_OK);
    for (size_t v = 0; v < sizeof views / sizeof *views; v++)
        if (views[v]->n) views[v]->n = 1;
    for (size_t i = 0; i < images; i++) {
        cr_assert_eq(vgg_op_case_run(vk, &one, &apart, NULL), VGG_OK);
        for (size_t v = 0; v < sizeof views / sizeof *views; v++)
            views[v]->offset += vgg_view_size(views[v]);
    }
    cr_expect(vgg_op_case_same(whole, &together, &apart), "%s: other bits image by image", whole->text);
    vgg_op_case_memory_finish(&together);
    vgg_op_case_memory_finish(&apart);
}

Test(vk_gpu, batches_give_the_bits_of_single_images)
{
    static const struct vk_driver_shape shapes[] = { { 32, 64, 6, 64, 64 },
                                                     { 3, 14, 14, 256, 256 },
                                                     { 12, 16, 16, 64, 128 } };
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_backend *vk;
    open_as("discrete");
    cr_assert_eq(vgg_backend_open(&vk, &options), VGG_OK);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct vgg_op_case tests[] = {
            vk_driver_conv_case(&shapes[i], VGG_OP_CONV, VGG_OP_RELU, false),
            vk_driver_conv_case(&shapes[i], VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, true),
            vk_driver_conv_case(&shapes[i], VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false)
        };
        for (size_t k = 0; k < sizeof tests / sizeof *tests; k++)
            check_batch(vk, &tests[k]);
    }
    vgg_backend_close(vk);
}

/* Another driver: subgroups of 4, bindings at multiples of 256 bytes, no 64-bit integers. */
Test(vk_gpu, swiftshader)
{
    vk_driver_swiftshader();
    setenv("VGG16_VK_CLASS", "integrated", 1);
    cr_expect_gt(vk_driver_run_cases("CONV", 7, 3), 5u);
    check_winograd(&(struct vk_driver_shape) { 3, 21, 18, 96, 132 });
}

/* Splits and Winograd's steps lie in the same scratch, one after the other. */
Test(vk_gpu, validation_is_silent)
{
    open_as("discrete");
    const char *log = vk_driver_validate(VK_DRIVER_SYNCHRONISATION);
    cr_expect_gt(vk_driver_run_cases("CONV", 1, 0), 60u);
    check_winograd(&(struct vk_driver_shape) { 1, 20, 20, 96, 96 });
    vk_driver_expect_silence(log);
}

/* ---- the network beside the CPU ---- */

enum { SIZE = 64, ITEMS = 2 };

static struct vgg_model *model_create(void)
{
    const struct vgg_model_options options = {
        .arch = "vgg16", .weights = "random", .head = "gap,dense:1:sigmoid", .height = SIZE, .width = SIZE, .seed = 5
    };
    struct vgg_model *model;
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    return model;
}

static struct vgg_engine *engine_create(const char *backend)
{
    const struct vgg_engine_options options = { .backend = backend };
    struct vgg_engine *engine;
    cr_assert_eq(vgg_engine_create(&engine, &options), VGG_OK);
    return engine;
}

static void expect_close(const char *what, const float *got, const float *expected, size_t count, double bound)
{
    double worst = 0, scale = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)got[i] - (double)expected[i]));
        scale = fmax(scale, fabs((double)expected[i]));
    }
    printf("%s differs by %.1e\n", what, worst / scale);
    cr_expect_gt(scale, 0);
    cr_expect_leq(worst, bound * scale, "%s: %g of %g", what, worst, scale);
}

static float *features(const char *backend, size_t *count)
{
    const struct vgg_features_options options = { .batch = ITEMS };
    struct vgg_engine *engine = engine_create(backend);
    struct vgg_model *model = model_create();
    struct vgg_features *run;
    int h, w, c;
    float *x = malloc(sizeof(float) * ITEMS * SIZE * SIZE * 3);
    cr_assert(x);
    for (uint64_t i = 0; i < ITEMS * SIZE * SIZE * 3; i++)
        x[i] = (float)vgg_rng_below(7, VGG_RNG_INIT, 0, i, 256) - 128;
    cr_assert_eq(vgg_features_create(&run, engine, model, &options), VGG_OK);
    vgg_features_shape(run, &h, &w, &c);
    *count = (size_t)(ITEMS * h * w * c);
    float *y = malloc(sizeof(float) * *count);
    cr_assert(y);
    cr_assert_eq(vgg_features_run(run, y, x, ITEMS), VGG_OK);
    vgg_features_destroy(run);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
    free(x);
    return y;
}

Test(vk_gpu, network_forward)
{
    size_t count;
    open_as("discrete");
    float *expected = features("cpu", &count), *got = features("vulkan", &count);
    expect_close("block5_pool", got, expected, count, 1e-4);
    free(expected);
    free(got);
}

static struct vgg_model *train(const char *backend, const char *images)
{
    const struct vgg_train_options options = {
        .trainable = "all", .optimizer = VGG_OPTIMIZER_SGD, .learning_rate = 1, .epochs = 1, .batch = ITEMS, .seed = 11
    };
    struct vgg_engine *engine = engine_create(backend);
    struct vgg_model *model = model_create();
    struct vgg_data *data;
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    cr_assert_eq(vgg_train(engine, model, data, NULL, &options), VGG_OK);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    return model;
}

/* The step that one parameter tensor took. */
static float *step_of(const struct vgg_model *after, const struct vgg_model *before, int layer, bool bias, size_t count)
{
    float *step = malloc(sizeof(float) * count), *old = malloc(sizeof(float) * count);
    cr_assert(step && old);
    cr_assert_eq(vgg_model_get(after, layer, bias, step, count), VGG_OK);
    cr_assert_eq(vgg_model_get(before, layer, bias, old, count), VGG_OK);
    for (size_t i = 0; i < count; i++)
        step[i] -= old[i];
    free(old);
    return step;
}

/* One step of gradient descent moves every parameter by its gradient. Rounding errors change the side of a ReLU, or the
 * place of a maximum, here and there, which moves gradients by some 1e-3 of their scale. */
Test(vk_gpu, network_training_step)
{
    static uint8_t x[ITEMS][SIZE][SIZE][3];
    static int64_t y[ITEMS] = { 0, 1 };
    char folder[] = "/tmp/vgg16-vk-gpu-XXXXXX", images[64], command[64];
    open_as("discrete");
    cr_assert(mkdtemp(folder));
    snprintf(images, sizeof images, "%s/images.safetensors", folder);
    for (uint64_t i = 0; i < sizeof x; i++)
        (&x[0][0][0][0])[i] = (uint8_t)vgg_rng_below(9, VGG_RNG_INIT, 0, i, 256);
    struct vgg_st_tensor tensors[] = { { "x", VGG_DTYPE_U8, 4, { ITEMS, SIZE, SIZE, 3 }, x, sizeof x },
                                       { "y", VGG_DTYPE_I64, 1, { ITEMS }, y, sizeof y } };
    cr_assert_eq(vgg_st_write(images, tensors, 2, NULL, 0), VGG_OK);
    struct vgg_model *before = model_create(), *cpu = train("cpu", images), *vulkan = train("vulkan", images);
    for (int i = 0; i < before->arch.count; i++) {
        const struct vgg_view *views[] = { &before->arch.layer[i].kernel, &before->arch.layer[i].bias };
        for (int bias = 0; bias < 2 && views[bias]->n; bias++) {
            size_t count = vgg_view_count(views[bias]);
            float *expected = step_of(cpu, before, i, bias, count), *got = step_of(vulkan, before, i, bias, count);
            expect_close(before->arch.layer[i].name, got, expected, count, 1e-2);
            free(expected);
            free(got);
        }
    }
    vgg_model_destroy(before);
    vgg_model_destroy(cpu);
    vgg_model_destroy(vulkan);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}
