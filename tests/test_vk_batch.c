/* A batch that the device has no room for: run in parts with the same result, whether the limit is known before or the
 * driver tells when asked; and one line with the numbers when not even one image fits. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/engine.h"
#include "vk/vk_device.h"
#include "vk_driver.h"

enum { SIZE = 96, BATCH = 32, FEATURES = 128, VALUES = SIZE * SIZE * 3 };

#define MIB ((VkDeviceSize)1 << 20)

static PFN_vkAllocateMemory allocate_memory;
static int refused;
static char said[2048];

static VkResult allocate_at_most_64_mib(VkDevice device, const VkMemoryAllocateInfo *info,
                                        const VkAllocationCallbacks *callbacks, VkDeviceMemory *memory)
{
    if (info->allocationSize <= 64 * MIB) return allocate_memory(device, info, callbacks, memory);
    refused++;
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static void listen(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level <= VGG_LOG_INFO) strncat(strncat(said, line, sizeof said - strlen(said) - 2), "\n", 2);
}

/* Features of BATCH images at once. `scarce`: the driver gives no more than 64 MiB, unannounced. */
static enum vgg_status run(float y[BATCH][FEATURES], bool scarce)
{
    static float x[BATCH][VALUES];
    struct vgg_engine *engine = NULL;
    struct vgg_model *model = NULL;
    struct vgg_features *features = NULL;
    const struct vgg_engine_options device = { .backend = "vulkan" };
    const struct vgg_model_options network = {
        .arch = "vgg13", .weights = "random", .height = SIZE, .width = SIZE, .last = "block2_pool"
    };
    const struct vgg_features_options wanted = { .layer = "block2_pool", .pooling = VGG_POOLING_AVG, .batch = BATCH };
    for (int i = 0; i < BATCH * VALUES; i++)
        x[i / VALUES][i % VALUES] = (float)(i % 251) / 251.0f - 0.5f;
    said[0] = 0;
    vgg_log_set(listen, NULL, VGG_LOG_INFO);
    cr_assert_eq(vgg_engine_create(&engine, &device), VGG_OK);
    if (scarce) {
        struct vk *vk = (struct vk *)engine->backend;
        allocate_memory = vk->lib.fn.AllocateMemory;
        vk->lib.fn.AllocateMemory = allocate_at_most_64_mib;
    }
    cr_assert_eq(vgg_model_create(&model, &network), VGG_OK);
    enum vgg_status status = vgg_features_create(&features, engine, model, &wanted);
    if (status == VGG_OK) status = vgg_features_run(features, &y[0][0], &x[0][0], BATCH);
    vgg_features_destroy(features);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
    return status;
}

static void expect_parts_with_the_same_result(bool scarce)
{
    static float whole[BATCH][FEATURES], parts[BATCH][FEATURES];
    vk_driver_lavapipe();
    cr_assert_eq(run(whole, false), VGG_OK);
    cr_expect_null(strstr(said, "images at once"));
    if (!scarce) setenv("VGG16_VK_ALLOCATION", "67108864", 1);
    cr_assert_eq(run(parts, scarce), VGG_OK);
    cr_expect(strstr(said, "batches of 32 are run 16 images at once"), "%s", said);
    cr_expect_null(strstr(said, "out of memory"), "%s", said);
    cr_expect_eq(memcmp(whole, parts, sizeof whole), 0);
}

Test(vk_batch, larger_than_one_allocation)
{
    expect_parts_with_the_same_result(false);
}

Test(vk_batch, larger_than_the_driver_gives)
{
    expect_parts_with_the_same_result(true);
    cr_expect_geq(refused, 1);
}

Test(vk_batch, not_even_one_image)
{
    static float y[BATCH][FEATURES];
    vk_driver_lavapipe();
    setenv("VGG16_VK_ALLOCATION", "2097152", 1);
    cr_assert_eq(run(y, false), VGG_ERR_MEMORY);
    cr_expect(strstr(said, "one image of 96x96 needs 3 MiB at once and llvmpipe"), "%s", said);
    cr_expect(strstr(said, "gives at most 2 MiB; take a smaller --size"), "%s", said);
}
