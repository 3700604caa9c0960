#include "vk/vk_class.h"

enum { WAYS = 4 };

/* Those of shaders/cpu go to classes with lanes alone, those of shaders/matrix to devices that compute in fp16 on
 * matrix cores (vk_tile_next); the first that suits and that the driver takes. */
static const struct vk_way ways[VK_TASK_COUNT][WAYS] = {
    [VK_TASK_CONV] = { { .shader = "matrix/conv", .tiling = VK_TILING_MATRIX, .multiple = 32 },
                       { .shader = "cpu/conv_texel", .tiling = VK_TILING_TEXEL, .texels = true, .multiple = 8 },
                       { .shader = "cpu/conv_lane", .tiling = VK_TILING_LANE },
                       { .shader = "conv", .tiling = VK_TILING_SHARED } },
    [VK_TASK_CONV_SUM] = { { .shader = "conv_sum" } },
    [VK_TASK_WGRAD] = { { .shader = "matrix/wgrad", .tiling = VK_TILING_MATRIX, .multiple = 4 },
                        { .shader = "cpu/wgrad_texel", .tiling = VK_TILING_TEXEL, .texels = true, .multiple = 8 },
                        { .shader = "cpu/wgrad_lane", .tiling = VK_TILING_LANE },
                        { .shader = "wgrad", .tiling = VK_TILING_SHARED } },
    [VK_TASK_DENSE] = { { .shader = "matrix/dense", .tiling = VK_TILING_MATRIX, .multiple = 4 },
                        { .shader = "cpu/dense_texel", .tiling = VK_TILING_TEXEL, .texels = true, .multiple = 8 },
                        { .shader = "gemm", .tiling = VK_TILING_SHARED } },
    [VK_TASK_WINO_WEIGHT] = { { .shader = "cpu/wino_weight_texel", .texels = true }, { .shader = "wino_weight" } },
    [VK_TASK_WINO_INPUT] = { { .shader = "cpu/wino_input_texel", .texels = true }, { .shader = "wino_input" } },
    [VK_TASK_WINO_PRODUCT] = { { .shader = "cpu/wino_lane", .tiling = VK_TILING_TEXEL, .texels = true },
                               { .shader = "gemm", .tiling = VK_TILING_SHARED } },
    [VK_TASK_WINO_OUTPUT] = { { .shader = "cpu/wino_output_texel", .texels = true }, { .shader = "wino_output" } },
    [VK_TASK_WINO_DY] = { { .shader = "cpu/wino_dy_texel", .texels = true }, { .shader = "wino_dy" } },
    [VK_TASK_WINO_DW] = { { .shader = "cpu/wino_dw_texel", .texels = true }, { .shader = "wino_dw" } },
    [VK_TASK_POOL] = { { .shader = "pool" } },
    [VK_TASK_POOL_BWD] = { { .shader = "cpu/pool_bwd_texel", .texels = true, .multiple = 8 },
                           { .shader = "pool_bwd" } },
    [VK_TASK_GLOBAL_POOL] = { { .shader = "gpool" } },
    [VK_TASK_REDUCE] = { { .shader = "reduce" } },
    [VK_TASK_COLSUM] = { { .shader = "cpu/colsum_texel", .texels = true, .multiple = 4, .items = 4 },
                         { .shader = "colsum", .items = 1 } },
    [VK_TASK_DROPOUT] = { { .shader = "dropout" } },
    [VK_TASK_CLIP] = { { .shader = "clip" } },
    [VK_TASK_UNSCALE] = { { .shader = "unscale" } },
    [VK_TASK_UPDATE] = { { .shader = "cpu/update_texel", .texels = true, .multiple = 8, .items = 8 },
                         { .shader = "update", .items = 4 } },
    [VK_TASK_FMA] = { { .shader = "peak" } },
    [VK_TASK_SOFTMAX] = { { .shader = "softmax" } },
    [VK_TASK_XENT] = { { .shader = "xent" } },
};

/* In order of preference; the last two alike.
 *
 * rate: the first submissions, a tenth of a second each (vk_emit.c), are cut by this guess. The weakest GPUs with
 * Vulkan 1.2 reach a quarter of it, say (discrete: a GeForce GT 710 of 0.37e12 or a Radeon of GCN's first generation of
 * 0.5e12 nominal, of which a third arrives; integrated: Intel's Gen 8 of 0.3e12, Mali-G52 of 0.05e12): 0.4 s, far below
 * the watchdogs of about 2 s. Too low a guess costs a few more submissions until the rate is measured.
 *
 * cache: the second level, or what AMD has behind it, holds 32 MiB and more on most discrete GPUs since 2020 (RDNA 2
 * and later 32 to 128, Ada 24 to 72, Hopper 50); on those before, groups of that size cost a few more dispatches.
 *
 * first_tile: integrated GPUs of Intel and Apple are best with 64 x 64 by 128 threads.
 *
 * per_byte, operations a byte: what VGG16's products can sustain on a device over its memory's bandwidth, which is 21
 * for an RX 7900 XTX (20e12 of nominal 61e12, 960e9 bytes a second), 42 for an RTX 4090 (42e12 of 83e12, 1008e9), 15
 * for an Arc A770 (8.5e12 of 20e12, 560e9), and, integrated, 22 for an M2 (2.2e12, 100e9) and 20 for an Iris Xe
 * (1.2e12, 60e9). per_call, a dispatch that waits for the one before it: some 5 us, 10 us on integrated GPUs, assumed,
 * at 1e13 and 1e12 operations a second. Other devices may have a GPU behind them and are taken for the more careful of
 * the two. */
enum { DISCRETE, INTEGRATED, VIRTUAL, OTHER, CPU, CPU_LANES };
static const struct vk_class classes[] = {
    [DISCRETE] = { .type = "discrete",
                   .wino = VK_WINO_GPU,
                   .scratch = 192 << 20,
                   .cache = 24 << 20,
                   .rate = 4e11,
                   .predicted = true,
                   .first_tile = VK_TILE_LARGEST,
                   .busy = 192,
                   .per_byte = 24,
                   .per_call = 5e7 },
    [INTEGRATED] = { .type = "integrated",
                     .mapped = true,
                     .wino = VK_WINO_GPU,
                     .scratch = 128 << 20,
                     .rate = 1e11,
                     .predicted = true,
                     .first_tile = VK_TILE_NARROW,
                     .busy = 32,
                     .per_byte = 20,
                     .per_call = 1e7 },
    [VIRTUAL] = { .type = "virtual",
                  .mapped = true,
                  .wino = VK_WINO_GPU,
                  .scratch = 128 << 20,
                  .rate = 1e11,
                  .predicted = true,
                  .first_tile = VK_TILE_LARGEST,
                  .busy = 64,
                  .per_byte = 24,
                  .per_call = 5e7 },
    [OTHER] = { .type = "other",
                .mapped = true,
                .wino = VK_WINO_GPU,
                .scratch = 64 << 20,
                .rate = 1e11,
                .predicted = true,
                .first_tile = VK_TILE_LARGEST,
                .busy = 32,
                .per_byte = 24,
                .per_call = 5e7 },
    [CPU] = { .type = "cpu",
              .host = true,
              .mapped = true,
              .scratch = 64 << 20,
              .rate = 1e10,
              .first_tile = VK_TILE_LARGEST,
              .busy = 2 },
    [CPU_LANES] = { .type = "cpu",
                    .host = true,
                    .mapped = true,
                    .lanes = true,
                    .wino = VK_WINO_CPU,
                    .scratch = 64 << 20,
                    .rate = 1e10,
                    .first_tile = VK_TILE_LARGEST,
                    .busy = 2 },
};

const struct vk_class *vk_class_of(VkPhysicalDeviceType type, bool lanes)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return &classes[DISCRETE];
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return &classes[INTEGRATED];
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return &classes[VIRTUAL];
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return &classes[lanes ? CPU_LANES : CPU];
    default: return &classes[OTHER];
    }
}

int vk_class_rank(const struct vk_class *class)
{
    return class - classes < CPU ? (int)(class - classes) : CPU;
}

static bool has(const struct vk_class *class, const struct vk_way *way)
{
    return class->lanes || (!way->texels && way->tiling != VK_TILING_LANE);
}

const struct vk_way *vk_class_next(const struct vk_class *class, enum vk_task task, size_t channels,
                                   const struct vk_way *last)
{
    for (const struct vk_way *way = last ? last + 1 : ways[task]; way < ways[task] + WAYS && way->shader; way++) {
        if (has(class, way) && (!way->multiple || channels % (size_t)way->multiple == 0)) return way;
    }
    return NULL;
}
