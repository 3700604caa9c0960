/* wgrad_texel.comp: wgrad.comp for devices of CPU type where the channels come in eights; a sum in one part is added to
 * the gradient at once. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "cpu/texel.glsl"
#include "cpu/four.glsl"

layout(constant_id = VK_SPEC_ADD) const bool ADD = false;
layout(push_constant) uniform Push { vk_push_wgrad p; };
layout(binding = 2) writeonly buffer Part { u64vec2 part[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer x;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer dy;
layout(binding = VK_BINDING_TEXEL + 2) uniform samplerBuffer old;

#include "common/pixel.glsl"

void main()
{
    int lane = int(gl_LocalInvocationIndex), z = p.first_part + int(gl_WorkGroupID.z);
    int m0 = int(gl_WorkGroupID.x) * TM, n = (int(gl_WorkGroupID.y) * LANES + lane) * TN, column = min(n, p.co - TN);
    int begin = z * p.per_part, end = min(begin + p.per_part, p.images * p.rows * p.w);
    /* Eight rows have one tap: it, and words from the pixel's first channel to the element. */
    int tap[TM / LANES], offset[TM / LANES];
    [[unroll]] for (int i = 0; i < TM / LANES; i++) {
        int m = min(m0 + LANES * i, 9 * p.ci - LANES);
        tap[i] = m / p.ci;
        offset[i] = pixel_step(tap[i]) + m - tap[i] * p.ci;
    }
    acc_clear();
    [[dont_unroll]] for (int k = begin; k < end; k += STEP) {
        pixel at = pixel_at(min(k + lane, end - 1));
        int origin = int(p.base[0]) + pixel_halo_offset(at), valid = k + lane < end ? pixel_neighbours(at) : 0;
        float b[STEP][TN];
        [[unroll]] for (int s = 0; s < STEP; s++) {
            load_columns(b[s], dy, int(p.base[1]) + min(k + s, end - 1) * p.co + column);
        }
        [[unroll]] for (int i = 0; i < TM / LANES; i++) {
            bool inside = (valid >> tap[i] & 1) != 0;
            float a[8];
            load_eight(a, x, inside ? origin + offset[i] : int(p.base[0]));
            [[unroll]] for (int s = 0; s < 8; s++) a[s] = inside ? a[s] : 0.0;
            acc_step(i, a, false, b);
        }
    }
    if (n >= p.co) return;
    [[unroll]] for (int i = 0; i < TM; i++) {
        if (m0 + i >= 9 * p.ci) break;
        int at = (int(p.base[2]) + (z * 9 * p.ci + m0 + i) * p.co + n) >> 2;
        [[unroll]] for (int j = 0; j < TN; j += 4) {
            vec4 v = vec4(acc[i][j], acc[i][j + 1], acc[i][j + 2], acc[i][j + 3]);
            if (ADD) v += texelFetch(old, at + j / 4);
            part[at + j / 4] = four_words(v);
        }
    }
}
