/* cpu_gemm_neon.c: the micro-kernels for NEON. The tile is that of every other version, 6 x 16: it takes as many
 * accumulators as 8 x 12, reads rows of A in place, and shares the packed layouts. */
#include "cpu/cpu_gemm.h"

#include <arm_neon.h>
#include <string.h>

/* 24 accumulators + 6 of A (four steps of k, multiplied by lane) + 2 of B = 32 of 32 registers. */
enum { QUADS = CPU_NR / 4 };

/* Loads or clears, and stores, `m` rows of 16 accumulators. */
static inline __attribute__((always_inline)) void tile_load(float32x4_t acc[CPU_MR][QUADS], const float *c, size_t ldc,
                                                            int m, bool accumulate)
{
#pragma GCC unroll 6
    for (int r = 0; r < m; r++)
#pragma GCC unroll 4
        for (int j = 0; j < QUADS; j++)
            acc[r][j] = accumulate ? vld1q_f32(c + (size_t)r * ldc + 4 * j) : vdupq_n_f32(0);
}

static inline __attribute__((always_inline)) void tile_store(float *c, size_t ldc, float32x4_t acc[CPU_MR][QUADS],
                                                             int m)
{
#pragma GCC unroll 6
    for (int r = 0; r < m; r++)
#pragma GCC unroll 4
        for (int j = 0; j < QUADS; j++)
            vst1q_f32(c + (size_t)r * ldc + 4 * j, acc[r][j]);
}

/* acc[r] += lane `lane` of a[r] times 16 columns of b. */
static inline __attribute__((always_inline)) void step(float32x4_t acc[CPU_MR][QUADS], const float32x4_t a[CPU_MR],
                                                       int lane, const float *b, int m)
{
#pragma GCC unroll 4
    for (int j = 0; j < QUADS; j++) {
        float32x4_t v = vld1q_f32(b + 4 * j);
#pragma GCC unroll 6
        for (int r = 0; r < m; r++)
            acc[r][j] = vfmaq_n_f32(acc[r][j], v, a[r][lane]);
    }
}

/* Four steps: rows of A from a[r] + i, rows of B ldb apart. */
static inline __attribute__((always_inline)) void four_steps(float32x4_t acc[CPU_MR][QUADS],
                                                             const float *const a[CPU_MR], size_t i, const float *b,
                                                             size_t ldb, int m)
{
    float32x4_t v[CPU_MR];
#pragma GCC unroll 6
    for (int r = 0; r < m; r++)
        v[r] = vld1q_f32(a[r] + i);
#pragma GCC unroll 4
    for (int lane = 0; lane < 4; lane++)
        step(acc, v, lane, b + (size_t)lane * ldb, m);
}

/* The product of rows where they lie; fours: k is a multiple of 4. */
static inline __attribute__((always_inline)) void rows_tile(float *c, size_t ldc, const float *const *a, size_t a_step,
                                                            size_t a_skip, const float *b, size_t b_step, int segments,
                                                            int k, bool accumulate, bool fours)
{
    float32x4_t acc[CPU_MR][QUADS];
    if (accumulate)
        tile_load(acc, c, ldc, CPU_MR, true);
    else
        tile_load(acc, c, ldc, CPU_MR, false);
    for (int s = 0; s < segments; s++, a += a_step, b += b_step) {
        const float *const row[CPU_MR] = { a[0] + a_skip, a[1] + a_skip, a[2] + a_skip,
                                           a[3] + a_skip, a[4] + a_skip, a[5] + a_skip };
        const float *bi = b;
        if (fours) {
            for (size_t i = 0; i < (size_t)k; i += 4, bi += 4 * CPU_NR)
                four_steps(acc, row, i, bi, CPU_NR, CPU_MR);
            continue;
        }
        for (size_t i = 0; i < (size_t)k; i++, bi += CPU_NR) {
            float32x4_t v[CPU_MR];
#pragma GCC unroll 6
            for (int r = 0; r < CPU_MR; r++)
                v[r] = vsetq_lane_f32(row[r][i], vdupq_n_f32(0), 0);
            step(acc, v, 0, bi, CPU_MR);
        }
    }
    tile_store(c, ldc, acc, CPU_MR);
}

static void gemm_rows(float *c, size_t ldc, const float *const *a, size_t a_step, size_t a_skip, const float *b,
                      size_t b_step, int segments, int k, bool accumulate)
{
    if (k % 4 == 0)
        rows_tile(c, ldc, a, a_step, a_skip, b, b_step, segments, k, accumulate, true);
    else
        rows_tile(c, ldc, a, a_step, a_skip, b, b_step, segments, k, accumulate, false);
}

/* One step whose m values of A stand side by side. */
static inline __attribute__((always_inline)) void packed_step(float32x4_t acc[CPU_MR][QUADS], const float *a,
                                                              const float *b, int m)
{
    float32x4_t low = vld1q_f32(a), high = low;
    if (m == CPU_MR) high = vcombine_f32(vld1_f32(a + 4), vdup_n_f32(0));
#pragma GCC unroll 4
    for (int j = 0; j < QUADS; j++) {
        float32x4_t v = vld1q_f32(b + 4 * j);
#pragma GCC unroll 6
        for (int r = 0; r < m; r++)
            acc[r][j] = vfmaq_n_f32(acc[r][j], v, r < 4 ? low[r] : high[r - 4]);
    }
}

/* The packed form for a constant m. */
static inline __attribute__((always_inline)) void cols_tile(float *c, size_t ldc, const float *a, const size_t *at,
                                                            const float *b, size_t b_step, int segments, int k, int m)
{
    float32x4_t acc[CPU_MR][QUADS];
    tile_load(acc, c, ldc, m, true);
    for (int s = 0; s < segments; s++, b += b_step) {
        const float *ai = a + at[s], *bi = b;
        for (int i = 0; i < k; i++, ai += m, bi += CPU_NR)
            packed_step(acc, ai, bi, m);
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
    float32x4_t acc[CPU_MR][QUADS];
    tile_load(acc, c, CPU_NR, m, false);
    for (int i = 0; i < k; i++, a += lda, b += ldb) {
        if (ahead) {
            __builtin_prefetch(a + a_next);
            __builtin_prefetch(b + b_next);
        }
        packed_step(acc, a, b, m);
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

/* 8 columns at a time: 20 accumulators + 2 of B + 3 of A. */
static void gemm_stretch(float *c, size_t ldc, const float *a, const float *b, size_t ldb, int k, float *sums)
{
    for (int j = 0; j < CPU_NR; j += 4 * 2) {
        float32x4_t acc[CPU_STRETCH + 1][2];
        const float *ai = a, *bi = b + j;
#pragma GCC unroll 10
        for (int r = 0; r <= CPU_STRETCH; r++)
            acc[r][0] = acc[r][1] = vdupq_n_f32(0);
        for (int i = 0; i < k; i++, ai += 3, bi += ldb) {
            float32x4_t b0 = vld1q_f32(bi), b1 = vld1q_f32(bi + 4);
            float32x4_t low = vld1q_f32(ai), mid = vld1q_f32(ai + 4), last = vdupq_n_f32(ai[CPU_STRETCH - 1]);
#pragma GCC unroll 9
            for (int r = 0; r < CPU_STRETCH; r++) {
                float by = r < 4 ? low[r] : r < 8 ? mid[r - 4] : last[0];
                acc[r][0] = vfmaq_n_f32(acc[r][0], b0, by);
                acc[r][1] = vfmaq_n_f32(acc[r][1], b1, by);
            }
            acc[CPU_STRETCH][0] = vaddq_f32(acc[CPU_STRETCH][0], b0);
            acc[CPU_STRETCH][1] = vaddq_f32(acc[CPU_STRETCH][1], b1);
        }
#pragma GCC unroll 10
        for (int r = 0; r <= CPU_STRETCH; r++) {
            if (r == CPU_STRETCH && !sums) break;
            float *to = (r < CPU_STRETCH ? c + (size_t)r * ldc : sums) + j;
            vst1q_f32(to, vaddq_f32(vld1q_f32(to), acc[r][0]));
            vst1q_f32(to + 4, vaddq_f32(vld1q_f32(to + 4), acc[r][1]));
        }
    }
}

/* The first `count` lanes, the others 0; and the reverse. */
static inline float32x4_t load_some(const float *x, int count)
{
    float lane[4] = { 0 };
    if (count >= 4) return vld1q_f32(x);
    memcpy(lane, x, (size_t)count * sizeof *lane);
    return vld1q_f32(lane);
}

static inline void store_some(float *y, float32x4_t v, int count)
{
    float lane[4];
    if (count >= 4) {
        vst1q_f32(y, v);
        return;
    }
    vst1q_f32(lane, v);
    memcpy(y, lane, (size_t)count * sizeof *lane);
}

/* Bias and ReLU; the maximum keeps a NaN. */
static inline float32x4_t finish(float32x4_t v, float32x4_t bias, bool relu)
{
    v = vaddq_f32(v, bias);
    return relu ? vmaxq_f32(v, vdupq_n_f32(0)) : v;
}

static void gemm_store(float *y, size_t ldy, const float *c, size_t rows, int cols, const float *bias, bool relu,
                       const float *mask)
{
    for (int j = 0; j < cols; j += 4) {
        float32x4_t shift = bias ? vld1q_f32(bias + j) : vdupq_n_f32(0);
        for (size_t r = 0; r < rows; r++) {
            float32x4_t v = finish(vld1q_f32(c + r * CPU_NR + j), shift, relu);
            if (mask) {
                uint32x4_t keep = vcgtq_f32(load_some(mask + r * ldy + j, cols - j), vdupq_n_f32(0));
                v = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), keep));
            }
            store_some(y + r * ldy + j, v, cols - j);
        }
    }
}

static void gemm_pool(float *y, uint8_t *arg, size_t ldy, const float *c, size_t windows, int cols, const float *bias,
                      bool relu)
{
    for (int j = 0; j < cols; j += 4) {
        int count = cols - j < 4 ? cols - j : 4;
        float32x4_t shift = bias ? vld1q_f32(bias + j) : vdupq_n_f32(0);
        for (size_t i = 0; i < windows; i++) {
            const float *window = c + i * 4 * CPU_NR + j;
            float32x4_t best = finish(vld1q_f32(window), shift, relu), most = best;
            uint32x4_t at = vdupq_n_u32(0);
            for (uint32_t q = 1; q < 4; q++) {
                float32x4_t v = finish(vld1q_f32(window + q * CPU_NR), shift, relu);
                uint32x4_t more = vcgtq_f32(v, best);
                best = vbslq_f32(more, v, best);
                at = vbslq_u32(more, vdupq_n_u32(q), at);
                most = vmaxq_f32(most, v); /* NaN where one is; of zeros it takes the positive one */
            }
            store_some(y + i * ldy + j, vbslq_f32(vceqq_f32(most, most), best, most), count);
            if (arg) {
                uint16x4_t words = vmovn_u32(at);
                uint8_t bytes[8];
                vst1_u8(bytes, vmovn_u16(vcombine_u16(words, words)));
                memcpy(arg + i * ldy + j, bytes, (size_t)count);
            }
        }
    }
}

/* The dot products for constant m and n: two accumulators each, 24 + 3 of A + 1 of B = 28 registers. */
static inline __attribute__((always_inline)) void dot_tile(float *c, size_t ldc, const float *a, size_t lda,
                                                           const float *b, size_t ldb, size_t k, int m, int n,
                                                           bool accumulate)
{
    float32x4_t acc[2][CPU_DOT_M][CPU_DOT_N];
#pragma GCC unroll 3
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++)
            acc[0][i][j] = acc[1][i][j] = vdupq_n_f32(0);
    size_t p = 0;
    for (; p + 8 <= k; p += 8)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            float32x4_t va[CPU_DOT_M];
#pragma GCC unroll 3
            for (int i = 0; i < m; i++)
                va[i] = vld1q_f32(a + (size_t)i * lda + p + 4 * half);
#pragma GCC unroll 4
            for (int j = 0; j < n; j++) {
                float32x4_t vb = vld1q_f32(b + (size_t)j * ldb + p + 4 * half);
#pragma GCC unroll 3
                for (int i = 0; i < m; i++)
                    acc[half][i][j] = vfmaq_f32(acc[half][i][j], va[i], vb);
            }
        }
    for (; p < k; p += 4)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) {
            int count = k - p < 4 ? (int)(k - p) : 4;
            float32x4_t vb = load_some(b + (size_t)j * ldb + p, count);
#pragma GCC unroll 3
            for (int i = 0; i < m; i++)
                acc[0][i][j] = vfmaq_f32(acc[0][i][j], load_some(a + (size_t)i * lda + p, count), vb);
        }
#pragma GCC unroll 3
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) {
            float sum = vaddvq_f32(vaddq_f32(acc[0][i][j], acc[1][i][j])), *to = c + (size_t)i * ldc + j;
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

/* Full columns for a constant m and all of CPU_STREAM_K. The lines that the next call will read are asked for
 * meanwhile. */
static inline __attribute__((always_inline)) void stream_tile(float *c, size_t ldc, const float *a, size_t lda,
                                                              const float *b, size_t ldb, int m, int cols)
{
    const float *row[CPU_MR];
#pragma GCC unroll 6
    for (int r = 0; r < m; r++)
        row[r] = a + (size_t)r * lda;
    for (int j = 0; j + CPU_NR <= cols; j += CPU_NR) {
        float32x4_t acc[CPU_MR][QUADS];
        tile_load(acc, c + j, ldc, m, true);
        for (int i = 0; i < CPU_STREAM_K; i++)
            __builtin_prefetch(b + (size_t)(CPU_STREAM_K + i) * ldb + j);
        for (size_t i = 0; i < CPU_STREAM_K; i += 4)
            four_steps(acc, row, i, b + i * ldb + j, ldb, m);
        tile_store(c + j, ldc, acc, m);
    }
}

/* Columns [j, cols) 4 at a time, any k and m. */
static void stream_rest(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb, int k, int m,
                        int j, int cols)
{
    for (; j < cols; j += 4)
        for (int r = 0; r < m; r++) {
            float32x4_t acc = load_some(c + (size_t)r * ldc + j, cols - j);
            for (int i = 0; i < k; i++)
                acc = vfmaq_n_f32(acc, load_some(b + (size_t)i * ldb + j, cols - j), a[(size_t)r * lda + (size_t)i]);
            store_some(c + (size_t)r * ldc + j, acc, cols - j);
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

const struct cpu_gemm cpu_gemm_neon = {
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
