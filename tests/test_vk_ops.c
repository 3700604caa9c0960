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

/* A device whose dispatches have few workgroups: everything is cut by them, or threads take several turns. */
static void check_groups(const char *class)
{
    enum { POOLED = VGG_OP_RELU | VGG_OP_POOL };
    static const char *const flat[] = { "POOL", "DROPOUT", "SOFTMAX", "SIGMOID", "ADD",  "CLIP",
                                        "SGD",  "RMSPROP", "ADAM",    "FMA",     "DENSE" };
    static const struct vk_driver_shape odd = { 3, 45, 41, 5, 7 }, eights = { 3, 44, 42, 8, 16 },
                                        wino = { 3, 44, 45, 64, 72 }, tiles = { 1, 138, 140, 64, 64 };
    const struct {
        const char *groups, *tile;
        struct vgg_op_case test;
    } more[] = {
        { "100", "-1", vk_driver_conv_case(&odd, VGG_OP_CONV, VGG_OP_RELU, false) },
        { "100", "-1", vk_driver_conv_case(&eights, VGG_OP_CONV, POOLED, true) },
        { "100", "-1", vk_driver_conv_case(&eights, VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false) },
        { "20", "-1", vk_driver_conv_case(&eights, VGG_OP_CONV_BWD_WEIGHT, 0, false) },
        { "36", "-1", vk_driver_conv_case(&wino, VGG_OP_CONV, POOLED, true) },
        { "36", "-1", vk_driver_conv_case(&wino, VGG_OP_CONV_BWD_WEIGHT, 0, false) },
        { "36", "5", vk_driver_conv_case(&tiles, VGG_OP_CONV, VGG_OP_RELU, false) },
        { "4", "-1", vk_driver_dense_case(300, 260, 97) },
        { "4", "-1", vk_driver_dense_case(5, 2600, 24) },
    };
    vk_driver_lavapipe();
    setenv("VGG16_VK_CLASS", class, 1);
    setenv("VGG16_VK_GROUPS", "2", 1);
    for (size_t i = 0; i < sizeof flat / sizeof *flat; i++)
        cr_expect_gt(vk_driver_run_cases(flat[i], 1, 0), 1u, "%s", flat[i]);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct vk_driver_cases cases;
        setenv("VGG16_VK_GROUPS", more[i].groups, 1);
        if (*class) setenv("VGG16_VK_TILE", more[i].tile, 1);
        vk_driver_cases_open(&cases);
        vk_driver_cases_run_one(&cases, &more[i].test);
        vk_driver_cases_close(&cases);
    }
}

Test(vk_ops, few_groups)
{
    check_groups("");
}

Test(vk_ops, few_groups_on_a_gpu)
{
    check_groups("discrete");
}

/* More tiles than the 65535 workgroups that every device has in a dimension. */
Test(vk_ops, more_tiles_than_groups, .timeout = 120)
{
    struct vk_driver_cases cases;
    const struct vgg_op_case gpu =
        vk_driver_conv_case(&(struct vk_driver_shape) { 64, 256, 256, 4, 8 }, VGG_OP_CONV, VGG_OP_RELU, false);
    const struct vgg_op_case cpu =
        vk_driver_conv_case(&(struct vk_driver_shape) { 17, 256, 256, 8, 8 }, VGG_OP_CONV_BWD_DATA, 0, false);
    vk_driver_lavapipe();
    vk_driver_cases_open(&cases);
    vk_driver_cases_run_one(&cases, &cpu);
    vk_driver_cases_close(&cases);
    setenv("VGG16_VK_CLASS", "discrete", 1);
    vk_driver_cases_open(&cases);
    vk_driver_cases_run_one(&cases, &gpu);
    vk_driver_cases_close(&cases);
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
        if (test->large || !first->vtable->supports(first, &test->op)) continue;
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
