/* wino_lane.comp: the 36 products of Winograd's domain on devices of CPU type: m[z] = v[z] u[z] for workgroup z. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#include "common/params.h"
#include "common/lane.glsl"

layout(push_constant) uniform Push { vk_push_gemm p; };
layout(binding = 0) readonly buffer V { float v[]; };
layout(binding = 1) readonly buffer U { float u[]; };
layout(binding = 2) writeonly buffer M { float m[]; };

void main()
{
    int lane = int(gl_LocalInvocationIndex), z = int(gl_WorkGroupID.z);
    int m0 = int(gl_WorkGroupID.x) * TM, n0 = int(gl_WorkGroupID.y) * LANES * TN + lane;
    int row[TM / LANES], column[TN];
    [[unroll]] for (int i = 0; i < TM / LANES; i++) {
        row[i] = int(p.base[0]) + (z * p.m + min(m0 + LANES * i + lane, p.m - 1)) * p.k;
    }
    [[unroll]] for (int j = 0; j < TN; j++) {
        column[j] = int(p.base[1]) + z * p.k * p.n + min(n0 + LANES * j, p.n - 1);
    }
    acc_clear();
    [[dont_unroll]] for (int k = 0; k < p.k; k += 2) { /* two at once: sums stay in registers in between */
        [[unroll]] for (int s = 0; s < 2; s++) {
            float b[TN];
            [[unroll]] for (int j = 0; j < TN; j++) b[j] = u[column[j] + (k + s) * p.n];
            [[unroll]] for (int i = 0; i < TM / LANES; i++) acc_rows(i, v[row[i] + k + s], b);
        }
    }
    [[unroll]] for (int i = 0; i < TM; i++) {
        [[unroll]] for (int j = 0; j < TN; j++) {
            int n = n0 + LANES * j;
            if (m0 + i < p.m && n < p.n) m[int(p.base[2]) + (z * p.m + m0 + i) * p.n + n] = acc[i][j];
        }
    }
}
