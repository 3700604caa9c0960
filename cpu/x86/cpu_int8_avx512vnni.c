/* cpu_int8_avx512vnni.c: quantised layers by AVX-512 with VNNI (and BW, which comes with it). */
#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

/* 28 accumulators + 2 of U + 1 of V = 31 of 32 registers. */
enum { ROWS = 14, COLS = 32, CHUNK = 64 };

#include "cpu/x86/cpu_int8_avx512.h"

/* sum += four bytes of a times four of b in each lane. In place: gcc 12 copies and spills sums with the intrinsic. */
static inline __attribute__((always_inline)) void dot(__m512i *sum, __m512i a, __m512i b)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

/* For a constant count of rows. */
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

const struct cpu_kernels cpu_kernels_avx512vnni = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
