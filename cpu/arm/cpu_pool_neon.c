#include <arm_neon.h>

#include "cpu/cpu_kernels.h"

/* The larger of two pixels, the first if neither is larger, and where it came from. */
static inline float32x4_t take_larger(float32x4_t best, float32x4_t x, uint32x4_t *from, uint32_t q)
{
    uint32x4_t larger = vcgtq_f32(x, best);
    *from = vbslq_u32(larger, vdupq_n_u32(q), *from);
    return vbslq_f32(larger, x, best);
}

/* One group of 4 channels of one window whose pixels lie c apart. */
static inline float32x4_t window(const float *row0, const float *row1, size_t c, uint32x4_t *from)
{
    float32x4_t best = vld1q_f32(row0);
    *from = vdupq_n_u32(0);
    best = take_larger(best, vld1q_f32(row0 + c), from, 1);
    best = take_larger(best, vld1q_f32(row1), from, 2);
    return take_larger(best, vld1q_f32(row1 + c), from, 3);
}

void cpu_pool2_row_neon(float *y, uint8_t *arg, const float *x0, const float *x1, size_t w, size_t c)
{
    if (c % 8) {
        cpu_pool2_row_c(y, arg, x0, x1, w, c);
        return;
    }
    for (size_t p = 0; p < w; p++) {
        const float *row0 = x0 + 2 * p * c, *row1 = x1 + 2 * p * c;
        for (size_t k = 0; k < c; k += 8) {
            uint32x4_t from0, from1;
            vst1q_f32(y + p * c + k, window(row0 + k, row1 + k, c, &from0));
            vst1q_f32(y + p * c + k + 4, window(row0 + k + 4, row1 + k + 4, c, &from1));
            if (arg) vst1_u8(arg + p * c + k, vmovn_u16(vcombine_u16(vmovn_u32(from0), vmovn_u32(from1))));
        }
    }
}

/* x where mask is set, else 0. */
static inline float32x4_t where(uint32x4_t mask, float32x4_t x)
{
    return vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(x)));
}

static inline float32x4_t where_positive(float32x4_t mask, float32x4_t x)
{
    return where(vcgtq_f32(mask, vdupq_n_f32(0)), x);
}

static inline void unpool(float *row0, float *row1, size_t c, float32x4_t d, uint32x4_t from)
{
    vst1q_f32(row0, where(vceqq_u32(from, vdupq_n_u32(0)), d));
    vst1q_f32(row0 + c, where(vceqq_u32(from, vdupq_n_u32(1)), d));
    vst1q_f32(row1, where(vceqq_u32(from, vdupq_n_u32(2)), d));
    vst1q_f32(row1 + c, where(vceqq_u32(from, vdupq_n_u32(3)), d));
}

void cpu_pool2_bwd_row_neon(float *dx0, float *dx1, const float *dy, const uint8_t *arg, const float *y, size_t w,
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
            float32x4_t low = vld1q_f32(dy + i), high = vld1q_f32(dy + i + 4);
            if (y) {
                low = where_positive(vld1q_f32(y + i), low);
                high = where_positive(vld1q_f32(y + i + 4), high);
            }
            uint16x8_t from = vmovl_u8(vld1_u8(arg + i));
            unpool(row0 + k, row1 + k, c, low, vmovl_u16(vget_low_u16(from)));
            unpool(row0 + k + 4, row1 + k + 4, c, high, vmovl_u16(vget_high_u16(from)));
        }
    }
}

void cpu_avgpool_neon(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    float64x2_t count = vdupq_n_f64((double)pixels);
    size_t k = 0;
    for (; k + 4 <= c; k += 4) {
        float64x2_t low = vdupq_n_f64(0), high = vdupq_n_f64(0);
        for (size_t p = 0; p < pixels; p++) {
            float32x4_t value = vld1q_f32(x + p * stride + k);
            low = vaddq_f64(low, vcvt_f64_f32(vget_low_f32(value)));
            high = vaddq_f64(high, vcvt_high_f64_f32(value));
        }
        vst1q_f32(y + k, vcvt_high_f32_f64(vcvt_f32_f64(vdivq_f64(low, count)), vdivq_f64(high, count)));
    }
    cpu_avgpool_c(y + k, x + k, pixels, stride, c - k);
}

void cpu_avgpool_bwd_neon(float *dx, const float *dy, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + 4 <= c; k += 4) {
        float32x4_t d = vdivq_f32(vld1q_f32(dy + k), vdupq_n_f32((float)pixels));
        for (size_t p = 0; p < pixels; p++)
            vst1q_f32(dx + p * stride + k, x ? where_positive(vld1q_f32(x + p * stride + k), d) : d);
    }
    cpu_avgpool_bwd_c(dx + k, dy + k, x ? x + k : NULL, pixels, stride, c - k);
}

void cpu_gmaxpool_neon(float *y, const float *x, size_t pixels, size_t stride, size_t c)
{
    size_t k = 0;
    for (; k + 4 <= c; k += 4) {
        float32x4_t best = vld1q_f32(x + k);
        for (size_t p = 1; p < pixels; p++) {
            float32x4_t value = vld1q_f32(x + p * stride + k);
            best = vbslq_f32(vcgtq_f32(value, best), value, best);
        }
        vst1q_f32(y + k, best);
    }
    cpu_gmaxpool_c(y + k, x + k, pixels, stride, c - k);
}

void cpu_gmaxpool_bwd_neon(float *dx, const float *dy, const float *x, bool relu, size_t pixels, size_t stride,
                           size_t c)
{
    size_t k = 0;
    for (; k + 4 <= c; k += 4) {
        float32x4_t best = vld1q_f32(x + k), d = vld1q_f32(dy + k);
        uint32x4_t at = vdupq_n_u32(0);
        for (size_t p = 1; p < pixels; p++)
            best = take_larger(best, vld1q_f32(x + p * stride + k), &at, (uint32_t)p);
        if (relu) d = where_positive(best, d);
        for (size_t p = 0; p < pixels; p++)
            vst1q_f32(dx + p * stride + k, where(vceqq_u32(at, vdupq_n_u32((uint32_t)p)), d));
    }
    cpu_gmaxpool_bwd_c(dx + k, dy + k, x + k, relu, pixels, stride, c - k);
}
