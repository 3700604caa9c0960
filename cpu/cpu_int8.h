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
};

struct cpu_int8_weights {
    int in, out, taps;    /* filled up; taps: 16 of a convolution, 1 of a dense layer */
    const int8_t *u;      /* in the layout; Uq or W of op.h */
    const float *step;    /* [out / cols][taps][cols]: m / 127 */
    const int32_t *total; /* the same: sum over the input channels of u */
};

/* The packed weights of a quantised layer, packed now unless they are at hand. Fails for want of memory. */
enum vgg_status cpu_int8_weights_get(struct cpu *cpu, struct cpu_int8_weights *out, const struct vgg_op *op,
                                     const struct cpu_args *args, const struct cpu_int8_layout *layout);

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
