/* pool.comp: 2x2 maximum, stride 2; with ARG the place of the first maximum in row order, four bytes a word. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/positive.glsl"
layout(constant_id = VK_SPEC_ARG) const bool ARG = false;
layout(push_constant) uniform Push { vk_push_pool p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };
layout(binding = 2) buffer Arg { uint arg[]; };

/* Element i of y: stores it, returns the place of the maximum. */
uint pool_one(uint i)
{
    uint c = i % p.c, ox = i / p.c % p.ow, row = i / p.c / p.ow;
    uint in_row = row / p.oh * p.in_rows + 2u * (row % p.oh);
    uint at = p.base[0] + (in_row * p.w + 2u * ox) * p.c + c, best = 0u;
    float value = x[at];
    uint size = size_bits(value);
    for (uint q = 1u; q < 4u; q++) {
        float other = x[at + ((q >> 1) * p.w + (q & 1u)) * p.c];
        size = max(size, size_bits(other));
        if (other > value) {
            value = other;
            best = q;
        }
    }
    y[p.base[1] + i] = maximum(value, size);
    return best;
}

void main()
{
    for (uint i = 4u * flat_first(); i < p.count; i += 4u * flat_step()) {
        uint word = 0u, used = min(4u, p.count - i);
        for (uint s = 0u; s < used; s++) word |= pool_one(i + s) << 8u * s;
        if (!ARG) continue;
        uint at = p.base[2] + i / 4u;
        /* What follows the last element in its word is not ours. */
        arg[at] = used == 4u ? word : word | arg[at] & 0xFFFFFFFFu << 8u * used;
    }
}
