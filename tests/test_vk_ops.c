/* Operations on the software drivers under the conditions that no ordinary device has: bindings of a few kilobytes,
 * forced splits and tiles, no shared memory between host and device; and twice the same bits. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/engine/device.h"
#include "vk_driver.h"

Test(vk_ops, tiny_bindings)
{
    vk_driver_lavapipe();
    setenv("VGG16_VK_RANGE", "8192", 1);
    cr_expect_gt(vk_driver_run_cases("", 1, 0), 150u);
}

Test(vk_ops, forced_splits)
{
    vk_driver_lavapipe();
    setenv("VGG16_VK_SPLIT", "3", 1);
    cr_expect_gt(vk_driver_run_cases("CONV_BWD_WEIGHT", 1, 0), 5u);
    cr_expect_gt(vk_driver_run_cases("DENSE", 1, 0), 20u);
}

Test(vk_ops, staging)
{
    vk_driver_lavapipe();
    setenv("VGG16_VK_STAGING", "1", 1);
    cr_expect_gt(vk_driver_run_cases("", 5, 2), 30u);
}

Test(vk_ops, every_tile)
{
    static const char *const tiles[] = { "0", "1", "2", "3", "4", "5", "6" };
    vk_driver_lavapipe();
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        setenv("VGG16_VK_TILE", tiles[i], 1);
        cr_expect_gt(vk_driver_run_cases("CONV", 17, i), 2u);
        cr_expect_gt(vk_driver_run_cases("DENSE", 17, i), 0u);
    }
}

/* Every small case, by two processes: most of the time goes into compiling. */
Test(vk_ops, swiftshader_even_cases, .timeout = 300)
{
    vk_driver_swiftshader();
    cr_expect_gt(vk_driver_run_cases("", 2, 0), 100u);
}

Test(vk_ops, swiftshader_odd_cases, .timeout = 300)
{
    vk_driver_swiftshader();
    cr_expect_gt(vk_driver_run_cases("", 2, 1), 100u);
}

/* Two runs, one on a device opened anew: the same bits. */
Test(vk_ops, reruns_give_the_same_bits)
{
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_op_case_list list;
    struct vgg_backend *first, *second;
    vk_driver_lavapipe();
    cr_assert_eq(vgg_backend_open(&first, &options), VGG_OK);
    cr_assert_eq(vgg_backend_open(&second, &options), VGG_OK);
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    for (size_t i = 0; i < list.count; i += 7) {
        const struct vgg_op_case *test = &list.item[i];
        struct vgg_op_case_memory a, b;
        if (test->large) continue;
        cr_assert_eq(vgg_op_case_memory_init(&a, test), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&b, test), VGG_OK);
        cr_assert_eq(vgg_op_case_run(first, test, &a, NULL), VGG_OK);
        cr_assert_eq(vgg_op_case_run(second, test, &b, NULL), VGG_OK);
        cr_expect(vgg_op_case_same(test, &a, &b), "%s", test->text);
        vgg_op_case_memory_finish(&a);
        vgg_op_case_memory_finish(&b);
    }
    vgg_op_case_list_finish(&list);
    vgg_backend_close(first);
    vgg_backend_close(second);
}
