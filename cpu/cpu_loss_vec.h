/* cpu_loss_vec.h: softmax, sigmoid and their cross-entropies of cpu_kernels.h in the words of cpu_vec.h. */
#ifndef CPU_CPU_LOSS_VEC_H
#define CPU_CPU_LOSS_VEC_H

#include <math.h>

#include "cpu/cpu_kernels.h"

static inline float row_max(const float *x, size_t c)
{
    vec max = splat(x[0]);
    for (size_t k = 0; k < c; k += LANES) {
        vec value = load_some(x + k, c - k);
        max = choose(both(larger(value, max), first_lanes(c - k)), value, max);
    }
    float lane[LANES];
    store(lane, max);
    for (int i = 1; i < LANES; i++)
        if (lane[i] > lane[0]) lane[0] = lane[i];
    return lane[0];
}

/* y = exp(x - max); returns the sum of y. */
static inline double row_exp(float *y, const float *x, size_t c, float max)
{
    sums sum = no_sums();
    for (size_t k = 0; k < c; k += LANES) {
        vec e = exponential(sub(load_some(x + k, c - k), splat(max)));
        sum = add_to(sum, where(first_lanes(c - k), e));
        store_some(y + k, e, c - k);
    }
    return total(sum);
}

static inline void row_divide(float *y, size_t c, double sum)
{
    vec divisor = splat((float)sum);
    for (size_t k = 0; k < c; k += LANES)
        store_some(y + k, quotient(load_some(y + k, c - k), divisor), c - k);
}

static void softmax(float *y, const float *x, size_t c)
{
    if (!c) return;
    row_divide(y, c, row_exp(y, x, c, row_max(x, c)));
}

static void softmax_xent(float *y, float *loss, float *dx, const float *x, size_t c, size_t t, float weight,
                         float scale)
{
    if (!c) return;
    float max = row_max(x, c);
    double sum = row_exp(y, x, c, max);
    row_divide(y, c, sum);
    *loss = t < c ? (float)((double)weight * (log(sum) - ((double)x[t] - (double)max))) : NAN;
    if (!dx) return;
    vec factor = splat(weight * scale);
    for (size_t k = 0; k < c; k += LANES)
        store_some(dx + k, mul(load_some(y + k, c - k), factor), c - k);
    if (t < c) dx[t] = weight * scale * (y[t] - 1);
}

static inline vec logistic(vec x)
{
    return quotient(splat(1), add(splat(1), exponential(sub(zero(), x))));
}

static void sigmoid(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        store_some(y + i, logistic(load_some(x + i, count - i)), count - i);
}

static void sigmoid_xent(float *y, float *loss, float *dx, const float *x, const float *t, const float *sw, float scale,
                         size_t count)
{
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i;
        vec v = load_some(x + i, n), target = load_some(t + i, n), p = logistic(v);
        vec weight = sw ? load_some(sw + i, n) : splat(1);
        vec rest = log_1_plus(exponential(minus_magnitude(v)));
        vec linear = sub(relu(v), mul(v, target));
        store_some(y + i, p, n);
        store_some(loss + i, mul(weight, add(linear, rest)), n);
        if (dx) store_some(dx + i, mul(mul(weight, splat(scale)), sub(p, target)), n);
    }
}

#endif
