/* cpu_vec_avx512.h: the vectors of cpu_vec.h by AVX-512 F. */
#ifndef CPU_X86_CPU_VEC_AVX512_H
#define CPU_X86_CPU_VEC_AVX512_H

#include <immintrin.h>
#ifdef VGG16_SLEEF
#include <sleef.h>
#endif

enum { LANES = 16, SUMS = 16 };
typedef __m512 vec;
typedef __m512i words;
typedef __mmask16 truth;
typedef struct {
    __m512d low, high;
} sums;

#include "cpu/cpu_vec.h"

static inline vec load(const float *x)
{
    return _mm512_loadu_ps(x);
}

static inline void store(float *y, vec x)
{
    _mm512_storeu_ps(y, x);
}

static inline vec splat(float x)
{
    return _mm512_set1_ps(x);
}

static inline vec add(vec x, vec y)
{
    return _mm512_add_ps(x, y);
}

static inline vec sub(vec x, vec y)
{
    return _mm512_sub_ps(x, y);
}

static inline vec mul(vec x, vec y)
{
    return _mm512_mul_ps(x, y);
}

static inline vec quotient(vec x, vec y)
{
    return _mm512_div_ps(x, y);
}

static inline vec root(vec x)
{
    return _mm512_sqrt_ps(x);
}

static inline vec fused(vec a, vec x, vec y)
{
    return _mm512_fmadd_ps(a, x, y);
}

/* The instruction returns its second operand where one is a NaN. */
static inline vec relu(vec x)
{
    return _mm512_max_ps(zero(), x);
}

static inline vec minus_magnitude(vec x)
{
    return _mm512_sub_ps(zero(), _mm512_abs_ps(x));
}

#ifdef VGG16_SLEEF
static inline vec exponential(vec x)
{
    return Sleef_expf16_u10avx512f(x);
}

static inline vec log_1_plus(vec x)
{
    return Sleef_log1pf16_u10avx512f(x);
}
#else
#include "cpu/cpu_libm.h"
#endif

static inline truth larger(vec x, vec y)
{
    return _mm512_cmp_ps_mask(x, y, _CMP_GT_OQ);
}

static inline truth unordered(vec x, vec y)
{
    return _mm512_cmp_ps_mask(x, y, _CMP_UNORD_Q);
}

static inline truth both(truth a, truth b)
{
    return a & b;
}

static inline truth either(truth a, truth b)
{
    return a | b;
}

static inline vec choose(truth yes, vec x, vec y)
{
    return _mm512_mask_mov_ps(y, yes, x);
}

static inline vec where(truth yes, vec x)
{
    return _mm512_maskz_mov_ps(yes, x);
}

static inline truth first_lanes(size_t n)
{
    return (truth)(n >= LANES ? 0xFFFFu : (1u << n) - 1);
}

static inline vec load_some(const float *x, size_t n)
{
    return n >= LANES ? load(x) : _mm512_maskz_loadu_ps(first_lanes(n), x);
}

static inline void store_some(float *y, vec x, size_t n)
{
    if (n >= LANES)
        store(y, x);
    else
        _mm512_mask_storeu_ps(y, first_lanes(n), x);
}

static inline words splat_words(uint32_t x)
{
    return _mm512_set1_epi32((int)x);
}

static inline words add_words(words x, words y)
{
    return _mm512_add_epi32(x, y);
}

static inline words xor_words(words x, words y)
{
    return _mm512_xor_si512(x, y);
}

static inline words multiply(words *high, words x, uint32_t m)
{
    const truth odds = 0xAAAA;
    words by = splat_words(m), even = _mm512_mul_epu32(x, by), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), by);
    *high = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), odds, odd);
    return _mm512_mask_mov_epi32(even, odds, _mm512_slli_epi64(odd, 32));
}

static inline truth equal(words x, words y)
{
    return _mm512_cmpeq_epi32_mask(x, y);
}

static inline truth at_least(words x, words y)
{
    return _mm512_cmpge_epu32_mask(x, y);
}

static inline words choose_words(truth yes, words x, words y)
{
    return _mm512_mask_mov_epi32(y, yes, x);
}

/* Unpacking works in quarters of a register. */
static inline words counters(void)
{
    return _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

static inline void in_order(words number[4], const words r[4])
{
    words a = _mm512_unpacklo_epi32(r[0], r[1]), b = _mm512_unpackhi_epi32(r[0], r[1]);
    words c = _mm512_unpacklo_epi32(r[2], r[3]), d = _mm512_unpackhi_epi32(r[2], r[3]);
    number[0] = _mm512_unpacklo_epi64(a, c);
    number[1] = _mm512_unpackhi_epi64(a, c);
    number[2] = _mm512_unpacklo_epi64(b, d);
    number[3] = _mm512_unpackhi_epi64(b, d);
}

static inline words load_bytes(const uint8_t *x)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
}

static inline void store_bytes(uint8_t *y, words x)
{
    _mm_storeu_si128((__m128i *)(void *)y, _mm512_cvtepi32_epi8(x));
}

static inline sums no_sums(void)
{
    return (sums) { _mm512_setzero_pd(), _mm512_setzero_pd() };
}

static inline __m256 upper_half(vec x)
{
    return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1));
}

static inline sums add_to(sums sum, vec x)
{
    return (sums) { _mm512_add_pd(sum.low, _mm512_cvtps_pd(_mm512_castps512_ps256(x))),
                    _mm512_add_pd(sum.high, _mm512_cvtps_pd(upper_half(x))) };
}

static inline sums add_from(sums sum, const float *x)
{
    return (sums) { _mm512_add_pd(sum.low, _mm512_cvtps_pd(_mm256_loadu_ps(x))),
                    _mm512_add_pd(sum.high, _mm512_cvtps_pd(_mm256_loadu_ps(x + 8))) };
}

static inline vec mean(sums sum, double count)
{
    __m512d by = _mm512_set1_pd(count);
    __m256 low = _mm512_cvtpd_ps(_mm512_div_pd(sum.low, by)), high = _mm512_cvtpd_ps(_mm512_div_pd(sum.high, by));
    return _mm512_castpd_ps(
        _mm512_insertf64x4(_mm512_castps_pd(_mm512_castps256_ps512(low)), _mm256_castps_pd(high), 1));
}

static inline double total(sums sum)
{
    double lane[8];
    _mm512_storeu_pd(lane, _mm512_add_pd(sum.low, sum.high));
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

#endif
