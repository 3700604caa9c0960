/* As many sums under way as hide the latency of two multiply-adds a cycle. */
#include <arm_neon.h>

#include "cpu/cpu_kernels.h"

enum { SUMS = 24, WIDTH = 4 };

void cpu_fma_neon(float *y, const float *x, size_t count, int rounds)
{
    const float32x4_t a = vdupq_n_f32(0.75f), b = vdupq_n_f32(0.25f);
    size_t i = 0;
    for (; i + SUMS * WIDTH <= count; i += SUMS * WIDTH) {
        float32x4_t v[SUMS];
#pragma GCC unroll 24
        for (int j = 0; j < SUMS; j++)
            v[j] = vld1q_f32(x + i + j * WIDTH);
        for (int r = 0; r < rounds; r++) {
#pragma GCC unroll 24
            for (int j = 0; j < SUMS; j++)
                v[j] = vfmaq_f32(b, v[j], a);
        }
#pragma GCC unroll 24
        for (int j = 0; j < SUMS; j++)
            vst1q_f32(y + i + j * WIDTH, v[j]);
    }
    cpu_fma_c(y + i, x + i, count - i, rounds);
}
