/* vk_tile.h: which tile of the matrix product a device gets for a shape. */
#ifndef VK_TILE_H
#define VK_TILE_H

#include "vk/vk_pipe.h"

/* Constants of shaders/common/tile.glsl. A thread makes tm x tn elements. */
struct vk_tile {
    int threads, bm, bn, bk, tm, tn;
};

enum { VK_TILE_COUNT = 7 };
const struct vk_tile *vk_tile_at(int index);

/* Does the device have the threads and the shared memory? */
bool vk_tile_fits(const struct vk *vk, int index);

/* The tile for an m x n product: as large as leaves every part of the device something to do. Depends on the shape and
 * the device only, so that sums do not change from run to run. */
int vk_tile_choose(const struct vk *vk, size_t m, size_t n);

/* What predictions know of a class of devices. The unit of time is that of one operation (half a multiply-add) where
 * the best tile keeps every core busy. */
struct vk_machine {
    size_t busy;     /* workgroups that keep every core busy */
    double per_byte; /* time of a byte to or from memory */
    double per_call; /* of starting a dispatch after a barrier */
};
const struct vk_machine *vk_tile_machine(const struct vk *vk);

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
};

/* The shortest way by predicted time, in parts of at least 256 terms. Depends on the shape and the class of the device
 * only, so that sums do not change from run to run. */
struct vk_plan vk_tile_plan(const struct vk *vk, const struct vk_product *product);

/* Tile of cpu/texel.glsl for an m x n product of channels that come in eights: rows and columns of a lane. */
void vk_tile_texel(size_t m, size_t n, int *tm, int *tn);

/* Tile of cpu/lane.glsl for an m x n product: rows and groups of eight columns; false where devices of another kind,
 * or a forced tile, want common/tile.glsl. */
bool vk_tile_lanes(const struct vk *vk, size_t m, size_t n, int *tm, int *tn);

/* Sets the constants of a variant that are its tile. */
void vk_tile_spec(struct vk_variant *variant, const struct vk_tile *tile);
/* Sets the tile of a variant and gets its pipeline, from `index` on to the next smaller tile whenever the driver
 * refuses one. *tile is the tile it became. */
enum vgg_status vk_tile_pipe(struct vk *vk, struct vk_variant *variant, int index, const struct vk_tile **tile,
                             VkPipeline *pipeline);

#endif
