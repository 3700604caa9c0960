/* vk_matrix.h: matrix cores (VK_KHR_cooperative_matrix) for precision fp16: what a device has, and tiles of the shaders
 * in shaders/matrix. */
#ifndef VK_MATRIX_H
#define VK_MATRIX_H

#include "vk/vk_pipe.h"

struct vk_block;

/* As VkPhysicalDeviceCooperativeMatrixFeaturesKHR, which older headers lack. */
struct vk_matrix_khr {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix, cooperativeMatrixRobustBufferAccess;
};

/* What a device is asked about, and created with. */
struct vk_matrix_features {
    struct vk_matrix_khr matrix;
    VkPhysicalDeviceShaderFloat16Int8Features float16;
    VkPhysicalDeviceVulkanMemoryModelFeatures model;
    VkPhysicalDeviceSubgroupSizeControlFeatures size;
};
enum { VK_MATRIX_EXTENSIONS = 2 };
extern const char *const vk_matrix_extensions[VK_MATRIX_EXTENSIONS];

/* Sets gpu->matrix; all 0 without fragments of fp16 with sums of fp32, or without what the shaders need beside. */
void vk_matrix_read(const struct vk_lib *lib, struct vk_gpu *gpu);
/* A chain of what the shaders need, before `next`; its first structure. */
void *vk_matrix_need(struct vk_matrix_features *features, void *next);

/* From large to small, the last for matrices of few rows. */
enum { VK_MATRIX_TILES = 3 };
/* Sets the constants of a variant that are fragments and tile. */
void vk_matrix_spec(const struct vk *vk, struct vk_variant *variant, int tile);

/* Sets shader, fragments and tile of a variant and gets its pipeline: the matrix tile that comes nearest to tile
 * `index` of vk_tile.c, or the next smaller one whenever the driver refuses one. VGG_ERR_UNSUPPORTED, with one warning
 * a device, when it refuses them all. */
enum vgg_status vk_matrix_block(struct vk *vk, struct vk_variant *variant, const struct vk_way *way, int index,
                                struct vk_block *block);

#endif
