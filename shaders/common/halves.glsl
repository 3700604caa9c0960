/* halves.glsl: tensors of fp16, two values a word, read and written by fours; channels come in sixteens. */
#ifndef HALVES_GLSL
#define HALVES_GLSL
#include "common/half.glsl"

layout(constant_id = VK_SPEC_HALVES) const int HALVES = 0; /* bit i: binding i is of fp16 */
const bool HALVES_0 = (HALVES & 1) != 0, HALVES_1 = (HALVES & 2) != 0, HALVES_2 = (HALVES & 4) != 0;

/* Elements to where a binding's tensor begins. Needs `p`. */
int elements_to(int binding)
{
    return int(p.base[binding]) << (HALVES >> binding & 1);
}

vec4 halves_four(uvec2 h)
{
    return vec4(unpackHalf2x16(h.x), unpackHalf2x16(h.y));
}

/* Which of four are above 0, by the bits. */
bvec4 halves_positive(uvec2 h)
{
    uvec4 bits = uvec4(h.x & 0xFFFFu, h.x >> 16, h.y & 0xFFFFu, h.y >> 16);
    return lessThan(bits - 1u, uvec4(0x7C00u));
}

/* Rounded as half_round says it. */
uvec2 halves_of(vec4 v, bool gradients)
{
    v = half_round(v, gradients);
    return uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw));
}

#endif
