/* vk_wino_part.h: what Winograd's way shares between vk_wino.c and vk_cpu.c. */
#ifndef VK_WINO_PART_H
#define VK_WINO_PART_H

#include "vk/vk_conv_part.h"

enum { VK_WINO_POINTS = 36 };

/* Bytes in scratch of kernels, then inputs, then products, each VK_WINO_POINTS matrices in Winograd's domain. */
struct vk_wino_layout {
    size_t u, v, m;
};
struct vk_wino_layout vk_wino_layout(size_t u, size_t v, size_t m); /* from the words of a matrix of each */
struct vk_bind vk_wino_scratch(const struct vk *vk, size_t offset, size_t size, bool write);
size_t vk_wino_tiles(int images, int rows, int w); /* of 4x4 pixels */
/* Rows of tiles, of maps of w pixels, of which a row takes `row` bytes of scratch and the kernels u: as many as there
 * is room for, and workgroups for where each makes bm tiles. */
size_t vk_wino_rows(const struct vk *vk, struct vk_wino_layout row, int w, size_t bm);
/* Whole images when their rows of tiles are among those that `fit`, else parts that begin with a row of tiles: by the
 * shape alone. */
struct vk_cut vk_wino_cut(const struct vk *vk, const struct vk_conv *conv, size_t fit);
/* The pipeline of a transform, with the class's shader for it. */
enum vgg_status vk_wino_pipe(struct vk *vk, enum vk_task task, struct vk_variant variant, VkPipeline *out);
/* A transform over `count` items of `work` operations each. */
enum vgg_status vk_wino_flat(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                             const void *push, size_t push_size, size_t count, double work);
/* The same for kernels, call->bind[0], to call->bind[1] or where they are kept from run to run; *out: where they are.
 */
enum vgg_status vk_wino_kernels(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                                const void *push, size_t push_size, size_t count, double work, struct vk_bind *out);

#endif
