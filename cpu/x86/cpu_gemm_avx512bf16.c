/* cpu_gemm_avx512bf16.c: the micro-kernels on bf16 operands for AVX512_BF16: a term is two products. The instruction
 * sums in fp32 and takes denormal operands and sums as zero. */
#include <immintrin.h>
#include <string.h>

#include "cpu/cpu_bf16.h"
#include "cpu/cpu_gemm.h"
#include "cpu/cpu_kernels.h"

static inline __attribute__((always_inline)) __m512 term(__m512 sum, __m512 a, __m512 b)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

#include "cpu/x86/cpu_tiles_avx512.h"

/* 16 values as cpu_bf16() rounds them. */
static inline __m256i halves(const float *from)
{
    __m512 x = _mm512_loadu_ps(from);
    __m512i bits = _mm512_castps_si512(x), upper = _mm512_srli_epi32(bits, 16);
    __m512i even = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), even);
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(
        _mm512_mask_mov_epi32(_mm512_srli_epi32(sum, 16), nan, _mm512_or_si512(upper, _mm512_set1_epi32(0x40))));
}

static void gemm_halve(uint32_t *to, const float *from, size_t rows, size_t count)
{
    if (count % 2 == 0) count *= rows, rows = 1;
    for (size_t r = 0; r < rows; r++, from += count, to += (count + 1) / 2) {
        size_t i = 0;
        for (; i + 16 <= count; i += 16)
            _mm256_storeu_si256((__m256i *)(void *)(to + i / 2), halves(from + i));
        for (; i < count; i += 2)
            to[i / 2] = cpu_bf16_pair(from[i], i + 1 < count ? from[i + 1] : 0);
    }
}

static const struct cpu_gemm gemm = {
    .rows = gemm_rows,
    .wide = gemm_wide,
    .store = cpu_gemm_store_avx512,
    .pool = cpu_gemm_pool_avx512,
    .stream = gemm_stream,
    .halve = gemm_halve,
    .k_block = 128,
    .row_block = 96,
};

const struct cpu_kernels cpu_kernels_avx512bf16 = {
    .conv_bf16 = cpu_conv_tiled_bf16,
    .dense_bf16 = cpu_dense_tiled_bf16,
    .gemm_bf16 = &gemm,
};
