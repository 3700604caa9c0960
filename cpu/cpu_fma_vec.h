/* cpu_fma_vec.h: the measure of the processor's peak of cpu_kernels.h in the words of cpu_vec.h. */
#ifndef CPU_CPU_FMA_VEC_H
#define CPU_CPU_FMA_VEC_H

#include "cpu/cpu_kernels.h"

static void multiply_adds(float *y, const float *x, size_t count, int rounds)
{
    const vec a = splat(0.75f), b = splat(0.25f);
    size_t i = 0;
    for (; i + SUMS * LANES <= count; i += SUMS * LANES) {
        vec v[SUMS];
#pragma GCC unroll 24
        for (int j = 0; j < SUMS; j++)
            v[j] = load(x + i + j * LANES);
        for (int r = 0; r < rounds; r++) {
#pragma GCC unroll 24
            for (int j = 0; j < SUMS; j++)
                v[j] = fused(v[j], a, b);
        }
#pragma GCC unroll 24
        for (int j = 0; j < SUMS; j++)
            store(y + i + j * LANES, v[j]);
    }
    cpu_fma_c(y + i, x + i, count - i, rounds);
}

#endif
