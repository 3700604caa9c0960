/* Exponentials and logarithms from SLEEF, at most 1.0 unit in the last place off. */
#include <immintrin.h>
#include <math.h>
#include <sleef.h>

#include "cpu/cpu_kernels.h"

/* All ones in the first n lanes. */
static inline __m256i first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n < 8 ? n : 8)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256 load(const float *x, __m256i lanes)
{
    return _mm256_maskload_ps(x, lanes);
}

static float row_max(const float *x, size_t c)
{
    __m256 max = _mm256_set1_ps(x[0]);
    for (size_t k = 0; k < c; k += 8) {
        __m256i lanes = first_lanes(c - k);
        __m256 value = load(x + k, lanes);
        __m256 larger = _mm256_and_ps(_mm256_cmp_ps(value, max, _CMP_GT_OQ), _mm256_castsi256_ps(lanes));
        max = _mm256_blendv_ps(max, value, larger);
    }
    float lane[8];
    _mm256_storeu_ps(lane, max);
    for (int i = 1; i < 8; i++)
        if (lane[i] > lane[0]) lane[0] = lane[i];
    return lane[0];
}

/* y = exp(x - max); returns the sum of y. */
static double row_exp(float *y, const float *x, size_t c, float max)
{
    __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
    for (size_t k = 0; k < c; k += 8) {
        __m256i lanes = first_lanes(c - k);
        __m256 e = Sleef_expf8_u10avx2(_mm256_sub_ps(load(x + k, lanes), _mm256_set1_ps(max)));
        e = _mm256_and_ps(e, _mm256_castsi256_ps(lanes));
        low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(e)));
        high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(e, 1)));
        _mm256_maskstore_ps(y + k, lanes, e);
    }
    double lane[4];
    _mm256_storeu_pd(lane, _mm256_add_pd(low, high));
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

static void row_divide(float *y, size_t c, double sum)
{
    __m256 divisor = _mm256_set1_ps((float)sum);
    for (size_t k = 0; k < c; k += 8) {
        __m256i lanes = first_lanes(c - k);
        _mm256_maskstore_ps(y + k, lanes, _mm256_div_ps(load(y + k, lanes), divisor));
    }
}

void cpu_softmax_avx2(float *y, const float *x, size_t c)
{
    if (!c) return;
    row_divide(y, c, row_exp(y, x, c, row_max(x, c)));
}

void cpu_softmax_xent_avx2(float *y, float *loss, float *dx, const float *x, size_t c, size_t t, float weight,
                           float scale)
{
    if (!c) return;
    float max = row_max(x, c);
    double sum = row_exp(y, x, c, max);
    row_divide(y, c, sum);
    *loss = t < c ? (float)((double)weight * (log(sum) - ((double)x[t] - (double)max))) : NAN;
    if (!dx) return;
    __m256 factor = _mm256_set1_ps(weight * scale);
    for (size_t k = 0; k < c; k += 8) {
        __m256i lanes = first_lanes(c - k);
        _mm256_maskstore_ps(dx + k, lanes, _mm256_mul_ps(load(y + k, lanes), factor));
    }
    if (t < c) dx[t] = weight * scale * (y[t] - 1);
}

static inline __m256 sigmoid(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1);
    __m256 e = Sleef_expf8_u10avx2(_mm256_sub_ps(_mm256_setzero_ps(), x));
    return _mm256_div_ps(one, _mm256_add_ps(one, e));
}

void cpu_sigmoid_avx2(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i += 8) {
        __m256i lanes = first_lanes(count - i);
        _mm256_maskstore_ps(y + i, lanes, sigmoid(load(x + i, lanes)));
    }
}

void cpu_sigmoid_xent_avx2(float *y, float *loss, float *dx, const float *x, const float *t, const float *sw,
                           float scale, size_t count)
{
    const __m256 zero = _mm256_setzero_ps(), sign = _mm256_set1_ps(-0.0f);
    for (size_t i = 0; i < count; i += 8) {
        __m256i lanes = first_lanes(count - i);
        __m256 v = load(x + i, lanes), target = load(t + i, lanes), p = sigmoid(v);
        __m256 weight = sw ? load(sw + i, lanes) : _mm256_set1_ps(1);
        __m256 rest = Sleef_log1pf8_u10avx2(Sleef_expf8_u10avx2(_mm256_or_ps(v, sign)));
        __m256 linear = _mm256_sub_ps(_mm256_max_ps(zero, v), _mm256_mul_ps(v, target));
        _mm256_maskstore_ps(y + i, lanes, p);
        _mm256_maskstore_ps(loss + i, lanes, _mm256_mul_ps(weight, _mm256_add_ps(linear, rest)));
        if (!dx) continue;
        __m256 factor = _mm256_mul_ps(weight, _mm256_set1_ps(scale));
        _mm256_maskstore_ps(dx + i, lanes, _mm256_mul_ps(factor, _mm256_sub_ps(p, target)));
    }
}
