/* cpu_vec_avx2.h: the vectors of cpu_vec.h by AVX2 and FMA. */
#ifndef CPU_X86_CPU_VEC_AVX2_H
#define CPU_X86_CPU_VEC_AVX2_H

#include <immintrin.h>
#ifdef VGG16_SLEEF
#include <sleef.h>
#endif

enum { LANES = 8, SUMS = 12 };
typedef __m256 vec, truth;
typedef __m256i words;
typedef struct {
    __m256d low, high;
} sums;

#include "cpu/cpu_vec.h"

static inline vec load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline void store(float *y, vec x)
{
    _mm256_storeu_ps(y, x);
}

static inline vec splat(float x)
{
    return _mm256_set1_ps(x);
}

static inline vec add(vec x, vec y)
{
    return _mm256_add_ps(x, y);
}

static inline vec sub(vec x, vec y)
{
    return _mm256_sub_ps(x, y);
}

static inline vec mul(vec x, vec y)
{
    return _mm256_mul_ps(x, y);
}

static inline vec quotient(vec x, vec y)
{
    return _mm256_div_ps(x, y);
}

static inline vec root(vec x)
{
    return _mm256_sqrt_ps(x);
}

static inline vec fused(vec a, vec x, vec y)
{
    return _mm256_fmadd_ps(a, x, y);
}

/* The instruction returns its second operand where one is a NaN. */
static inline vec relu(vec x)
{
    return _mm256_max_ps(zero(), x);
}

static inline vec minus_magnitude(vec x)
{
    return _mm256_or_ps(x, splat(-0.0f));
}

#ifdef VGG16_SLEEF
static inline vec exponential(vec x)
{
    return Sleef_expf8_u10avx2(x);
}

static inline vec log_1_plus(vec x)
{
    return Sleef_log1pf8_u10avx2(x);
}
#else
#include "cpu/cpu_libm.h"
#endif

static inline truth larger(vec x, vec y)
{
    return _mm256_cmp_ps(x, y, _CMP_GT_OQ);
}

static inline truth unordered(vec x, vec y)
{
    return _mm256_cmp_ps(x, y, _CMP_UNORD_Q);
}

static inline truth both(truth a, truth b)
{
    return _mm256_and_ps(a, b);
}

static inline truth either(truth a, truth b)
{
    return _mm256_or_ps(a, b);
}

static inline vec choose(truth yes, vec x, vec y)
{
    return _mm256_blendv_ps(y, x, yes);
}

static inline vec where(truth yes, vec x)
{
    return _mm256_and_ps(yes, x);
}

static inline truth first_lanes(size_t n)
{
    words count = _mm256_set1_epi32((int)(n < LANES ? n : LANES));
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
}

static inline vec load_some(const float *x, size_t n)
{
    return n >= LANES ? load(x) : _mm256_maskload_ps(x, _mm256_castps_si256(first_lanes(n)));
}

static inline void store_some(float *y, vec x, size_t n)
{
    if (n >= LANES)
        store(y, x);
    else
        _mm256_maskstore_ps(y, _mm256_castps_si256(first_lanes(n)), x);
}

static inline words splat_words(uint32_t x)
{
    return _mm256_set1_epi32((int)x);
}

static inline words add_words(words x, words y)
{
    return _mm256_add_epi32(x, y);
}

static inline words xor_words(words x, words y)
{
    return _mm256_xor_si256(x, y);
}

static inline words multiply(words *high, words x, uint32_t m)
{
    words by = splat_words(m), even = _mm256_mul_epu32(x, by), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), by);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

static inline truth equal(words x, words y)
{
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(x, y));
}

static inline truth at_least(words x, words y)
{
    return equal(_mm256_max_epu32(x, y), x);
}

static inline words choose_words(truth yes, words x, words y)
{
    return _mm256_castps_si256(choose(yes, _mm256_castsi256_ps(x), _mm256_castsi256_ps(y)));
}

/* Unpacking works in halves of a register. */
static inline words counters(void)
{
    return _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
}

static inline void in_order(words number[4], const words r[4])
{
    words a = _mm256_unpacklo_epi32(r[0], r[1]), b = _mm256_unpackhi_epi32(r[0], r[1]);
    words c = _mm256_unpacklo_epi32(r[2], r[3]), d = _mm256_unpackhi_epi32(r[2], r[3]);
    number[0] = _mm256_unpacklo_epi64(a, c);
    number[1] = _mm256_unpackhi_epi64(a, c);
    number[2] = _mm256_unpacklo_epi64(b, d);
    number[3] = _mm256_unpackhi_epi64(b, d);
}

static inline words load_bytes(const uint8_t *x)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x));
}

static inline void store_bytes(uint8_t *y, words x)
{
    __m128i pairs = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64((__m128i *)(void *)y, _mm_packs_epi16(pairs, pairs));
}

static inline sums no_sums(void)
{
    return (sums) { _mm256_setzero_pd(), _mm256_setzero_pd() };
}

static inline sums add_to(sums sum, vec x)
{
    return (sums) { _mm256_add_pd(sum.low, _mm256_cvtps_pd(_mm256_castps256_ps128(x))),
                    _mm256_add_pd(sum.high, _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))) };
}

static inline sums add_from(sums sum, const float *x)
{
    return (sums) { _mm256_add_pd(sum.low, _mm256_cvtps_pd(_mm_loadu_ps(x))),
                    _mm256_add_pd(sum.high, _mm256_cvtps_pd(_mm_loadu_ps(x + 4))) };
}

static inline vec mean(sums sum, double count)
{
    __m256d by = _mm256_set1_pd(count);
    return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_div_pd(sum.high, by)), _mm256_cvtpd_ps(_mm256_div_pd(sum.low, by)));
}

static inline double total(sums sum)
{
    double lane[4];
    _mm256_storeu_pd(lane, _mm256_add_pd(sum.low, sum.high));
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

#endif
