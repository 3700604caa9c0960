/* Exponentials and logarithms from SLEEF, at most 1.0 unit in the last place off. */
#include <immintrin.h>
#include <math.h>
#include <sleef.h>

#include "cpu/cpu_kernels.h"

/* The first n lanes. */
static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xFFFFu : (1u << n) - 1);
}

static inline __m512 load(const float *x, __mmask16 lanes)
{
    return _mm512_maskz_loadu_ps(lanes, x);
}

static float row_max(const float *x, size_t c)
{
    __m512 max = _mm512_set1_ps(x[0]);
    for (size_t k = 0; k < c; k += 16) {
        __mmask16 lanes = first_lanes(c - k);
        __m512 value = load(x + k, lanes);
        max = _mm512_mask_mov_ps(max, lanes & _mm512_cmp_ps_mask(value, max, _CMP_GT_OQ), value);
    }
    float lane[16];
    _mm512_storeu_ps(lane, max);
    for (int i = 1; i < 16; i++)
        if (lane[i] > lane[0]) lane[0] = lane[i];
    return lane[0];
}

/* y = exp(x - max); returns the sum of y. */
static double row_exp(float *y, const float *x, size_t c, float max)
{
    __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
    for (size_t k = 0; k < c; k += 16) {
        __mmask16 lanes = first_lanes(c - k);
        __m512 e = Sleef_expf16_u10avx512f(_mm512_sub_ps(load(x + k, lanes), _mm512_set1_ps(max)));
        e = _mm512_maskz_mov_ps(lanes, e);
        low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_castps512_ps256(e)));
        high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(e), 1))));
        _mm512_mask_storeu_ps(y + k, lanes, e);
    }
    double lane[8];
    _mm512_storeu_pd(lane, _mm512_add_pd(low, high));
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static void row_divide(float *y, size_t c, double sum)
{
    __m512 divisor = _mm512_set1_ps((float)sum);
    for (size_t k = 0; k < c; k += 16) {
        __mmask16 lanes = first_lanes(c - k);
        _mm512_mask_storeu_ps(y + k, lanes, _mm512_div_ps(load(y + k, lanes), divisor));
    }
}

void cpu_softmax_avx512(float *y, const float *x, size_t c)
{
    if (!c) return;
    row_divide(y, c, row_exp(y, x, c, row_max(x, c)));
}

void cpu_softmax_xent_avx512(float *y, float *loss, float *dx, const float *x, size_t c, size_t t, float weight,
                             float scale)
{
    if (!c) return;
    float max = row_max(x, c);
    double sum = row_exp(y, x, c, max);
    row_divide(y, c, sum);
    *loss = t < c ? (float)((double)weight * (log(sum) - ((double)x[t] - (double)max))) : NAN;
    if (!dx) return;
    __m512 factor = _mm512_set1_ps(weight * scale);
    for (size_t k = 0; k < c; k += 16) {
        __mmask16 lanes = first_lanes(c - k);
        _mm512_mask_storeu_ps(dx + k, lanes, _mm512_mul_ps(load(y + k, lanes), factor));
    }
    if (t < c) dx[t] = weight * scale * (y[t] - 1);
}

static inline __m512 sigmoid(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1);
    __m512 e = Sleef_expf16_u10avx512f(_mm512_sub_ps(_mm512_setzero_ps(), x));
    return _mm512_div_ps(one, _mm512_add_ps(one, e));
}

void cpu_sigmoid_avx512(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i += 16) {
        __mmask16 lanes = first_lanes(count - i);
        _mm512_mask_storeu_ps(y + i, lanes, sigmoid(load(x + i, lanes)));
    }
}

void cpu_sigmoid_xent_avx512(float *y, float *loss, float *dx, const float *x, const float *t, const float *sw,
                             float scale, size_t count)
{
    const __m512 zero = _mm512_setzero_ps();
    for (size_t i = 0; i < count; i += 16) {
        __mmask16 lanes = first_lanes(count - i);
        __m512 v = load(x + i, lanes), target = load(t + i, lanes), p = sigmoid(v);
        __m512 weight = sw ? load(sw + i, lanes) : _mm512_set1_ps(1);
        __m512 rest = Sleef_log1pf16_u10avx512f(Sleef_expf16_u10avx512f(_mm512_sub_ps(zero, _mm512_abs_ps(v))));
        __m512 linear = _mm512_sub_ps(_mm512_max_ps(zero, v), _mm512_mul_ps(v, target));
        _mm512_mask_storeu_ps(y + i, lanes, p);
        _mm512_mask_storeu_ps(loss + i, lanes, _mm512_mul_ps(weight, _mm512_add_ps(linear, rest)));
        if (!dx) continue;
        __m512 factor = _mm512_mul_ps(weight, _mm512_set1_ps(scale));
        _mm512_mask_storeu_ps(dx + i, lanes, _mm512_mul_ps(factor, _mm512_sub_ps(p, target)));
    }
}
