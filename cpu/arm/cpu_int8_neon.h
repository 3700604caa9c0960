/* cpu_int8_neon.h: the words of cpu_int8_vec.h by NEON. Products are of signed bytes: Vq of the signed taps stands as
 * it is, what is unsigned 128 too small. The file that includes it has included cpu_vec_neon.h and defined ROWS, COLS
 * and CHUNK, 16 or 8. */
#ifndef CPU_ARM_CPU_INT8_NEON_H
#define CPU_ARM_CPU_INT8_NEON_H

#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

enum { STEP = 16, SHIFT_PLUS = -128 };

/* 16 integers of 16 bits. */
typedef struct {
    int16x8_t low, high;
} wide;

static inline __attribute__((always_inline)) wide difference(const uint8_t *a, const uint8_t *b)
{
    uint8x16_t x = vld1q_u8(a), y = vld1q_u8(b);
    return (wide) { vreinterpretq_s16_u16(vsubl_u8(vget_low_u8(x), vget_low_u8(y))),
                    vreinterpretq_s16_u16(vsubl_high_u8(x, y)) };
}

static inline __attribute__((always_inline)) wide sum(const uint8_t *a, const uint8_t *b)
{
    uint8x16_t x = vld1q_u8(a), y = vld1q_u8(b);
    return (wide) { vreinterpretq_s16_u16(vaddl_u8(vget_low_u8(x), vget_low_u8(y))),
                    vreinterpretq_s16_u16(vaddl_high_u8(x, y)) };
}

static inline wide wide_zero(void)
{
    return (wide) { vdupq_n_s16(0), vdupq_n_s16(0) };
}

static inline wide wide_add(wide x, wide y)
{
    return (wide) { vaddq_s16(x.low, y.low), vaddq_s16(x.high, y.high) };
}

static inline wide wide_sub(wide x, wide y)
{
    return (wide) { vsubq_s16(x.low, y.low), vsubq_s16(x.high, y.high) };
}

static inline wide wide_scale(wide x, int16_t by)
{
    return (wide) { vqrdmulhq_n_s16(x.low, by), vqrdmulhq_n_s16(x.high, by) };
}

static inline __attribute__((always_inline)) void put_chunks(uint8_t *to, uint8x16_t x)
{
    if (CHUNK == 16) {
        vst1q_u8(to, x);
    } else {
        vst1_u8(to, vget_low_u8(x));
        vst1_u8(to + ROWS * CHUNK, vget_high_u8(x));
    }
}

static inline __attribute__((always_inline)) void put_signed(uint8_t *to, wide x)
{
    put_chunks(to, vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(x.low), x.high)));
}

static inline __attribute__((always_inline)) void put_plus(uint8_t *to, wide x)
{
    put_chunks(to, veorq_u8(vqmovun_high_s16(vqmovun_s16(x.low), x.high), vdupq_n_u8(0x80)));
}

static inline vec fused_minus(vec a, vec x, vec y)
{
    return vfmsq_f32(y, a, x);
}

static inline vec numbers(const int32_t *x)
{
    return vcvtq_f32_s32(vld1q_s32(x));
}

static inline vec larger_of(vec x, vec y)
{
    return vmaxq_f32(x, y);
}

/* The conversion cuts at 0 and makes a NaN 0. */
static inline void put_bytes(uint8_t *to, vec x)
{
    uint16x4_t half = vqmovn_u32(vcvtnq_u32_f32(x));
    uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vqmovn_u16(vcombine_u16(half, half))), 0);
    memcpy(to, &four, sizeof four);
}

#include "cpu/cpu_int8_vec.h"

#endif
