/* vk_wino_part.h: what Winograd's way shares between devices of CPU type and the others. */
#ifndef VK_WINO_PART_H
#define VK_WINO_PART_H

#include "vk/vk_conv_part.h"

/* By texel buffers and 64-bit words, as devices of CPU type like it? */
bool vk_wino_lanes(const struct vk *vk);

/* The shader that the device gets for a step. */
enum vk_wino_step { VK_WINO_WEIGHT, VK_WINO_INPUT, VK_WINO_PRODUCT, VK_WINO_OUTPUT, VK_WINO_DY, VK_WINO_DW };
const char *vk_wino_shader(const struct vk *vk, enum vk_wino_step step);

enum { VK_WINO_POINTS = 36 };

/* Bytes in scratch of kernels, then inputs, then products, each VK_WINO_POINTS matrices in Winograd's domain. */
struct vk_wino_layout {
    size_t u, v, m;
};
struct vk_wino_layout vk_wino_layout(size_t u, size_t v, size_t m); /* from the words of a matrix of each */
struct vk_bind vk_wino_scratch(const struct vk *vk, size_t offset, size_t size, bool write);
size_t vk_wino_tiles(int images, int rows, int w); /* of 4x4 pixels */
/* Whole images when their rows of tiles are among those that `fit`, else parts that begin with a row of tiles: by the
 * shape alone. */
struct vk_cut vk_wino_cut(const struct vk *vk, const struct vk_conv *conv, size_t fit);
/* A transform over `count` items of `work` operations each. */
enum vgg_status vk_wino_flat(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                             const void *push, size_t push_size, size_t count, double work);

#endif
