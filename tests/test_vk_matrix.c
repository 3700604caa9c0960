/* test_vk_matrix.c: matrix cores for precision fp16, on a lavapipe that has them (vulkan/newer_mesa.py): the check of a
 * driver's matrices, the same bits from run to run, features of a whole network, a training; the validation layer over
 * them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/engine/engine.h"
#include "core/model/model.h"
#include "shaders/common/params.h"
#include "vk/vk_backend.h"
#include "vk/vk_cache.h"
#include "vk/vk_device.h"
#include "vk/vk_matrix_check.h"
#include "vk_driver.h"

TestSuite(vk_matrix, .timeout = 300);

/* A device in fp16, not yet checked. */
static struct vk *open_device(void)
{
    struct vk *vk;
    vk_driver_lavapipe();
    cr_assert_eq(vk_device_open(&vk, -1, true), VGG_OK);
    vk->base.vtable = &vk_backend_vtable;
    if (!vk->gpu.matrix.m) {
        vk_device_close(vk);
        cr_skip_test("this lavapipe has no matrix cores (scripts/newer_mesa.sh fetches one that has)");
    }
    return vk;
}

/* ---- the check of a driver ---- */

static struct vk_fn real;
static int from_constant, to_value, to_other; /* what the driver below takes a constant for */
static atomic_size_t made;                    /* pipelines */

static VkResult other_pipeline(VkDevice device, VkPipelineCache cache, uint32_t count,
                               const VkComputePipelineCreateInfo *info, const VkAllocationCallbacks *memory,
                               VkPipeline *out)
{
    VkComputePipelineCreateInfo changed = *info;
    VkSpecializationInfo spec = *info->stage.pSpecializationInfo;
    uint32_t value[VK_SPEC_COUNT];
    memcpy(value, spec.pData, sizeof value);
    if (value[VK_SPEC_SUBGROUP] && value[from_constant] == (uint32_t)to_value)
        value[from_constant] = (uint32_t)to_other;
    spec.pData = value;
    changed.stage.pSpecializationInfo = &spec;
    made++;
    return real.CreateComputePipelines(device, cache, count, &changed, memory, out);
}

static void take_for(struct vk *vk, int constant, int value, int other)
{
    real = vk->lib.fn;
    from_constant = constant, to_value = value, to_other = other;
    vk->lib.fn.CreateComputePipelines = other_pipeline;
}

Test(vk_matrix, a_good_driver_is_checked_once)
{
    struct vk *vk = open_device();
    take_for(vk, VK_SPEC_SUBGROUP, 0, 0);
    cr_expect_eq(vk_cache_verdict(vk), 0);
    cr_assert_eq(vk_matrix_check(vk), VGG_OK);
    cr_expect(vk->matrix && !vk->matrix_bits);
    cr_expect_gt(made, 6u);
    cr_expect_eq(vk_cache_verdict(vk), 'g');
    vk_device_close(vk);
    vk = open_device();
    take_for(vk, VK_SPEC_SUBGROUP, 0, 0);
    made = 0;
    cr_assert_eq(vk_matrix_check(vk), VGG_OK);
    cr_expect(vk->matrix);
    cr_expect_eq(made, 0u);
    vk->gpu.properties.driverVersion++; /* another driver is another matter */
    cr_expect_eq(vk_cache_verdict(vk), 0);
    vk_device_close(vk);
}

static int warnings;

static void count_warnings(void *user, enum vgg_log_level level, const char *message)
{
    (void)user;
    if (level == VGG_LOG_WARNING && strstr(message, "matrix cores")) warnings++;
}

/* Fragments go to half of the columns: sums stay away. */
Test(vk_matrix, wrong_sums_are_found)
{
    struct vk *vk = open_device();
    vgg_log_set(count_warnings, NULL, VGG_LOG_WARNING);
    for (int again = 0; again < 2; again++) {
        warnings = 0;
        vk->matrix = true;
        take_for(vk, VK_SPEC_TN, 2 * vk->gpu.matrix.n, vk->gpu.matrix.n);
        cr_assert_eq(vk_matrix_check(vk), VGG_OK);
        cr_expect(!vk->matrix);
        cr_expect_eq(warnings, 1);
        cr_expect_eq(vk_cache_verdict(vk), 'w');
        vk_device_close(vk);
        vk = open_device();
    }
    vgg_log_set(NULL, NULL, VGG_LOG_WARNING);
    vk_device_close(vk);
}

/* A driver that refuses the shaders leaves fp32 arithmetic on rounded operands. */
static VkResult no_pipeline(VkDevice device, VkPipelineCache cache, uint32_t count,
                            const VkComputePipelineCreateInfo *info, const VkAllocationCallbacks *memory,
                            VkPipeline *out)
{
    const uint32_t *spec = info->stage.pSpecializationInfo->pData;
    if (spec[VK_SPEC_SUBGROUP]) return VK_ERROR_INITIALIZATION_FAILED;
    return real.CreateComputePipelines(device, cache, count, info, memory, out);
}

Test(vk_matrix, refused_shaders)
{
    struct vk *vk = open_device();
    vgg_log_set(count_warnings, NULL, VGG_LOG_WARNING);
    real = vk->lib.fn;
    vk->lib.fn.CreateComputePipelines = no_pipeline;
    cr_assert_eq(vk_matrix_check(vk), VGG_OK);
    vgg_log_set(NULL, NULL, VGG_LOG_WARNING);
    cr_expect(!vk->matrix && vk->half);
    cr_expect_eq(warnings, 1);
    cr_expect_eq(vk_cache_verdict(vk), 0);
    vk_device_close(vk);
}

/* ---- whole networks ---- */

static struct vgg_engine *engine_of(const char *precision)
{
    const struct vgg_engine_options options = { .backend = "vulkan", .precision = precision };
    struct vgg_engine *engine;
    cr_assert_eq(vgg_engine_create(&engine, &options), VGG_OK);
    return engine;
}

enum { SIZE = 32, IMAGES = 3 };

static void features_of(float *y, const struct vgg_model *model, const float *x, const char *precision)
{
    struct vgg_engine *engine = engine_of(precision);
    struct vgg_features *features;
    cr_assert_eq(vgg_features_create(&features, engine, model, NULL), VGG_OK);
    cr_assert_eq(vgg_features_run(features, y, x, IMAGES), VGG_OK);
    vgg_features_destroy(features);
    vgg_engine_destroy(engine);
}

Test(vk_matrix, features)
{
    static float x[IMAGES][SIZE][SIZE][3], fp32[IMAGES * 512], fp16[IMAGES * 512], again[IMAGES * 512];
    const struct vgg_model_options options = { .weights = "random", .height = SIZE, .width = SIZE, .seed = 3 };
    struct vgg_model *model;
    double largest = 0, worst = 0;
    vk_driver_lavapipe();
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    for (size_t i = 0; i < sizeof x / sizeof(float); i++)
        (&x[0][0][0][0])[i] = (float)(i * 2654435761u % 256) - 120.5f;
    features_of(fp32, model, &x[0][0][0][0], "fp32");
    features_of(fp16, model, &x[0][0][0][0], "fp16");
    features_of(again, model, &x[0][0][0][0], "fp16");
    cr_expect(memcmp(fp16, again, sizeof fp16) == 0);
    cr_expect(memcmp(fp16, fp32, sizeof fp16) != 0);
    for (int i = 0; i < IMAGES * 512; i++) {
        largest = fmax(largest, fabs((double)fp32[i]));
        worst = fmax(worst, fabs((double)fp32[i] - (double)fp16[i]));
    }
    printf("block5_pool differs by %.1e of the largest\n", worst / largest);
    cr_expect_gt(largest, 0);
    cr_expect_leq(worst, 5e-3 * largest);
    vgg_model_destroy(model);
}

/* ---- what runs is the same each time, and what the layer accepts ---- */

static void run_some(struct vk_driver_cases *cases)
{
    const struct vk_driver_shape shape = { 2, 9, 12, 64, 72 };
    const struct vgg_op_case tests[] = {
        vk_driver_conv_case(&shape, VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, true),
        vk_driver_conv_case(&shape, VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false),
        vk_driver_conv_case(&shape, VGG_OP_CONV_BWD_WEIGHT, 0, false),
        vk_driver_dense_case(5, 1540, 72),
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        struct vgg_op_case_memory first, second;
        vk_driver_cases_run_one(cases, &tests[i]);
        cr_assert_eq(vgg_op_case_memory_init(&first, &tests[i]), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&second, &tests[i]), VGG_OK);
        cr_assert_eq(vgg_op_case_run(cases->vk, &tests[i], &first, NULL), VGG_OK);
        cr_assert_eq(vgg_op_case_run(cases->vk, &tests[i], &second, NULL), VGG_OK);
        cr_expect(vgg_op_case_same(&tests[i], &first, &second), "%s: other bits", tests[i].text);
        vgg_op_case_memory_finish(&first);
        vgg_op_case_memory_finish(&second);
    }
    cr_expect_geq(vk_driver_cases_run(cases, "x 1x9x17x64 f16 ", 1, 0), 6u); /* convolutions and kernels' gradients */
    cr_expect_geq(vk_driver_cases_run(cases, "CONV_BWD_DATA+relu x 1x9x17x64 f16", 1, 0), 2u);
}

static void check_silence(enum vk_driver_check check)
{
    struct vk_driver_cases cases;
    vk_device_close(open_device());
    const char *log = vk_driver_validate(check);
    vk_driver_cases_open_half(&cases);
    run_some(&cases);
    vk_driver_cases_close(&cases);
    vk_driver_expect_silence(log);
}

Test(vk_matrix, synchronisation)
{
    check_silence(VK_DRIVER_SYNCHRONISATION);
}

Test(vk_matrix, bounds)
{
    check_silence(VK_DRIVER_BOUNDS);
}
