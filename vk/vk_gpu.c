#include "vk/vk_gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/op/op.h"
#include "vk/vk_matrix.h"

static uint64_t largest_heap(const struct vk_gpu *gpu)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < gpu->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *heap = &gpu->memory.memoryHeaps[i];
        if ((heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && heap->size > largest) largest = heap->size;
    }
    return largest;
}

uint64_t vk_gpu_scratch(const struct vk_gpu *gpu)
{
    uint64_t share = largest_heap(gpu) / 16 >> 20 << 20;
    return share < gpu->class->scratch ? share : gpu->class->scratch;
}

/* What the backend needs beside the arenas: scratch, staging, recordings. */
static uint64_t reserve_of(const struct vk_gpu *gpu)
{
    return vk_gpu_scratch(gpu) + (64 << 20);
}

/* The first queue family that computes and draws nothing: a desktop goes on, and its watchdog is not for us; else the
 * first that computes. */
static bool choose_family(const struct vk_lib *lib, struct vk_gpu *gpu)
{
    enum { DRAWS = VK_QUEUE_GRAPHICS_BIT, COMPUTES = VK_QUEUE_COMPUTE_BIT };
    VkQueueFamilyProperties list[32];
    uint32_t count = sizeof list / sizeof *list;
    lib->fn.GetPhysicalDeviceQueueFamilyProperties(gpu->physical, &count, list);
    for (uint32_t draws = 0; draws <= DRAWS; draws += DRAWS) {
        for (uint32_t i = 0; i < count; i++) {
            if ((list[i].queueFlags & (COMPUTES | DRAWS)) != (COMPUTES | draws) || !list[i].queueCount) continue;
            gpu->family = i;
            gpu->timestamp_bits = list[i].timestampValidBits;
            return true;
        }
    }
    return false;
}

struct extensions {
    bool budget, subgroup_sizes;
};

static void read_extensions(const struct vk_lib *lib, struct vk_gpu *gpu, struct extensions *has)
{
    uint32_t count = 0;
    memset(has, 0, sizeof *has);
    if (lib->fn.EnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, NULL) != VK_SUCCESS) return;
    VkExtensionProperties *list = vgg_mem_calloc(count, sizeof *list);
    if (!list) return;
    lib->fn.EnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, list);
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(list[i].extensionName, "VK_KHR_portability_subset")) gpu->portability_subset = true;
        if (!strcmp(list[i].extensionName, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME)) has->budget = true;
        if (!strcmp(list[i].extensionName, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME)) has->subgroup_sizes = true;
    }
    free(list);
}

/* The largest device-local heap; what the driver says is free, or else a fraction that leaves room for others. Of the
 * host's memory the fraction is larger, and what a container leaves is the most. */
static void read_memory(const struct vk_lib *lib, struct vk_gpu *gpu, bool has_budget)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT
    };
    VkPhysicalDeviceMemoryProperties2 memory = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                                 .pNext = has_budget ? &budget : NULL };
    lib->fn.GetPhysicalDeviceMemoryProperties2(gpu->physical, &memory);
    gpu->memory = memory.memoryProperties;
    uint64_t largest = 0;
    for (uint32_t i = 0; i < gpu->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *heap = &gpu->memory.memoryHeaps[i];
        if (!(heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) || heap->size <= largest) continue;
        largest = heap->size;
        if (has_budget && budget.heapBudget[i] > budget.heapUsage[i]) {
            gpu->budget = budget.heapBudget[i] - budget.heapUsage[i];
        } else if (gpu->class->host) {
            gpu->budget = largest / 10 * 9;
        } else {
            gpu->budget = largest >= (4ull << 30) ? largest / 10 * 7 : largest / 2;
        }
    }
    uint64_t available = gpu->class->host ? vgg_limits_available() : 0;
    if (available && available < gpu->budget) gpu->budget = available;
}

static void read_smallest_subgroup(const struct vk_lib *lib, struct vk_gpu *gpu)
{
    VkPhysicalDeviceSubgroupSizeControlPropertiesEXT sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES_EXT
    };
    VkPhysicalDeviceProperties2 properties = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                               .pNext = &sizes };
    lib->fn.GetPhysicalDeviceProperties2(gpu->physical, &properties);
    gpu->smallest_subgroup = sizes.minSubgroupSize;
}

/* Fills *gpu; false when the device cannot run this backend. */
static bool read_gpu(const struct vk_lib *lib, struct vk_gpu *gpu, VkPhysicalDevice physical)
{
    VkPhysicalDeviceSubgroupProperties subgroup = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES };
    VkPhysicalDeviceDriverProperties driver = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                                                .pNext = &subgroup };
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &driver
    };
    VkPhysicalDeviceIDProperties id = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
                                        .pNext = &maintenance };
    VkPhysicalDeviceProperties2 properties = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id };
    memset(gpu, 0, sizeof *gpu);
    gpu->physical = physical;
    lib->fn.GetPhysicalDeviceProperties2(physical, &properties);
    gpu->properties = properties.properties;
    if (gpu->properties.apiVersion < VK_API_VERSION_1_2) {
        vgg_log(VGG_LOG_DEBUG, "vulkan: %s offers less than Vulkan 1.2", gpu->properties.deviceName);
        return false;
    }
    gpu->driver_id = driver.driverID;
    snprintf(gpu->driver, sizeof gpu->driver, "%.60s%s%.60s", driver.driverName, driver.driverInfo[0] ? " " : "",
             driver.driverInfo);
    memcpy(gpu->uuid, id.deviceUUID, sizeof gpu->uuid);
    VkPhysicalDeviceFeatures2 features = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2 };
    lib->fn.GetPhysicalDeviceFeatures2(physical, &features);
    const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
    bool lanes = features.features.shaderInt64 && subgroup.subgroupSize == 8 &&
                 (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                 (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT) &&
                 limits->maxTexelBufferElements >= limits->maxStorageBufferRange / 16 &&
                 limits->minTexelBufferOffsetAlignment <= VGG_VIEW_ALIGN;
    gpu->class = vk_class_of(gpu->properties.deviceType, lanes);
    gpu->subgroup = subgroup.subgroupSize;
    gpu->max_allocation = maintenance.maxMemoryAllocationSize;
    struct extensions has;
    read_extensions(lib, gpu, &has);
    gpu->smallest_subgroup = gpu->subgroup;
    if (has.subgroup_sizes) read_smallest_subgroup(lib, gpu);
    read_memory(lib, gpu, has.budget);
    vk_matrix_read(lib, gpu);
    return choose_family(lib, gpu) && gpu->properties.limits.maxPerStageDescriptorStorageBuffers >= 4;
}

static bool same_uuid(const struct vk_gpu *a, const struct vk_gpu *b)
{
    static const uint8_t zero[VK_UUID_SIZE];
    return memcmp(a->uuid, zero, sizeof zero) && !memcmp(a->uuid, b->uuid, sizeof a->uuid);
}

/* Does a come before b? By class, then more memory of its own, then by what stays the same from start to start, which
 * the loader's order need not. */
static bool before(const struct vk_gpu *a, const struct vk_gpu *b)
{
    int rank_a = vk_class_rank(a->class), rank_b = vk_class_rank(b->class);
    uint64_t memory_a = largest_heap(a), memory_b = largest_heap(b);
    const VkPhysicalDeviceProperties *p = &a->properties, *q = &b->properties;
    if (rank_a != rank_b) return rank_a < rank_b;
    if (!a->class->host && memory_a != memory_b) return memory_a > memory_b;
    if (p->vendorID != q->vendorID) return p->vendorID < q->vendorID;
    if (p->deviceID != q->deviceID) return p->deviceID < q->deviceID;
    return memcmp(a->uuid, b->uuid, sizeof a->uuid) < 0;
}

/* Inserts in order. */
static void insert(struct vk_gpu *list, size_t *count, const struct vk_gpu *gpu)
{
    for (size_t i = 0; i < *count; i++) {
        if (same_uuid(&list[i], gpu)) {
            vgg_log(VGG_LOG_DEBUG, "vulkan: %s appears twice; the driver %s serves it", gpu->properties.deviceName,
                    list[i].driver);
            return;
        }
    }
    size_t at = *count;
    while (at > 0 && before(gpu, &list[at - 1])) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = *gpu;
    (*count)++;
}

enum vgg_status vk_gpu_list(const struct vk_lib *lib, struct vk_gpu **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    if (!lib->instance) return VGG_OK;
    uint32_t found = 0;
    VkResult result = lib->fn.EnumeratePhysicalDevices(lib->instance, &found, NULL);
    if (result != VK_SUCCESS || found == 0) return VGG_OK;
    VkPhysicalDevice *physical = vgg_mem_calloc(found, sizeof *physical);
    struct vk_gpu *list = vgg_mem_calloc(found, sizeof *list);
    if (!physical || !list) {
        free(physical);
        free(list);
        return vgg_fail_memory("the list of Vulkan devices", found * sizeof *list);
    }
    result = lib->fn.EnumeratePhysicalDevices(lib->instance, &found, physical);
    for (uint32_t i = 0; (result == VK_SUCCESS || result == VK_INCOMPLETE) && i < found; i++) {
        struct vk_gpu gpu;
        if (read_gpu(lib, &gpu, physical[i])) insert(list, count, &gpu);
    }
    free(physical);
    if (*count == 0) {
        free(list);
        list = NULL;
    }
    *out = list;
    return VGG_OK;
}

int vk_gpu_first_tile(const struct vk_gpu *gpu)
{
    enum { INTEL = 0x8086, AMD = 0x1002 };
    bool gcn = gpu->properties.vendorID == AMD && gpu->smallest_subgroup == 64;
    bool narrow = !gpu->class->host && (gpu->properties.vendorID == INTEL || gcn);
    return narrow && gpu->class->first_tile < VK_TILE_NARROW ? VK_TILE_NARROW : gpu->class->first_tile;
}

void vk_gpu_info(struct vgg_device_info *info, const struct vk_gpu *gpu)
{
    memset(info, 0, sizeof *info);
    snprintf(info->backend, sizeof info->backend, "vulkan");
    snprintf(info->name, sizeof info->name, "%.127s", gpu->properties.deviceName);
    snprintf(info->type, sizeof info->type, "%s", gpu->class->type);
    snprintf(info->driver, sizeof info->driver, "%.127s", gpu->driver);
    for (size_t i = 0; i < VK_UUID_SIZE; i++)
        snprintf(info->uuid + 2 * i, 3, "%02x", gpu->uuid[i]);
    const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
    snprintf(info->limits, sizeof info->limits,
             "%llu MiB an allocation, %u MiB a binding, %u KiB shared memory, %u threads a workgroup, subgroups of %u",
             (unsigned long long)(gpu->max_allocation >> 20), limits->maxStorageBufferRange >> 20,
             limits->maxComputeSharedMemorySize >> 10, limits->maxComputeWorkGroupInvocations, gpu->subgroup);
    size_t used = strlen(info->limits);
    const struct vk_matrix_shape *f = &gpu->matrix;
    if (f->m)
        snprintf(info->limits + used, sizeof info->limits - used, ", fp16 matrices of %dx%dx%d", f->m, f->n, f->k);
    info->allocation = gpu->max_allocation;
    uint64_t reserve = reserve_of(gpu);
    info->memory = gpu->budget > 2 * reserve ? gpu->budget - reserve : gpu->budget / 2;
    if (gpu->class->host) snprintf(info->reason, sizeof info->reason, "runs on the CPU: only when asked for");
}
