#include <arm_neon.h>

#include "core/base/rng.h"
#include "cpu/cpu_kernels.h"

/* Low and high words of x times m in each of 4 lanes. */
static inline uint32x4_t multiply(uint32x4_t *high, uint32x4_t x, uint32_t m)
{
    uint64x2_t first = vmull_n_u32(vget_low_u32(x), m), second = vmull_high_n_u32(x, m);
    *high = vuzp2q_u32(vreinterpretq_u32_u64(first), vreinterpretq_u32_u64(second));
    return vuzp1q_u32(vreinterpretq_u32_u64(first), vreinterpretq_u32_u64(second));
}

/* Philox4x32-10 of 4 counters that differ in their low word c0; source as in core/base/rng.h. */
static inline uint32x4x4_t philox(uint32x4_t c0, uint32_t high, uint64_t stream, uint64_t key)
{
    uint32x4_t c1 = vdupq_n_u32(high), c2 = vdupq_n_u32((uint32_t)stream);
    uint32x4_t c3 = vdupq_n_u32((uint32_t)(stream >> 32));
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint32x4_t high0, high1, low0 = multiply(&high0, c0, 0xD2511F53u), low1 = multiply(&high1, c2, 0xCD9E8D57u);
        c0 = veorq_u32(veorq_u32(high1, c1), vdupq_n_u32(k0));
        c2 = veorq_u32(veorq_u32(high0, c3), vdupq_n_u32(k1));
        c1 = low1, c3 = low0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return (uint32x4x4_t) { { c0, c1, c2, c3 } };
}

/* 16 elements whose first index is a multiple of 4 and whose counters share their high word. */
static inline void dropout16(float *y, const float *x, uint64_t index, const struct cpu_dropout *dropout)
{
    static const uint32_t lanes[4] = { 0, 1, 2, 3 };
    uint64_t block = index / 4;
    uint32_t number[16];
    uint32x4_t c0 = vaddq_u32(vdupq_n_u32((uint32_t)block), vld1q_u32(lanes));
    uint32_t high = (uint32_t)VGG_RNG_DROPOUT << 24 | ((uint32_t)(block >> 32) & 0xFFFFFFu);
    vst4q_u32(number, philox(c0, high, dropout->stream, dropout->seed)); /* interleaves: the order of the stream */
    for (int q = 0; q < 4; q++) {
        uint32x4_t kept = vcgeq_u32(vld1q_u32(number + 4 * q), vdupq_n_u32(dropout->threshold));
        float32x4_t value = vdivq_f32(vld1q_f32(x + 4 * q), vdupq_n_f32(dropout->keep));
        vst1q_f32(y + 4 * q, vreinterpretq_f32_u32(vandq_u32(kept, vreinterpretq_u32_f32(value))));
    }
}

void cpu_dropout_neon(float *y, const float *x, size_t count, uint64_t index, const struct cpu_dropout *dropout)
{
    size_t i = (size_t)(-index & 3);
    if (i > count) i = count;
    cpu_dropout_c(y, x, i, index, dropout);
    for (; i + 16 <= count; i += 16) {
        if ((uint32_t)((index + i) / 4) > UINT32_MAX - 3)
            cpu_dropout_c(y + i, x + i, 16, index + i, dropout);
        else
            dropout16(y + i, x + i, index + i, dropout);
    }
    cpu_dropout_c(y + i, x + i, count - i, index + i, dropout);
}
