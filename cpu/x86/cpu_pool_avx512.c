#include <immintrin.h>

#include "cpu/cpu_kernels.h"

/* The larger of two pixels, the first if neither is larger, and where it came from. */
static inline __m512 take_larger(__m512 best, __m512 x, __m512i *from, int q)
{
    __mmask16 larger = _mm512_cmp_ps_mask(x, best, _CMP_GT_OQ);
    *from = _mm512_mask_mov_epi32(*from, larger, _mm512_set1_epi32(q));
    return _mm512_mask_mov_ps(best, larger, x);
}

void cpu_pool2_row_avx512(float *y, uint8_t *arg, const float *x0, const float *x1, size_t w, size_t c)
{
    if (c % 16) {
        cpu_pool2_row_avx2(y, arg, x0, x1, w, c);
        return;
    }
    for (size_t p = 0; p < w; p++) {
        const float *row0 = x0 + 2 * p * c, *row1 = x1 + 2 * p * c;
        for (size_t k = 0; k < c; k += 16) {
            __m512i from = _mm512_setzero_si512();
            __m512 best = _mm512_loadu_ps(row0 + k);
            best = take_larger(best, _mm512_loadu_ps(row0 + c + k), &from, 1);
            best = take_larger(best, _mm512_loadu_ps(row1 + k), &from, 2);
            best = take_larger(best, _mm512_loadu_ps(row1 + c + k), &from, 3);
            _mm512_storeu_ps(y + p * c + k, best);
            if (arg) _mm_storeu_si128((__m128i *)(void *)(arg + p * c + k), _mm512_cvtepi32_epi8(from));
        }
    }
}

/* d where arg is q, else 0. */
static inline __m512 at(__m512 d, __m512i arg, int q)
{
    return _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(arg, _mm512_set1_epi32(q)), d);
}

/* d where x > 0, else 0. */
static inline __m512 masked(__m512 d, __m512 x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), d);
}

void cpu_pool2_bwd_row_avx512(float *dx0, float *dx1, const float *dy, const uint8_t *arg, const float *y, size_t w,
                              size_t c)
{
    if (c % 16) {
        cpu_pool2_bwd_row_avx2(dx0, dx1, dy, arg, y, w, c);
        return;
    }
    for (size_t p = 0; p < w; p++) {
        float *row0 = dx0 + 2 * p * c, *row1 = dx1 + 2 * p * c;
        for (size_t k = 0; k < c; k += 16) {
            size_t i = p * c + k;
            __m512 d = _mm512_loadu_ps(dy + i);
            if (y) d = masked(d, _mm512_loadu_ps(y + i));
            __m512i from = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(arg + i)));
            _mm512_storeu_ps(row0 + k, at(d, from, 0));
            _mm512_storeu_ps(row0 + c + k, at(d, from, 1));
            _mm512_storeu_ps(row1 + k, at(d, from, 2));
            _mm512_storeu_ps(row1 + c + k, at(d, from, 3));
        }
    }
}

void cpu_avgpool_avx512(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    __m512d count = _mm512_set1_pd((double)pixels);
    size_t k = 0;
    for (; k + 16 <= c; k += 16) {
        __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
        for (size_t p = 0; p < pixels; p++) {
            low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm256_loadu_ps(x + p * stride + k)));
            high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm256_loadu_ps(x + p * stride + k + 8)));
        }
        _mm256_storeu_ps(y + k, _mm512_cvtpd_ps(_mm512_div_pd(low, count)));
        _mm256_storeu_ps(y + k + 8, _mm512_cvtpd_ps(_mm512_div_pd(high, count)));
    }
    cpu_avgpool_avx2(y + k, x + k, pixels, stride, c - k);
}

void cpu_avgpool_bwd_avx512(float *dx, const float *dy, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + 16 <= c; k += 16) {
        __m512 d = _mm512_div_ps(_mm512_loadu_ps(dy + k), _mm512_set1_ps((float)pixels));
        for (size_t p = 0; p < pixels; p++)
            _mm512_storeu_ps(dx + p * stride + k, x ? masked(d, _mm512_loadu_ps(x + p * stride + k)) : d);
    }
    cpu_avgpool_bwd_avx2(dx + k, dy + k, x ? x + k : NULL, pixels, stride, c - k);
}

void cpu_gmaxpool_avx512(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + 16 <= c; k += 16) {
        __m512 best = _mm512_loadu_ps(x + k);
        for (size_t p = 1; p < pixels; p++) {
            __m512 value = _mm512_loadu_ps(x + p * stride + k);
            best = _mm512_mask_mov_ps(best, _mm512_cmp_ps_mask(value, best, _CMP_GT_OQ), value);
        }
        _mm512_storeu_ps(y + k, best);
    }
    cpu_gmaxpool_avx2(y + k, x + k, pixels, stride, c - k);
}

void cpu_gmaxpool_bwd_avx512(float *dx, const float *dy, const float *x, bool relu, size_t pixels, size_t stride,
                             size_t c)
{
    size_t k = 0;
    for (; k + 16 <= c; k += 16) {
        __m512 best = _mm512_loadu_ps(x + k), d = _mm512_loadu_ps(dy + k);
        __m512i where = _mm512_setzero_si512();
        for (size_t p = 1; p < pixels; p++)
            best = take_larger(best, _mm512_loadu_ps(x + p * stride + k), &where, (int)p);
        if (relu) d = masked(d, best);
        for (size_t p = 0; p < pixels; p++)
            _mm512_storeu_ps(dx + p * stride + k, at(d, where, (int)p));
    }
    cpu_gmaxpool_bwd_avx2(dx + k, dy + k, x + k, relu, pixels, stride, c - k);
}
