/* half.glsl: fp32 values rounded to what fp16 holds, by their bits, the same on every device: to nearest even, below
 * 2^-14 to a multiple of 2^-24, finite ones of more than 65504 to that, but gradients from 65520 on to an infinity, which
 * whoever scales the loss finds; infinities and NaN stay. */
#ifndef HALF_GLSL
#define HALF_GLSL

/* What is too large alone: the rest stays as it is. */
vec4 half_range(vec4 v, bool gradients)
{
    const uint LEAST = 0x477FF000u, INFINITE = 0x7F800000u; /* 65520 */
    uvec4 bits = floatBitsToUint(v), size = bits & 0x7FFFFFFFu;
    vec4 beyond = gradients ? uintBitsToFloat(bits ^ size | max(size, uvec4(INFINITE))) : v;
    bvec4 large = greaterThanEqual(size, uvec4(gradients ? LEAST : INFINITE));
    return mix(clamp(v, vec4(-65504), vec4(65504)), beyond, large);
}

/* Of a value that is not too large. */
float half_nearest(float v)
{
    const uint SMALLEST = 0x38800000u, INFINITE = 0x7F800000u; /* 2^-14 */
    uint bits = floatBitsToUint(v), size = bits & 0x7FFFFFFFu, sign = bits ^ size;
    if (size >= INFINITE) return v;
    precise float small = uintBitsToFloat(size) + 0.5; /* whose last place is 2^-24 */
    small -= 0.5;
    uint rounded = size + 0xFFFu + (size >> 13 & 1u) & ~0x1FFFu;
    return uintBitsToFloat(sign | (size < SMALLEST ? floatBitsToUint(small) : rounded));
}

vec4 half_round(vec4 v, bool gradients)
{
    v = half_range(v, gradients);
    return vec4(half_nearest(v.x), half_nearest(v.y), half_nearest(v.z), half_nearest(v.w));
}

#endif
