/* conv_sum.comp: adds the parts that conv.comp with SPLIT left, in order, and finishes the convolution; one thread four
 * channels of a pixel or, with POOL, of a quad. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/flat.glsl"

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer Part { float part[]; };
layout(binding = 0) readonly buffer Part4 { vec4 part4[]; };

#include "common/conv_out.glsl"

vec4 load(int at, int n)
{
    if (C_VEC) return part4[(int(p.base[0]) + at) / 4];
    vec4 v = vec4(0);
    [[unroll]] for (int s = 0; s < 4; s++) if (n + s < p.co) v[s] = part[int(p.base[0]) + at + s];
    return v;
}

vec4 total(int m, int n)
{
    vec4 v = load(m * p.co + n, n);
    for (int z = 1; z < p.parts; z++) v += load(z * int(p.part_size) + m * p.co + n, n);
    return v;
}

void main()
{
    int across = (p.co + 3) / 4, rows = int(p.part_size) / p.co;
    for (uint i = flat_first(); i < uint(rows / (POOL ? 4 : 1) * across); i += flat_step()) {
        int n = int(i) % across * 4, m = int(i) / across * (POOL ? 4 : 1);
        vec4 bias = out_bias(n);
        if (POOL) {
            out_quad(m, n, vec4[4](total(m, n), total(m + 1, n), total(m + 2, n), total(m + 3, n)), bias);
        } else {
            out_row(m, n, total(m, n), bias);
        }
    }
}
