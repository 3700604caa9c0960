/* gpool.comp: global average or maximum pooling and their gradients; one thread an image and channel. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/positive.glsl"
layout(constant_id = VK_SPEC_MAXIMUM) const bool MAXIMUM = false;
layout(constant_id = VK_SPEC_BACKWARD) const bool BACKWARD = false;
layout(constant_id = VK_SPEC_MASK) const bool MASK = false;
layout(push_constant) uniform Push { vk_push_gpool p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) writeonly buffer Out { float result[]; };

/* The place of the first maximum in row order, and the maximum. */
uint first_maximum(uint at, out float most)
{
    uint best = 0u;
    float value = x[at];
    uint size = size_bits(value);
    for (uint i = 1u; i < p.pixels; i++) {
        float other = x[at + i * p.c];
        size = max(size, size_bits(other));
        if (other > value) {
            value = other;
            best = i;
        }
    }
    most = maximum(value, size);
    return best;
}

/* Sums of 16 pixels, then their sum: the error grows less than in one long chain. */
float mean(uint at)
{
    float total = 0.0;
    for (uint i = 0u; i < p.pixels; i += 16u) {
        float part = 0.0;
        for (uint k = i; k < min(i + 16u, p.pixels); k++) part += x[at + k * p.c];
        total += part;
    }
    return total / float(p.pixels);
}

void backward(uint i, uint at)
{
    float d = dy[p.base[1] + i];
    float most;
    uint best = MAXIMUM ? first_maximum(p.base[0] + at, most) : 0u;
    if (!MAXIMUM) d /= float(p.pixels);
    for (uint k = 0u; k < p.pixels; k++) {
        bool keep = !MAXIMUM || k == best;
        if (MASK) keep = keep && positive(floatBitsToInt(x[p.base[0] + at + k * p.c]));
        result[p.base[2] + at + k * p.c] = keep ? d : 0.0;
    }
}

void main()
{
    for (uint i = flat_first(); i < p.images * p.c; i += flat_step()) {
        uint at = i / p.c * p.pixels * p.c + i % p.c;
        if (BACKWARD) {
            backward(i, at);
        } else if (MAXIMUM) {
            float most;
            first_maximum(p.base[0] + at, most);
            result[p.base[2] + i] = most;
        } else {
            result[p.base[2] + i] = mean(p.base[0] + at);
        }
    }
}
