/* cpu_int8_avx2.c: quantised layers by AVX2 alone: bytes are widened, since the product of unsigned and signed ones
 * sums pairs in 16 bits, which 2 * 255 * 127 exceeds. Slower than fp32 with its larger Winograd tiles. */
#include "cpu/x86/cpu_vec_avx2.h"

enum { ROWS = 4 };

/* The even and the odd ones of 32 bytes, in 16 bits each. */
typedef struct {
    __m256i even, odd;
} factor;

static inline __attribute__((always_inline)) factor weights_at(const signed char *u)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)u);
    return (factor) { _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8), _mm256_srai_epi16(x, 8) };
}

static inline __attribute__((always_inline)) factor inputs_of(int four)
{
    __m256i x = _mm256_set1_epi32(four);
    return (factor) { _mm256_and_si256(x, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16(x, 8) };
}

static inline __attribute__((always_inline)) void dot(__m256i *sum, factor inputs, factor weights)
{
    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(inputs.even, weights.even));
    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(inputs.odd, weights.odd));
}

#include "cpu/x86/cpu_int8_avx2.h"

const struct cpu_kernels cpu_kernels_avx2int8 = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
