/* wgrad_lane.comp: wgrad.comp for devices of CPU type: any number of channels. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common/params.h"
#include "cpu/lane.glsl"

layout(push_constant) uniform Push { vk_push_wgrad p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 2) writeonly buffer Part { float part[]; };

#include "common/pixel.glsl"

void main()
{
    int lane = int(gl_LocalInvocationIndex), z = p.first_part + int(gl_WorkGroupID.z);
    int m0 = int(gl_WorkGroupID.x) * TM, n0 = int(gl_WorkGroupID.y) * LANES * TN + lane;
    int begin = z * p.per_part, end = min(begin + p.per_part, p.images * p.rows * p.w);
    /* Tap of each of the lane's rows, and words from the pixel's first channel to the element. */
    int tap[TM / LANES], offset[TM / LANES];
    [[unroll]] for (int i = 0; i < TM / LANES; i++) {
        int m = min(m0 + LANES * i + lane, 9 * p.ci - 1);
        tap[i] = m / p.ci;
        offset[i] = pixel_step(tap[i]) + m - tap[i] * p.ci;
    }
    acc_clear();
    [[dont_unroll]] for (int k = begin; k < end; k++) {
        pixel at = pixel_at(k);
        int origin = int(p.base[0]) + pixel_halo_offset(at), valid = pixel_neighbours(at);
        float b[TN];
        [[unroll]] for (int j = 0; j < TN; j++) b[j] = dy[int(p.base[1]) + k * p.co + min(n0 + LANES * j, p.co - 1)];
        [[unroll]] for (int i = 0; i < TM / LANES; i++) {
            bool inside = (valid >> tap[i] & 1) != 0;
            float a = x[inside ? origin + offset[i] : origin];
            acc_rows(i, inside ? a : 0.0, b);
        }
    }
    int out_base = int(p.base[2]) + z * 9 * p.ci * p.co;
    [[unroll]] for (int i = 0; i < TM; i++) {
        [[unroll]] for (int j = 0; j < TN; j++) {
            int n = n0 + LANES * j;
            if (m0 + i < 9 * p.ci && n < p.co) part[out_base + (m0 + i) * p.co + n] = acc[i][j];
        }
    }
}
