/* cpu_bf16.h: fp32 values rounded to bf16, the upper half of an fp32. */
#ifndef CPU_CPU_BF16_H
#define CPU_CPU_BF16_H

#include <stdint.h>
#include <string.h>

/* To the nearest, ties to even; too large a value becomes infinite, a NaN stays one. */
static inline uint16_t cpu_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* The value that a bf16 stands for. */
static inline float cpu_bf16_value(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Two of them in a word, the first in the low half. */
static inline uint32_t cpu_bf16_pair(float first, float second)
{
    return cpu_bf16(first) | (uint32_t)cpu_bf16(second) << 16;
}

#endif
