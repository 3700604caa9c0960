/* positive.glsl: x > 0 by the bits of x, where a denormal counts as 0 on every device, whether it flushes them or not;
 * and ReLU by the bits, which keeps a NaN on every device: max(x, 0) may give either. */

bool positive(int bits)
{
    return bits >= 0x00800000 && bits <= 0x7F800000;
}

bvec4 positive(ivec4 bits)
{
    return bvec4(positive(bits.x), positive(bits.y), positive(bits.z), positive(bits.w));
}

const int MINUS_INFINITY = int(0xFF800000u); /* as an integer the largest of all that are negative and no NaN */

float relu(float v)
{
    return floatBitsToInt(v) <= MINUS_INFINITY ? 0.0 : v;
}

vec2 relu(vec2 v)
{
    return mix(v, vec2(0), lessThanEqual(floatBitsToInt(v), ivec2(MINUS_INFINITY)));
}

vec4 relu(vec4 v)
{
    return mix(v, vec4(0), lessThanEqual(floatBitsToInt(v), ivec4(MINUS_INFINITY)));
}
