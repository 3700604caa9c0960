/* The validation layer says nothing: core and synchronisation checks, and inside of the shaders bounds of buffers and
 * races in shared memory. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "vk_driver.h"

/* Runs what contains one of `parts`, NULL last, on one device. */
static size_t run_parts(const char *const *parts)
{
    struct vk_driver_cases cases;
    size_t count = 0;
    vk_driver_cases_open(&cases);
    for (; *parts; parts++) {
        size_t now = vk_driver_cases_run(&cases, *parts, 1, 0);
        cr_expect_gt(now, 0u, "no case contains %s", *parts);
        count += now;
    }
    vk_driver_cases_close(&cases);
    return count;
}

Test(vk_validation, core_and_synchronisation, .timeout = 300)
{
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(VK_DRIVER_SYNCHRONISATION);
    cr_expect_gt(vk_driver_run_cases("", 1, 0), 200u);
    vk_driver_expect_silence(log);
}

/* Every shader of the program. Lavapipe has those of its own, by lanes and texel buffers, and a GPU's for Winograd's
 * algorithm, which SwiftShader's compiler takes minutes for; the other way round are large unrolled tiles with the
 * checks in them. */
Test(vk_validation, bounds_in_every_shader, .timeout = 300)
{
    static const char *const lanes[] = { "CONV x 1x1x1x1",
                                         "CONV_BWD_WEIGHT x 1x1x1x1",
                                         "CONV+relu x 1x4x4x8",
                                         "CONV_BWD_DATA+relu x 1x4x4x8",
                                         "CONV_BWD_WEIGHT x 1x4x4x8",
                                         "CONV+relu+pool x 2x20x20x96",
                                         "CONV_BWD_WEIGHT x 2x20x20x96",
                                         "DENSE x 33x1x1x136",
                                         "DENSE_BWD_DATA+relu x 33x1x1x136",
                                         "DENSE_BWD_WEIGHT x 33x1x1x136",
                                         "POOL2",
                                         "SGD",
                                         "RMSPROP",
                                         "ADAM",
                                         NULL };
    static const char *const winograd[] = { "CONV+relu+pool x 2x20x20x96", "CONV_BWD_WEIGHT x 2x20x20x96", NULL };
    static const char *const split[] = { "CONV x 1x13x11x5", "CONV+relu+pool x 2x7x6x16", "CONV_BWD_DATA w 3x3x16x24",
                                         "CONV_BWD_DATA+relu x 1x13x11x5", NULL };
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(VK_DRIVER_BOUNDS);
    run_parts(lanes);
    vk_driver_expect_silence(log);
    setenv("VGG16_VK_TILE", "5", 1);
    setenv("VGG16_VK_CLASS", "discrete", 1);
    run_parts(winograd);
    vk_driver_expect_silence(log);
    vk_driver_swiftshader();
    setenv("VGG16_VK_SPLIT", "2", 1);
    run_parts(split);
    vk_driver_expect_silence(log);
    unsetenv("VGG16_VK_SPLIT");
    unsetenv("VGG16_VK_CLASS");
    cr_expect_gt(vk_driver_run_cases("", 1, 0), 200u);
    vk_driver_expect_silence(log);
    cr_expect_gt(vk_driver_expect_every_shader(), 20);
}

/* Tensors of fp16. */
static void check_halves(enum vk_driver_check check)
{
    static const char *const parts[] = { "CONV+relu+pool x 1x9x17x64 f16", "CONV_BWD_DATA+relu x 1x9x17x64 f16",
                                         "CONV_BWD_WEIGHT x 1x9x17x64 f16", "POOL2_BWD+relu dy 3x4x6x64 f16" };
    struct vk_driver_cases cases;
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(check);
    vk_driver_cases_open_half(&cases);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_expect_gt(vk_driver_cases_run(&cases, parts[i], 1, 0), 0u, "no case contains %s", parts[i]);
    vk_driver_cases_close(&cases);
    vk_driver_expect_silence(log);
}

Test(vk_validation, halves_and_synchronisation, .timeout = 300)
{
    check_halves(VK_DRIVER_SYNCHRONISATION);
}

Test(vk_validation, bounds_of_halves, .timeout = 300)
{
    check_halves(VK_DRIVER_BOUNDS);
}

/* The shaders that have shared memory. */
Test(vk_validation, races_in_shared_memory, .timeout = 300)
{
    static const char *const parts[] = { "CONV+relu+pool x 2x7x6x16",
                                         "CONV_BWD_WEIGHT x 1x13x11x5",
                                         "DENSE x 6x1x1x130",
                                         "SOFTMAX x",
                                         "SOFTMAX_XENT x",
                                         NULL };
    vk_driver_swiftshader();
    const char *log = vk_driver_validate(VK_DRIVER_RACES);
    setenv("VGG16_VK_TILE", "6", 1);
    run_parts(parts);
    vk_driver_expect_silence(log);
}
