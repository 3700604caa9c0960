/* cpu_int8.h: what the quantised layers of core/op/op.h share: packed weights and scales, made by plain C at every
 * level (cpu_int8_pack.c), so that all levels give the same bits. */
#ifndef CPU_CPU_INT8_H
#define CPU_CPU_INT8_H

#include "cpu/cpu.h"

/* How a kernel wants its weights: [out / cols][taps][in / quad][cols][quad], the input channels filled up with zeros to
 * a multiple of chunk, which is one of quad, the output channels to one of cols. */
struct cpu_int8_layout {
    int form; /* of cpu_pack_get */
    int cols, quad, chunk;
    int shift, shift_plus; /* what a kernel adds to Vq of the signed taps, and to Vq of VGG_QUANT_PLUS and dense x */
};

struct cpu_int8_weights {
    int in, out, taps;    /* filled up; taps: 16 by Winograd, 1 of a dense layer and of nine pixels side by side */
    const int8_t *u;      /* in the layout; Uq or W of op.h */
    const float *step;    /* [out / cols][taps][cols]: m / 127 */
    const int32_t *start; /* the same: where sums begin, - shift times the sum over the input channels of u */
};

/* The packed weights of a quantised layer, packed now unless they are at hand. Fails for want of memory. */
enum vgg_status cpu_int8_weights_get(struct cpu *cpu, struct cpu_int8_weights *out, const struct vgg_op *op,
                                     const struct cpu_args *args, const struct cpu_int8_layout *layout);

/* Is a quantised convolution of bytes a direct one? */
static inline bool cpu_int8_direct(const struct cpu *cpu, const float *q)
{
    return cpu->conv == VGG_CONV_DIRECT || q[VGG_QUANT_CLIP] == 0;
}

/* Bytes of the scales below for packed weights, a multiple of 64. */
size_t cpu_int8_scales_size(const struct cpu_int8_weights *weights);

struct cpu_int8_scales {
    float share;                 /* 1 / step y, 1 where y is of floats */
    int16_t mul[VGG_QUANT_TAPS]; /* of a convolution */
    float *deq;                  /* [out / cols][taps][cols]: d of op.h */
    float *bias;                 /* [out]: b share, filled up with zeros */
};

/* Makes the scales from q and the weights' steps; deq and bias lie in `memory`, of cpu_int8_scales_size bytes. */
void cpu_int8_scales_make(struct cpu_int8_scales *out, void *memory, const struct vgg_op *op,
                          const struct cpu_args *args, const struct cpu_int8_weights *weights, int cols);

/* 1 / step y, 1 where y is of floats. */
float cpu_int8_share(const struct vgg_op *op, const float *q);

/* ---- the vector levels: cpu_int8_tiled.c on the kernels of cpu_int8_vec.h ---- */

/* A convolution of bytes. Its tiles of 2x2 outputs are numbered image by image, row by row; so are the outputs of a
 * direct one. */
struct cpu_int8_map {
    int h, w, c;              /* of x */
    int high, wide;           /* tiles of an image: of all outputs, or of the windows of a pool */
    int out_h, out_w, out_c;  /* of y */
    bool pool, relu, bytes;   /* bytes: y holds them */
    const uint8_t *x, *zeros; /* zeros: one row of x */
    void *y;
};

/* A direct convolution's input in strips, each for `pairs` pairs of rows of one image's outputs, fewer at its end; an
 * image has map.high of them. Of a strip's 2 pairs + 2 rows of x, a row is `pitch` bytes: a pixel before the first, all
 * of x that products of `rows` outputs read, and zeros where x has none. */
struct cpu_int8_strips {
    int rows; /* outputs side by side that are multiplied at once, even under a pool */
    int pairs;
    size_t pitch;
};

/* The image of strip `number`; *first: its first pair of rows. */
static inline size_t cpu_int8_strip_image(int *first, const struct cpu_int8_map *map,
                                          const struct cpu_int8_strips *strips, size_t number)
{
    size_t per_image = (size_t)((map->high + strips->pairs - 1) / strips->pairs);
    *first = (int)(number % per_image) * strips->pairs;
    return number / per_image;
}

/* A convolution of floats to bytes. */
struct cpu_int8_first {
    int c, out_w, out_c; /* channels of x; pixels of a row of y */
    bool pool;
    float share;
    const float *w, *b;
};

/* What follows a row's last pixel in a line of `first`, in pixels. */
enum { CPU_INT8_FIRST_PAD = 7 };

struct cpu_int8_kernels {
    struct cpu_int8_layout layout;
    int rows; /* tiles or images that are multiplied at once: a group */
    int step; /* the input channels of a convolution are a multiple of this */
    /* A thread may multiply from begin to end; NULL: always. */
    void (*begin)(void);
    void (*end)(void);
    /* Vq of `count` <= rows tiles from number `tile` on, as [tap][in / chunk][rows][chunk] + shift. */
    void (*input)(uint8_t *v, const struct cpu_int8_map *map, const int16_t *mul, size_t tile, int count);
    /* m[rows][cols] = start[cols] + v u for one tap and one block of columns; `count` <= rows of the rows are of use,
     * the others undefined. */
    void (*multiply)(int32_t *m, const uint8_t *v, const int8_t *u, const int32_t *start, int in, int count);
    /* y of the tiles and of the output channels k to k + cols; deq, bias: of these. */
    void (*output)(const struct cpu_int8_map *map, const int32_t *m, const float *deq, const float *bias, int k,
                   size_t tile, int count);
    /* y of strip `number` of a direct convolution, which is v, and of the output channels k to k + cols; u, start, deq,
     * bias: of these. NULL: by gather, multiply and put. */
    void (*strip)(const struct cpu_int8_map *map, const struct cpu_int8_strips *strips, const uint8_t *v,
                  const int8_t *u, const int32_t *start, const float *deq, const float *bias, int k, size_t number);
    int strip_rows; /* the most `rows` */
    /* Of a direct convolution, the nine pixels of each of `count` outputs from number `first` on, with a pool of four
     * each, side by side: [9 in / chunk][rows][chunk] + shift_plus. */
    void (*gather)(uint8_t *v, const struct cpu_int8_map *map, size_t first, int count);
    /* Their y, of the output channels k to k + cols; deq, bias: of these. */
    void (*put)(const struct cpu_int8_map *map, const int32_t *m, const float *deq, const float *bias, int k,
                size_t first, int count);
    /* values[count][cols] = m d + bias, rounded once, of a dense layer. */
    void (*finish)(float *values, const int32_t *m, const float *deq, const float *bias, int count);
    /* One row of y, of first_cols channels or a multiple. line[i] holds row i of x, of three, with pool of four: zeros
     * for a pixel before it, and for CPU_INT8_FIRST_PAD after it. */
    void (*first)(uint8_t *y, const struct cpu_int8_first *layer, const float *const line[4]);
    int first_cols;
};

static inline void cpu_int8_begin(const struct cpu_int8_kernels *kernels)
{
    if (kernels->begin) kernels->begin();
}

static inline void cpu_int8_end(const struct cpu_int8_kernels *kernels)
{
    if (kernels->end) kernels->end();
}

/* ---- shared by all ---- */

/* To the nearest integer, ties to even; |x| below 2^22. */
static inline float cpu_int8_round(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

/* The byte nearest to x. */
static inline uint8_t cpu_int8_byte(float x)
{
    x = x > 0 ? x : 0;
    return (uint8_t)cpu_int8_round(x < 255 ? x : 255);
}

/* A quantised activation's bytes. */
static inline uint8_t *cpu_int8_bytes(float *view)
{
    return (uint8_t *)(void *)view;
}

#endif
