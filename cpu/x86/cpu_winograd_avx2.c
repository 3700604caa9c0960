/* cpu_winograd_avx2.c: the transforms of cpu_winograd.h for AVX2 and FMA, vectors along channels. */
#include <immintrin.h>

#include "cpu/cpu_winograd.h"

typedef __m256 vec;
enum { LANES = 8 };

static inline __attribute__((always_inline)) vec load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline __attribute__((always_inline)) void store(float *y, vec x)
{
    _mm256_storeu_ps(y, x);
}

static inline __attribute__((always_inline)) vec zero(void)
{
    return _mm256_setzero_ps();
}

static inline __attribute__((always_inline)) vec mul(float a, vec x)
{
    return _mm256_mul_ps(_mm256_set1_ps(a), x);
}

/* a x + y */
static inline __attribute__((always_inline)) vec fma_(float a, vec x, vec y)
{
    return _mm256_fmadd_ps(_mm256_set1_ps(a), x, y);
}

static inline __attribute__((always_inline)) vec add(vec x, vec y)
{
    return _mm256_add_ps(x, y);
}

static inline __attribute__((always_inline)) vec sub(vec x, vec y)
{
    return _mm256_sub_ps(x, y);
}

/* In this order it keeps a NaN of x. */
static inline __attribute__((always_inline)) vec relu(vec x)
{
    return _mm256_max_ps(zero(), x);
}

/* Stores one vector of pixels with the mask. */
static inline __attribute__((always_inline)) void pixel_store(const struct cpu_winograd_out *out, size_t at, vec v)
{
    if (out->mask)
        v = _mm256_and_ps(v, _mm256_cmp_ps(_mm256_loadu_ps(out->mask + at), _mm256_setzero_ps(), _CMP_GT_OQ));
    _mm256_storeu_ps(out->y + at, v);
}

/* The maximum of a window and, where asked for, its place. */
static inline __attribute__((always_inline)) void window_store(const struct cpu_winograd_out *out, size_t at, vec a,
                                                               vec b, vec c, vec d)
{
    const vec v[3] = { b, c, d };
    __m256i place = _mm256_setzero_si256();
#pragma GCC unroll 3
    for (int q = 0; q < 3; q++) {
        vec more = _mm256_cmp_ps(v[q], a, _CMP_GT_OQ);
        a = _mm256_blendv_ps(a, v[q], more);
        place = _mm256_blendv_epi8(place, _mm256_set1_epi32(q + 1), _mm256_castps_si256(more));
    }
    _mm256_storeu_ps(out->y + at, a);
    if (!out->arg) return;
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(place), _mm256_extracti128_si256(place, 1));
    _mm_storel_epi64((__m128i *)(void *)(out->arg + at), _mm_packs_epi16(words, words));
}

#include "cpu/cpu_winograd_tile.h"

const struct cpu_winograd_kernels cpu_winograd_avx2[3] = {
    { 2, input2, output2, delta2, filter2, adjoint2 },
    { 4, input4, output4, delta4, filter4, adjoint4 },
    { 6, input6, output6, delta6, filter6, adjoint6 },
};
