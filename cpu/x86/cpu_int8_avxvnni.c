/* cpu_int8_avxvnni.c: quantised layers by AVX2 with VNNI. */
#include "cpu/x86/cpu_vec_avx2.h"

enum { ROWS = 6 };
typedef __m256i factor;

static inline factor weights_at(const signed char *u)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)u);
}

static inline factor inputs_of(int four)
{
    return _mm256_set1_epi32(four);
}

/* In place, for the same reason as with 512 bits; without the prefix the assembler would take the form of AVX-512. */
static inline __attribute__((always_inline)) void dot(__m256i *sum, factor inputs, factor weights)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sum) : "x"(inputs), "x"(weights));
}

#include "cpu/x86/cpu_int8_avx2.h"

const struct cpu_kernels cpu_kernels_avxvnni = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
