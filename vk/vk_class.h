/* vk_class.h: how each class of devices computes, in two tables: of classes, and of the ways of every task, with
 * shader, tiling and layout. The rest of the room asks a row, never what kind of device there is. */
#ifndef VK_CLASS_H
#define VK_CLASS_H

#include "vk/vk_load.h"

/* What a dispatch is for. */
enum vk_task {
    VK_TASK_CONV, /* forward, or with respect to the input */
    VK_TASK_CONV_SUM,
    VK_TASK_WGRAD,
    VK_TASK_DENSE,
    VK_TASK_WINO_WEIGHT,
    VK_TASK_WINO_INPUT,
    VK_TASK_WINO_PRODUCT,
    VK_TASK_WINO_OUTPUT,
    VK_TASK_WINO_DY,
    VK_TASK_WINO_DW,
    VK_TASK_POOL,
    VK_TASK_POOL_BWD,
    VK_TASK_GLOBAL_POOL,
    VK_TASK_REDUCE,
    VK_TASK_COLSUM,
    VK_TASK_DROPOUT,
    VK_TASK_CLIP,
    VK_TASK_UNSCALE,
    VK_TASK_UPDATE,
    VK_TASK_FMA,
    VK_TASK_SOFTMAX,
    VK_TASK_XENT,
    VK_TASK_COUNT
};

/* How threads share the work. */
enum vk_tiling {
    VK_TILING_FLAT,   /* common/flat.glsl, row.glsl: each takes items, or a workgroup a row */
    VK_TILING_SHARED, /* common/tile.glsl: a workgroup a tile of those below, in shared memory */
    VK_TILING_MATRIX, /* common/matrix.glsl: the same on matrix cores (vk_matrix.c) */
    VK_TILING_LANE,   /* cpu/lane.glsl: a subgroup a tile, any number of channels */
    VK_TILING_TEXEL,  /* cpu/texel.glsl: the same with texels, channels in eights */
};

/* The tiles of common/params.h. */
enum { VK_TILE_LARGEST, VK_TILE_MIDDLE, VK_TILE_NARROW, VK_TILE_SQUARE, VK_TILE_LOW, VK_TILE_SMALLEST, VK_TILE_THIN };

/* A shader for a task. */
struct vk_way {
    const char *shader; /* NULL: no such way */
    enum vk_tiling tiling;
    bool texels;  /* each binding is shown as a texel buffer too */
    int multiple; /* of which all channels must be, 0: none */
    int items;    /* that a thread takes at a time, where it matters outside of the shader */
};

/* Winograd's way: not at all; matrices of a whole part by VK_TASK_DENSE's shader (vk_wino.c); in pieces that stay in
 * the cache (vk_cpu.c). */
enum vk_wino { VK_WINO_NEVER, VK_WINO_GPU, VK_WINO_CPU };

struct vk_class {
    const char *type; /* as `devices` says it */
    bool host;   /* runs on the CPU: chosen only when asked for; a heap's size is a number, not a chip; no watchdog */
    bool mapped; /* memory that the host caches is written and read in place, without a copy */
    bool lanes;  /* subgroups of 8 that pass values on, 64-bit words, texel buffers: shaders/cpu */
    enum vk_wino wino;
    size_t scratch; /* bytes within one operation, at most */
    size_t cache;   /* bytes that stay near the cores from one dispatch to the next; 0: too few to count on */

    /* Speed; times in that of one operation (half a multiply-add) where the best tile keeps every core busy. */
    double rate;     /* operations a second, before it is measured */
    bool predicted;  /* tiles and parts of sums are chosen by predicted time; else the tile by the shape alone */
    int first_tile;  /* the largest; see vk_gpu_first_tile */
    size_t busy;     /* workgroups that keep every core busy */
    double per_byte; /* time of a byte to or from memory */
    double per_call; /* of starting a dispatch after a barrier */
};

/* The class of a type of device. lanes: it has what that field says, which only devices of CPU type make use of. */
const struct vk_class *vk_class_of(VkPhysicalDeviceType type, bool lanes);
/* The least is chosen first. */
int vk_class_rank(const struct vk_class *class);

/* The way of a task to try after `last`, NULL: the first; NULL after the last. channels: all that must be multiples,
 * or'ed together; 0: whatever way there is. */
const struct vk_way *vk_class_next(const struct vk_class *class, enum vk_task task, size_t channels,
                                   const struct vk_way *last);

#endif
