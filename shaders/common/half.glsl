/* half.glsl: fp32 values rounded to what fp16 holds, by their bits, the same on every device: to nearest even, below
 * 2^-14 to a multiple of 2^-24, finite ones of more than 65504 to that; infinities and NaN stay. */
#ifndef HALF_GLSL
#define HALF_GLSL

float half_round(float v)
{
    const uint LARGEST = 0x477FE000u, SMALLEST = 0x38800000u, INFINITE = 0x7F800000u; /* 65504, 2^-14 */
    uint bits = floatBitsToUint(v), size = bits & 0x7FFFFFFFu, sign = bits ^ size;
    if (size >= INFINITE) return v;
    precise float small = uintBitsToFloat(size) + 0.5; /* whose last place is 2^-24 */
    small -= 0.5;
    uint rounded = min(size + 0xFFFu + (size >> 13 & 1u) & ~0x1FFFu, LARGEST);
    return uintBitsToFloat(sign | (size < SMALLEST ? floatBitsToUint(small) : rounded));
}

vec4 half_round(vec4 v)
{
    return vec4(half_round(v.x), half_round(v.y), half_round(v.z), half_round(v.w));
}

#endif
