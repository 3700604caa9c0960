/* As many sums under way as hide the latency of two multiply-adds a cycle. */
#include <immintrin.h>

#include "cpu/cpu_kernels.h"

enum { SUMS = 12, WIDTH = 8 };

void cpu_fma_avx2(float *y, const float *x, size_t count, int rounds)
{
    const __m256 a = _mm256_set1_ps(0.75f), b = _mm256_set1_ps(0.25f);
    size_t i = 0;
    for (; i + SUMS * WIDTH <= count; i += SUMS * WIDTH) {
        __m256 v[SUMS];
#pragma GCC unroll 12
        for (int j = 0; j < SUMS; j++)
            v[j] = _mm256_loadu_ps(x + i + j * WIDTH);
        for (int r = 0; r < rounds; r++) {
#pragma GCC unroll 12
            for (int j = 0; j < SUMS; j++)
                v[j] = _mm256_fmadd_ps(v[j], a, b);
        }
#pragma GCC unroll 12
        for (int j = 0; j < SUMS; j++)
            _mm256_storeu_ps(y + i + j * WIDTH, v[j]);
    }
    cpu_fma_c(y + i, x + i, count - i, rounds);
}
