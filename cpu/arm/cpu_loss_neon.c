/* Exponentials and logarithms from SLEEF, at most 1.0 unit in the last place off. */
#include <arm_neon.h>
#include <math.h>
#include <sleef.h>
#include <string.h>

#include "cpu/cpu_kernels.h"

/* The first n lanes, the others 0; and the reverse. */
static inline float32x4_t load(const float *x, size_t n)
{
    float lane[4] = { 0 };
    if (n >= 4) return vld1q_f32(x);
    memcpy(lane, x, n * sizeof *lane);
    return vld1q_f32(lane);
}

static inline void store(float *y, float32x4_t v, size_t n)
{
    float lane[4];
    if (n >= 4) {
        vst1q_f32(y, v);
        return;
    }
    vst1q_f32(lane, v);
    memcpy(y, lane, n * sizeof *lane);
}

static float row_max(const float *x, size_t c)
{
    float32x4_t max = vdupq_n_f32(x[0]);
    size_t k = 0;
    for (; k + 4 <= c; k += 4) {
        float32x4_t value = vld1q_f32(x + k);
        max = vbslq_f32(vcgtq_f32(value, max), value, max);
    }
    float lane[4];
    vst1q_f32(lane, max);
    for (int i = 1; i < 4; i++)
        if (lane[i] > lane[0]) lane[0] = lane[i];
    for (; k < c; k++)
        if (x[k] > lane[0]) lane[0] = x[k];
    return lane[0];
}

/* y = exp(x - max); returns the sum of y. */
static double row_exp(float *y, const float *x, size_t c, float max)
{
    float64x2_t low = vdupq_n_f64(0), high = vdupq_n_f64(0);
    float32x4_t shift = vdupq_n_f32(max);
    size_t k = 0;
    for (; k + 4 <= c; k += 4) {
        float32x4_t e = Sleef_expf4_u10advsimd(vsubq_f32(vld1q_f32(x + k), shift));
        low = vaddq_f64(low, vcvt_f64_f32(vget_low_f32(e)));
        high = vaddq_f64(high, vcvt_high_f64_f32(e));
        vst1q_f32(y + k, e);
    }
    double sum = vaddvq_f64(vaddq_f64(low, high));
    if (k == c) return sum;
    store(y + k, Sleef_expf4_u10advsimd(vsubq_f32(load(x + k, c - k), shift)), c - k);
    for (; k < c; k++)
        sum += (double)y[k];
    return sum;
}

static void row_divide(float *y, size_t c, double sum)
{
    float32x4_t divisor = vdupq_n_f32((float)sum);
    for (size_t k = 0; k < c; k += 4)
        store(y + k, vdivq_f32(load(y + k, c - k), divisor), c - k);
}

void cpu_softmax_neon(float *y, const float *x, size_t c)
{
    if (!c) return;
    row_divide(y, c, row_exp(y, x, c, row_max(x, c)));
}

void cpu_softmax_xent_neon(float *y, float *loss, float *dx, const float *x, size_t c, size_t t, float weight,
                           float scale)
{
    if (!c) return;
    float max = row_max(x, c);
    double sum = row_exp(y, x, c, max);
    row_divide(y, c, sum);
    *loss = t < c ? (float)((double)weight * (log(sum) - ((double)x[t] - (double)max))) : NAN;
    if (!dx) return;
    for (size_t k = 0; k < c; k += 4)
        store(dx + k, vmulq_n_f32(load(y + k, c - k), weight * scale), c - k);
    if (t < c) dx[t] = weight * scale * (y[t] - 1);
}

static inline float32x4_t sigmoid(float32x4_t x)
{
    const float32x4_t one = vdupq_n_f32(1);
    return vdivq_f32(one, vaddq_f32(one, Sleef_expf4_u10advsimd(vnegq_f32(x))));
}

void cpu_sigmoid_neon(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i += 4)
        store(y + i, sigmoid(load(x + i, count - i)), count - i);
}

void cpu_sigmoid_xent_neon(float *y, float *loss, float *dx, const float *x, const float *t, const float *sw,
                           float scale, size_t count)
{
    for (size_t i = 0; i < count; i += 4) {
        size_t n = count - i;
        float32x4_t v = load(x + i, n), target = load(t + i, n), p = sigmoid(v);
        float32x4_t weight = sw ? load(sw + i, n) : vdupq_n_f32(1);
        float32x4_t rest = Sleef_log1pf4_u10advsimd(Sleef_expf4_u10advsimd(vnegq_f32(vabsq_f32(v))));
        float32x4_t linear = vsubq_f32(vmaxq_f32(v, vdupq_n_f32(0)), vmulq_f32(v, target));
        store(y + i, p, n);
        store(loss + i, vmulq_f32(weight, vaddq_f32(linear, rest)), n);
        if (dx) store(dx + i, vmulq_f32(vmulq_n_f32(weight, scale), vsubq_f32(p, target)), n);
    }
}
