/* cpu_winograd.h: 3x3 convolutions by Winograd's minimal filtering F(m x m, 3x3), m = 2, 4 or 6, in all three passes.
 *
 *   forward          y = A^T [ (G w G^T) . (B^T x B) ] A on tiles of m x m outputs and t x t inputs, t = m + 2:
 *                    for each of the t^2 points one product of tiles x channels with channels x channels
 *   input gradient   the same with filters turned by 180 degrees and channels exchanged
 *   weight gradient  the exact adjoint: dw = G^T [ (B^T x B)^T (A dy A^T) ] G, summed over tiles
 *
 * Multiplications saved: 2.25, 4 and 5.06. Points: 0, infinity and
 *   m = 2   1, -1
 *   m = 4   5/8, -5/8, 3/2, -3/2: less than half the error of 1, -1, 2, -2, by as many operations
 *   m = 6   1, -1, 2, -2, 1/2, -1/2
 * Sources: Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for convolutional
 * neural networks", CVPR 2016; that other points err less: Alam et al., "Winograd convolution for deep neural networks:
 * efficient point selection", 2022; the adjoint: transposition of the bilinear form.
 *
 * Error against exact arithmetic, element by element: (terms + CPU_WINOGRAD_STEPS) 2^-24 times the same computation on
 * magnitudes (|A^T|, |G|, |B^T|, |x|, |w| or |dy|), where terms is the number of summed products a point: channels, or
 * tiles for the weight gradient. On normal data the error relative to the output's scale is about 2e-7 (m = 2),
 * 6e-7 (4) and 5e-6 (6). */
#ifndef CPU_CPU_WINOGRAD_H
#define CPU_CPU_WINOGRAD_H

#include "cpu/cpu.h"
#include "cpu/cpu_gemm.h"

enum { CPU_WINOGRAD_STEPS = 40, CPU_WINOGRAD_MAX_M = 6, CPU_WINOGRAD_MAX_T = 8 };

/* Where and how an output transform writes one tile. */
struct cpu_winograd_out {
    float *y;
    uint8_t *arg;      /* with pool, or NULL: laid out as y */
    const float *mask; /* or NULL: laid out as y; 0 is written where it is <= 0 */
    const float *bias; /* or NULL */
    size_t row, pixel; /* floats from one row and one pixel of y to the next */
    int rows, cols;    /* of y that exist in this tile */
    bool relu, pool;
};

/* The transforms of one tile for one m. Channels: a multiple of 16. A plane holds one point of all tiles; point q of a
 * tile stands q * plane floats behind point 0. pixel[i * t + j]: where the channels of that pixel lie. */
struct cpu_winograd_kernels {
    int m;
    /* v = B^T x B */
    void (*input)(float *v, size_t plane, const float *const *pixel, int channels);
    /* y = A^T m A, then bias, ReLU, mask, pooling as gemm's store and pool */
    void (*output)(const struct cpu_winograd_out *out, const float *m, size_t plane, int channels);
    /* m = A dy A^T, and as one plane more the sum of the tile; pixel[i * m + j] */
    void (*delta)(float *m, size_t plane, const float *const *pixel, int channels);
    /* u = G w G^T for `rows` rows of one panel of CPU_NR columns; w: taps tap_step apart, rows row_step apart;
     * u: points plane apart, rows CPU_NR apart */
    void (*filter)(float *u, size_t plane, const float *w, size_t tap_step, size_t row_step, int rows);
    /* dw += G^T u G for `rows` rows of one panel; u: points plane apart, rows CPU_NR apart; dw as w above */
    void (*adjoint)(float *dw, size_t tap_step, size_t row_step, const float *u, size_t plane, int rows);
};

/* The m with the least expected time for this operation, 0 for the direct algorithm; by shape, so that results depend
 * neither on threads nor on how a batch is split. */
int cpu_winograd_choose(const struct cpu *cpu, const struct vgg_op *op);

enum vgg_status cpu_winograd_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                 const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels);
enum vgg_status cpu_winograd_bwd_data_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                          const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels);
enum vgg_status cpu_winograd_bwd_weight_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                            const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels);

#endif
