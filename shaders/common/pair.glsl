/* pair.glsl: two neighbouring floats as an element of a buffer, PAIR: vec2 or, with PAIR_WORDS, a 64-bit word, which
 * devices of CPU type load and store as fast as one float. */

#ifdef PAIR_WORDS
#define PAIR uint64_t
vec2 pair(uint64_t word)
{
    return uintBitsToFloat(unpackUint2x32(word));
}

uint64_t pair_word(vec2 two)
{
    return packUint2x32(floatBitsToUint(two));
}
#else
#define PAIR vec2
vec2 pair(vec2 two)
{
    return two;
}

vec2 pair_word(vec2 two)
{
    return two;
}
#endif
