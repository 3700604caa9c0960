/* pool_bwd.comp: the gradient goes to the place of the maximum, zero elsewhere; MASK: only where the pooled value
 * is positive. One thread an element of dx or, with FOUR, four channels of it. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/positive.glsl"
layout(constant_id = VK_SPEC_MASK) const bool MASK = false;
layout(constant_id = VK_SPEC_FOUR) const bool FOUR = false; /* c is a multiple of four */
layout(push_constant) uniform Push { vk_push_pool p; };
#include "common/halves.glsl"
layout(binding = 0) readonly buffer Dy { float dy[]; };
layout(binding = 1) readonly buffer Arg { uint arg[]; };
layout(binding = 2) writeonly buffer Dx { float dx[]; };
layout(binding = 3) readonly buffer Y { float y[]; };
layout(binding = 0) readonly buffer Dy4 { vec4 dy4[]; };
layout(binding = 2) writeonly buffer Dx4 { vec4 dx4[]; };
layout(binding = 3) readonly buffer Y4 { ivec4 y4[]; };
layout(binding = 0) readonly buffer HalvesDy { uvec2 dy_halves[]; };
layout(binding = 2) writeonly buffer HalvesDx { uvec2 dx_halves[]; };
layout(binding = 3) readonly buffer HalvesY { uvec2 y_halves[]; };

/* Element i of dx as one of a map of c channels; false where no pooled element covers it. at: the pooled element, place:
 * which of its four this is. */
bool pooled(uint i, uint c, out uint at, out uint place)
{
    uint pixel = i / c, ix = pixel % p.w, row = pixel / p.w, image = row / p.in_rows, iy = row - image * p.in_rows;
    uint ox = ix / 2u, oy = iy / 2u;
    at = ((image * p.oh + oy) * p.ow + ox) * c + (i - pixel * c);
    place = 2u * (iy & 1u) + (ix & 1u);
    return ox < p.ow && oy < p.oh;
}

float gradient(uint i)
{
    uint at, place;
    if (!pooled(i, p.c, at, place)) return 0.0;
    uint which = arg[p.base[1] + at / 4u] >> 8u * (at & 3u) & 0xFFu;
    bool ours = which == place;
    if (MASK) ours = ours && positive(floatBitsToInt(y[p.base[3] + at]));
    return ours ? dy[p.base[0] + at] : 0.0;
}

/* Elements 4 i .. 4 i + 3. */
vec4 gradient_four(uint i)
{
    uint at, place;
    if (!pooled(i, p.c / 4u, at, place)) return vec4(0);
    uvec4 which = uvec4(arg[p.base[1] + at]) >> uvec4(0u, 8u, 16u, 24u) & 0xFFu;
    bvec4 ours = equal(which, uvec4(place));
    if (HALVES_0) { /* and y with it */
        vec4 g = mix(vec4(0), halves_four(dy_halves[p.base[0] / 2u + at]), ours);
        return MASK ? mix(vec4(0), g, halves_positive(y_halves[p.base[3] / 2u + at])) : g;
    }
    vec4 g = mix(vec4(0), dy4[p.base[0] / 4u + at], ours);
    return MASK ? mix(vec4(0), g, positive(y4[p.base[3] / 4u + at])) : g;
}

void store_four(uint i, vec4 g)
{
    if (HALVES_2) {
        dx_halves[p.base[2] / 2u + i] = halves_of(g, true);
    } else {
        dx4[p.base[2] / 4u + i] = g;
    }
}

void main()
{
    if (FOUR) {
        for (uint i = flat_first(); i < p.count / 4u; i += flat_step()) store_four(i, gradient_four(i));
        return;
    }
    for (uint i = flat_first(); i < p.count; i += flat_step()) dx[p.base[2] + i] = gradient(i);
}
