/* cpu_pool_vec.h: pooling of cpu_kernels.h in the words of cpu_vec.h, vectors along channels. Exact: the bits are those
 * of cpu_ref_pool.c, which takes channels that fill no vector. */
#ifndef CPU_CPU_POOL_VEC_H
#define CPU_CPU_POOL_VEC_H

#include "cpu/cpu_kernels.h"

static void pool2_row(float *y, uint8_t *arg, const float *x0, const float *x1, size_t w, size_t c)
{
    if (c % LANES) {
        cpu_pool2_row_c(y, arg, x0, x1, w, c);
        return;
    }
    for (size_t p = 0; p < w; p++) {
        const float *row0 = x0 + 2 * p * c, *row1 = x1 + 2 * p * c;
        for (size_t k = 0; k < c; k += LANES) {
            words from;
            store(y + p * c + k,
                  window_max(load(row0 + k), load(row0 + c + k), load(row1 + k), load(row1 + c + k), &from));
            if (arg) store_bytes(arg + p * c + k, from);
        }
    }
}

static void pool2_bwd_row(float *dx0, float *dx1, const float *dy, const uint8_t *arg, const float *y, size_t w,
                          size_t c)
{
    if (c % LANES) {
        cpu_pool2_bwd_row_c(dx0, dx1, dy, arg, y, w, c);
        return;
    }
    for (size_t p = 0; p < w; p++) {
        float *row0 = dx0 + 2 * p * c, *row1 = dx1 + 2 * p * c;
        for (size_t k = 0; k < c; k += LANES) {
            size_t i = p * c + k;
            vec d = load(dy + i);
            if (y) d = where(positive(load(y + i)), d);
            words from = load_bytes(arg + i);
            store(row0 + k, where(equal(from, splat_words(0)), d));
            store(row0 + c + k, where(equal(from, splat_words(1)), d));
            store(row1 + k, where(equal(from, splat_words(2)), d));
            store(row1 + c + k, where(equal(from, splat_words(3)), d));
        }
    }
}

static void avgpool(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + LANES <= c; k += LANES) {
        sums sum = no_sums();
        for (size_t p = 0; p < pixels; p++)
            sum = add_from(sum, x + p * stride + k);
        store(y + k, mean(sum, (double)pixels));
    }
    cpu_avgpool_c(y + k, x + k, pixels, stride, c - k);
}

static void avgpool_bwd(float *dx, const float *dy, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + LANES <= c; k += LANES) {
        vec d = quotient(load(dy + k), splat((float)pixels));
        for (size_t p = 0; p < pixels; p++)
            store(dx + p * stride + k, x ? where(positive(load(x + p * stride + k)), d) : d);
    }
    cpu_avgpool_bwd_c(dx + k, dy + k, x ? x + k : NULL, pixels, stride, c - k);
}

static void gmaxpool(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + LANES <= c; k += LANES) {
        vec best = load(x + k);
        for (size_t p = 1; p < pixels; p++) {
            vec value = load(x + p * stride + k);
            best = choose(either(larger(value, best), unordered(value, value)), value, best);
        }
        store(y + k, best);
    }
    cpu_gmaxpool_c(y + k, x + k, pixels, stride, c - k);
}

static void gmaxpool_bwd(float *dx, const float *dy, const float *x, bool relu, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + LANES <= c; k += LANES) {
        vec best = load(x + k), d = load(dy + k);
        words at = splat_words(0);
        for (size_t p = 1; p < pixels; p++)
            best = take_larger(best, load(x + p * stride + k), &at, (uint32_t)p);
        if (relu) d = where(positive(best), d);
        for (size_t p = 0; p < pixels; p++)
            store(dx + p * stride + k, where(equal(at, splat_words((uint32_t)p)), d));
    }
    cpu_gmaxpool_bwd_c(dx + k, dy + k, x + k, relu, pixels, stride, c - k);
}

#endif
