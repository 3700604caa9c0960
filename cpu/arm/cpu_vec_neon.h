/* cpu_vec_neon.h: the vectors of cpu_vec.h by NEON. */
#ifndef CPU_ARM_CPU_VEC_NEON_H
#define CPU_ARM_CPU_VEC_NEON_H

#include <arm_neon.h>
#ifdef VGG16_SLEEF
#include <sleef.h>
#endif
#include <string.h>

enum { LANES = 4, SUMS = 24 };
typedef float32x4_t vec;
typedef uint32x4_t words, truth;
typedef struct {
    float64x2_t low, high;
} sums;

#include "cpu/cpu_vec.h"

static inline vec load(const float *x)
{
    return vld1q_f32(x);
}

static inline void store(float *y, vec x)
{
    vst1q_f32(y, x);
}

static inline vec splat(float x)
{
    return vdupq_n_f32(x);
}

static inline vec add(vec x, vec y)
{
    return vaddq_f32(x, y);
}

static inline vec sub(vec x, vec y)
{
    return vsubq_f32(x, y);
}

static inline vec mul(vec x, vec y)
{
    return vmulq_f32(x, y);
}

static inline vec quotient(vec x, vec y)
{
    return vdivq_f32(x, y);
}

static inline vec root(vec x)
{
    return vsqrtq_f32(x);
}

static inline vec fused(vec a, vec x, vec y)
{
    return vfmaq_f32(y, a, x);
}

/* FMAX gives a NaN where one of its operands is one. */
static inline vec relu(vec x)
{
    return vmaxq_f32(x, zero());
}

static inline vec minus_magnitude(vec x)
{
    return vnegq_f32(vabsq_f32(x));
}

#ifdef VGG16_SLEEF
static inline vec exponential(vec x)
{
    return Sleef_expf4_u10advsimd(x);
}

static inline vec log_1_plus(vec x)
{
    return Sleef_log1pf4_u10advsimd(x);
}
#else
#include "cpu/cpu_libm.h"
#endif

static inline truth larger(vec x, vec y)
{
    return vcgtq_f32(x, y);
}

static inline truth unordered(vec x, vec y)
{
    x = vmaxq_f32(x, y); /* FMAX gives a NaN where one is */
    return vmvnq_u32(vceqq_f32(x, x));
}

static inline truth both(truth a, truth b)
{
    return vandq_u32(a, b);
}

static inline truth either(truth a, truth b)
{
    return vorrq_u32(a, b);
}

static inline vec choose(truth yes, vec x, vec y)
{
    return vbslq_f32(yes, x, y);
}

static inline vec where(truth yes, vec x)
{
    return vreinterpretq_f32_u32(vandq_u32(yes, vreinterpretq_u32_f32(x)));
}

static inline truth first_lanes(size_t n)
{
    return vcgtq_u32(splat_words((uint32_t)(n < LANES ? n : LANES)), counters());
}

static inline vec load_some(const float *x, size_t n)
{
    float lane[LANES] = { 0 };
    if (n >= LANES) return load(x);
    memcpy(lane, x, n * sizeof *lane);
    return load(lane);
}

static inline void store_some(float *y, vec x, size_t n)
{
    float lane[LANES];
    if (n >= LANES) {
        store(y, x);
        return;
    }
    store(lane, x);
    memcpy(y, lane, n * sizeof *lane);
}

static inline words splat_words(uint32_t x)
{
    return vdupq_n_u32(x);
}

static inline words add_words(words x, words y)
{
    return vaddq_u32(x, y);
}

static inline words xor_words(words x, words y)
{
    return veorq_u32(x, y);
}

static inline words multiply(words *high, words x, uint32_t m)
{
    words first = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(x), m));
    words second = vreinterpretq_u32_u64(vmull_high_n_u32(x, m));
    *high = vuzp2q_u32(first, second);
    return vuzp1q_u32(first, second);
}

static inline truth equal(words x, words y)
{
    return vceqq_u32(x, y);
}

static inline truth at_least(words x, words y)
{
    return vcgeq_u32(x, y);
}

static inline words choose_words(truth yes, words x, words y)
{
    return vbslq_u32(yes, x, y);
}

static inline words counters(void)
{
    return (words) { 0, 1, 2, 3 };
}

static inline void in_order(words number[4], const words r[4])
{
    words a = vzip1q_u32(r[0], r[2]), b = vzip1q_u32(r[1], r[3]), c = vzip2q_u32(r[0], r[2]),
          d = vzip2q_u32(r[1], r[3]);
    number[0] = vzip1q_u32(a, b);
    number[1] = vzip2q_u32(a, b);
    number[2] = vzip1q_u32(c, d);
    number[3] = vzip2q_u32(c, d);
}

static inline words load_bytes(const uint8_t *x)
{
    uint32_t four;
    memcpy(&four, x, sizeof four);
    return vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)))));
}

static inline void store_bytes(uint8_t *y, words x)
{
    uint16x4_t pairs = vmovn_u32(x);
    uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(pairs, pairs))), 0);
    memcpy(y, &four, sizeof four);
}

static inline sums no_sums(void)
{
    return (sums) { vdupq_n_f64(0), vdupq_n_f64(0) };
}

static inline sums add_to(sums sum, vec x)
{
    return (sums) { vaddq_f64(sum.low, vcvt_f64_f32(vget_low_f32(x))), vaddq_f64(sum.high, vcvt_high_f64_f32(x)) };
}

static inline sums add_from(sums sum, const float *x)
{
    return add_to(sum, load(x));
}

static inline vec mean(sums sum, double count)
{
    float64x2_t by = vdupq_n_f64(count);
    return vcvt_high_f32_f64(vcvt_f32_f64(vdivq_f64(sum.low, by)), vdivq_f64(sum.high, by));
}

static inline double total(sums sum)
{
    return vaddvq_f64(vaddq_f64(sum.low, sum.high));
}

#endif
