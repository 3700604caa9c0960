/* pool_bwd.comp: the gradient goes to the place of the maximum, zero elsewhere; MASK: only where the pooled value
 * is positive. One thread an element of dx. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/positive.glsl"
layout(constant_id = 0) const bool MASK = false;
layout(push_constant) uniform Push { vk_push_pool p; };
layout(binding = 0) readonly buffer Dy { float dy[]; };
layout(binding = 1) readonly buffer Arg { uint arg[]; };
layout(binding = 2) writeonly buffer Dx { float dx[]; };
layout(binding = 3) readonly buffer Y { float y[]; };

float gradient(uint i)
{
    uint c = i % p.c, ix = i / p.c % p.w, row = i / p.c / p.w;
    uint iy = row % p.in_rows, ox = ix / 2u, oy = iy / 2u;
    if (ox >= p.ow || oy >= p.oh) return 0.0;
    uint at = ((row / p.in_rows * p.oh + oy) * p.ow + ox) * p.c + c;
    uint which = arg[p.base[1] + at / 4u] >> 8u * (at & 3u) & 0xFFu;
    bool ours = which == 2u * (iy & 1u) + (ix & 1u);
    if (MASK) ours = ours && positive(floatBitsToInt(y[p.base[3] + at]));
    return ours ? dy[p.base[0] + at] : 0.0;
}

void main()
{
    for (uint i = flat_first(); i < p.count; i += flat_step()) dx[p.base[2] + i] = gradient(i);
}
