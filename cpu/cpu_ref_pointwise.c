#include <math.h>

#include "core/base/rng.h"
#include "cpu/cpu_kernels.h"

void cpu_dropout_c(float *y, const float *x, size_t count, uint64_t index, const struct cpu_dropout *dropout)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t number = vgg_rng_u32(dropout->seed, VGG_RNG_DROPOUT, dropout->stream, index + i);
        y[i] = number >= dropout->threshold ? x[i] / dropout->keep : 0;
    }
}

static float row_max(const float *x, size_t c)
{
    float max = x[0];
    for (size_t k = 1; k < c; k++)
        if (x[k] > max) max = x[k];
    return max;
}

/* Sum of exp(x - max): the largest term is 1, so that nothing overflows. */
static double row_sum(const float *x, size_t c, float max)
{
    double sum = 0;
    for (size_t k = 0; k < c; k++)
        sum += exp((double)x[k] - (double)max);
    return sum;
}

void cpu_softmax_c(float *y, const float *x, size_t c)
{
    if (!c) return;
    float max = row_max(x, c);
    double sum = row_sum(x, c, max);
    for (size_t k = 0; k < c; k++)
        y[k] = (float)(exp((double)x[k] - (double)max) / sum);
}

void cpu_sigmoid_c(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = (float)(1 / (1 + exp(-(double)x[i])));
}

void cpu_softmax_xent_c(float *y, float *loss, float *dx, const float *x, size_t c, size_t t, float weight, float scale)
{
    if (!c) return;
    float max = row_max(x, c);
    double sum = row_sum(x, c, max);
    /* -log(exp(x_t - max) / sum) without the quotient, which may underflow. */
    *loss = t < c ? (float)((double)weight * (log(sum) - ((double)x[t] - (double)max))) : NAN;
    for (size_t k = 0; k < c; k++) {
        double p = exp((double)x[k] - (double)max) / sum;
        y[k] = (float)p;
        if (dx) dx[k] = (float)((double)weight * (double)scale * (p - (k == t)));
    }
}

void cpu_smooth_c(float *loss, float *dx, const float *x, size_t c, size_t t, float weight, float scale, float a)
{
    double mean = 0, share = (double)weight * (double)a;
    if (t >= c) return;
    for (size_t k = 0; k < c; k++)
        mean += (double)x[k] / (double)c;
    *loss = (float)((double)*loss + share * ((double)x[t] - mean));
    for (size_t k = 0; k < c && dx; k++)
        dx[k] = (float)((double)dx[k] + share * (double)scale * ((k == t) - 1 / (double)c));
}

void cpu_sigmoid_xent_c(float *y, float *loss, float *dx, const float *x, const float *t, const float *sw, float scale,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double v = (double)x[i], weight = sw ? (double)sw[i] : 1, p = 1 / (1 + exp(-v));
        y[i] = (float)p;
        loss[i] = (float)(weight * (fmax(v, 0) - v * (double)t[i] + log1p(exp(-fabs(v)))));
        if (dx) dx[i] = (float)(weight * (double)scale * (p - (double)t[i]));
    }
}

void cpu_fma_c(float *y, const float *x, size_t count, int rounds)
{
    enum { TOGETHER = 32 };
    for (size_t begin = 0; begin < count; begin += TOGETHER) {
        size_t n = count - begin < TOGETHER ? count - begin : TOGETHER;
        float v[TOGETHER] = { 0 };
        for (size_t i = 0; i < n; i++)
            v[i] = x[begin + i];
        for (int r = 0; r < rounds; r++)
            for (size_t i = 0; i < TOGETHER; i++)
                v[i] = 0.75f * v[i] + 0.25f;
        for (size_t i = 0; i < n; i++)
            y[begin + i] = v[i];
    }
}
