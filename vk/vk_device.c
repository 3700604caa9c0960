#include "vk/vk_device.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_kept.h"
#include "vk/vk_matrix.h"
#include "vk/vk_mem.h"
#include "vk/vk_pipe.h"
#include "vk/vk_rec.h"

/* What every device has in each dimension of a dispatch. More is not asked for: sums are cut where dispatches are. */
enum { VK_GROUPS = 65535 };

static size_t env_size(const char *name, size_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? (size_t)strtoull(text, NULL, 0) : fallback;
}

static void force_class(struct vk_gpu *gpu)
{
    const char *name = getenv("VGG16_VK_CLASS");
    bool discrete = name && strcmp(name, "discrete") == 0, integrated = name && strcmp(name, "integrated") == 0;
    if (gpu->properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU || (!discrete && !integrated)) return;
    gpu->class =
        vk_class_of(discrete ? VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU : VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, false);
}

static void read_limits(struct vk *vk)
{
    const VkPhysicalDeviceLimits *l = &vk->gpu.properties.limits;
    struct vk_limits *limits = &vk->limits;
    force_class(&vk->gpu);
    size_t range = env_size("VGG16_VK_RANGE", l->maxStorageBufferRange);
    limits->range = range < l->maxStorageBufferRange ? range : l->maxStorageBufferRange;
    if (limits->range > (1u << 30)) limits->range = 1u << 30; /* element numbers stay far inside 32 bits */
    limits->range &= ~(size_t)(VGG_VIEW_ALIGN - 1);
    size_t scratch = (size_t)vk_gpu_scratch(&vk->gpu);
    limits->scratch = limits->range < scratch ? limits->range : scratch;
    limits->align = l->minStorageBufferOffsetAlignment < 4 ? 4 : (size_t)l->minStorageBufferOffsetAlignment;
    if (vk->gpu.class->lanes) { /* views of texels, 16 bytes each */
        size_t least = l->minTexelBufferOffsetAlignment < 16 ? 16 : (size_t)l->minTexelBufferOffsetAlignment;
        if (limits->align < least) limits->align = least;
    }
    size_t groups = env_size("VGG16_VK_GROUPS", VK_GROUPS);
    limits->groups = groups < VK_GROUPS ? (uint32_t)groups : VK_GROUPS;
    limits->invocations = l->maxComputeWorkGroupInvocations;
    if (limits->invocations > l->maxComputeWorkGroupSize[0]) limits->invocations = l->maxComputeWorkGroupSize[0];
    limits->shared = l->maxComputeSharedMemorySize;
    limits->split = (int)env_size("VGG16_VK_SPLIT", 0);
    limits->tile = (int)env_size("VGG16_VK_TILE", (size_t)-1);
    vk->gpu.max_allocation = env_size("VGG16_VK_ALLOCATION", (size_t)vk->gpu.max_allocation);
    limits->staging = env_size("VGG16_VK_STAGING", 0) != 0;
    vk->rate = vk->gpu.class->rate;
}

static enum vgg_status create_device(struct vk *vk)
{
    float priority = 1;
    VkDeviceQueueCreateInfo queue = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                      .queueFamilyIndex = vk->gpu.family,
                                      .queueCount = 1,
                                      .pQueuePriorities = &priority };
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES, .timelineSemaphore = VK_TRUE
    };
    const VkPhysicalDeviceFeatures features = { .shaderInt64 = vk->gpu.class->lanes };
    struct vk_matrix_features matrix;
    const char *extension[1 + VK_MATRIX_EXTENSIONS] = { "VK_KHR_portability_subset" };
    uint32_t extensions = vk->gpu.portability_subset ? 1 : 0;
    for (int i = 0; i < VK_MATRIX_EXTENSIONS && vk->matrix; i++)
        extension[extensions++] = vk_matrix_extensions[i];
    VkDeviceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                .pNext = vk->matrix ? vk_matrix_need(&matrix, &timeline) : &timeline,
                                .queueCreateInfoCount = 1,
                                .pQueueCreateInfos = &queue,
                                .enabledExtensionCount = extensions,
                                .ppEnabledExtensionNames = extension,
                                .pEnabledFeatures = &features };
    VkResult result = vk->lib.fn.CreateDevice(vk->gpu.physical, &info, NULL, &vk->device);
    if (result != VK_SUCCESS) {
        vk->device = NULL;
        return vk_device_status(vk, result, "vkCreateDevice");
    }
    if (!vk_lib_device(&vk->lib.fn, vk->device)) return VGG_ERR_UNSUPPORTED;
    vk->lib.fn.GetDeviceQueue(vk->device, vk->gpu.family, 0, &vk->queue);
    return VGG_OK;
}

static enum vgg_status create_objects(struct vk *vk)
{
    VkSemaphoreTypeCreateInfo type = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE };
    VkSemaphoreCreateInfo semaphore = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type };
    VkResult result = vk->lib.fn.CreateSemaphore(vk->device, &semaphore, NULL, &vk->timeline);
    if (result != VK_SUCCESS) return vk_device_status(vk, result, "vkCreateSemaphore");
    VkCommandPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                     .queueFamilyIndex = vk->gpu.family };
    result = vk->lib.fn.CreateCommandPool(vk->device, &pool, NULL, &vk->pool);
    return vk_device_status(vk, result, "vkCreateCommandPool");
}

static enum vgg_status choose_gpu(struct vk *vk, int index)
{
    struct vk_gpu *list = NULL;
    size_t count = 0;
    enum vgg_status status = vk_gpu_list(&vk->lib, &list, &count);
    if (status == VGG_OK && count == 0) {
        status = vgg_fail(VGG_ERR_MISSING, "vulkan: no device found; install a Vulkan driver or use --backend cpu");
    } else if (status == VGG_OK && (index < -1 || index >= (int)count)) {
        status = vgg_fail(VGG_ERR_MISSING, "vulkan: there is no device %d; see `vgg16 devices`", index);
    }
    if (status == VGG_OK) vk->gpu = list[index < 0 ? 0 : index];
    free(list);
    return status;
}

enum vgg_status vk_device_open(struct vk **out, int index, bool half)
{
    enum vgg_status status;
    *out = NULL;
    struct vk *vk = vgg_mem_calloc(1, sizeof *vk);
    if (!vk) return vgg_fail_memory("the Vulkan device", sizeof *vk);
    vk_lib_open(&vk->lib);
    CHECK(choose_gpu(vk, index));
    vk->half = vk->direct = half; /* Winograd's products are others than those of the rounded operands */
    vk->base.halves = half;
    vk->matrix = half && vk->gpu.matrix.m;
    read_limits(vk);
    CHECK(create_device(vk));
    CHECK(create_objects(vk));
    CHECK(vk_pipe_init(vk));
    vk_gpu_info(&vk->base.device, &vk->gpu);
    *out = vk;
    return VGG_OK;
fail:
    vk_device_close(vk);
    return status;
}

void vk_device_close(struct vk *vk)
{
    if (!vk) return;
    struct vk_fn *fn = &vk->lib.fn;
    if (vk->device && fn->DestroyDevice) {
        if (vk->ticket) fn->DeviceWaitIdle(vk->device);
        while (vk->recs)
            vk_rec_destroy(vk, vk->recs);
        vk_kept_drop(vk, NULL);
        vk_mem_finish(vk);
        vk_pipe_finish(vk);
        if (vk->pool) fn->DestroyCommandPool(vk->device, vk->pool, NULL);
        if (vk->timeline) fn->DestroySemaphore(vk->device, vk->timeline, NULL);
        fn->DestroyDevice(vk->device, NULL);
    }
    vk_lib_close(&vk->lib);
    free(vk);
}
