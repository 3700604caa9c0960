/* cpu_int8_avx512vnni.c: quantised layers by AVX-512 with VNNI (and BW, which comes with it). */
#include "cpu/x86/cpu_vec_avx512.h"

#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

/* 28 accumulators + 2 of U + 1 of V = 31 of 32 registers. */
enum { ROWS = 14, COLS = 32, CHUNK = 64, STEP = 64 };

/* ---- transforms ---- */

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

/* ---- products ---- */

/* sum += four bytes of a times four of b in each lane. In place: gcc 12 copies and spills sums with the intrinsic. */
static inline __attribute__((always_inline)) void dot(__m512i *sum, __m512i a, __m512i b)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

/* One tap for a constant count of rows. */
static inline __attribute__((always_inline)) void multiply_rows(int32_t *m, const uint8_t *v, const int8_t *u,
                                                                const int32_t *start, int in, const int rows)
{
    __m512i low[ROWS], high[ROWS], low0 = _mm512_load_si512(start), high0 = _mm512_load_si512(start + 16);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        low[r] = low0, high[r] = high0;
    for (int c = 0; c < in; c += CHUNK, v += (ROWS - 1) * CHUNK) {
        for (const uint8_t *end = v + CHUNK; v < end; v += 4, u += 4 * COLS) {
            __m512i u0 = _mm512_load_si512(u), u1 = _mm512_load_si512(u + 64);
            __asm__("" : "+r"(v)); /* one pointer and constant distances: 14 pointers would not fit */
#pragma GCC unroll 14
            for (int r = 0; r < rows; r++) {
                int32_t four;
                __builtin_memcpy(&four, v + r * CHUNK, sizeof four);
                __m512i x = _mm512_set1_epi32(four);
                dot(&low[r], x, u0);
                dot(&high[r], x, u1);
            }
        }
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_store_si512(m + r * COLS, low[r]);
        _mm512_store_si512(m + r * COLS + 16, high[r]);
    }
}

static void multiply_taps(int32_t *m, const uint8_t *v, const int8_t *u, const int32_t *start, int taps, int in,
                          int count)
{
    for (int t = 0; t < taps; t++, m += ROWS * COLS, v += in * ROWS, u += (size_t)in * COLS, start += COLS) {
        if (taps == 1 && count <= 2)
            multiply_rows(m, v, u, start, in, 2);
        else
            multiply_rows(m, v, u, start, in, ROWS);
    }
}

static const struct cpu_int8_kernels int8 = {
    .layout = { .form = CPU_PACK_INT8, .cols = COLS, .quad = 4, .chunk = CHUNK, .shift = 128 },
    .rows = ROWS,
    .step = STEP,
    .input = input,
    .multiply = multiply_taps,
    .output = output,
    .finish = finish,
    .first = first,
    .first_cols = FIRST_COLS,
};

const struct cpu_kernels cpu_kernels_avx512vnni = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
