/* Each class of devices on the software driver, which is taken for a discrete or an integrated GPU or for what it is:
 * every operation with every shader of the class, and a training, beside plain C. Gradients beside central differences
 * run there as test_gradients_CLASS. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "core/engine/engine.h"
#include "core/format/safetensors.h"
#include "core/model/model.h"
#include "shaders/common/params.h"
#include "vk/vk_base.h"
#include "vk_driver.h"

TestSuite(vk_class, .timeout = 300);

static void open_as(const char *class)
{
    vk_driver_lavapipe();
    setenv("VGG16_VK_CLASS", class, 1);
}

/* ---- operations ---- */

/* Beside the list: what one class needs for its shaders to be used in every way. Winograd's gradient on an integrated
 * GPU; sums of odd columns in parts, and a dense layer of fours that are no eights, for devices of CPU type. */
static void run_more(const struct vk_driver_cases *cases)
{
    const struct vgg_op_case more[] = {
        vk_driver_conv_case(&(struct vk_driver_shape) { 3, 21, 18, 96, 132 }, VGG_OP_CONV_BWD_WEIGHT, 0, false),
        vk_driver_conv_case(&(struct vk_driver_shape) { 2, 21, 17, 3, 5 }, VGG_OP_CONV_BWD_WEIGHT, 0, false),
        vk_driver_dense_case(5, 28, 20),
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        vk_driver_cases_run_one(cases, &more[i]);
}

static void check_operations(const char *class, const struct vk_driver_exception *except)
{
    struct vk_driver_cases cases;
    open_as(class);
    vk_driver_cases_open(&cases);
    const struct vk_class *row = ((struct vk *)cases.vk)->gpu.class;
    cr_assert_str_eq(row->type, *class ? class : "cpu");
    cr_assert_eq(row->lanes, !*class);
    cr_expect_gt(vk_driver_cases_run_all(&cases), 350u);
    run_more(&cases);
    struct vk *vk = (struct vk *)cases.vk;
    vk->half = vk->direct = true; /* test_vk_half.c has them all */
    for (size_t phase = 0; phase < 2; phase++)
        cr_expect_gt(vk_driver_cases_run(&cases, phase ? "DENSE" : "CONV", 5, phase), 5u);
    cr_expect_gt(vk_driver_expect_ways(row, except), 19);
    vk_driver_cases_close(&cases);
}

Test(vk_class, discrete_operations)
{
    check_operations("discrete", NULL);
}

Test(vk_class, integrated_operations)
{
    check_operations("integrated", NULL);
}

Test(vk_class, cpu_operations)
{
    /* Winograd's products have a shader of their own there. */
    static const struct vk_driver_exception except[] = { { "gemm", VK_SPEC_BATCH }, { 0 } };
    check_operations("", except);
}

/* ---- values that are no numbers ---- */

static float *values_of(struct vgg_op_case_memory *memory, const struct vgg_view *view)
{
    return (float *)(void *)(memory->arena[view->arena] + view->offset);
}

/* A NaN and an infinity in the input; no weight that a device may take for 0, which makes a NaN of the infinity. */
static void plant(const struct vgg_op *op, struct vgg_op_case_memory *memory)
{
    float *x = values_of(memory, &op->x), *w = values_of(memory, &op->w);
    size_t inputs = vgg_view_count(&op->x), weights = vgg_view_count(&op->w);
    x[inputs / 5] = NAN;
    x[inputs / 2] = INFINITY;
    for (size_t i = 0; i < weights; i++)
        if (fabsf(w[i]) < 1e-30f) w[i] = 0.25f;
}

/* Compares with plain C which results are NaN and which infinite; spreads: more may be none, as Winograd's tiles spread
 * them. */
static void check_no_numbers(const struct vk_driver_cases *cases, const struct vgg_op_case *test, bool spreads)
{
    struct vgg_op_case_memory expected, got;
    size_t none = 0, numbers = 0;
    cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
    plant(&test->op, &expected);
    plant(&test->op, &got);
    cr_assert_eq(vgg_op_case_run(cases->cpu, test, &expected, NULL), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cases->vk, test, &got, NULL), VGG_OK);
    const float *want = values_of(&expected, &test->op.y), *is = values_of(&got, &test->op.y);
    for (size_t i = 0; i < vgg_view_count(&test->op.y); i++) {
        if (!isnan(want[i]) && spreads) continue;
        cr_assert_eq(!isnan(want[i]), !isnan(is[i]), "%s: y[%zu] is %g, not %g", test->text, i, (double)is[i],
                     (double)want[i]);
        cr_assert(isnan(want[i]) || isinf(want[i]) == isinf(is[i]) || spreads, "%s: y[%zu] is %g, not %g", test->text,
                  i, (double)is[i], (double)want[i]);
        none += isnan(want[i]) != 0;
        numbers += isfinite(want[i]) != 0;
    }
    cr_expect_gt(none, 0u, "%s", test->text);
    if (!spreads) cr_expect_gt(numbers, 0u, "%s", test->text);
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_memory_finish(&got);
}

/* Every shader that ends with a ReLU: a diverged network must not look like one that learns. */
static void check_class_no_numbers(const char *class)
{
    enum { POOLED = VGG_OP_RELU | VGG_OP_POOL };
    struct vk_driver_cases cases;
    struct vgg_op_case dense[] = { vk_driver_dense_case(5, 28, 20), vk_driver_dense_case(9, 64, 48),
                                   vk_driver_dense_case(3, 1024, 24) }; /* the last in parts */
    const struct vgg_op_case convs[] = {
        vk_driver_conv_case(&(struct vk_driver_shape) { 2, 13, 11, 5, 7 }, VGG_OP_CONV, VGG_OP_RELU, false),
        vk_driver_conv_case(&(struct vk_driver_shape) { 2, 12, 10, 16, 24 }, VGG_OP_CONV, VGG_OP_RELU, false),
        vk_driver_conv_case(&(struct vk_driver_shape) { 2, 12, 10, 16, 24 }, VGG_OP_CONV, POOLED, true),
        vk_driver_conv_case(&(struct vk_driver_shape) { 1, 7, 7, 264, 136 }, VGG_OP_CONV, VGG_OP_RELU, false),
        vk_driver_conv_case(&(struct vk_driver_shape) { 2, 20, 20, 96, 96 }, VGG_OP_CONV, VGG_OP_RELU, false),
    };
    size_t winograd = sizeof convs / sizeof *convs - 1;
    open_as(class);
    vk_driver_cases_open(&cases);
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++) {
        dense[i].op.flags = VGG_OP_RELU;
        check_no_numbers(&cases, &dense[i], false);
    }
    for (size_t i = 0; i <= winograd; i++)
        check_no_numbers(&cases, &convs[i], i == winograd);
    vk_driver_cases_close(&cases);
}

Test(vk_class, discrete_no_numbers)
{
    check_class_no_numbers("discrete");
}

Test(vk_class, integrated_no_numbers)
{
    check_class_no_numbers("integrated");
}

Test(vk_class, cpu_no_numbers)
{
    check_class_no_numbers("");
}

/* ---- a training ---- */

enum { SIZE = 32, ITEMS = 4, BATCH = 2, EPOCHS = 2 };

static void write_images(const char *path)
{
    static uint8_t x[ITEMS][SIZE][SIZE][3];
    int64_t y[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        y[i] = i % 2;
        for (int k = 0; k < SIZE * SIZE * 3; k++) {
            uint32_t noise = vgg_rng_below(7, VGG_RNG_INIT, (uint64_t)i, (uint64_t)k, 120);
            (&x[i][0][0][0])[k] = (uint8_t)(noise + (k % 3 == y[i] ? 120u : 0u));
        }
    }
    const struct vgg_st_tensor tensors[] = { { "x", VGG_DTYPE_U8, 4, { ITEMS, SIZE, SIZE, 3 }, x, sizeof x },
                                             { "y", VGG_DTYPE_I64, 1, { ITEMS }, y, sizeof y } };
    cr_assert_eq(vgg_st_write(path, tensors, 2, NULL, 0), VGG_OK);
}

static struct vgg_model *new_model(void)
{
    const struct vgg_model_options options = { .arch = "vgg16",
                                               .weights = "random",
                                               .head = "flatten,dense:16:relu,dropout:0.5,dense:1:sigmoid",
                                               .height = SIZE,
                                               .width = SIZE,
                                               .seed = 5 };
    struct vgg_model *model;
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    return model;
}

static struct vgg_model *train(const struct vgg_engine_options *device, const char *images)
{
    const struct vgg_train_options options = { .trainable = "all",
                                               .augment = { .flip = true },
                                               .optimizer = VGG_OPTIMIZER_SGD,
                                               .learning_rate = 0.01f,
                                               .momentum = 0.9f,
                                               .epochs = EPOCHS,
                                               .batch = BATCH,
                                               .seed = 11 };
    struct vgg_model *model = new_model();
    struct vgg_engine *engine;
    struct vgg_data *data;
    cr_assert_eq(vgg_engine_create(&engine, device), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    cr_assert_eq(vgg_train(engine, model, data, NULL, &options), VGG_OK);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    return model;
}

/* What the training added to a layer's parameters, by malloc. */
static float *change(const struct vgg_model *after, const struct vgg_model *before, const struct vgg_view *view)
{
    size_t count = vgg_view_count(view);
    const float *to = after->params + view->offset / sizeof(float),
                *from = before->params + view->offset / sizeof(float);
    float *change = malloc(count * sizeof *change);
    cr_assert(change);
    for (size_t i = 0; i < count; i++)
        change[i] = to[i] - from[i];
    return change;
}

/* Of a tensor's largest change; 3e-5 is seen. A ReLU, or a maximum, that rounding errors take to its other side moves a
 * gradient by more. */
static const double TRAINING_BOUND = 1e-3;

static void check_training(const char *class)
{
    const struct vgg_engine_options plain = { .backend = "cpu", .isa = "scalar" }, vulkan = { .backend = "vulkan" };
    char images[] = "/tmp/vgg16-vk-class-XXXXXX.safetensors";
    int file = mkstemps(images, (int)strlen(strrchr(images, '.')));
    cr_assert_geq(file, 0);
    close(file);
    open_as(class);
    write_images(images);
    struct vgg_model *before = new_model(), *expected = train(&plain, images), *got = train(&vulkan, images);
    int tensors = 0;
    for (int i = 0; i < before->arch.count; i++) {
        const struct vgg_view *views[] = { &before->arch.layer[i].kernel, &before->arch.layer[i].bias };
        for (int k = 0; k < 2 && views[k]->n; k++, tensors++) {
            float *a = change(expected, before, views[k]), *b = change(got, before, views[k]);
            double scale = 0, worst = 0;
            for (size_t n = 0; n < vgg_view_count(views[k]); n++) {
                scale = fmax(scale, fabs((double)a[n]));
                worst = fmax(worst, fabs((double)a[n] - (double)b[n]));
            }
            printf("%s %s: %s differs by %.1e\n", class, before->arch.layer[i].name, k ? "bias" : "kernel",
                   worst / scale);
            cr_expect_gt(scale, 0, "%s does not learn", before->arch.layer[i].name);
            cr_expect_leq(worst, TRAINING_BOUND * scale, "%s: %g of %g", before->arch.layer[i].name, worst, scale);
            free(a);
            free(b);
        }
    }
    cr_expect_eq(tensors, 2 * (13 + 2));
    vgg_model_destroy(before);
    vgg_model_destroy(expected);
    vgg_model_destroy(got);
    unlink(images);
}

Test(vk_class, discrete_training)
{
    check_training("discrete");
}

Test(vk_class, integrated_training)
{
    check_training("integrated");
}
