/* cpu_conv.h: 3x3 convolutions as implicit matrix products (cpu_conv.c, cpu_conv_weight.c) on an ISA level's
 * micro-kernels. Any extents and channel counts; sums are split by shape only, so results do not depend on threads.
 * Bound against exact arithmetic: (n + 1) 2^-24 sum |a b|, n = terms of a sum. */
#ifndef CPU_CPU_CONV_H
#define CPU_CPU_CONV_H

#include "cpu/cpu.h"
#include "cpu/cpu_gemm.h"

/* Packed forms of weights, as cpu_pack_get numbers them. */
enum cpu_pack_form {
    CPU_PACK_CONV,
    CPU_PACK_CONV_TURNED,
    CPU_PACK_CONV_BF16,
    CPU_PACK_DENSE_BF16,
    CPU_PACK_CONV_MATRIX,
    CPU_PACK_INT8_PLAIN,
    CPU_PACK_INT8,
    CPU_PACK_WINOGRAD = 10 /* + m */,
    CPU_PACK_WINOGRAD_TURNED = 20
};

enum vgg_status cpu_conv_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                             const struct cpu_gemm *gemm);
enum vgg_status cpu_conv_bwd_data_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                      const struct cpu_gemm *gemm);
enum vgg_status cpu_conv_bwd_weight_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                        const struct cpu_gemm *gemm);

/* The weight gradient of images: x has three channels, dy a multiple of CPU_NR (cpu_conv_weight_first.c). */
enum vgg_status cpu_conv_bwd_weight_first_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                              const struct cpu_gemm *gemm);

/* Copies n images of h x w pixels of three channels, a pixel of zeros around each: [n][h + 2][w + 2][3]. */
void cpu_images_frame(const struct cpu *cpu, float *to, const float *x, int n, int h, int w);
static inline size_t cpu_framed_count(int n, int h, int w)
{
    return (size_t)n * (size_t)(h + 2) * (size_t)(w + 2) * 3;
}

/* How many ways the panels are cut; the blocks of rows are cut threads / that. The cut with the least work for the
 * busiest thread; among equals the finest cut of panels if the weights exceed a second-level cache, else the coarsest.
 */
int cpu_panel_ways(int threads, int blocks, int panels, size_t packed_bytes);

/* Part `part` of `parts` of `count` things: [*begin, *end). */
static inline void cpu_share(int count, int part, int parts, int *begin, int *end)
{
    *begin = (int)((int64_t)count * part / parts);
    *end = (int)((int64_t)count * (part + 1) / parts);
}

#endif
