/* cpu_winograd_vec.h: the transforms of cpu_winograd.h in the words of cpu_vec.h, vectors along channels. Each
 * one-dimensional transform is written once; the two-dimensional ones apply it to columns, then to rows, for a constant
 * m. */
#ifndef CPU_CPU_WINOGRAD_VEC_H
#define CPU_CPU_WINOGRAD_VEC_H

#include "cpu/cpu_winograd.h"

enum { PARTS = CPU_NR / LANES }; /* vectors of a panel's columns */

/* a x */
static inline __attribute__((always_inline)) vec times(float a, vec x)
{
    return mul(splat(a), x);
}

/* a x + y */
static inline __attribute__((always_inline)) vec fma_(float a, vec x, vec y)
{
    return fused(splat(a), x, y);
}

/* o = B^T d */
static inline __attribute__((always_inline)) void input_1d(vec *o, const vec *d, int m)
{
    if (m == 2) {
        o[0] = sub(d[0], d[2]);
        o[1] = add(d[1], d[2]);
        o[2] = sub(d[2], d[1]);
        o[3] = sub(d[1], d[3]);
    } else if (m == 4) {
        vec even = fma_(-9.0f / 4, d[2], d[4]), odd = fma_(-9.0f / 4, d[1], d[3]);
        vec even2 = fma_(-25.0f / 64, d[2], d[4]), odd2 = fma_(-25.0f / 64, d[1], d[3]);
        o[0] = fma_(225.0f / 256, d[0], fma_(-169.0f / 64, d[2], d[4]));
        o[1] = fma_(5.0f / 8, odd, even);
        o[2] = fma_(-5.0f / 8, odd, even);
        o[3] = fma_(3.0f / 2, odd2, even2);
        o[4] = fma_(-3.0f / 2, odd2, even2);
        o[5] = fma_(225.0f / 256, d[1], fma_(-169.0f / 64, d[3], d[5]));
    } else {
        o[0] = fma_(5.25f, sub(d[4], d[2]), sub(d[0], d[6]));
        o[7] = fma_(5.25f, sub(d[3], d[5]), sub(d[7], d[1]));
        vec even = fma_(-4.25f, d[4], add(d[2], d[6])), odd = fma_(-4.25f, d[3], add(d[1], d[5]));
        o[1] = add(even, odd);
        o[2] = sub(even, odd);
        even = fma_(0.25f, d[2], fma_(-1.25f, d[4], d[6]));
        odd = fma_(0.5f, d[1], fma_(-2.5f, d[3], times(2, d[5])));
        o[3] = add(even, odd);
        o[4] = sub(even, odd);
        even = fma_(4, d[2], fma_(-5, d[4], d[6]));
        odd = fma_(2, d[1], fma_(-2.5f, d[3], times(0.5f, d[5])));
        o[5] = add(even, odd);
        o[6] = sub(even, odd);
    }
}

/* o = A^T d */
static inline __attribute__((always_inline)) void output_1d(vec *o, const vec *d, int m)
{
    vec even = add(d[1], d[2]), odd = sub(d[1], d[2]);
    if (m == 2) {
        o[0] = add(d[0], even);
        o[1] = sub(odd, d[3]);
    } else if (m == 4) {
        vec even2 = add(d[3], d[4]), odd2 = sub(d[3], d[4]);
        o[0] = add(add(d[0], even), even2);
        o[1] = fma_(3.0f / 2, odd2, times(5.0f / 8, odd));
        o[2] = fma_(9.0f / 4, even2, times(25.0f / 64, even));
        o[3] = fma_(27.0f / 8, odd2, fma_(125.0f / 512, odd, d[5]));
    } else {
        vec even2 = add(d[3], d[4]), odd2 = sub(d[3], d[4]), even3 = add(d[5], d[6]), odd3 = sub(d[5], d[6]);
        o[0] = add(add(d[0], even), add(even2, even3));
        o[1] = fma_(2, odd2, fma_(0.5f, odd3, odd));
        o[2] = fma_(4, even2, fma_(0.25f, even3, even));
        o[3] = fma_(8, odd2, fma_(0.125f, odd3, odd));
        o[4] = fma_(16, even2, fma_(0.0625f, even3, even));
        o[5] = add(fma_(32, odd2, fma_(0.03125f, odd3, odd)), d[7]);
    }
}

/* o = A d */
static inline __attribute__((always_inline)) void delta_1d(vec *o, const vec *d, int m)
{
    o[0] = d[0];
    if (m == 2) {
        o[1] = add(d[0], d[1]);
        o[2] = sub(d[0], d[1]);
        o[3] = sub(zero(), d[1]);
    } else if (m == 4) {
        vec even = fma_(25.0f / 64, d[2], d[0]), odd = fma_(25.0f / 64, d[3], d[1]);
        o[1] = fma_(5.0f / 8, odd, even);
        o[2] = fma_(-5.0f / 8, odd, even);
        even = fma_(9.0f / 4, d[2], d[0]), odd = fma_(9.0f / 4, d[3], d[1]);
        o[3] = fma_(3.0f / 2, odd, even);
        o[4] = fma_(-3.0f / 2, odd, even);
        o[5] = d[3];
    } else {
        vec even = add(add(d[0], d[2]), d[4]), odd = add(add(d[1], d[3]), d[5]);
        o[1] = add(even, odd);
        o[2] = sub(even, odd);
        even = fma_(16, d[4], fma_(4, d[2], d[0])), odd = times(2, fma_(16, d[5], fma_(4, d[3], d[1])));
        o[3] = add(even, odd);
        o[4] = sub(even, odd);
        even = fma_(0.0625f, d[4], fma_(0.25f, d[2], d[0]));
        odd = times(0.5f, fma_(0.0625f, d[5], fma_(0.25f, d[3], d[1])));
        o[5] = add(even, odd);
        o[6] = sub(even, odd);
        o[7] = d[5];
    }
}

/* o = G d */
static inline __attribute__((always_inline)) void filter_1d(vec *o, const vec *d, int m)
{
    vec ends = add(d[0], d[2]);
    o[0] = d[0];
    if (m == 2) {
        o[1] = times(0.5f, add(ends, d[1]));
        o[2] = times(0.5f, sub(ends, d[1]));
        o[3] = d[2];
    } else if (m == 4) {
        o[0] = times(256.0f / 225, d[0]);
        vec even = fma_(25.0f / 64, d[2], d[0]);
        o[1] = times(-2048.0f / 2975, fma_(5.0f / 8, d[1], even));
        o[2] = times(-2048.0f / 2975, fma_(-5.0f / 8, d[1], even));
        even = fma_(9.0f / 4, d[2], d[0]);
        o[3] = times(128.0f / 1071, fma_(3.0f / 2, d[1], even));
        o[4] = times(128.0f / 1071, fma_(-3.0f / 2, d[1], even));
        o[5] = d[2];
    } else {
        o[1] = times(-2.0f / 9, add(ends, d[1]));
        o[2] = times(-2.0f / 9, sub(ends, d[1]));
        vec even = fma_(4, d[2], d[0]), odd = times(2, d[1]);
        o[3] = times(1.0f / 90, add(even, odd));
        o[4] = times(1.0f / 90, sub(even, odd));
        even = fma_(4, d[0], d[2]);
        o[5] = times(8.0f / 45, add(even, odd));
        o[6] = times(8.0f / 45, sub(even, odd));
        o[7] = d[2];
    }
}

/* o = G^T d */
static inline __attribute__((always_inline)) void adjoint_1d(vec *o, const vec *d, int m)
{
    vec even = add(d[1], d[2]), odd = sub(d[1], d[2]);
    if (m == 2) {
        o[0] = fma_(0.5f, even, d[0]);
        o[1] = times(0.5f, odd);
        o[2] = fma_(0.5f, even, d[3]);
    } else if (m == 4) {
        vec even2 = add(d[3], d[4]), odd2 = sub(d[3], d[4]);
        o[0] = fma_(256.0f / 225, d[0], fma_(-2048.0f / 2975, even, times(128.0f / 1071, even2)));
        o[1] = fma_(-256.0f / 595, odd, times(64.0f / 357, odd2));
        o[2] = fma_(32.0f / 119, sub(even2, even), d[5]);
    } else {
        vec even2 = add(d[3], d[4]), odd2 = sub(d[3], d[4]), even3 = add(d[5], d[6]), odd3 = sub(d[5], d[6]);
        o[0] = add(d[0], fma_(-2.0f / 9, even, fma_(1.0f / 90, even2, times(32.0f / 45, even3))));
        o[1] = fma_(-2.0f / 9, odd, fma_(1.0f / 45, odd2, times(16.0f / 45, odd3)));
        o[2] = add(d[7], fma_(-2.0f / 9, even, fma_(2.0f / 45, even2, times(8.0f / 45, even3))));
    }
}

/* 16 channels at a time: the whole of a cache line is used while it is there. The pixels that the tile to the right
 * adds are asked for ahead (where there is none, in vain). */
static inline __attribute__((always_inline)) void input_2d(float *v, size_t plane, const float *const *pixel,
                                                           int channels, int m)
{
    int t = m + 2;
    for (int c = 0; c < channels; c += CPU_NR) {
        vec mid[PARTS][CPU_WINOGRAD_MAX_T][CPU_WINOGRAD_MAX_T], d[CPU_WINOGRAD_MAX_T], o[CPU_WINOGRAD_MAX_T];
        for (int j = 0; j < t; j++) {
            for (int i = 0; i < t && j >= 2; i++)
                __builtin_prefetch(pixel[i * t + j] + m * channels + c);
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
#pragma GCC unroll 8
                for (int i = 0; i < t; i++)
                    d[i] = load(pixel[i * t + j] + c + LANES * part);
                input_1d(o, d, m);
#pragma GCC unroll 8
                for (int i = 0; i < t; i++)
                    mid[part][i][j] = o[i];
            }
        }
        for (int i = 0; i < t; i++)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                input_1d(o, mid[part][i], m);
#pragma GCC unroll 8
                for (int j = 0; j < t; j++)
                    store(v + (size_t)(i * t + j) * plane + c + LANES * part, o[j]);
            }
    }
}

static inline __attribute__((always_inline)) void delta_2d(float *v, size_t plane, const float *const *pixel,
                                                           int channels, int m)
{
    int t = m + 2;
    for (int c = 0; c < channels; c += CPU_NR) {
        vec mid[PARTS][CPU_WINOGRAD_MAX_T][CPU_WINOGRAD_MAX_M], d[CPU_WINOGRAD_MAX_M], o[CPU_WINOGRAD_MAX_T];
        vec sum[PARTS];
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++)
            sum[part] = zero();
        for (int j = 0; j < m; j++)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
#pragma GCC unroll 8
                for (int i = 0; i < m; i++) {
                    d[i] = load(pixel[i * m + j] + c + LANES * part);
                    sum[part] = add(sum[part], d[i]);
                }
                delta_1d(o, d, m);
#pragma GCC unroll 8
                for (int i = 0; i < t; i++)
                    mid[part][i][j] = o[i];
            }
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++)
            store(v + (size_t)(t * t) * plane + c + LANES * part, sum[part]);
        for (int i = 0; i < t; i++)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                delta_1d(o, mid[part][i], m);
#pragma GCC unroll 8
                for (int j = 0; j < t; j++)
                    store(v + (size_t)(i * t + j) * plane + c + LANES * part, o[j]);
            }
    }
}

/* Stores one vector of pixels with the mask. */
static inline __attribute__((always_inline)) void pixel_store(const struct cpu_winograd_out *out, size_t at, vec x)
{
    if (out->mask) x = where(positive(load(out->mask + at)), x);
    store(out->y + at, x);
}

/* The maximum of a window and, where asked for, its place. */
static inline __attribute__((always_inline)) void window_store(const struct cpu_winograd_out *out, size_t at, vec a,
                                                               vec b, vec c, vec d)
{
    words place;
    store(out->y + at, window_max(a, b, c, d, &place));
    if (out->arg) store_bytes(out->arg + at, place);
}

static inline __attribute__((always_inline)) void output_2d(const struct cpu_winograd_out *out, const float *v,
                                                            size_t plane, int channels, int m)
{
    int t = m + 2;
    for (int c = 0; c < channels; c += LANES) {
        vec mid[CPU_WINOGRAD_MAX_M][CPU_WINOGRAD_MAX_T], d[CPU_WINOGRAD_MAX_T], o[CPU_WINOGRAD_MAX_M];
        vec tile[CPU_WINOGRAD_MAX_M][CPU_WINOGRAD_MAX_M];
        for (int j = 0; j < t; j++) {
#pragma GCC unroll 8
            for (int i = 0; i < t; i++)
                d[i] = load(v + (size_t)(i * t + j) * plane + c);
            output_1d(o, d, m);
#pragma GCC unroll 8
            for (int i = 0; i < m; i++)
                mid[i][j] = o[i];
        }
        vec bias = out->bias ? load(out->bias + c) : zero();
        for (int i = 0; i < m; i++) {
            output_1d(o, mid[i], m);
#pragma GCC unroll 8
            for (int j = 0; j < m; j++) {
                vec x = add(o[j], bias);
                tile[i][j] = out->relu ? relu(x) : x;
            }
        }
        for (int i = 0; i < out->rows; i++)
            for (int j = 0; j < out->cols; j++) {
                size_t at = (size_t)i * out->row + (size_t)j * out->pixel + (size_t)c;
                if (out->pool)
                    window_store(out, at, tile[2 * i][2 * j], tile[2 * i][2 * j + 1], tile[2 * i + 1][2 * j],
                                 tile[2 * i + 1][2 * j + 1]);
                else
                    pixel_store(out, at, tile[i][j]);
            }
    }
}

static inline __attribute__((always_inline)) void filter_2d(float *u, size_t plane, const float *w, size_t tap_step,
                                                            size_t row_step, int rows, int m)
{
    int t = m + 2;
    for (int r = 0; r < rows; r++, u += CPU_NR, w += row_step)
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++) {
            vec mid[CPU_WINOGRAD_MAX_T][3], d[3], o[CPU_WINOGRAD_MAX_T];
#pragma GCC unroll 3
            for (int j = 0; j < 3; j++) {
#pragma GCC unroll 3
                for (int i = 0; i < 3; i++)
                    d[i] = load(w + (size_t)(i * 3 + j) * tap_step + LANES * part);
                filter_1d(o, d, m);
#pragma GCC unroll 8
                for (int i = 0; i < t; i++)
                    mid[i][j] = o[i];
            }
            for (int i = 0; i < t; i++) {
                filter_1d(o, mid[i], m);
#pragma GCC unroll 8
                for (int j = 0; j < t; j++)
                    store(u + (size_t)(i * t + j) * plane + LANES * part, o[j]);
            }
        }
}

static inline __attribute__((always_inline)) void adjoint_2d(float *dw, size_t tap_step, size_t row_step,
                                                             const float *u, size_t plane, int rows, int m)
{
    int t = m + 2;
    for (int r = 0; r < rows; r++, u += CPU_NR, dw += row_step)
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++) {
            vec mid[3][CPU_WINOGRAD_MAX_T], d[CPU_WINOGRAD_MAX_T], o[3];
            for (int j = 0; j < t; j++) {
#pragma GCC unroll 8
                for (int i = 0; i < t; i++)
                    d[i] = load(u + (size_t)(i * t + j) * plane + LANES * part);
                adjoint_1d(o, d, m);
#pragma GCC unroll 3
                for (int i = 0; i < 3; i++)
                    mid[i][j] = o[i];
            }
            for (int i = 0; i < 3; i++) {
                adjoint_1d(o, mid[i], m);
#pragma GCC unroll 3
                for (int j = 0; j < 3; j++) {
                    float *to = dw + (size_t)(i * 3 + j) * tap_step + LANES * part;
                    store(to, add(load(to), o[j]));
                }
            }
        }
}

static void input2(float *v, size_t plane, const float *const *pixel, int channels)
{
    input_2d(v, plane, pixel, channels, 2);
}
static void input4(float *v, size_t plane, const float *const *pixel, int channels)
{
    input_2d(v, plane, pixel, channels, 4);
}
static void input6(float *v, size_t plane, const float *const *pixel, int channels)
{
    input_2d(v, plane, pixel, channels, 6);
}

static void output2(const struct cpu_winograd_out *out, const float *v, size_t plane, int channels)
{
    output_2d(out, v, plane, channels, 2);
}
static void output4(const struct cpu_winograd_out *out, const float *v, size_t plane, int channels)
{
    output_2d(out, v, plane, channels, 4);
}
static void output6(const struct cpu_winograd_out *out, const float *v, size_t plane, int channels)
{
    output_2d(out, v, plane, channels, 6);
}

static void delta2(float *v, size_t plane, const float *const *pixel, int channels)
{
    delta_2d(v, plane, pixel, channels, 2);
}
static void delta4(float *v, size_t plane, const float *const *pixel, int channels)
{
    delta_2d(v, plane, pixel, channels, 4);
}
static void delta6(float *v, size_t plane, const float *const *pixel, int channels)
{
    delta_2d(v, plane, pixel, channels, 6);
}

static void filter2(float *u, size_t plane, const float *w, size_t tap_step, size_t row_step, int rows)
{
    filter_2d(u, plane, w, tap_step, row_step, rows, 2);
}
static void filter4(float *u, size_t plane, const float *w, size_t tap_step, size_t row_step, int rows)
{
    filter_2d(u, plane, w, tap_step, row_step, rows, 4);
}
static void filter6(float *u, size_t plane, const float *w, size_t tap_step, size_t row_step, int rows)
{
    filter_2d(u, plane, w, tap_step, row_step, rows, 6);
}

static void adjoint2(float *dw, size_t tap_step, size_t row_step, const float *u, size_t plane, int rows)
{
    adjoint_2d(dw, tap_step, row_step, u, plane, rows, 2);
}
static void adjoint4(float *dw, size_t tap_step, size_t row_step, const float *u, size_t plane, int rows)
{
    adjoint_2d(dw, tap_step, row_step, u, plane, rows, 4);
}
static void adjoint6(float *dw, size_t tap_step, size_t row_step, const float *u, size_t plane, int rows)
{
    adjoint_2d(dw, tap_step, row_step, u, plane, rows, 6);
}

static const struct cpu_winograd_kernels winograd[3] = {
    { 2, input2, output2, delta2, filter2, adjoint2 },
    { 4, input4, output4, delta4, filter4, adjoint4 },
    { 6, input6, output6, delta6, filter6, adjoint6 },
};

#endif
