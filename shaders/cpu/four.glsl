/* four.glsl: four neighbouring floats as two 64-bit words: devices of CPU type load and store a word of 64 bits as fast
 * as one of 32. */

vec4 four(u64vec2 words)
{
    return vec4(uintBitsToFloat(unpackUint2x32(words.x)), uintBitsToFloat(unpackUint2x32(words.y)));
}

u64vec2 four_words(vec4 v)
{
    return u64vec2(packUint2x32(floatBitsToUint(v.xy)), packUint2x32(floatBitsToUint(v.zw)));
}
