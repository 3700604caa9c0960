/* cpu_gemm_avx2.c: the micro-kernels for AVX2 and FMA. */
#include "cpu/cpu_gemm.h"

#include <immintrin.h>
#include <string.h>

/* 12 accumulators + 2 of B + 1 of A = 15 of 16 registers. */

/* Loads or clears, and stores, `m` rows of 16 accumulators. */
static inline __attribute__((always_inline)) void tile_load(__m256 acc[CPU_MR][2], const float *c, size_t ldc, int m,
                                                            bool accumulate)
{
#pragma GCC unroll 6
    for (int r = 0; r < m; r++) {
        acc[r][0] = accumulate ? _mm256_loadu_ps(c + (size_t)r * ldc) : _mm256_setzero_ps();
        acc[r][1] = accumulate ? _mm256_loadu_ps(c + (size_t)r * ldc + 8) : _mm256_setzero_ps();
    }
}

static inline __attribute__((always_inline)) void tile_store(float *c, size_t ldc, __m256 acc[CPU_MR][2], int m)
{
#pragma GCC unroll 6
    for (int r = 0; r < m; r++) {
        _mm256_storeu_ps(c + (size_t)r * ldc, acc[r][0]);
        _mm256_storeu_ps(c + (size_t)r * ldc + 8, acc[r][1]);
    }
}

static void gemm_rows(float *c, size_t ldc, const float *const *a, size_t a_step, size_t a_skip, const float *b,
                      size_t b_step, int segments, int k, bool accumulate)
{
    /* Packed panels follow each other: what comes after this block of B is wanted next. */
    size_t ahead = (size_t)segments * (size_t)k * CPU_NR;
    __m256 acc[CPU_MR][2];
    if (accumulate)
        tile_load(acc, c, ldc, CPU_MR, true);
    else
        tile_load(acc, c, ldc, CPU_MR, false);
    for (int s = 0; s < segments; s++, a += a_step, b += b_step) {
        const float *a0 = a[0] + a_skip, *a1 = a[1] + a_skip, *a2 = a[2] + a_skip, *a3 = a[3] + a_skip,
                    *a4 = a[4] + a_skip, *a5 = a[5] + a_skip, *bi = b;
#pragma GCC unroll 2
        for (size_t i = 0; i < (size_t)k; i++, bi += CPU_NR) {
            __m256 b0 = _mm256_load_ps(bi), b1 = _mm256_load_ps(bi + 8), v;
            _mm_prefetch((const char *)(bi + ahead), _MM_HINT_T1);
            v = _mm256_broadcast_ss(a0 + i);
            acc[0][0] = _mm256_fmadd_ps(v, b0, acc[0][0]), acc[0][1] = _mm256_fmadd_ps(v, b1, acc[0][1]);
            v = _mm256_broadcast_ss(a1 + i);
            acc[1][0] = _mm256_fmadd_ps(v, b0, acc[1][0]), acc[1][1] = _mm256_fmadd_ps(v, b1, acc[1][1]);
            v = _mm256_broadcast_ss(a2 + i);
            acc[2][0] = _mm256_fmadd_ps(v, b0, acc[2][0]), acc[2][1] = _mm256_fmadd_ps(v, b1, acc[2][1]);
            v = _mm256_broadcast_ss(a3 + i);
            acc[3][0] = _mm256_fmadd_ps(v, b0, acc[3][0]), acc[3][1] = _mm256_fmadd_ps(v, b1, acc[3][1]);
            v = _mm256_broadcast_ss(a4 + i);
            acc[4][0] = _mm256_fmadd_ps(v, b0, acc[4][0]), acc[4][1] = _mm256_fmadd_ps(v, b1, acc[4][1]);
            v = _mm256_broadcast_ss(a5 + i);
            acc[5][0] = _mm256_fmadd_ps(v, b0, acc[5][0]), acc[5][1] = _mm256_fmadd_ps(v, b1, acc[5][1]);
        }
    }
    tile_store(c, ldc, acc, CPU_MR);
}

/* The packed form for a constant m. */
static inline __attribute__((always_inline)) void cols_tile(float *c, size_t ldc, const float *a, const size_t *at,
                                                            const float *b, size_t b_step, int segments, int k, int m)
{
    __m256 acc[CPU_MR][2];
    tile_load(acc, c, ldc, m, true);
    for (int s = 0; s < segments; s++, b += b_step) {
        const float *ai = a + at[s], *bi = b;
#pragma GCC unroll 2
        for (int i = 0; i < k; i++, ai += m, bi += CPU_NR) {
            __m256 b0 = _mm256_load_ps(bi), b1 = _mm256_load_ps(bi + 8);
#pragma GCC unroll 6
            for (int r = 0; r < m; r++) {
                __m256 v = _mm256_broadcast_ss(ai + r);
                acc[r][0] = _mm256_fmadd_ps(v, b0, acc[r][0]);
                acc[r][1] = _mm256_fmadd_ps(v, b1, acc[r][1]);
            }
        }
    }
    tile_store(c, ldc, acc, m);
}

static void gemm_cols(float *c, size_t ldc, const float *a, const size_t *at, const float *b, size_t b_step,
                      int segments, int k, int m)
{
    if (m == CPU_MR)
        cols_tile(c, ldc, a, at, b, b_step, segments, k, CPU_MR);
    else
        cols_tile(c, ldc, a, at, b, b_step, segments, k, CPU_MR_NARROW);
}

/* The outer-product form for a constant m; ahead: the next operands are asked for. */
static inline __attribute__((always_inline)) void outer_tile(float *c, const float *a, size_t lda, size_t a_next,
                                                             const float *b, size_t ldb, size_t b_next, int k, int m,
                                                             bool ahead)
{
    __m256 acc[CPU_MR][2];
    tile_load(acc, c, CPU_NR, m, false);
#pragma GCC unroll 2
    for (int i = 0; i < k; i++, a += lda, b += ldb) {
        __m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + 8);
        if (ahead) {
            _mm_prefetch((const char *)(a + a_next), _MM_HINT_T0);
            _mm_prefetch((const char *)(b + b_next), _MM_HINT_T0);
        }
#pragma GCC unroll 6
        for (int r = 0; r < m; r++) {
            __m256 v = _mm256_broadcast_ss(a + r);
            acc[r][0] = _mm256_fmadd_ps(v, b0, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(v, b1, acc[r][1]);
        }
    }
    tile_store(c, CPU_NR, acc, m);
}

static void gemm_outer(float *c, const float *a, size_t lda, size_t a_next, const float *b, size_t ldb, size_t b_next,
                       int k, int panels)
{
    enum { REST = 2 * CPU_MR };
    for (int p = 0; p < panels; p++, c += CPU_SQUARE * CPU_NR, b += CPU_NR) {
        outer_tile(c, a, lda, a_next, b, ldb, b_next, k, CPU_MR, true);
        outer_tile(c + CPU_MR * CPU_NR, a + CPU_MR, lda, 0, b, ldb, 0, k, CPU_MR, false);
        outer_tile(c + REST * CPU_NR, a + REST, lda, 0, b, ldb, 0, k, CPU_SQUARE - REST, false);
    }
}

/* 8 columns at a time: 10 accumulators + 1 of B + 1 of A. */
static void gemm_stretch(float *c, size_t ldc, const float *a, const float *b, size_t ldb, int k, float *sums)
{
    for (int j = 0; j < CPU_NR; j += 8) {
        __m256 acc[CPU_STRETCH], sum = _mm256_setzero_ps();
        const float *ai = a, *bi = b + j;
#pragma GCC unroll 9
        for (int r = 0; r < CPU_STRETCH; r++)
            acc[r] = _mm256_setzero_ps();
        for (int i = 0; i < k; i++, ai += 3, bi += ldb) {
            __m256 b0 = _mm256_load_ps(bi);
            sum = _mm256_add_ps(sum, b0);
#pragma GCC unroll 9
            for (int r = 0; r < CPU_STRETCH; r++)
                acc[r] = _mm256_fmadd_ps(_mm256_broadcast_ss(ai + r), b0, acc[r]);
        }
#pragma GCC unroll 9
        for (int r = 0; r < CPU_STRETCH; r++) {
            float *to = c + (size_t)r * ldc + j;
            _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), acc[r]));
        }
        if (sums) _mm256_storeu_ps(sums + j, _mm256_add_ps(_mm256_loadu_ps(sums + j), sum));
    }
}

/* A mask of the first `count` of 8 lanes. */
static inline __m256i lanes(int count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Bias and ReLU; max(0, v) in this order keeps a NaN of v. */
static inline __m256 finish(__m256 v, __m256 bias, bool relu)
{
    v = _mm256_add_ps(v, bias);
    return relu ? _mm256_max_ps(_mm256_setzero_ps(), v) : v;
}

static void gemm_store(float *y, size_t ldy, const float *c, size_t rows, int cols, const float *bias, bool relu,
                       const float *mask)
{
    for (int j = 0; j < cols; j += 8) {
        __m256 shift = bias ? _mm256_loadu_ps(bias + j) : _mm256_setzero_ps();
        __m256i keep = lanes(cols - j);
        for (size_t r = 0; r < rows; r++) {
            __m256 v = finish(_mm256_loadu_ps(c + r * CPU_NR + j), shift, relu);
            if (mask) {
                __m256 x = _mm256_maskload_ps(mask + r * ldy + j, keep);
                v = _mm256_and_ps(v, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
            }
            if (cols - j >= 8)
                _mm256_storeu_ps(y + r * ldy + j, v);
            else
                _mm256_maskstore_ps(y + r * ldy + j, keep, v);
        }
    }
}

static void gemm_pool(float *y, uint8_t *arg, size_t ldy, const float *c, size_t windows, int cols, const float *bias,
                      bool relu)
{
    for (int j = 0; j < cols; j += 8) {
        int count = cols - j < 8 ? cols - j : 8;
        __m256 shift = bias ? _mm256_loadu_ps(bias + j) : _mm256_setzero_ps();
        __m256i keep = lanes(count);
        for (size_t i = 0; i < windows; i++) {
            const float *window = c + i * 4 * CPU_NR + j;
            __m256 v[4], best = finish(_mm256_loadu_ps(window), shift, relu);
            __m256i at = _mm256_setzero_si256();
            v[0] = best;
#pragma GCC unroll 3
            for (int q = 1; q < 4; q++) {
                v[q] = finish(_mm256_loadu_ps(window + q * CPU_NR), shift, relu);
                __m256 more = _mm256_cmp_ps(v[q], best, _CMP_GT_OQ);
                best = _mm256_blendv_ps(best, v[q], more);
                at = _mm256_blendv_epi8(at, _mm256_set1_epi32(q), _mm256_castps_si256(more));
            }
            best = _mm256_or_ps(best, _mm256_cmp_ps(v[0], v[1], _CMP_UNORD_Q)); /* all ones are a NaN */
            best = _mm256_or_ps(best, _mm256_cmp_ps(v[2], v[3], _CMP_UNORD_Q));
            _mm256_maskstore_ps(y + i * ldy + j, keep, best);
            if (arg) {
                __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(at), _mm256_extracti128_si256(at, 1));
                uint64_t bytes = (uint64_t)_mm_cvtsi128_si64(_mm_packs_epi16(words, words));
                memcpy(arg + i * ldy + j, &bytes, (size_t)count);
            }
        }
    }
}

/* Sum of the 8 lanes: ((0+4)+(2+6)) + ((1+5)+(3+7)). */
static inline float lanes_sum(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/* The dot products for constant m and n. */
static inline __attribute__((always_inline)) void dot_tile(float *c, size_t ldc, const float *a, size_t lda,
                                                           const float *b, size_t ldb, size_t k, int m, int n,
                                                           bool accumulate)
{
    __m256 acc[CPU_DOT_M][CPU_DOT_N];
#pragma GCC unroll 3
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++)
            acc[i][j] = _mm256_setzero_ps();
    size_t p = 0;
    for (; p + 8 <= k; p += 8) {
        __m256 va[CPU_DOT_M];
#pragma GCC unroll 3
        for (int i = 0; i < m; i++)
            va[i] = _mm256_loadu_ps(a + (size_t)i * lda + p);
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) {
            __m256 vb = _mm256_loadu_ps(b + (size_t)j * ldb + p);
#pragma GCC unroll 3
            for (int i = 0; i < m; i++)
                acc[i][j] = _mm256_fmadd_ps(va[i], vb, acc[i][j]);
        }
    }
    if (p < k) {
        __m256i keep = lanes((int)(k - p));
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) {
            __m256 vb = _mm256_maskload_ps(b + (size_t)j * ldb + p, keep);
#pragma GCC unroll 3
            for (int i = 0; i < m; i++)
                acc[i][j] = _mm256_fmadd_ps(_mm256_maskload_ps(a + (size_t)i * lda + p, keep), vb, acc[i][j]);
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
    if (n == CPU_DOT_N) {
        if (m == 3)
            dot_tile(c, ldc, a, lda, b, ldb, k, 3, CPU_DOT_N, accumulate);
        else if (m == 2)
            dot_tile(c, ldc, a, lda, b, ldb, k, 2, CPU_DOT_N, accumulate);
        else
            dot_tile(c, ldc, a, lda, b, ldb, k, 1, CPU_DOT_N, accumulate);
    } else {
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                dot_tile(c + (size_t)i * ldc + j, ldc, a + (size_t)i * lda, lda, b + (size_t)j * ldb, ldb, k, 1, 1,
                         accumulate);
    }
}

/* Full columns for constant m and k. The lines that the next call will read are asked for meanwhile. */
static inline __attribute__((always_inline)) void stream_tile(float *c, size_t ldc, const float *a, size_t lda,
                                                              const float *b, size_t ldb, int m, int cols)
{
    for (int j = 0; j + CPU_NR <= cols; j += CPU_NR) {
        __m256 acc[CPU_MR][2];
        tile_load(acc, c + j, ldc, m, true);
#pragma GCC unroll 8
        for (int i = 0; i < CPU_STREAM_K; i++) {
            const float *line = b + (size_t)i * ldb + j;
            __m256 b0 = _mm256_loadu_ps(line), b1 = _mm256_loadu_ps(line + 8);
            _mm_prefetch((const char *)(line + CPU_STREAM_K * ldb), _MM_HINT_T0);
#pragma GCC unroll 6
            for (int r = 0; r < m; r++) {
                __m256 v = _mm256_broadcast_ss(a + (size_t)r * lda + i);
                acc[r][0] = _mm256_fmadd_ps(v, b0, acc[r][0]);
                acc[r][1] = _mm256_fmadd_ps(v, b1, acc[r][1]);
            }
        }
        tile_store(c + j, ldc, acc, m);
    }
}

/* Columns [j, cols) 8 at a time, any k and m. */
static void stream_rest(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, int k, int m,
                        int j, int cols)
{
    for (; j < cols; j += 8) {
        __m256i keep = lanes(cols - j);
        for (int r = 0; r < m; r++) {
            __m256 acc = _mm256_maskload_ps(c + (size_t)r * ldc + j, keep);
            for (int i = 0; i < k; i++)
                acc = _mm256_fmadd_ps(_mm256_broadcast_ss(a + (size_t)r * lda + i),
                                      _mm256_maskload_ps(b + (size_t)i * ldb + j, keep), acc);
            _mm256_maskstore_ps(c + (size_t)r * ldc + j, keep, acc);
        }
    }
}

static void gemm_stream(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, int k, int m,
                        int cols)
{
    int whole = k == CPU_STREAM_K ? cols & -CPU_NR : 0;
    switch (whole ? m : 0) {
    case 1: stream_tile(c, ldc, a, lda, b, ldb, 1, cols); break;
    case 2: stream_tile(c, ldc, a, lda, b, ldb, 2, cols); break;
    case 3: stream_tile(c, ldc, a, lda, b, ldb, 3, cols); break;
    case 4: stream_tile(c, ldc, a, lda, b, ldb, 4, cols); break;
    case 5: stream_tile(c, ldc, a, lda, b, ldb, 5, cols); break;
    case 6: stream_tile(c, ldc, a, lda, b, ldb, 6, cols); break;
    default: break;
    }
    stream_rest(c, ldc, a, lda, b, ldb, k, m, whole, cols);
}

const struct cpu_gemm cpu_gemm_avx2 = {
    .rows = gemm_rows,
    .cols = gemm_cols,
    .outer = gemm_outer,
    .stretch = gemm_stretch,
    .store = gemm_store,
    .pool = gemm_pool,
    .dot = gemm_dot,
    .stream = gemm_stream,
    .k_block = 256,
    .row_block = 96,
};
