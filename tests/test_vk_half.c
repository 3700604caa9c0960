/* test_vk_half.c: precision fp16 on Vulkan beside plain C on operands rounded to fp16, with the bounds of fp32. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    cr_expect_gt(vk_driver_cases_run(&cases, "CONV", 1, 0), 60u);
    cr_expect_gt(vk_driver_cases_run(&cases, "DENSE", 1, 0), 30u);
    struct vk *vk = (struct vk *)cases.vk;
    cr_expect_eq(vk->matrix, vk->gpu.matrix.m != 0);
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

/* A dense layer with the unit matrix shows each rounded value as it is. */
Test(vk_half, rounding)
{
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
