/* Stands before the compiler's immintrin.h where the AVX-512 kernels are built for a processor with AVX2 only
 * (VGG16_EMULATE_AVX512): each AVX-512 intrinsic becomes SIMDe's portable function of the same meaning, and what SIMDe
 * 0.7.4 lacks is written here lane by lane. Source of each meaning: Intel's Intrinsics Guide. Not included directly. */
#ifndef TESTS_AVX512_IMMINTRIN_H
#define TESTS_AVX512_IMMINTRIN_H

#include_next <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <string.h>

static inline __m512 emulated_maskz_loadu_ps(__mmask16 mask, const void *from)
{
    float lane[16] = { 0 };
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy(&lane[i], (const float *)from + i, sizeof *lane);
    return _mm512_loadu_ps(lane);
}

static inline void emulated_mask_storeu_ps(void *to, __mmask16 mask, __m512 v)
{
    float lane[16];
    _mm512_storeu_ps(lane, v);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy((float *)to + i, &lane[i], sizeof *lane);
}

static inline __m512i emulated_cvtepu8_epi32(__m128i v)
{
    uint8_t byte[16];
    int32_t lane[16];
    memcpy(byte, &v, sizeof byte);
    for (int i = 0; i < 16; i++)
        lane[i] = byte[i];
    return _mm512_loadu_si512(lane);
}

static inline __m128i emulated_cvtepi32_epi8(__m512i v)
{
    int32_t lane[16];
    uint8_t byte[16];
    __m128i out;
    memcpy(lane, &v, sizeof lane);
    for (int i = 0; i < 16; i++)
        byte[i] = (uint8_t)lane[i];
    memcpy(&out, byte, sizeof out);
    return out;
}

static inline __m256i emulated_cvtepi32_epi16(__m512i v)
{
    int32_t lane[16];
    uint16_t word[16];
    __m256i out;
    memcpy(lane, &v, sizeof lane);
    for (int i = 0; i < 16; i++)
        word[i] = (uint16_t)lane[i];
    memcpy(&out, word, sizeof out);
    return out;
}

static inline __m512d emulated_cvtps_pd(__m256 v)
{
    double lane[8];
    _mm256_storeu_pd(lane, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
    _mm256_storeu_pd(lane + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
    return _mm512_loadu_pd(lane);
}

static inline __m256 emulated_cvtpd_ps(__m512d v)
{
    double lane[8];
    _mm512_storeu_pd(lane, v);
    return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(lane + 4)), _mm256_cvtpd_ps(_mm256_loadu_pd(lane)));
}

/* To the nearest, ties to even; a NaN stays one. */
static inline __m512bh emulated_cvtne2ps_pbh(__m512 upper, __m512 lower)
{
    uint32_t bits[32];
    uint16_t half[32];
    __m512bh out;
    _mm512_storeu_si512(bits, _mm512_castps_si512(lower));
    _mm512_storeu_si512(bits + 16, _mm512_castps_si512(upper));
    for (int i = 0; i < 32; i++) {
        uint32_t nearest = bits[i] + 0x7FFF + (bits[i] >> 16 & 1);
        half[i] = (uint16_t)((bits[i] & 0x7FFFFFFF) > 0x7F800000 ? bits[i] >> 16 | 0x40 : nearest >> 16);
    }
    memcpy(&out, half, sizeof out);
    return out;
}

#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16
#define _mm512_cvtps_pd emulated_cvtps_pd
#define _mm512_cvtpd_ps emulated_cvtpd_ps
#define _mm512_cvtne2ps_pbh emulated_cvtne2ps_pbh

#include "amx.h"

#endif
