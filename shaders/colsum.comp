/* colsum.comp: sums of the columns of a rows x c matrix, one thread a column and part of the rows; ADD: result +=. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
layout(constant_id = VK_SPEC_ADD) const bool ADD = false;
layout(push_constant) uniform Push { vk_push_colsum p; };
#include "common/halves.glsl"
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 0) readonly buffer HalvesX { uint x_halves[]; };
layout(binding = 1) buffer Out { float result[]; };

float load(uint i)
{
    if (HALVES_0) return unpackHalf2x16(x_halves[i / 2u])[i % 2u];
    return x[i];
}

void main()
{
    uint first = uint(elements_to(0)), parts = (p.rows + p.per_part - 1u) / p.per_part;
    for (uint i = flat_first(); i < parts * p.c; i += flat_step()) {
        uint begin = i / p.c * p.per_part, end = min(begin + p.per_part, p.rows), c = i % p.c;
        float total = 0.0;
        for (uint row = begin; row < end; row += 16u) {
            float part = 0.0;
            for (uint k = row; k < min(row + 16u, end); k++) part += load(first + k * p.c + c);
            total += part;
        }
        uint at = p.base[1] + i;
        result[at] = ADD ? result[at] + total : total;
    }
}
