/* positive.glsl: x > 0 by the bits of x; a denormal counts as 0 on every device, whether it flushes them or not. */

bool positive(int bits)
{
    return bits >= 0x00800000 && bits <= 0x7F800000;
}

bvec4 positive(ivec4 bits)
{
    return bvec4(positive(bits.x), positive(bits.y), positive(bits.z), positive(bits.w));
}
