/* cpu_winograd_avx512.c: the transforms of cpu_winograd.h for AVX-512 F, vectors along channels. */
#include <immintrin.h>

#include "cpu/cpu_winograd.h"

typedef __m512 vec;
enum { LANES = 16 };

static inline __attribute__((always_inline)) vec load(const float *x)
{
    return _mm512_loadu_ps(x);
}

static inline __attribute__((always_inline)) void store(float *y, vec x)
{
    _mm512_storeu_ps(y, x);
}

static inline __attribute__((always_inline)) vec zero(void)
{
    return _mm512_setzero_ps();
}

static inline __attribute__((always_inline)) vec mul(float a, vec x)
{
    return _mm512_mul_ps(_mm512_set1_ps(a), x);
}

/* a x + y */
static inline __attribute__((always_inline)) vec fma_(float a, vec x, vec y)
{
    return _mm512_fmadd_ps(_mm512_set1_ps(a), x, y);
}

static inline __attribute__((always_inline)) vec add(vec x, vec y)
{
    return _mm512_add_ps(x, y);
}

static inline __attribute__((always_inline)) vec sub(vec x, vec y)
{
    return _mm512_sub_ps(x, y);
}

/* In this order it keeps a NaN of x. */
static inline __attribute__((always_inline)) vec relu(vec x)
{
    return _mm512_max_ps(zero(), x);
}

/* Stores one vector of pixels with the mask. */
static inline __attribute__((always_inline)) void pixel_store(const struct cpu_winograd_out *out, size_t at, vec v)
{
    if (out->mask) v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(load(out->mask + at), zero(), _CMP_GT_OQ), v);
    store(out->y + at, v);
}

/* The maximum of a window and, where asked for, its place. */
static inline __attribute__((always_inline)) void window_store(const struct cpu_winograd_out *out, size_t at, vec a,
                                                               vec b, vec c, vec d)
{
    const vec v[3] = { b, c, d };
    __m512i place = _mm512_setzero_si512();
#pragma GCC unroll 3
    for (int q = 0; q < 3; q++) {
        __mmask16 more = _mm512_cmp_ps_mask(v[q], a, _CMP_GT_OQ);
        a = _mm512_mask_mov_ps(a, more, v[q]);
        place = _mm512_mask_mov_epi32(place, more, _mm512_set1_epi32(q + 1));
    }
    store(out->y + at, a);
    if (out->arg) _mm_storeu_si128((__m128i *)(void *)(out->arg + at), _mm512_cvtepi32_epi8(place));
}

#include "cpu/cpu_winograd_tile.h"

const struct cpu_winograd_kernels cpu_winograd_avx512[3] = {
    { 2, input2, output2, delta2, filter2, adjoint2 },
    { 4, input4, output4, delta4, filter4, adjoint4 },
    { 6, input6, output6, delta6, filter6, adjoint6 },
};
