/* cpu_int8_neondot.c: quantised layers by NEON's dot products of bytes (FEAT_DotProd). */
#include "cpu/arm/cpu_vec_neon.h"

/* 16 sums + 8 rows of V + 2 of U = 26 of 32 registers. */
enum { ROWS = 8, COLS = 8, CHUNK = 16 };

#include "cpu/arm/cpu_int8_neon.h"

/* sum += the products of each lane's four bytes of u with four bytes of x, number `quad` (constant) of its four. */
static inline __attribute__((always_inline)) int32x4_t dot(int32x4_t sums4, int8x16_t u, int8x16_t x, const int quad)
{
    return quad == 0   ? vdotq_laneq_s32(sums4, u, x, 0)
           : quad == 1 ? vdotq_laneq_s32(sums4, u, x, 1)
           : quad == 2 ? vdotq_laneq_s32(sums4, u, x, 2)
                       : vdotq_laneq_s32(sums4, u, x, 3);
}

/* For a constant count of rows. */
static inline __attribute__((always_inline)) void multiply_rows(int32_t *m, const uint8_t *v, const int8_t *u,
                                                                const int32_t *start, int in, const int rows)
{
    int32x4_t low[ROWS], high[ROWS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        low[r] = vld1q_s32(start), high[r] = vld1q_s32(start + 4);
    for (int c = 0; c < in; c += CHUNK, v += ROWS * CHUNK) {
        int8x16_t x[ROWS];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            x[r] = vreinterpretq_s8_u8(vld1q_u8(v + r * CHUNK));
#pragma GCC unroll 4
        for (int quad = 0; quad < 4; quad++, u += 4 * COLS) {
            int8x16_t u0 = vld1q_s8(u), u1 = vld1q_s8(u + 16);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                low[r] = dot(low[r], u0, x[r], quad);
                high[r] = dot(high[r], u1, x[r], quad);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        vst1q_s32(m + r * COLS, low[r]);
        vst1q_s32(m + r * COLS + 4, high[r]);
    }
}

static void multiply_tap(int32_t *m, const uint8_t *v, const int8_t *u, const int32_t *start, int in, int count)
{
    if (count <= 2)
        multiply_rows(m, v, u, start, in, 2);
    else
        multiply_rows(m, v, u, start, in, ROWS);
}

static const struct cpu_int8_kernels int8 = {
    .layout = { .form = CPU_PACK_INT8, .cols = COLS, .quad = 4, .chunk = CHUNK, .shift_plus = SHIFT_PLUS },
    .rows = ROWS,
    .step = STEP,
    .input = input,
    .multiply = multiply_tap,
    .output = output,
    .gather = gather,
    .put = put_pixels,
    .finish = finish,
    .first = first,
    .first_cols = FIRST_COLS,
};

const struct cpu_kernels cpu_kernels_neondot = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
