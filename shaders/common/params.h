/* params.h: what C and GLSL must agree on: binding numbers, push constants, the parameters of a step. Only 4-byte
 * scalars, so that both lay the structures out alike. Every push constant block begins with the number of the first
 * element of each binding (in 4-byte words). */
#ifndef COMMON_PARAMS_H
#define COMMON_PARAMS_H

#ifndef VULKAN
#include <stdint.h>
typedef uint32_t uint;
#define VK_TABLE static const struct
#else
#define VK_TABLE const
#endif

/* Storage buffers 0..3, the uniform buffer after them; on devices of CPU type as many texel buffers, which show what
 * the storage buffers do. */
#define VK_BINDINGS 4
#define VK_BINDING_TEXEL 5
#define VK_TEXELS VK_BINDINGS
#define VK_PUSH_SIZE 96
#define VK_FLAT_THREADS 128 /* in a workgroup of flat.glsl */
#define VK_ROW_THREADS 128  /* of row.glsl */
#define VK_ADAM_SLOTS 64

/* Specialisation constants: each has one number, the same in every shader that knows it; what they mean stands beside
 * their declarations. C sets all of them, to 0 what it does not name. */
#define VK_SPEC_TILE 0 /* no shader knows it: which module of those with one a tile, below */
#define VK_SPEC_TM 4
#define VK_SPEC_TN 5
#define VK_SPEC_A_VEC 6
#define VK_SPEC_B_VEC 7
#define VK_SPEC_C_VEC 8
#define VK_SPEC_A_K 9
#define VK_SPEC_B_K 10
#define VK_SPEC_ADD 11
#define VK_SPEC_BIAS 12
#define VK_SPEC_RELU 13
#define VK_SPEC_MASK 14
#define VK_SPEC_BATCH 15
#define VK_SPEC_TRANSPOSED 16
#define VK_SPEC_POOL 17
#define VK_SPEC_ARG 18
#define VK_SPEC_SPLIT 19
#define VK_SPEC_CHANNELS 20
#define VK_SPEC_FOUR 21
#define VK_SPEC_MAXIMUM 22
#define VK_SPEC_BACKWARD 23
#define VK_SPEC_SIGMOID 24
#define VK_SPEC_GRADIENT 25
#define VK_SPEC_KIND 26
#define VK_SPEC_MOMENTUM 27
#define VK_SPEC_NESTEROV 28
#define VK_SPEC_SMOOTH 29
#define VK_SPEC_STAGE 30
#define VK_SPEC_EVEN 31
#define VK_SPEC_HALF 32
#define VK_SPEC_SUBGROUP 33
#define VK_SPEC_FRAGMENT_A 34
#define VK_SPEC_FRAGMENT_B 35
#define VK_SPEC_FRAGMENT_C 36
#define VK_SPEC_FRAGMENT_N 37
#define VK_SPEC_THREADS 38
#define VK_SPEC_BM 39
#define VK_SPEC_BN 40
#define VK_SPEC_BK 41
#define VK_SPEC_HALVES 42
#define VK_SPEC_COUNT 43

/* Tiles of tile.glsl, from large to small; a thin one for matrices of few rows last. `threads` threads make bm x bn
 * elements, tm x tn each, in steps of bk terms. Registers: 8x8 takes about 96 to 120 of a GPU's vector registers, 8x4
 * about 80; 16x8 spills. A shader has a module for each: arrays whose size is a specialisation constant, or follows
 * from some, do not get through the translators to other shading languages (MoltenVK). */
#define VK_TILES 7
#if !defined(VULKAN) || defined(TILE)
struct vk_tile {
    int threads, bm, bn, bk, tm, tn;
};
VK_TABLE vk_tile vk_tiles[VK_TILES] = {
    { 256, 128, 128, 16, 8, 8 }, { 256, 128, 64, 16, 8, 4 }, { 128, 64, 64, 16, 8, 4 }, { 256, 64, 64, 16, 4, 4 },
    { 128, 32, 128, 16, 4, 8 },  { 64, 32, 32, 16, 4, 4 },   { 32, 4, 128, 16, 4, 4 },
};
#endif

/* Words from one of Winograd's 36 matrices to the next: an odd number of cache lines. Threads walk through all of them
 * at once, and powers of two would share a few places of the cache. */
#define VK_WINO_PLANE(words) ((((words) + 15) / 16 | 1) * 16)

/* What changes from run to run of a recorded list. */
struct vk_step {
    uint seed_low, seed_high, step_low, step_high;
    uint first;
    float loss_scale, learning_rate, unscale;
    /* adam[4 slot] = 1 / (1 - beta1^t), [4 slot + 1] = 1 / (1 - beta2^t); in GLSL an array of vec4 */
#ifdef VULKAN
    vec4 adam[VK_ADAM_SLOTS];
#else
    float adam[VK_ADAM_SLOTS][4];
#endif
};

/* A part of an image tensor: `images` whole ones (rows = h, y0 = 0) or `rows` rows of one from row y0 on. The binding
 * of the tensor that is read with a halo begins at row x0 of h and has x_rows rows an image. */
struct vk_push_conv {
    uint base[4];
    int images, rows, w, h, y0, x0, x_rows;
    int ci, co; /* channels summed over, channels made */
    int bias;   /* word of the bias in the weights' binding */
    /* A split sum: `parts` of per_part words of the matrix's long side, each part_size words after the one before. */
    int per_part, parts;
    uint part_size;
};

/* Kernels of ci x co channels out of all: words from one line to the next, and from one tap to the next. */
struct vk_push_kernels {
    uint base[4];
    int ci, co;
    int line, tap;
};

/* Kernel gradient in parts of `per_part` pixels: workgroup z makes part first_part + z. */
struct vk_push_wgrad {
    uint base[4];
    int images, rows, w, h, y0, x0, x_rows;
    int ci, co;
    int per_part, first_part;
};

/* c[m][n] (+)= sum over k of a b; part z of the sum covers k from z per_part on and is written `part_size` words on.
 * Of many products each has `parts` parts, one after the other. */
struct vk_push_gemm {
    uint base[4];
    int m, n, k;
    int lda, ldb, ldc;
    int per_part;
    uint part_size;
    int parts;
};

/* out[i] = [out[i] +] sum of parts in order [+ bias[i % n]] [relu]. */
struct vk_push_reduce {
    uint base[4];
    uint count, parts, part_size, n;
};

/* Sums of columns of rows x c: part z covers per_part rows. */
struct vk_push_colsum {
    uint base[4];
    uint rows, c, per_part;
};

/* Pooling 2x2: `count` elements of what is written; in_rows of an image in the unpooled binding. */
struct vk_push_pool {
    uint base[4];
    uint count;
    uint in_rows, w, oh, ow, c;
};

/* Global pooling: `images` of `pixels` pixels of c channels. */
struct vk_push_gpool {
    uint base[4];
    uint images, pixels, c;
};

/* Elements index.. of a view of n x per_image elements. */
struct vk_push_dropout {
    uint base[4];
    uint count, index_low, index_high, per_image;
    uint threshold, layer;
    float rate;
};

struct vk_push_rows {
    uint base[4];
    uint rows, c, weighted;
    float smoothing;
};

/* Each thread takes VK_FMA_SUMS elements. */
#define VK_FMA_SUMS 12
struct vk_push_fma {
    uint base[4];
    uint count, rounds;
};

struct vk_push_update {
    uint base[4];
    uint count, slot;
    float momentum, rho, beta1, beta2, epsilon, weight_decay;
    float rate; /* share of the step's learning rate */
};

/* Squares of `count` words in parts of per_part, whose sums begin at word `first`; or the factor from `count` sums, put
 * after them; or `count` words times the factor at word `first` of the sums. */
struct vk_push_clip {
    uint base[4];
    uint count, per_part, first;
    float limit;
};

struct vk_push_unscale {
    uint base[4];
    uint count;
};

#endif
