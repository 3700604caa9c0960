/* dropout.comp: y = x m / (1 - rate), m from the counter-based generator; forward and backward alike. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/rng.glsl"

layout(push_constant) uniform Push { vk_push_dropout p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };
layout(binding = 4) uniform Step { vk_step run; };

/* 64-bit a * b + c + d. */
uvec2 multiply_add(uint a, uint b, uint c, uvec2 d)
{
    uint high, low, carry;
    umulExtended(a, b, high, low);
    low = uaddCarry(low, c, carry);
    high += carry;
    low = uaddCarry(low, d.x, carry);
    return uvec2(low, high + carry + d.y);
}

void main()
{
    uvec2 seed = uvec2(run.seed_low, run.seed_high);
    uvec2 stream = uvec2(run.step_low << 8 | p.layer & 0xFFu, run.step_high << 8 | run.step_low >> 24);
    for (uint i = flat_first(); i < p.count; i += flat_step()) {
        uvec2 index = multiply_add(run.first, p.per_image, i, uvec2(p.index_low, p.index_high));
        bool keep = rng_dropout(seed, stream, index.x, index.y) >= p.threshold;
        y[p.base[1] + i] = keep ? x[p.base[0] + i] / (1.0 - p.rate) : 0.0;
    }
}
