#include <math.h>

#include "cpu/cpu_kernels.h"

void cpu_pool2_row_c(float *y, uint8_t *arg, const float *x0, const float *x1, size_t w, size_t c)
{
    for (size_t p = 0; p < w; p++) {
        for (size_t k = 0; k < c; k++) {
            const float x[4] = { x0[2 * p * c + k], x0[(2 * p + 1) * c + k], x1[2 * p * c + k],
                                 x1[(2 * p + 1) * c + k] };
            int best = 0;
            for (int q = 1; q < 4; q++)
                if (x[q] > x[best]) best = q;
            float most = x[best];
            for (int q = 0; q < 4; q++)
                if (isnan(x[q])) most = x[q];
            y[p * c + k] = most;
            if (arg) arg[p * c + k] = (uint8_t)best;
        }
    }
}

void cpu_pool2_bwd_row_c(float *dx0, float *dx1, const float *dy, const uint8_t *arg, const float *y, size_t w,
                         size_t c)
{
    for (size_t p = 0; p < w; p++) {
        for (size_t k = 0; k < c; k++) {
            size_t i = p * c + k;
            float d = !y || y[i] > 0 ? dy[i] : 0;
            dx0[2 * p * c + k] = arg[i] == 0 ? d : 0;
            dx0[(2 * p + 1) * c + k] = arg[i] == 1 ? d : 0;
            dx1[2 * p * c + k] = arg[i] == 2 ? d : 0;
            dx1[(2 * p + 1) * c + k] = arg[i] == 3 ? d : 0;
        }
    }
}

void cpu_avgpool_c(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    for (size_t k = 0; k < c; k++) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++)
            sum += (double)x[p * stride + k];
        y[k] = (float)(sum / (double)pixels);
    }
}

void cpu_avgpool_bwd_c(float *dx, const float *dy, const float *x, size_t pixels, size_t stride, size_t c)
{
    for (size_t k = 0; k < c; k++)
        for (size_t p = 0; p < pixels; p++)
            dx[p * stride + k] = !x || x[p * stride + k] > 0 ? dy[k] / (float)pixels : 0;
}

void cpu_gmaxpool_c(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    for (size_t k = 0; k < c; k++) {
        float best = x[k];
        for (size_t p = 1; p < pixels; p++)
            if (x[p * stride + k] > best || isnan(x[p * stride + k])) best = x[p * stride + k];
        y[k] = best;
    }
}

void cpu_gmaxpool_bwd_c(float *dx, const float *dy, const float *x, bool relu, size_t pixels, size_t stride, size_t c)
{
    for (size_t k = 0; k < c; k++) {
        size_t best = 0;
        for (size_t p = 1; p < pixels; p++)
            if (x[p * stride + k] > x[best * stride + k]) best = p;
        for (size_t p = 0; p < pixels; p++)
            dx[p * stride + k] = p == best && (!relu || x[p * stride + k] > 0) ? dy[k] : 0;
    }
}
