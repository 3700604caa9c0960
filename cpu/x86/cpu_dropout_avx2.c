#include <immintrin.h>

#include "core/base/rng.h"
#include "cpu/cpu_kernels.h"

/* Low and high words of x times m in each of 8 lanes. */
static inline __m256i multiply(__m256i *high, __m256i x, __m256i m)
{
    __m256i even = _mm256_mul_epu32(x, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

static inline __m256i splat(uint32_t x)
{
    return _mm256_set1_epi32((int)x);
}

/* Philox4x32-10 of 8 counters that differ in their low word c0; source as in core/base/rng.h. */
static inline void philox(__m256i out[4], __m256i c0, uint32_t high, uint64_t stream, uint64_t key)
{
    __m256i c1 = splat(high), c2 = splat((uint32_t)stream), c3 = splat((uint32_t)(stream >> 32));
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        __m256i high0, high1, low0 = multiply(&high0, c0, splat(0xD2511F53u));
        __m256i low1 = multiply(&high1, c2, splat(0xCD9E8D57u));
        c0 = _mm256_xor_si256(_mm256_xor_si256(high1, c1), splat(k0));
        c2 = _mm256_xor_si256(_mm256_xor_si256(high0, c3), splat(k1));
        c1 = low1, c3 = low0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* Numbers 8 q .. 8 q + 7 of the 32 that philox made: counters stand in the lanes in the order 0 2 4 6 1 3 5 7, so that
 * unpacking, which works in halves, leaves them in order. */
static inline void order(__m256i number[4], const __m256i r[4])
{
    __m256i a = _mm256_unpacklo_epi32(r[0], r[1]), b = _mm256_unpackhi_epi32(r[0], r[1]);
    __m256i c = _mm256_unpacklo_epi32(r[2], r[3]), d = _mm256_unpackhi_epi32(r[2], r[3]);
    number[0] = _mm256_unpacklo_epi64(a, c);
    number[1] = _mm256_unpackhi_epi64(a, c);
    number[2] = _mm256_unpacklo_epi64(b, d);
    number[3] = _mm256_unpackhi_epi64(b, d);
}

/* 32 elements whose first index is a multiple of 4 and whose counters share their high word. */
static inline void dropout32(float *y, const float *x, uint64_t index, const struct cpu_dropout *dropout)
{
    uint64_t block = index / 4;
    __m256i c0 = _mm256_add_epi32(splat((uint32_t)block), _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)), r[4], number[4];
    philox(r, c0, (uint32_t)VGG_RNG_DROPOUT << 24 | ((uint32_t)(block >> 32) & 0xFFFFFFu), dropout->stream,
           dropout->seed);
    order(number, r);
    __m256i threshold = splat(dropout->threshold);
    __m256 keep = _mm256_set1_ps(dropout->keep);
    for (int q = 0; q < 4; q++) {
        __m256i kept = _mm256_cmpeq_epi32(_mm256_max_epu32(number[q], threshold), number[q]);
        __m256 value = _mm256_div_ps(_mm256_loadu_ps(x + 8 * q), keep);
        _mm256_storeu_ps(y + 8 * q, _mm256_and_ps(value, _mm256_castsi256_ps(kept)));
    }
}

void cpu_dropout_avx2(float *y, const float *x, size_t count, uint64_t index, const struct cpu_dropout *dropout)
{
    size_t i = (size_t)(-index & 3);
    if (i > count) i = count;
    cpu_dropout_c(y, x, i, index, dropout);
    for (; i + 32 <= count; i += 32) {
        if ((uint32_t)((index + i) / 4) > UINT32_MAX - 7)
            cpu_dropout_c(y + i, x + i, 32, index + i, dropout);
        else
            dropout32(y + i, x + i, index + i, dropout);
    }
    cpu_dropout_c(y + i, x + i, count - i, index + i, dropout);
}
