/* reduce.comp: adds the parts of a split sum in order. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_ADD) const bool ADD = false;
layout(constant_id = VK_SPEC_BIAS) const bool BIAS = false;
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;
layout(push_constant) uniform Push { vk_push_reduce p; };
layout(binding = 0) readonly buffer Part { float part[]; };
layout(binding = 1) buffer Out { float result[]; };
layout(binding = 2) readonly buffer Bias { float bias[]; };

void main()
{
    for (uint i = flat_first(); i < p.count; i += flat_step()) {
        float total = part[p.base[0] + i];
        for (uint z = 1u; z < p.parts; z++) total += part[p.base[0] + z * p.part_size + i];
        if (ADD) total += result[p.base[1] + i];
        if (BIAS) total += bias[p.base[2] + i % p.n];
        if (RELU) total = relu(total);
        result[p.base[1] + i] = total;
    }
}
