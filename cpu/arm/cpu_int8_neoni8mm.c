/* cpu_int8_neoni8mm.c: quantised layers by NEON's products of 2 x 8 by 8 x 2 bytes (FEAT_I8MM): twice the products of a
 * dot product in an instruction. */
#include "cpu/arm/cpu_vec_neon.h"

/* 16 sums of 2 x 2 + 4 pairs of rows of V + 4 pairs of columns of U = 24 of 32 registers. */
enum { ROWS = 8, COLS = 8, CHUNK = 8, PAIRS = 4 };

#include "cpu/arm/cpu_int8_neon.h"

/* For a constant count of pairs of rows. */
static inline __attribute__((always_inline)) void multiply_rows(int32_t *m, const uint8_t *v, const int8_t *u,
                                                                const int32_t *start, int in, const int pairs)
{
    int32x4_t sums4[PAIRS][PAIRS];
#pragma GCC unroll 4
    for (int j = 0; j < PAIRS; j++) {
        int32x2_t two = vld1_s32(start + 2 * j);
#pragma GCC unroll 4
        for (int i = 0; i < pairs; i++)
            sums4[i][j] = vcombine_s32(two, two);
    }
    for (int c = 0; c < in; c += CHUNK, v += ROWS * CHUNK, u += COLS * CHUNK) {
        int8x16_t x[PAIRS], y[PAIRS];
#pragma GCC unroll 4
        for (int i = 0; i < pairs; i++)
            x[i] = vreinterpretq_s8_u8(vld1q_u8(v + i * 16));
#pragma GCC unroll 4
        for (int j = 0; j < PAIRS; j++)
            y[j] = vld1q_s8(u + j * 16);
#pragma GCC unroll 4
        for (int i = 0; i < pairs; i++)
#pragma GCC unroll 4
            for (int j = 0; j < PAIRS; j++)
                sums4[i][j] = vmmlaq_s32(sums4[i][j], x[i], y[j]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < pairs; i++) {
#pragma GCC unroll 2
        for (int j = 0; j < PAIRS; j += 2) {
            int32_t *to = m + 2 * i * COLS + 2 * j;
            vst1q_s32(to, vcombine_s32(vget_low_s32(sums4[i][j]), vget_low_s32(sums4[i][j + 1])));
            vst1q_s32(to + COLS, vcombine_s32(vget_high_s32(sums4[i][j]), vget_high_s32(sums4[i][j + 1])));
        }
    }
}

static void multiply_tap(int32_t *m, const uint8_t *v, const int8_t *u, const int32_t *start, int in, int count)
{
    if (count <= 2)
        multiply_rows(m, v, u, start, in, 1);
    else
        multiply_rows(m, v, u, start, in, PAIRS);
}

static const struct cpu_int8_kernels int8 = {
    .layout = { .form = CPU_PACK_INT8, .cols = COLS, .quad = 8, .chunk = CHUNK, .shift_plus = SHIFT_PLUS },
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

const struct cpu_kernels cpu_kernels_neoni8mm = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
