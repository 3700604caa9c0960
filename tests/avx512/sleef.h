/* Stands before SLEEF's header where the AVX-512 kernels are emulated: its functions on 16 lanes as two of 8. */
#ifndef TESTS_AVX512_SLEEF_H
#define TESTS_AVX512_SLEEF_H

#include <immintrin.h>

#include_next <sleef.h>

static inline __m512 emulated_halves(__m256 fn(__m256), __m512 v)
{
    float lane[16];
    _mm512_storeu_ps(lane, v);
    _mm256_storeu_ps(lane, fn(_mm256_loadu_ps(lane)));
    _mm256_storeu_ps(lane + 8, fn(_mm256_loadu_ps(lane + 8)));
    return _mm512_loadu_ps(lane);
}

static inline __m512 emulated_expf16(__m512 v)
{
    return emulated_halves(Sleef_expf8_u10avx2, v);
}

static inline __m512 emulated_log1pf16(__m512 v)
{
    return emulated_halves(Sleef_log1pf8_u10avx2, v);
}

#define Sleef_expf16_u10avx512f emulated_expf16
#define Sleef_log1pf16_u10avx512f emulated_log1pf16

#endif
