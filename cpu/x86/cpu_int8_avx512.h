/* cpu_int8_avx512.h: the words of cpu_int8_vec.h by AVX-512 BW, for files that have defined its ROWS, COLS and CHUNK.
 */
#ifndef CPU_X86_CPU_INT8_AVX512_H
#define CPU_X86_CPU_INT8_AVX512_H

#include "cpu/x86/cpu_vec_avx512.h"

enum { STEP = 64, SHIFT_PLUS = 0 };

/* 64 integers of 16 bits: those of each quarter's lower and upper 8 bytes. */
typedef struct {
    __m512i low, high;
} wide;

static inline __attribute__((always_inline)) wide pairs(const uint8_t *a, const uint8_t *b, __m512i signs)
{
    __m512i x = _mm512_loadu_si512(a), y = _mm512_loadu_si512(b);
    return (wide) { _mm512_maddubs_epi16(_mm512_unpacklo_epi8(x, y), signs),
                    _mm512_maddubs_epi16(_mm512_unpackhi_epi8(x, y), signs) };
}

static inline __attribute__((always_inline)) wide difference(const uint8_t *a, const uint8_t *b)
{
    return pairs(a, b, _mm512_set1_epi16((short)0xFF01));
}

static inline __attribute__((always_inline)) wide sum(const uint8_t *a, const uint8_t *b)
{
    return pairs(a, b, _mm512_set1_epi16(0x0101));
}

static inline wide wide_zero(void)
{
    return (wide) { _mm512_setzero_si512(), _mm512_setzero_si512() };
}

static inline wide wide_add(wide x, wide y)
{
    return (wide) { _mm512_add_epi16(x.low, y.low), _mm512_add_epi16(x.high, y.high) };
}

static inline wide wide_sub(wide x, wide y)
{
    return (wide) { _mm512_sub_epi16(x.low, y.low), _mm512_sub_epi16(x.high, y.high) };
}

static inline wide wide_scale(wide x, int16_t mul)
{
    __m512i by = _mm512_set1_epi16(mul);
    return (wide) { _mm512_mulhrs_epi16(x.low, by), _mm512_mulhrs_epi16(x.high, by) };
}

static inline void put_signed(uint8_t *to, wide x)
{
    __m512i top = _mm512_set1_epi8((char)0x80);
    _mm512_store_si512(to, _mm512_xor_si512(_mm512_packs_epi16(x.low, x.high), top));
}

static inline void put_plus(uint8_t *to, wide x)
{
    _mm512_store_si512(to, _mm512_packus_epi16(x.low, x.high));
}

static inline vec fused_minus(vec a, vec x, vec y)
{
    return _mm512_fnmadd_ps(a, x, y);
}

static inline vec numbers(const int32_t *x)
{
    return _mm512_cvtepi32_ps(_mm512_load_si512(x));
}

static inline vec larger_of(vec x, vec y)
{
    return _mm512_max_ps(x, y);
}

/* What is too large for an integer becomes the largest unsigned one, a NaN 0. */
static inline void put_bytes(uint8_t *to, vec x)
{
    __m512i whole = _mm512_cvtps_epi32(_mm512_max_ps(x, zero()));
    _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtusepi32_epi8(whole));
}

#include "cpu/cpu_int8_vec.h"

#endif
