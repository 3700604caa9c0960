/* A device with the least that the specification allows: 128 threads, 16 KiB of shared memory, four storage buffers. It
 * executes nothing, but every variant must be chosen within its limits and every pipeline created. */
#include <criterion/criterion.h>

#include "core/engine/device.h"
#include "vk/vk_device.h"
#include "vk/vk_tile.h"
#include "vk_driver.h"

Test(vk_mock, tiles_fit_the_limits)
{
    vk_driver_mock();
    struct vk *vk;
    cr_assert_eq(vk_device_open(&vk, -1, false), VGG_OK);
    for (size_t m = 1; m < 100000; m = m * 3 + 1) {
        for (size_t n = 1; n < 5000; n = n * 3 + 1) {
            int index = vk_tile_choose(vk, m, n);
            const struct vk_tile *tile = &vk_tiles[index];
            cr_expect(vk_tile_fits(vk, index), "%zu x %zu", m, n);
            cr_expect_leq(tile->threads, 128);
            cr_expect_eq(tile->threads, tile->bm / tile->tm * (tile->bn / tile->tn));
        }
    }
    vk_device_close(vk);
}

Test(vk_mock, every_operation_is_recorded)
{
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_op_case_list list;
    struct vgg_backend *backend;
    vk_driver_mock();
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    for (size_t i = 0; i < list.count; i++) {
        struct vgg_op_case_memory memory;
        if (!backend->vtable->supports(backend, &list.item[i].op)) continue; /* quantised layers */
        cr_assert_eq(vgg_op_case_memory_init(&memory, &list.item[i]), VGG_OK);
        cr_expect_eq(vgg_op_case_run(backend, &list.item[i], &memory, NULL), VGG_OK, "%s", list.item[i].text);
        vgg_op_case_memory_finish(&memory);
    }
    vgg_op_case_list_finish(&list);
    vgg_backend_close(backend);
}
