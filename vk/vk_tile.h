/* vk_tile.h: which tile of the matrix product a device gets for a shape. */
#ifndef VK_TILE_H
#define VK_TILE_H

#include "vk/vk_pipe.h"

/* Does the device have the threads and the shared memory? */
bool vk_tile_fits(const struct vk *vk, int index);

/* The tile for an m x n product: as large as leaves every part of the device something to do. Depends on the shape and
 * the device only, so that sums do not change from run to run. */
int vk_tile_choose(const struct vk *vk, size_t m, size_t n);

/* A way of making a product, the sum cut into `parts` that are written apart and added in order. */
struct vk_plan {
    int tile;
    size_t parts;
    double cost; /* predicted */
};

struct vk_product {
    size_t m, n, k, batch; /* `batch` times m x n sums of k terms */
    double bytes;          /* of all operands and results */
    size_t parts;          /* of the sums; 0: as many as are best */
    size_t most_parts;     /* that there is room for, where they are free */
    double part_bytes;     /* of each further part, where what reads the sum adds them; 0: a dispatch does */
};

/* The shortest way by predicted time, in parts of at least 256 terms, or 128 where no dispatch adds them. Depends on
 * the shape and the class of the device only, so that sums do not change from run to run. */
struct vk_plan vk_tile_plan(const struct vk *vk, const struct vk_product *product);

/* The way of a task to try after `last`: vk_class_next, without shaders/cpu's tilings where a tile is forced or
 * operands are rounded to fp16, and without matrix cores where they are not used. */
const struct vk_way *vk_tile_next(const struct vk *vk, enum vk_task task, size_t channels, const struct vk_way *last);

/* What a workgroup of a shader makes: bm rows of bn columns. */
struct vk_block {
    const struct vk_way *way;
    VkPipeline pipeline;
    size_t bm, bn;
    size_t bk; /* parts of a sum are multiples of it; 0: of 16 */
};

/* For ways of VK_TILING_SHARED and _MATRIX: sets shader and tile of a variant and gets its pipeline, from tile `index`
 * on to the next smaller one whenever the driver refuses one. */
enum vgg_status vk_tile_block(struct vk *vk, struct vk_variant *variant, const struct vk_way *way, int index,
                              struct vk_block *block);

#endif
