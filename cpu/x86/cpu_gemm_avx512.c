/* cpu_gemm_avx512.c: the micro-kernels for AVX-512 F. One register holds the 16 columns of a panel. */
#include "cpu/cpu_gemm.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

static inline __attribute__((always_inline)) __m512 term(__m512 sum, __m512 a, __m512 b)
{
    return _mm512_fmadd_ps(a, b, sum);
}

#include "cpu/x86/cpu_tiles_avx512.h"

/* Tiles that are not in cpu_tiles_avx512.h. Outer: 16 accumulators + 2 of B + 1 of A, 10 loads for 16 terms; of one
 * panel 16 accumulators + 1 of B, A broadcast by the multiply-add itself, as in a stretch, where they are 10. Columns:
 * 12 accumulators in two sums. */

/* The packed form for a constant m; terms of even and of odd i are summed apart, so that no sum waits for itself. */
static inline __attribute__((always_inline)) void cols_tile(float *c, size_t ldc, const float *a, const size_t *at,
                                                            const float *b, size_t b_step, int segments, int k, int m)
{
    __m512 even[CPU_MR], odd[CPU_MR];
    tile_load(even, c, ldc, m, true);
    tile_load(odd, c, ldc, m, false);
    for (int s = 0; s < segments; s++, b += b_step) {
        const float *ai = a + at[s], *bi = b;
        int i = 0;
        for (; i + 2 <= k; i += 2, ai += 2 * m, bi += 2 * CPU_NR) {
            __m512 b0 = _mm512_loadu_ps(bi), b1 = _mm512_loadu_ps(bi + CPU_NR);
#pragma GCC unroll 6
            for (int r = 0; r < m; r++) {
                even[r] = _mm512_fmadd_ps(splat(ai + r), b0, even[r]);
                odd[r] = _mm512_fmadd_ps(splat(ai + m + r), b1, odd[r]);
            }
        }
        if (i == k) continue;
        __m512 b0 = _mm512_loadu_ps(bi);
#pragma GCC unroll 6
        for (int r = 0; r < m; r++)
            even[r] = _mm512_fmadd_ps(splat(ai + r), b0, even[r]);
    }
#pragma GCC unroll 6
    for (int r = 0; r < m; r++)
        even[r] = _mm512_add_ps(even[r], odd[r]);
    tile_store(c, ldc, even, m);
}

static void gemm_cols(float *c, size_t ldc, const float *a, const size_t *at, const float *b, size_t b_step,
                      int segments, int k, int m)
{
    if (m == CPU_MR)
        cols_tile(c, ldc, a, at, b, b_step, segments, k, CPU_MR);
    else
        cols_tile(c, ldc, a, at, b, b_step, segments, k, CPU_MR_NARROW);
}

/* Half of the rows of two panels; ahead: the next operands are asked for. */
static inline __attribute__((always_inline)) void outer_half(float *c, const float *a, size_t lda, size_t a_next,
                                                             const float *b, size_t ldb, size_t b_next, int k,
                                                             bool ahead)
{
    enum { M = CPU_SQUARE / 2 };
    __m512 low[M], high[M];
    tile_load(low, c, CPU_NR, M, false);
    tile_load(high, c, CPU_NR, M, false);
    for (int i = 0; i < k; i++, a += lda, b += ldb) {
        __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + CPU_NR);
        if (ahead) {
            _mm_prefetch((const char *)(a + a_next), _MM_HINT_T0);
            _mm_prefetch((const char *)(b + b_next), _MM_HINT_T0);
            _mm_prefetch((const char *)(b + b_next + CPU_NR), _MM_HINT_T0);
        }
#pragma GCC unroll 8
        for (int r = 0; r < M; r++) {
            __m512 v = splat(a + r);
            low[r] = _mm512_fmadd_ps(v, b0, low[r]);
            high[r] = _mm512_fmadd_ps(v, b1, high[r]);
        }
    }
    tile_store(c, CPU_NR, low, M);
    tile_store(c + CPU_SQUARE * CPU_NR, CPU_NR, high, M);
}

static void gemm_outer(float *c, const float *a, size_t lda, size_t a_next, const float *b, size_t ldb, size_t b_next,
                       int k, int panels)
{
    if (panels == 2) {
        outer_half(c, a, lda, a_next, b, ldb, b_next, k, true);
        outer_half(c + CPU_SQUARE / 2 * CPU_NR, a + CPU_SQUARE / 2, lda, 0, b, ldb, 0, k, false);
        return;
    }
    __m512 acc[CPU_SQUARE];
    tile_load(acc, c, CPU_NR, CPU_SQUARE, false);
    for (int i = 0; i < k; i++, a += lda, b += ldb) {
        __m512 b0 = _mm512_loadu_ps(b);
        _mm_prefetch((const char *)(a + a_next), _MM_HINT_T0);
        _mm_prefetch((const char *)(b + b_next), _MM_HINT_T0);
#pragma GCC unroll 16
        for (int r = 0; r < CPU_SQUARE; r++)
            acc[r] = _mm512_fmadd_ps(splat(a + r), b0, acc[r]);
    }
    tile_store(c, CPU_NR, acc, CPU_SQUARE);
}

static void gemm_stretch(float *c, size_t ldc, const float *a, const float *b, size_t ldb, int k, float *sums)
{
    __m512 acc[CPU_STRETCH], sum = _mm512_setzero_ps();
    tile_load(acc, c, ldc, CPU_STRETCH, false);
    for (int i = 0; i < k; i++, a += 3, b += ldb) {
        __m512 b0 = _mm512_loadu_ps(b);
        sum = _mm512_add_ps(sum, b0);
#pragma GCC unroll 9
        for (int r = 0; r < CPU_STRETCH; r++)
            acc[r] = _mm512_fmadd_ps(splat(a + r), b0, acc[r]);
    }
#pragma GCC unroll 9
    for (int r = 0; r < CPU_STRETCH; r++)
        _mm512_storeu_ps(c + (size_t)r * ldc, _mm512_add_ps(_mm512_loadu_ps(c + (size_t)r * ldc), acc[r]));
    if (sums) _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), sum));
}

/* Bias and ReLU; max(0, v) in this order keeps a NaN of v. */
static inline __m512 finish(__m512 v, __m512 bias, bool relu)
{
    v = _mm512_add_ps(v, bias);
    return relu ? _mm512_max_ps(_mm512_setzero_ps(), v) : v;
}

void cpu_gemm_store_avx512(float *y, size_t ldy, const float *c, size_t rows, int cols, const float *bias, bool relu,
                           const float *mask)
{
    __m512 shift = bias ? _mm512_loadu_ps(bias) : _mm512_setzero_ps();
    __mmask16 keep = lanes(cols);
    for (size_t r = 0; r < rows; r++, y += ldy, c += CPU_NR) {
        __m512 v = finish(_mm512_loadu_ps(c), shift, relu);
        if (mask) {
            __m512 x = _mm512_maskz_loadu_ps(keep, mask + r * ldy);
            v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), v);
        }
        _mm512_mask_storeu_ps(y, keep, v);
    }
}

void cpu_gemm_pool_avx512(float *y, uint8_t *arg, size_t ldy, const float *c, size_t windows, int cols,
                          const float *bias, bool relu)
{
    __m512 shift = bias ? _mm512_loadu_ps(bias) : _mm512_setzero_ps();
    __mmask16 keep = lanes(cols);
    for (size_t i = 0; i < windows; i++, c += 4 * CPU_NR) {
        __m512 v[4], best = finish(_mm512_loadu_ps(c), shift, relu);
        __m512i at = _mm512_setzero_si512();
        v[0] = best;
#pragma GCC unroll 3
        for (int q = 1; q < 4; q++) {
            v[q] = finish(_mm512_loadu_ps(c + q * CPU_NR), shift, relu);
            __mmask16 more = _mm512_cmp_ps_mask(v[q], best, _CMP_GT_OQ);
            best = _mm512_mask_mov_ps(best, more, v[q]);
            at = _mm512_mask_mov_epi32(at, more, _mm512_set1_epi32(q));
        }
        __mmask16 none = _mm512_cmp_ps_mask(v[0], v[1], _CMP_UNORD_Q) | _mm512_cmp_ps_mask(v[2], v[3], _CMP_UNORD_Q);
        best = _mm512_mask_mov_ps(best, none, _mm512_set1_ps(NAN));
        _mm512_mask_storeu_ps(y + i * ldy, keep, best);
        if (arg) {
            __m128i bytes = _mm512_cvtepi32_epi8(at);
            memcpy(arg + i * ldy, &bytes, (size_t)cols);
        }
    }
}

/* Sum of the 16 lanes: halves are added until one lane is left. */
static inline float lanes_sum(__m512 v)
{
    __m256 low = _mm512_castps512_ps256(v), high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
    low = _mm256_add_ps(low, high);
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(low), _mm256_extractf128_ps(low, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/* The dot products for constant m and n. */
static inline __attribute__((always_inline)) void dot_tile(float *c, size_t ldc, const float *a, size_t lda,
                                                           const float *b, size_t ldb, size_t k, int m, int n,
                                                           bool accumulate)
{
    __m512 acc[CPU_DOT_M][CPU_DOT_N];
#pragma GCC unroll 3
    for (int i = 0; i < m; i++)
        tile_load(acc[i], c, 0, n, false);
    for (size_t p = 0; p < k; p += 16) {
        __mmask16 keep = lanes(k - p < 16 ? (int)(k - p) : 16);
        __m512 va[CPU_DOT_M];
#pragma GCC unroll 3
        for (int i = 0; i < m; i++)
            va[i] = _mm512_maskz_loadu_ps(keep, a + (size_t)i * lda + p);
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) {
            __m512 vb = _mm512_maskz_loadu_ps(keep, b + (size_t)j * ldb + p);
#pragma GCC unroll 3
            for (int i = 0; i < m; i++)
                acc[i][j] = _mm512_fmadd_ps(va[i], vb, acc[i][j]);
        }
    }
#pragma GCC unroll 3
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) {
            float sum = lanes_sum(acc[i][j]), *to = c + (size_t)i * ldc + j;
            *to = accumulate ? *to + sum : sum;
        }
}

static void gemm_dot(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, size_t k, int m,
                     int n, bool accumulate)
{
    if (m == CPU_DOT_M && n == CPU_DOT_N) {
        dot_tile(c, ldc, a, lda, b, ldb, k, CPU_DOT_M, CPU_DOT_N, accumulate);
        return;
    }
    for (int i = 0; i < m; i++)
        if (n == CPU_DOT_N)
            dot_tile(c + (size_t)i * ldc, ldc, a + (size_t)i * lda, lda, b, ldb, k, 1, CPU_DOT_N, accumulate);
        else
            for (int j = 0; j < n; j++)
                dot_tile(c + (size_t)i * ldc + j, ldc, a + (size_t)i * lda, lda, b + (size_t)j * ldb, ldb, k, 1, 1,
                         accumulate);
}

const struct cpu_gemm cpu_gemm_avx512 = {
    .rows = gemm_rows,
    .wide = gemm_wide,
    .cols = gemm_cols,
    .outer = gemm_outer,
    .stretch = gemm_stretch,
    .store = cpu_gemm_store_avx512,
    .pool = cpu_gemm_pool_avx512,
    .dot = gemm_dot,
    .stream = gemm_stream,
    .k_block = 128,
    .row_block = 96,
};
