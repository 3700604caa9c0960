/* pair.glsl: two neighbouring floats as one 64-bit word: devices of CPU type load and store it as fast as one. */

vec2 pair(uint64_t word)
{
    return uintBitsToFloat(unpackUint2x32(word));
}

uint64_t pair_word(vec2 two)
{
    return packUint2x32(floatBitsToUint(two));
}
