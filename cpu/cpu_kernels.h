/* cpu_kernels.h: the kernel table. The plain C version (suffix _c, cpu/cpu_ref_*.c) fills every slot; an ISA level
 * overrides what it does better. All pointers are to fp32 without alignment unless said; nothing overlaps unless said;
 * every count may be 0. Kernels run on one thread; who calls them splits the work by shape. */
#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H

#include "core/op/op.h"

struct cpu;
struct cpu_gemm;
struct cpu_winograd_kernels;
struct cpu_int8_kernels;

/* The views of one operation as pointers, NULL where a view is absent; x and y of a quantised layer may be bytes. */
struct cpu_args {
    float *x, *w, *b, *y, *q, *dx, *dw, *db, *dy, *t, *sw, *loss, *m, *v;
    uint8_t *arg;
    uint64_t
        w_generation; /* changes whenever bytes of w change; never used twice by one backend, whatever the buffer */
    bool passing;     /* w will change soon: what is packed of it serves this operation alone */
};

/* A whole operation, using all threads of `cpu`. Fails only for want of memory (logged). Flags and optional views as
 * core/op/op.h says, any extents. */
typedef enum vgg_status cpu_op_fn(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args);

/* One row of 2x2 max-pooling, stride 2: x0 and x1 are rows 2y and 2y + 1 of the input; y: w x c. arg (or NULL) =
 * 2 * row + column of the first maximum. Exact. */
typedef void cpu_pool2_row_fn(float *y, uint8_t *arg, const float *x0, const float *x1, size_t w, size_t c);
/* The reverse: writes 2w pixels of dx0 and of dx1. With y (or NULL) dy counts only where y > 0. Exact. */
typedef void cpu_pool2_bwd_row_fn(float *dx0, float *dx1, const float *dy, const uint8_t *arg, const float *y, size_t w,
                                  size_t c);

/* y[k] = mean (or maximum) over `pixels` of x[pixel * stride + k], 0 <= k < c. The sum is in double, in order: exact
 * between versions. */
typedef void cpu_gpool_fn(float *y, const float *x, size_t pixels, size_t stride, size_t c);
/* dx[pixel * stride + k] = dy[k] / pixels, with x (or NULL) only where x > 0. Exact. */
typedef void cpu_avgpool_bwd_fn(float *dx, const float *dy, const float *x, size_t pixels, size_t stride, size_t c);
/* dx = dy[k] at the first maximum over pixels of x, with relu only if that is > 0; 0 elsewhere. Exact. */
typedef void cpu_gmaxpool_bwd_fn(float *dx, const float *dy, const float *x, bool relu, size_t pixels, size_t stride,
                                 size_t c);

struct cpu_dropout {
    uint64_t seed, stream; /* of vgg_rng_u32, use VGG_RNG_DROPOUT */
    uint32_t threshold;    /* numbers below it drop */
    float keep;            /* 1 - rate */
};
/* y[i] = number index + i of the stream >= threshold ? x[i] / keep : 0. y may be x. Exact. */
typedef void cpu_dropout_fn(float *y, const float *x, size_t count, uint64_t index, const struct cpu_dropout *dropout);

/* One row. y may be x. */
typedef void cpu_softmax_fn(float *y, const float *x, size_t c);
/* y may be x. */
typedef void cpu_sigmoid_fn(float *y, const float *x, size_t count);
/* One row: y = softmax(x), *loss = -weight log y[t] (NaN unless t < c), dx (or NULL) = weight scale (y - onehot(t)). */
typedef void cpu_softmax_xent_fn(float *y, float *loss, float *dx, const float *x, size_t c, size_t t, float weight,
                                 float scale);
/* What the smoothing of labels, 0 < a < 1, adds to a row of cpu_softmax_xent_fn: *loss += weight a (x[t] - mean(x)), dx
 * (or NULL) += weight scale a (onehot(t) - 1 / c). Rows are short: plain C serves all levels. */
void cpu_smooth_c(float *loss, float *dx, const float *x, size_t c, size_t t, float weight, float scale, float a);
/* Element-wise, as VGG_OP_SIGMOID_XENT; dx and sw may be NULL. */
typedef void cpu_sigmoid_xent_fn(float *y, float *loss, float *dx, const float *x, const float *t, const float *sw,
                                 float scale, size_t count);

/* Constants of struct vgg_hyper made ready for one step. */
struct cpu_update {
    float learning_rate, momentum, rho, beta1, beta2, epsilon, weight_decay;
    float bias1, bias2; /* 1 - beta^t */
    bool nesterov;
};
/* One update of w, m and v (either may be NULL where the rule has none) from dw. Exact: fp32 in the formula's order. */
typedef void cpu_update_fn(float *w, float *m, float *v, const float *dw, size_t count,
                           const struct cpu_update *update);

/* y[i] = x[i] after `rounds` times v = 0.75 v + 0.25; y may be x. Vector versions fuse and keep as many sums under way
 * as registers hold, so that their rate is the processor's peak. Within 4 units in the last place of 1 + |x|. */
typedef void cpu_fma_fn(float *y, const float *x, size_t count, int rounds);

/* Pointers alone. */
struct cpu_kernels {
    cpu_op_fn *conv, *conv_bwd_data, *conv_bwd_weight;
    cpu_op_fn *dense, *dense_bwd_data, *dense_bwd_weight;
    cpu_op_fn *conv_bf16, *dense_bf16; /* x and w rounded to bf16 (cpu_bf16.h), sums fp32 */
    cpu_op_fn *conv_int8, *dense_int8; /* those with q; one result at all levels */
    cpu_pool2_row_fn *pool2_row;
    cpu_pool2_bwd_row_fn *pool2_bwd_row;
    cpu_gpool_fn *avgpool, *gmaxpool;
    cpu_avgpool_bwd_fn *avgpool_bwd;
    cpu_gmaxpool_bwd_fn *gmaxpool_bwd;
    cpu_dropout_fn *dropout;
    cpu_softmax_fn *softmax;
    cpu_sigmoid_fn *sigmoid;
    cpu_softmax_xent_fn *softmax_xent;
    cpu_sigmoid_xent_fn *sigmoid_xent;
    cpu_update_fn *sgd, *rmsprop, *adam, *adamw;
    cpu_fma_fn *fma;

    /* What the tiled operations below run on, NULL where plain C serves; winograd: for m = 2, 4, 6
     * at index m / 2 - 1. */
    const struct cpu_gemm *gemm, *gemm_bf16;
    const struct cpu_winograd_kernels *winograd;
    const struct cpu_int8_kernels *int8;
};

/* The plain C versions. */
cpu_op_fn cpu_conv_c, cpu_conv_bwd_data_c, cpu_conv_bwd_weight_c;
cpu_op_fn cpu_dense_c, cpu_dense_bwd_data_c, cpu_dense_bwd_weight_c;
cpu_op_fn cpu_conv_bf16_c, cpu_dense_bf16_c;
cpu_op_fn cpu_conv_int8_c, cpu_dense_int8_c;
cpu_pool2_row_fn cpu_pool2_row_c;
cpu_pool2_bwd_row_fn cpu_pool2_bwd_row_c;
cpu_gpool_fn cpu_avgpool_c, cpu_gmaxpool_c;
cpu_avgpool_bwd_fn cpu_avgpool_bwd_c;
cpu_gmaxpool_bwd_fn cpu_gmaxpool_bwd_c;
cpu_dropout_fn cpu_dropout_c;
cpu_softmax_fn cpu_softmax_c;
cpu_sigmoid_fn cpu_sigmoid_c;
cpu_softmax_xent_fn cpu_softmax_xent_c;
cpu_sigmoid_xent_fn cpu_sigmoid_xent_c;
cpu_update_fn cpu_sgd_update_c, cpu_rmsprop_update_c, cpu_adam_update_c, cpu_adamw_update_c;
cpu_fma_fn cpu_fma_c;

/* On the micro-kernels of the table, in cpu_tiled.c. */
cpu_op_fn cpu_conv_tiled, cpu_conv_bwd_data_tiled, cpu_conv_bwd_weight_tiled;
cpu_op_fn cpu_dense_tiled, cpu_dense_bwd_data_tiled, cpu_dense_bwd_weight_tiled;
cpu_op_fn cpu_conv_tiled_bf16, cpu_dense_tiled_bf16;
cpu_op_fn cpu_conv_int8_tiled, cpu_dense_int8_tiled; /* cpu_int8_tiled.c, cpu_int8_dense.c */

/* What each level does better, NULL elsewhere; those of bf16, of AMX and of dot products of bytes go with a level where
 * the processor has them. In cpu/x86 and cpu/arm. */
extern const struct cpu_kernels cpu_kernels_avx2, cpu_kernels_avx512, cpu_kernels_avx512bf16, cpu_kernels_amx,
    cpu_kernels_neon;
extern const struct cpu_kernels cpu_kernels_avx2int8, cpu_kernels_avxvnni, cpu_kernels_avx512vnni, cpu_kernels_amxint8;
extern const struct cpu_kernels cpu_kernels_neondot, cpu_kernels_neoni8mm;

/* Levels in the order in which they override each other. */
enum cpu_isa { CPU_ISA_SCALAR, CPU_ISA_AVX2, CPU_ISA_AVX512, CPU_ISA_NEON, CPU_ISA_COUNT };

/* "scalar", "avx2", "avx512", "neon". */
const char *cpu_isa_name(enum cpu_isa isa);
/* Can this processor and its operating system run that level? */
bool cpu_isa_found(enum cpu_isa isa);
/* Does it have dot products of bf16 values at that level? */
bool cpu_isa_bf16(enum cpu_isa isa);
/* May its matrix unit be used at that level, for bf16 values and for bytes? */
bool cpu_isa_matrix(enum cpu_isa isa);
/* Dot products of bytes (VNNI of the level's vectors, FEAT_DotProd)? */
bool cpu_isa_int8(enum cpu_isa isa);
/* The best level found. */
enum cpu_isa cpu_isa_best(void);
/* Fills the table for a level that was found. */
void cpu_kernels_fill(struct cpu_kernels *kernels, enum cpu_isa isa);

#endif
