#include <string.h>

#include "core/format/safetensors.h"

size_t vgg_dtype_size(enum vgg_dtype dtype)
{
    switch (dtype) {
    case VGG_DTYPE_F64:
    case VGG_DTYPE_I64: return 8;
    case VGG_DTYPE_F32:
    case VGG_DTYPE_I32: return 4;
    case VGG_DTYPE_F16:
    case VGG_DTYPE_BF16: return 2;
    case VGG_DTYPE_U8: return 1;
    case VGG_DTYPE_OTHER: break;
    }
    return 0;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16 to binary32, exact; NaN payloads are kept. */
static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31) return float_of_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent != 0) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float subnormal = (float)fraction * 0x1p-24f;
    return sign ? -subnormal : subnormal;
}

/* binary32 to binary16. False: finite, but rounds to more than 65504. */
static bool half_of_float(uint16_t *half, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x7f800000) {
        uint32_t quiet = magnitude > 0x7f800000 ? 0x200 : 0;
        *half = (uint16_t)(sign | 0x7c00 | quiet | (magnitude >> 13 & 1023));
        return true;
    }
    if (magnitude < 0x38800000) { /* subnormal: 1/2 has the same unit in the last place, so that the sum rounds right */
        float sum = float_of_bits(magnitude) + 0.5f;
        memcpy(&bits, &sum, sizeof bits);
        *half = (uint16_t)(sign | (bits - 0x3f000000));
        return true;
    }
    magnitude += 0xfff + (magnitude >> 13 & 1);
    *half = (uint16_t)(sign | (magnitude - (112u << 23)) >> 13);
    return magnitude < 0x47800000;
}

size_t vgg_dtype_to_f16(uint16_t *dst, const float *src, size_t count)
{
    size_t i = 0;
    while (i < count && half_of_float(&dst[i], src[i]))
        i++;
    return i;
}

void vgg_dtype_to_f32(float *dst, const void *src, enum vgg_dtype dtype, size_t count)
{
    const unsigned char *at = src;
    size_t size = vgg_dtype_size(dtype);
    if (dtype == VGG_DTYPE_F32) {
        if (count) memcpy(dst, src, count * size);
        return;
    }
    for (size_t i = 0; i < count; i++, at += size) {
        uint16_t half;
        double real;
        int64_t wide;
        int32_t word;
        switch (dtype) {
        case VGG_DTYPE_F32: break;
        case VGG_DTYPE_F16:
            memcpy(&half, at, sizeof half);
            dst[i] = float_of_half(half);
            break;
        case VGG_DTYPE_BF16:
            memcpy(&half, at, sizeof half);
            dst[i] = float_of_bits((uint32_t)half << 16);
            break;
        case VGG_DTYPE_F64:
            memcpy(&real, at, sizeof real);
            dst[i] = (float)real;
            break;
        case VGG_DTYPE_I64:
            memcpy(&wide, at, sizeof wide);
            dst[i] = (float)wide;
            break;
        case VGG_DTYPE_I32:
            memcpy(&word, at, sizeof word);
            dst[i] = (float)word;
            break;
        case VGG_DTYPE_U8: dst[i] = *at; break;
        case VGG_DTYPE_OTHER: dst[i] = 0; break;
        }
    }
}
