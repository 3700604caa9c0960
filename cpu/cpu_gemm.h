/* cpu_gemm.h: the micro-kernels that convolutions and dense layers are made of, and the blocking that goes with them.
 */
#ifndef CPU_CPU_GEMM_H
#define CPU_CPU_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The tile of every version: CPU_MR rows by CPU_NR columns. B panels are [k][CPU_NR], 32-byte aligned. */
enum { CPU_MR = 6, CPU_NR = 16, CPU_MR_NARROW = 4 };

/* Panels of B that `cols` columns fill, the last one maybe not whole. */
static inline int cpu_panels(int cols)
{
    return (cols + CPU_NR - 1) / CPU_NR;
}

/* c[r][j] = (accumulate ? c[r][j] : 0) + sum over s, i of a[s * a_step + r][a_skip + i] * b[s * b_step + i * CPU_NR +
 * j] for r < CPU_MR, j < CPU_NR, s < segments, i < k: rows of A are read where they lie. Row r of c begins at c + r *
 * ldc. One fused multiply-add a term in the order of (s, i) from the value of c: |error| <= (n + 1) 2^-24 sum |a b| for
 * n terms. */
typedef void cpu_gemm_rows_fn(float *c, size_t ldc, const float *const *a, size_t a_step, size_t a_skip, const float *b,
                              size_t b_step, int segments, int k, bool accumulate);

/* The same for two panels at once, b_panel apart in B and c_panel apart in c, and m = CPU_MR or 2 CPU_MR rows. */
typedef void cpu_gemm_wide_fn(float *c, size_t ldc, size_t c_panel, const float *const *a, size_t a_step, size_t a_skip,
                              const float *b, size_t b_step, size_t b_panel, int segments, int k, int m,
                              bool accumulate);

/* c[r][j] += sum over s, i of a[at[s] + i * m + r] * b[s * b_step + i * CPU_NR + j] for r < m, j < CPU_NR, s <
 * segments, i < k: A packed as [k][m], m = CPU_MR or CPU_MR_NARROW. The order and the bound are those of
 * cpu_gemm_rows_fn. */
typedef void cpu_gemm_cols_fn(float *c, size_t ldc, const float *a, const size_t *at, const float *b, size_t b_step,
                              int segments, int k, int m);

/* c[p][r][j] = sum over i < k of a[i * lda + r] * b[i * ldb + CPU_NR p + j] for p < panels (1 or 2), r < CPU_SQUARE, j
 * < CPU_NR: both operands [k][channels], read where they lie; b and c 32-byte aligned. Terms in the order of i. What
 * stands a_next and b_next floats behind each row is asked for ahead (readable or not). */
enum { CPU_SQUARE = 16 };
typedef void cpu_gemm_outer_fn(float *c, const float *a, size_t lda, size_t a_next, const float *b, size_t ldb,
                               size_t b_next, int k, int panels);

/* c[r][j] += sum over i < k of a[3 i + r] * b[i * ldb + j] for r < CPU_STRETCH, j < CPU_NR, rows of c ldc apart: pixels
 * of three channels with their neighbours. With sums, sums[j] += sum over i of b[i * ldb + j]. b 32-byte aligned. */
enum { CPU_STRETCH = 9 };
typedef void cpu_gemm_stretch_fn(float *c, size_t ldc, const float *a, const float *b, size_t ldb, int k, float *sums);

/* Writes a finished block c (rows x CPU_NR, row after row) as `cols` <= CPU_NR columns of y (rows ldy apart).
 * bias (CPU_NR floats) or mask (laid out as y: what is written is 0 where mask <= 0) may be NULL; relu: max(0, .),
 * which keeps a NaN. */
typedef void cpu_gemm_store_fn(float *y, size_t ldy, const float *c, size_t rows, int cols, const float *bias,
                               bool relu, const float *mask);

/* The same with 2x2 max-pooling, which keeps a NaN: rows 4i to 4i + 3 of c are the window of row i of y. arg (or NULL):
 * laid out as y, the number of the first maximum after bias and ReLU. */
typedef void cpu_gemm_pool_fn(float *y, uint8_t *arg, size_t ldy, const float *c, size_t windows, int cols,
                              const float *bias, bool relu);

/* c[i][j] = sum over k of a[i * lda + k] * b[j * ldb + k] for i < m <= CPU_DOT_M, j < n <= CPU_DOT_N; one
 * partial sum a lane along k, added at the end in a fixed order; accumulate: added to c. */
enum { CPU_DOT_M = 3, CPU_DOT_N = 4 };
typedef void cpu_gemm_dot_fn(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, size_t k,
                             int m, int n, bool accumulate);

/* c[r][j] += sum over i < k of a[r * lda + i] * b[i * ldb + j] for r < m <= CPU_MR, j < cols: B passes by unpacked,
 * from memory. k <= CPU_STREAM_K. */
enum { CPU_STREAM_K = 8 };
typedef void cpu_gemm_stream_fn(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, int k,
                                int m, int cols);

/* to[r] = `count` values of row r of `from` as bf16, to the nearest, ties to even, two a word, the first in the low
 * half; an odd count ends with a zero. Rows follow each other in both. A NaN stays one. */
typedef void cpu_gemm_halve_fn(uint32_t *to, const float *from, size_t rows, size_t count);

/* One ISA level's kernels with their block sizes. */
struct cpu_gemm {
    cpu_gemm_rows_fn *rows;
    cpu_gemm_wide_fn *wide; /* or NULL: rows serves */
    cpu_gemm_cols_fn *cols;
    cpu_gemm_outer_fn *outer;
    cpu_gemm_stretch_fn *stretch;
    cpu_gemm_store_fn *store;
    cpu_gemm_pool_fn *pool;
    cpu_gemm_dot_fn *dot;
    cpu_gemm_stream_fn *stream;
    /* Or NULL: A and B are fp32. Else their elements are words of two bf16 values, for rows, wide and stream, the only
     * products then; sums are fp32 all the same. */
    cpu_gemm_halve_fn *halve;
    int k_block;   /* depth of the B panels that a tile reads, in half of a first-level cache of 32 KiB */
    int row_block; /* rows of A (a multiple of 12: of CPU_MR and of a pool window) worked on at once */
};

extern const struct cpu_gemm cpu_gemm_avx2, cpu_gemm_avx512, cpu_gemm_neon;
cpu_gemm_store_fn cpu_gemm_store_avx512;
cpu_gemm_pool_fn cpu_gemm_pool_avx512;

#endif
