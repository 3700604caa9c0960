/* positive.glsl: x > 0 by the bits of x, where a denormal counts as 0 on every device, whether it flushes them or not;
 * ReLU by the bits, which keeps a NaN on every device: max(x, 0) may give either; and what keeps one in maxima. */

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

/* |v| by the bits; that of a NaN is larger than all others. */
const uint INFINITY_BITS = 0x7F800000u;

uint size_bits(float v)
{
    return floatBitsToUint(v) & 0x7FFFFFFFu;
}

uvec2 size_bits(vec2 v)
{
    return floatBitsToUint(v) & 0x7FFFFFFFu;
}

uvec4 size_bits(vec4 v)
{
    return floatBitsToUint(v) & 0x7FFFFFFFu;
}

/* The largest of a window, `best` by comparisons; NaN where one of its sizes is that of a NaN. `size`: their largest. */
float maximum(float best, uint size)
{
    return size > INFINITY_BITS ? uintBitsToFloat(size) : best;
}

vec2 maximum(vec2 best, uvec2 size)
{
    return mix(best, uintBitsToFloat(size), greaterThan(size, uvec2(INFINITY_BITS)));
}

vec4 maximum(vec4 best, uvec4 size)
{
    return mix(best, uintBitsToFloat(size), greaterThan(size, uvec4(INFINITY_BITS)));
}
