/* vk_gpu.h: the physical devices that Vulkan offers, in order of preference, each GPU once. */
#ifndef VK_GPU_H
#define VK_GPU_H

#include "vk/vk_class.h"

/* Fragments m x k and k x n of fp16, sums m x n of fp32, in subgroups of so many threads; 0: no matrix cores. */
struct vk_matrix_shape {
    int m, n, k;
    uint32_t subgroup;
};

struct vk_gpu {
    VkPhysicalDevice physical;
    const struct vk_class *class;
    VkPhysicalDeviceProperties properties;
    VkDriverId driver_id;
    char driver[128]; /* name and version in words */
    uint8_t uuid[VK_UUID_SIZE];
    VkPhysicalDeviceMemoryProperties memory;
    uint64_t max_allocation;    /* bytes in one VkDeviceMemory */
    uint32_t subgroup;          /* threads */
    uint32_t smallest_subgroup; /* that a shader may get */
    uint64_t budget;            /* bytes that this process may use */
    uint32_t family;            /* of the queue that computes */
    uint32_t timestamp_bits;    /* 0: that queue has no timestamps */
    bool portability_subset;    /* must then be enabled */
    struct vk_matrix_shape matrix;
};

/* Lists the devices that can run this backend (Vulkan 1.2, a compute queue, four storage buffers): discrete first, then
 * integrated, virtual, other, CPU, of equal ones those with more memory, and always in one order; a GPU that two
 * drivers offer appears once. *out by malloc, NULL without any. */
enum vgg_status vk_gpu_list(const struct vk_lib *lib, struct vk_gpu **out, size_t *count);

/* Bytes of scratch within one operation: Winograd's domain of many images at once, so that GPUs read the kernel's
 * transform less often; a sixteenth of the largest heap on small ones. By the class and the heap's size, never by what
 * is free: sums are cut by it. */
uint64_t vk_gpu_scratch(const struct vk_gpu *gpu);

/* The largest tile: the class's, but 64 x 64 for Intel, whose registers 8 x 8 sums a thread do not fit (SIMD 16), and
 * for AMD before RDNA, where they leave two waves for each SIMD unit. */
int vk_gpu_first_tile(const struct vk_gpu *gpu);

/* What `devices` shows of one; the reason is left to the dispatcher, except that CPU-type devices explain themselves.
 */
void vk_gpu_info(struct vgg_device_info *info, const struct vk_gpu *gpu);

#endif
