#include <immintrin.h>

#include "core/base/rng.h"
#include "cpu/cpu_kernels.h"

/* Low and high words of x times m in each of 16 lanes. */
static inline __m512i multiply(__m512i *high, __m512i x, __m512i m)
{
    const __mmask16 odds = 0xAAAA;
    __m512i even = _mm512_mul_epu32(x, m), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), m);
    *high = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), odds, odd);
    return _mm512_mask_mov_epi32(even, odds, _mm512_slli_epi64(odd, 32));
}

static inline __m512i splat(uint32_t x)
{
    return _mm512_set1_epi32((int)x);
}

/* Philox4x32-10 of 16 counters that differ in their low word c0; source as in core/base/rng.h. */
static inline void philox(__m512i out[4], __m512i c0, uint32_t high, uint64_t stream, uint64_t key)
{
    __m512i c1 = splat(high), c2 = splat((uint32_t)stream), c3 = splat((uint32_t)(stream >> 32));
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        __m512i high0, high1, low0 = multiply(&high0, c0, splat(0xD2511F53u));
        __m512i low1 = multiply(&high1, c2, splat(0xCD9E8D57u));
        c0 = _mm512_xor_si512(_mm512_xor_si512(high1, c1), splat(k0));
        c2 = _mm512_xor_si512(_mm512_xor_si512(high0, c3), splat(k1));
        c1 = low1, c3 = low0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* Numbers 16 q .. 16 q + 15 of the 64 that philox made: unpacking works in quarters of a register, so the counters
 * stand in the lanes in the order 0 4 8 12, 1 5 9 13, 2 6 10 14, 3 7 11 15. */
static inline void order(__m512i number[4], const __m512i r[4])
{
    __m512i a = _mm512_unpacklo_epi32(r[0], r[1]), b = _mm512_unpackhi_epi32(r[0], r[1]);
    __m512i c = _mm512_unpacklo_epi32(r[2], r[3]), d = _mm512_unpackhi_epi32(r[2], r[3]);
    number[0] = _mm512_unpacklo_epi64(a, c);
    number[1] = _mm512_unpackhi_epi64(a, c);
    number[2] = _mm512_unpacklo_epi64(b, d);
    number[3] = _mm512_unpackhi_epi64(b, d);
}

/* 64 elements whose first index is a multiple of 4 and whose counters share their high word. */
static inline void dropout64(float *y, const float *x, uint64_t index, const struct cpu_dropout *dropout)
{
    uint64_t block = index / 4;
    const __m512i lane = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i r[4], number[4];
    philox(r, _mm512_add_epi32(splat((uint32_t)block), lane),
           (uint32_t)VGG_RNG_DROPOUT << 24 | ((uint32_t)(block >> 32) & 0xFFFFFFu), dropout->stream, dropout->seed);
    order(number, r);
    __m512i threshold = splat(dropout->threshold);
    __m512 keep = _mm512_set1_ps(dropout->keep);
    for (int q = 0; q < 4; q++) {
        __mmask16 kept = _mm512_cmpge_epu32_mask(number[q], threshold);
        __m512 value = _mm512_div_ps(_mm512_loadu_ps(x + 16 * q), keep);
        _mm512_storeu_ps(y + 16 * q, _mm512_maskz_mov_ps(kept, value));
    }
}

void cpu_dropout_avx512(float *y, const float *x, size_t count, uint64_t index, const struct cpu_dropout *dropout)
{
    size_t i = (size_t)(-index & 3);
    if (i > count) i = count;
    cpu_dropout_c(y, x, i, index, dropout);
    for (; i + 64 <= count; i += 64) {
        if ((uint32_t)((index + i) / 4) > UINT32_MAX - 15)
            cpu_dropout_c(y + i, x + i, 64, index + i, dropout);
        else
            dropout64(y + i, x + i, index + i, dropout);
    }
    cpu_dropout_avx2(y + i, x + i, count - i, index + i, dropout);
}
