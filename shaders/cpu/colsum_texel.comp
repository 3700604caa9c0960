/* colsum_texel.comp: colsum.comp for devices of CPU type where columns come in fours, one thread four of them. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "common/flat.glsl"
#include "cpu/four.glsl"

layout(constant_id = VK_SPEC_ADD) const bool ADD = false;
layout(push_constant) uniform Push { vk_push_colsum p; };
layout(binding = 1) writeonly buffer Out { u64vec2 result[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer x;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer old;

void main()
{
    uint parts = (p.rows + p.per_part - 1u) / p.per_part, fours = p.c / 4u;
    for (uint i = flat_first(); i < parts * fours; i += flat_step()) {
        uint begin = i / fours * p.per_part, end = min(begin + p.per_part, p.rows), c = i % fours;
        vec4 total = vec4(0);
        for (uint row = begin; row < end; row += 16u) {
            vec4 part = vec4(0);
            for (uint k = row; k < min(row + 16u, end); k++) part += texelFetch(x, int(p.base[0] / 4u + k * fours + c));
            total += part;
        }
        uint at = p.base[1] / 4u + i;
        result[at] = four_words(ADD ? texelFetch(old, int(at)) + total : total);
    }
}
