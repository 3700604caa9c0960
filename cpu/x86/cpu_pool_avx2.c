#include <immintrin.h>

#include "cpu/cpu_kernels.h"

/* The larger of two pixels, the first if neither is larger, and where it came from. */
static inline __m256 take_larger(__m256 best, __m256 x, __m256 *from, int q)
{
    __m256 larger = _mm256_cmp_ps(x, best, _CMP_GT_OQ);
    *from = _mm256_blendv_ps(*from, _mm256_castsi256_ps(_mm256_set1_epi32(q)), larger);
    return _mm256_blendv_ps(best, x, larger);
}

static inline void store_bytes(uint8_t *to, __m256i from)
{
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(from), _mm256_extracti128_si256(from, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(words, words));
}

void cpu_pool2_row_avx2(float *y, uint8_t *arg, const float *x0, const float *x1, size_t w, size_t c)
{
    if (c % 8) {
        cpu_pool2_row_c(y, arg, x0, x1, w, c);
        return;
    }
    for (size_t p = 0; p < w; p++) {
        const float *row0 = x0 + 2 * p * c, *row1 = x1 + 2 * p * c;
        for (size_t k = 0; k < c; k += 8) {
            __m256 from = _mm256_setzero_ps(), best = _mm256_loadu_ps(row0 + k);
            best = take_larger(best, _mm256_loadu_ps(row0 + c + k), &from, 1);
            best = take_larger(best, _mm256_loadu_ps(row1 + k), &from, 2);
            best = take_larger(best, _mm256_loadu_ps(row1 + c + k), &from, 3);
            _mm256_storeu_ps(y + p * c + k, best);
            if (arg) store_bytes(arg + p * c + k, _mm256_castps_si256(from));
        }
    }
}

/* d where arg is q, else 0. */
static inline __m256 at(__m256 d, __m256i arg, int q)
{
    return _mm256_and_ps(d, _mm256_castsi256_ps(_mm256_cmpeq_epi32(arg, _mm256_set1_epi32(q))));
}

static inline __m256 positive(__m256 x)
{
    return _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ);
}

void cpu_pool2_bwd_row_avx2(float *dx0, float *dx1, const float *dy, const uint8_t *arg, const float *y, size_t w,
                            size_t c)
{
    if (c % 8) {
        cpu_pool2_bwd_row_c(dx0, dx1, dy, arg, y, w, c);
        return;
    }
    for (size_t p = 0; p < w; p++) {
        float *row0 = dx0 + 2 * p * c, *row1 = dx1 + 2 * p * c;
        for (size_t k = 0; k < c; k += 8) {
            size_t i = p * c + k;
            __m256 d = _mm256_loadu_ps(dy + i);
            if (y) d = _mm256_and_ps(d, positive(_mm256_loadu_ps(y + i)));
            __m256i from = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(arg + i)));
            _mm256_storeu_ps(row0 + k, at(d, from, 0));
            _mm256_storeu_ps(row0 + c + k, at(d, from, 1));
            _mm256_storeu_ps(row1 + k, at(d, from, 2));
            _mm256_storeu_ps(row1 + c + k, at(d, from, 3));
        }
    }
}

void cpu_avgpool_avx2(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    __m256d count = _mm256_set1_pd((double)pixels);
    size_t k = 0;
    for (; k + 8 <= c; k += 8) {
        __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
        for (size_t p = 0; p < pixels; p++) {
            low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm_loadu_ps(x + p * stride + k)));
            high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm_loadu_ps(x + p * stride + k + 4)));
        }
        _mm_storeu_ps(y + k, _mm256_cvtpd_ps(_mm256_div_pd(low, count)));
        _mm_storeu_ps(y + k + 4, _mm256_cvtpd_ps(_mm256_div_pd(high, count)));
    }
    cpu_avgpool_c(y + k, x + k, pixels, stride, c - k);
}

void cpu_avgpool_bwd_avx2(float *dx, const float *dy, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + 8 <= c; k += 8) {
        __m256 d = _mm256_div_ps(_mm256_loadu_ps(dy + k), _mm256_set1_ps((float)pixels));
        for (size_t p = 0; p < pixels; p++) {
            __m256 value = x ? _mm256_and_ps(d, positive(_mm256_loadu_ps(x + p * stride + k))) : d;
            _mm256_storeu_ps(dx + p * stride + k, value);
        }
    }
    cpu_avgpool_bwd_c(dx + k, dy + k, x ? x + k : NULL, pixels, stride, c - k);
}

void cpu_gmaxpool_avx2(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + 8 <= c; k += 8) {
        __m256 best = _mm256_loadu_ps(x + k);
        for (size_t p = 1; p < pixels; p++) {
            __m256 value = _mm256_loadu_ps(x + p * stride + k);
            best = _mm256_blendv_ps(best, value, _mm256_cmp_ps(value, best, _CMP_GT_OQ));
        }
        _mm256_storeu_ps(y + k, best);
    }
    cpu_gmaxpool_c(y + k, x + k, pixels, stride, c - k);
}

void cpu_gmaxpool_bwd_avx2(float *dx, const float *dy, const float *x, bool relu, size_t pixels, size_t stride,
                           size_t c)
{
    size_t k = 0;
    for (; k + 8 <= c; k += 8) {
        __m256 best = _mm256_loadu_ps(x + k), where = _mm256_setzero_ps();
        for (size_t p = 1; p < pixels; p++) {
            __m256 value = _mm256_loadu_ps(x + p * stride + k);
            __m256 larger = _mm256_cmp_ps(value, best, _CMP_GT_OQ);
            best = _mm256_blendv_ps(best, value, larger);
            where = _mm256_blendv_ps(where, _mm256_castsi256_ps(_mm256_set1_epi32((int)p)), larger);
        }
        __m256 d = _mm256_loadu_ps(dy + k);
        if (relu) d = _mm256_and_ps(d, positive(best));
        for (size_t p = 0; p < pixels; p++)
            _mm256_storeu_ps(dx + p * stride + k, at(d, _mm256_castps_si256(where), (int)p));
    }
    cpu_gmaxpool_bwd_c(dx + k, dy + k, x + k, relu, pixels, stride, c - k);
}
