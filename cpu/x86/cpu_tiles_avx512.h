/* cpu_tiles_avx512.h: the tiles that multiply 16 columns with values broadcast from A, for the file that includes it.
 * That file has defined term(sum, a, b) = sum + a * b, of fp32 values or of 32-bit words of two bf16 values each. */
#ifndef CPU_X86_CPU_TILES_AVX512_H
#define CPU_X86_CPU_TILES_AVX512_H

/* Wide tile: 24 accumulators + 2 of B + 1 of A = 27 of 32 registers; 14 loads for 24 terms.
 * llvm-mca on Skylake-X: 13.1 cycles a step of 24 terms, of which no step takes less than 12. */
enum { WIDE_MR = 2 * CPU_MR };

/* The first `count` of 16 lanes. */
static inline __mmask16 lanes(int count)
{
    return (__mmask16)(count >= 16 ? 0xFFFFu : (1u << count) - 1);
}

static inline __attribute__((always_inline)) __m512 splat(const float *x)
{
    return _mm512_set1_ps(*x);
}

/* Loads or clears, and stores, `m` rows of one panel of accumulators. */
static inline __attribute__((always_inline)) void tile_load(__m512 *acc, const float *c, size_t ldc, int m,
                                                            bool accumulate)
{
#pragma GCC unroll 16
    for (int r = 0; r < m; r++)
        acc[r] = accumulate ? _mm512_loadu_ps(c + (size_t)r * ldc) : _mm512_setzero_ps();
}

static inline __attribute__((always_inline)) void tile_store(float *c, size_t ldc, const __m512 *acc, int m)
{
#pragma GCC unroll 16
    for (int r = 0; r < m; r++)
        _mm512_storeu_ps(c + (size_t)r * ldc, acc[r]);
}

static void gemm_rows(float *c, size_t ldc, const float *const *a, size_t a_step, size_t a_skip, const float *b,
                      size_t b_step, int segments, int k, bool accumulate)
{
    __m512 acc[CPU_MR];
    tile_load(acc, c, ldc, CPU_MR, accumulate);
    for (int s = 0; s < segments; s++, a += a_step, b += b_step) {
        const float *row[CPU_MR], *bi = b;
#pragma GCC unroll 6
        for (int r = 0; r < CPU_MR; r++)
            row[r] = a[r] + a_skip;
        for (size_t i = 0; i < (size_t)k; i++, bi += CPU_NR) {
            __m512 b0 = _mm512_loadu_ps(bi);
#pragma GCC unroll 6
            for (int r = 0; r < CPU_MR; r++)
                acc[r] = term(acc[r], splat(row[r] + i), b0);
        }
    }
    tile_store(c, ldc, acc, CPU_MR);
}

/* The wide tile for a constant m. */
static inline __attribute__((always_inline)) void wide_tile(float *c, size_t ldc, size_t c_panel, const float *const *a,
                                                            size_t a_step, size_t a_skip, const float *b, size_t b_step,
                                                            size_t b_panel, int segments, int k, int m, bool accumulate)
{
    __m512 low[WIDE_MR], high[WIDE_MR];
    tile_load(low, c, ldc, m, accumulate);
    tile_load(high, c + c_panel, ldc, m, accumulate);
    for (int s = 0; s < segments; s++, a += a_step, b += b_step) {
        const float *row[WIDE_MR], *bi = b;
#pragma GCC unroll 12
        for (int r = 0; r < m; r++)
            row[r] = a[r] + a_skip;
        for (size_t i = 0; i < (size_t)k; i++, bi += CPU_NR) {
            __m512 b0 = _mm512_loadu_ps(bi), b1 = _mm512_loadu_ps(bi + b_panel);
#pragma GCC unroll 12
            for (int r = 0; r < m; r++) {
                __m512 v = splat(row[r] + i);
                low[r] = term(low[r], v, b0);
                high[r] = term(high[r], v, b1);
            }
        }
    }
    tile_store(c, ldc, low, m);
    tile_store(c + c_panel, ldc, high, m);
}

static void gemm_wide(float *c, size_t ldc, size_t c_panel, const float *const *a, size_t a_step, size_t a_skip,
                      const float *b, size_t b_step, size_t b_panel, int segments, int k, int m, bool accumulate)
{
    if (m != WIDE_MR)
        wide_tile(c, ldc, c_panel, a, a_step, a_skip, b, b_step, b_panel, segments, k, CPU_MR, accumulate);
    else if (accumulate)
        wide_tile(c, ldc, c_panel, a, a_step, a_skip, b, b_step, b_panel, segments, k, WIDE_MR, true);
    else
        wide_tile(c, ldc, c_panel, a, a_step, a_skip, b, b_step, b_panel, segments, k, WIDE_MR, false);
}

/* Full pairs of columns for constant m. The lines that the next call will read are asked for meanwhile. */
static inline __attribute__((always_inline)) void stream_tile(float *c, size_t ldc, const float *a, size_t lda,
                                                              const float *b, size_t ldb, int m, int cols)
{
    for (int j = 0; j < cols; j += 2 * CPU_NR) {
        __m512 low[CPU_MR], high[CPU_MR];
        tile_load(low, c + j, ldc, m, true);
        tile_load(high, c + j + CPU_NR, ldc, m, true);
#pragma GCC unroll 8
        for (int i = 0; i < CPU_STREAM_K; i++) {
            const float *line = b + (size_t)i * ldb + j;
            __m512 b0 = _mm512_loadu_ps(line), b1 = _mm512_loadu_ps(line + CPU_NR);
            _mm_prefetch((const char *)(line + CPU_STREAM_K * ldb), _MM_HINT_T0);
            _mm_prefetch((const char *)(line + CPU_STREAM_K * ldb + CPU_NR), _MM_HINT_T0);
#pragma GCC unroll 6
            for (int r = 0; r < m; r++) {
                __m512 v = splat(a + (size_t)r * lda + i);
                low[r] = term(low[r], v, b0);
                high[r] = term(high[r], v, b1);
            }
        }
        tile_store(c + j, ldc, low, m);
        tile_store(c + j + CPU_NR, ldc, high, m);
    }
}

/* Columns [j, cols) 16 at a time, any k and m. */
static void stream_rest(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, int k, int m,
                        int j, int cols)
{
    for (; j < cols; j += CPU_NR) {
        __mmask16 keep = lanes(cols - j);
        for (int r = 0; r < m; r++) {
            __m512 acc = _mm512_maskz_loadu_ps(keep, c + (size_t)r * ldc + j);
            for (int i = 0; i < k; i++)
                acc = term(acc, splat(a + (size_t)r * lda + i), _mm512_maskz_loadu_ps(keep, b + (size_t)i * ldb + j));
            _mm512_mask_storeu_ps(c + (size_t)r * ldc + j, keep, acc);
        }
    }
}

static void gemm_stream(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, int k, int m,
                        int cols)
{
    int whole = k == CPU_STREAM_K ? cols & -2 * CPU_NR : 0;
    switch (whole ? m : 0) {
    case 1: stream_tile(c, ldc, a, lda, b, ldb, 1, whole); break;
    case 2: stream_tile(c, ldc, a, lda, b, ldb, 2, whole); break;
    case 3: stream_tile(c, ldc, a, lda, b, ldb, 3, whole); break;
    case 4: stream_tile(c, ldc, a, lda, b, ldb, 4, whole); break;
    case 5: stream_tile(c, ldc, a, lda, b, ldb, 5, whole); break;
    case 6: stream_tile(c, ldc, a, lda, b, ldb, 6, whole); break;
    default: break;
    }
    stream_rest(c, ldc, a, lda, b, ldb, k, m, whole, cols);
}

#endif
