/* The list of devices, from a driver that is made up here: which queue, which order, which tile. And one instance of
 * the library for the process. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/engine/device.h"
#include "vk/vk_base.h"
#include "vk/vk_device.h"
#include "vk/vk_mem.h"
#include "vk/vk_tile.h"
#include "vk_driver.h"

enum { GPUS = 5, FAMILIES = 3 };

struct made_up {
    const char *name;
    int type;                                   /* VkPhysicalDeviceType */
    uint32_t vendor, device, smallest_subgroup; /* 0: without that extension */
    uint64_t memory;                            /* MiB */
    uint8_t uuid;
};

static const struct made_up *made; /* GPUS of them; a NULL name ends the list */
static size_t order[GPUS];         /* as the loader gives them */
static VkQueueFlags families[FAMILIES];

static const struct made_up *which(VkPhysicalDevice physical)
{
    return &made[(size_t)physical - 1];
}

static VkResult enumerate(VkInstance instance, uint32_t *count, VkPhysicalDevice *list)
{
    (void)instance;
    *count = 0;
    for (; *count < GPUS && made[*count].name; (*count)++)
        if (list) list[*count] = (VkPhysicalDevice)(order[*count] + 1);
    return VK_SUCCESS;
}

static VkResult extensions(VkPhysicalDevice physical, const char *layer, uint32_t *count, VkExtensionProperties *list)
{
    (void)layer;
    *count = which(physical)->smallest_subgroup ? 1 : 0;
    if (list && *count)
        snprintf(list->extensionName, sizeof list->extensionName, "%s", VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
    return VK_SUCCESS;
}

static void properties(VkPhysicalDevice physical, VkPhysicalDeviceProperties2 *out)
{
    const struct made_up *gpu = which(physical);
    VkPhysicalDeviceProperties *p = &out->properties;
    p->apiVersion = VK_API_VERSION_1_2;
    p->deviceType = (VkPhysicalDeviceType)gpu->type;
    p->vendorID = gpu->vendor;
    p->deviceID = gpu->device;
    p->limits.maxPerStageDescriptorStorageBuffers = 4;
    snprintf(p->deviceName, sizeof p->deviceName, "%s", gpu->name);
    for (VkBaseOutStructure *next = out->pNext; next; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES)
            memset(((VkPhysicalDeviceIDProperties *)(void *)next)->deviceUUID, gpu->uuid, VK_UUID_SIZE);
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES)
            ((VkPhysicalDeviceSubgroupProperties *)(void *)next)->subgroupSize = 64;
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES_EXT)
            ((VkPhysicalDeviceSubgroupSizeControlPropertiesEXT *)(void *)next)->minSubgroupSize =
                gpu->smallest_subgroup;
    }
}

static void features(VkPhysicalDevice physical, VkPhysicalDeviceFeatures2 *out)
{
    (void)physical;
    (void)out;
}

static void memory(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *out)
{
    out->memoryProperties.memoryHeapCount = 1;
    out->memoryProperties.memoryHeaps[0] =
        (VkMemoryHeap) { which(physical)->memory << 20, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT };
}

static void queues(VkPhysicalDevice physical, uint32_t *count, VkQueueFamilyProperties *list)
{
    (void)physical;
    *count = FAMILIES;
    for (uint32_t i = 0; i < FAMILIES; i++)
        list[i] = (VkQueueFamilyProperties) { families[i], 1, 30 + i, { 1, 1, 1 } };
}

static struct vk_gpu *list_of(const struct made_up *gpus, size_t expected)
{
    struct vk_gpu *list;
    size_t count;
    struct vk_lib lib = { .instance = (VkInstance)(size_t)1,
                          .fn = { .EnumeratePhysicalDevices = enumerate,
                                  .EnumerateDeviceExtensionProperties = extensions,
                                  .GetPhysicalDeviceProperties2 = properties,
                                  .GetPhysicalDeviceFeatures2 = features,
                                  .GetPhysicalDeviceMemoryProperties2 = memory,
                                  .GetPhysicalDeviceQueueFamilyProperties = queues } };
    made = gpus;
    cr_assert_eq(vk_gpu_list(&lib, &list, &count), VGG_OK);
    cr_assert_eq(count, expected);
    return list;
}

enum { DISCRETE = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, INTEGRATED = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU };
enum { ALL = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT };

Test(vk_list, a_queue_that_does_not_draw)
{
    static const struct made_up gpus[GPUS] = { { "a", DISCRETE, 1, 1, 0, 1024, 1 } };
    static const struct {
        VkQueueFlags flags[FAMILIES];
        uint32_t family;
    } cases[] = { { { ALL, VK_QUEUE_TRANSFER_BIT, VK_QUEUE_COMPUTE_BIT }, 2 },
                  { { VK_QUEUE_TRANSFER_BIT, ALL, ALL }, 1 },
                  { { VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT, ALL, VK_QUEUE_COMPUTE_BIT }, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(families, cases[i].flags, sizeof families);
        struct vk_gpu *list = list_of(gpus, 1);
        cr_expect_eq(list->family, cases[i].family, "%zu", i);
        cr_expect_eq(list->timestamp_bits, 30 + cases[i].family);
        free(list);
    }
}

/* In whatever order the loader lists them. */
Test(vk_list, equal_gpus_have_an_order)
{
    static const struct made_up gpus[GPUS] = { { "integrated", INTEGRATED, 1, 1, 0, 9999, 1 },
                                               { "second", DISCRETE, 7, 5, 0, 4096, 3 },
                                               { "first", DISCRETE, 9, 1, 0, 8192, 2 },
                                               { "third", DISCRETE, 7, 5, 0, 4096, 4 },
                                               { "fourth", DISCRETE, 7, 6, 0, 4096, 0xA } };
    static const char *const expected[] = { "first", "second", "third", "fourth", "integrated" };
    families[0] = ALL;
    for (size_t turn = 0; turn < 2 * GPUS; turn++) {
        for (size_t i = 0; i < GPUS; i++)
            order[i] = turn < GPUS ? (i + turn) % GPUS : (2 * GPUS - 1 - i + turn) % GPUS;
        struct vk_gpu *list = list_of(gpus, GPUS);
        for (size_t i = 0; i < GPUS; i++)
            cr_expect_str_eq(list[i].properties.deviceName, expected[i], "turn %zu: %zu", turn, i);
        free(list);
    }
}

Test(vk_list, first_tile_by_vendor)
{
    static const struct {
        struct made_up gpu;
        int tile;
    } cases[] = { { { "GCN", DISCRETE, 0x1002, 1, 64, 1024, 1 }, VK_TILE_NARROW },
                  { { "GCN, old driver", DISCRETE, 0x1002, 1, 0, 1024, 1 }, VK_TILE_NARROW },
                  { { "RDNA", DISCRETE, 0x1002, 1, 32, 1024, 1 }, VK_TILE_LARGEST },
                  { { "Arc", DISCRETE, 0x8086, 1, 8, 1024, 1 }, VK_TILE_NARROW },
                  { { "Iris", INTEGRATED, 0x8086, 1, 8, 1024, 1 }, VK_TILE_NARROW },
                  { { "GeForce", DISCRETE, 0x10DE, 1, 32, 1024, 1 }, VK_TILE_LARGEST } };
    families[0] = ALL;
    order[0] = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made_up gpus[GPUS] = { cases[i].gpu };
        struct vk_gpu *list = list_of(gpus, 1);
        struct vk vk = { .gpu = *list,
                         .limits = { .invocations = 1024, .shared = 65536, .tile = -1, .scratch = 1 << 26 } };
        cr_expect_eq(vk_gpu_first_tile(list), cases[i].tile, "%s", cases[i].gpu.name);
        cr_expect_eq(vk_tile_choose(&vk, 1 << 20, 4096), cases[i].tile, "%s", cases[i].gpu.name);
        const struct vk_product product = { .m = 1 << 20, .n = 512, .k = 4608, .batch = 1 };
        cr_expect_eq(vk_tile_plan(&vk, &product).tile, cases[i].tile, "%s", cases[i].gpu.name);
        free(list);
    }
}

/* ---- what a real driver shows ---- */

Test(vk_list, one_instance)
{
    struct vk_lib first, second;
    struct vk *vk;
    vk_driver_lavapipe();
    vk_lib_open(&first);
    VkInstance instance = first.instance;
    cr_assert(instance);
    vk_lib_close(&first);
    cr_expect_null(first.instance);
    vk_lib_open(&second);
    cr_expect_eq(second.instance, instance);
    cr_assert_eq(vk_device_open(&vk, -1, false), VGG_OK);
    cr_expect_eq(vk->lib.instance, instance);
    vk_device_close(vk);
    vk_lib_close(&second);
}

/* Memory of the device that the host sees, uncached: not read by the host. */
Test(vk_list, uncached_memory_is_not_mapped)
{
    struct vk *vk;
    struct vk_buf *device, *host;
    vk_driver_lavapipe();
    cr_assert_eq(vk_device_open(&vk, -1, false), VGG_OK);
    cr_assert_eq(vk_mem_create(vk, &device, 5000, VK_MEM_DEVICE), VGG_OK);
    cr_expect(device->map);
    vk_mem_destroy(vk, device);
    for (uint32_t i = 0; i < vk->gpu.memory.memoryTypeCount; i++)
        vk->gpu.memory.memoryTypes[i].propertyFlags &= ~(VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    cr_assert_eq(vk_mem_create(vk, &device, 5000, VK_MEM_DEVICE), VGG_OK);
    cr_assert_eq(vk_mem_create(vk, &host, 7000, VK_MEM_HOST), VGG_OK);
    cr_expect_null(device->map);
    cr_expect(host->map);
    vk_mem_destroy(vk, host);
    vk_mem_destroy(vk, device);
    vk_device_close(vk);
}

static struct vk_fn real;
static uint32_t most_groups;

static void note_dispatch(VkCommandBuffer cmd, uint32_t x, uint32_t y, uint32_t z)
{
    if (x * y * z > most_groups) most_groups = x * y * z;
    real.CmdDispatch(cmd, x, y, z);
}

/* One image through a large dense layer: more sums than one a warp for every core. */
Test(vk_list, a_thin_product_keeps_the_device_busy)
{
    struct vk_driver_cases cases;
    const struct vgg_op_case test = vk_driver_dense_case(1, 25088, 512);
    vk_driver_lavapipe();
    setenv("VGG16_VK_CLASS", "discrete", 1);
    vk_driver_cases_open(&cases);
    struct vk_fn *fn = &((struct vk *)cases.vk)->lib.fn;
    real = *fn;
    fn->CmdDispatch = note_dispatch;
    vk_driver_cases_run_one(&cases, &test);
    cr_expect_geq(most_groups, 4u * 97u);
    vk_driver_cases_close(&cases);
}

/* A queue without timestamps: the speed comes from the clock. */
Test(vk_list, rate_by_the_clock)
{
    struct vk_driver_cases cases;
    const struct vgg_op_case test =
        vk_driver_conv_case(&(struct vk_driver_shape) { 3, 61, 57, 64, 64 }, VGG_OP_CONV, 0, false);
    vk_driver_lavapipe();
    vk_driver_cases_open(&cases);
    struct vk *vk = (struct vk *)cases.vk;
    double guess = vk->rate;
    vk->gpu.timestamp_bits = 0;
    double begin = vgg_clock_seconds();
    vk_driver_cases_run_one(&cases, &test);
    double least = 2.0 * 9 * 64 * 64 * 3 * 61 * 57 / (vgg_clock_seconds() - begin) / 8; /* fewer products by Winograd */
    cr_expect_neq(vk->rate, guess);
    cr_expect_gt(vk->rate, least, "%g, not %g", vk->rate, least);
    vk_driver_cases_close(&cases);
}
