/* cpu_winograd_neon.c: the transforms of cpu_winograd.h for NEON, vectors along channels. */
#include <arm_neon.h>
#include <string.h>

#include "cpu/cpu_winograd.h"

typedef float32x4_t vec;
enum { LANES = 4 };

static inline __attribute__((always_inline)) vec load(const float *x)
{
    return vld1q_f32(x);
}

static inline __attribute__((always_inline)) void store(float *y, vec x)
{
    vst1q_f32(y, x);
}

static inline __attribute__((always_inline)) vec zero(void)
{
    return vdupq_n_f32(0);
}

static inline __attribute__((always_inline)) vec mul(float a, vec x)
{
    return vmulq_f32(vdupq_n_f32(a), x);
}

/* a x + y */
static inline __attribute__((always_inline)) vec fma_(float a, vec x, vec y)
{
    return vfmaq_f32(y, vdupq_n_f32(a), x);
}

static inline __attribute__((always_inline)) vec add(vec x, vec y)
{
    return vaddq_f32(x, y);
}

static inline __attribute__((always_inline)) vec sub(vec x, vec y)
{
    return vsubq_f32(x, y);
}

/* FMAX gives a NaN where one of its operands is one. */
static inline __attribute__((always_inline)) vec relu(vec x)
{
    return vmaxq_f32(x, zero());
}

static inline __attribute__((always_inline)) void pixel_store(const struct cpu_winograd_out *out, size_t at, vec v)
{
    if (out->mask) {
        uint32x4_t keep = vcgtq_f32(vld1q_f32(out->mask + at), zero());
        v = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), keep));
    }
    vst1q_f32(out->y + at, v);
}

static inline __attribute__((always_inline)) void window_store(const struct cpu_winograd_out *out, size_t at, vec a,
                                                               vec b, vec c, vec d)
{
    const vec v[3] = { b, c, d };
    uint32x4_t place = vdupq_n_u32(0);
#pragma GCC unroll 3
    for (uint32_t q = 0; q < 3; q++) {
        uint32x4_t more = vcgtq_f32(v[q], a);
        a = vbslq_f32(more, v[q], a);
        place = vbslq_u32(more, vdupq_n_u32(q + 1), place);
    }
    vst1q_f32(out->y + at, a);
    if (!out->arg) return;
    uint16x4_t words = vmovn_u32(place);
    uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
    memcpy(out->arg + at, &bytes, sizeof bytes);
}

#include "cpu/cpu_winograd_tile.h"

const struct cpu_winograd_kernels cpu_winograd_neon[3] = {
    { 2, input2, output2, delta2, filter2, adjoint2 },
    { 4, input4, output4, delta4, filter4, adjoint4 },
    { 6, input6, output6, delta6, filter6, adjoint6 },
};
