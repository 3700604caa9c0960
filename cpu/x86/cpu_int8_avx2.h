/* cpu_int8_avx2.h: quantised layers by 256-bit vectors. The file that includes it has included cpu_vec_avx2.h and
 * defined
 *   ROWS        of which ROWS x 2 sums, two of the weights and one of the inputs fit the registers
 *   factor      32 bytes, ready to be multiplied
 *   weights_at  the factor of signed bytes
 *   inputs_of   the factor of four unsigned bytes, repeated
 *   dot         *sum += four bytes of the inputs times four of the weights in each lane */
#ifndef CPU_X86_CPU_INT8_AVX2_H
#define CPU_X86_CPU_INT8_AVX2_H

#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

enum { COLS = 16, CHUNK = 32, STEP = 32, SHIFT_PLUS = 0 };

/* ---- transforms ---- */

/* 32 integers of 16 bits: those of each half's lower and upper 8 bytes. */
typedef struct {
    __m256i low, high;
} wide;

static inline __m256i bytes_at(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

static inline __attribute__((always_inline)) wide pairs(const uint8_t *a, const uint8_t *b, __m256i signs)
{
    __m256i x = bytes_at(a), y = bytes_at(b);
    return (wide) { _mm256_maddubs_epi16(_mm256_unpacklo_epi8(x, y), signs),
                    _mm256_maddubs_epi16(_mm256_unpackhi_epi8(x, y), signs) };
}

static inline __attribute__((always_inline)) wide difference(const uint8_t *a, const uint8_t *b)
{
    return pairs(a, b, _mm256_set1_epi16((short)0xFF01));
}

static inline __attribute__((always_inline)) wide sum(const uint8_t *a, const uint8_t *b)
{
    return pairs(a, b, _mm256_set1_epi16(0x0101));
}

static inline wide wide_zero(void)
{
    return (wide) { _mm256_setzero_si256(), _mm256_setzero_si256() };
}

static inline wide wide_add(wide x, wide y)
{
    return (wide) { _mm256_add_epi16(x.low, y.low), _mm256_add_epi16(x.high, y.high) };
}

static inline wide wide_sub(wide x, wide y)
{
    return (wide) { _mm256_sub_epi16(x.low, y.low), _mm256_sub_epi16(x.high, y.high) };
}

static inline wide wide_scale(wide x, int16_t mul)
{
    __m256i by = _mm256_set1_epi16(mul);
    return (wide) { _mm256_mulhrs_epi16(x.low, by), _mm256_mulhrs_epi16(x.high, by) };
}

static inline void put_signed(uint8_t *to, wide x)
{
    __m256i top = _mm256_set1_epi8((char)0x80);
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_xor_si256(_mm256_packs_epi16(x.low, x.high), top));
}

static inline void put_plus(uint8_t *to, wide x)
{
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_packus_epi16(x.low, x.high));
}

static inline vec fused_minus(vec a, vec x, vec y)
{
    return _mm256_fnmadd_ps(a, x, y);
}

static inline vec numbers(const int32_t *x)
{
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)x));
}

static inline vec larger_of(vec x, vec y)
{
    return _mm256_max_ps(x, y);
}

/* A NaN becomes 0. */
static inline void put_bytes(uint8_t *to, vec x)
{
    __m256i whole = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(x, zero()), splat(255)));
    __m128i half = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(half, half));
}

#include "cpu/cpu_int8_vec.h"

/* ---- products ---- */

/* For a constant count of rows. */
static inline __attribute__((always_inline)) void multiply_rows(int32_t *m, const uint8_t *v, const int8_t *u,
                                                                const int32_t *start, int in, const int rows)
{
    __m256i low[ROWS], high[ROWS];
    const __m256i *from = (const __m256i *)(const void *)start;
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        low[r] = _mm256_loadu_si256(from), high[r] = _mm256_loadu_si256(from + 1);
    for (int c = 0; c < in; c += CHUNK, v += (ROWS - 1) * CHUNK) {
        for (const uint8_t *end = v + CHUNK; v < end; v += 4, u += 4 * COLS) {
            factor u0 = weights_at(u), u1 = weights_at(u + 32);
            __asm__("" : "+r"(v)); /* one pointer and constant distances */
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++) {
                int32_t four;
                __builtin_memcpy(&four, v + r * CHUNK, sizeof four);
                factor x = inputs_of(four);
                dot(&low[r], x, u0);
                dot(&high[r], x, u1);
            }
        }
    }
    __m256i *to = (__m256i *)(void *)m;
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        _mm256_storeu_si256(to + 2 * r, low[r]);
        _mm256_storeu_si256(to + 2 * r + 1, high[r]);
    }
}

static void multiply_tap(int32_t *m, const uint8_t *v, const int8_t *u, const int32_t *start, int in, int count)
{
    if (count <= 2)
        multiply_rows(m, v, u, start, in, 2);
    else
        multiply_rows(m, v, u, start, in, ROWS);
}

static const struct cpu_int8_kernels int8 = {
    .layout = { .form = CPU_PACK_INT8, .cols = COLS, .quad = 4, .chunk = CHUNK, .shift = 128 },
    .rows = ROWS,
    .step = STEP,
    .input = input,
    .multiply = multiply_tap,
    .output = output,
    .gather = gather,
    .put = put_pixels,
    .finish = finish,
    .first = first,
    .first_cols = FIRST_COLS,
};

#endif
