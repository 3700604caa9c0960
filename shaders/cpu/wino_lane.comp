/* wino_lane.comp: the 36 products of Winograd's domain on devices of CPU type: m[z] = v[z] u[z] for workgroup z, v[z]
 * being [m][k], or [k][m] when TRANSPOSED; m (k when not TRANSPOSED) and n are multiples of 8. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "cpu/four.glsl"
#include "cpu/texel.glsl"

layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false;
layout(push_constant) uniform Push { vk_push_gemm p; };
layout(binding = 2) writeonly buffer M { u64vec2 m[]; };
layout(binding = 2) writeonly buffer M2 { u64vec4 m2[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer v;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer u;

void main()
{
    int z = int(gl_WorkGroupID.z), m0 = int(gl_WorkGroupID.x) * TM;
    int n = (int(gl_WorkGroupID.y) * LANES + int(gl_LocalInvocationIndex)) * TN;
    int a_base = int(p.base[0]) + z * VK_WINO_PLANE((TRANSPOSED ? p.k : p.m) * p.lda);
    int b_base = int(p.base[1]) + z * VK_WINO_PLANE(p.k * p.ldb) + min(n, p.n - TN);
    acc_clear();
    [[dont_unroll]] for (int k = 0; k < p.k; k += STEP) {
        float b[STEP][TN];
        [[unroll]] for (int s = 0; s < STEP; s++) {
            load_columns(b[s], u, b_base + (TRANSPOSED ? min(k + s, p.k - 1) : k + s) * p.ldb);
        }
        [[unroll]] for (int i = 0; i < TM / LANES; i++) {
            float a[8];
            int row = m0 + LANES * i;
            if (TRANSPOSED) {
                load_lines(a, v, a_base, p.lda, k, p.k - 1, min(row, p.m - 8), false);
            } else {
                load_lines(a, v, a_base, p.lda, row, p.m - 1, k, true);
            }
            acc_step(i, a, !TRANSPOSED, b);
        }
    }
    if (n >= p.n) return;
    [[unroll]] for (int i = 0; i < TM; i++) {
        if (m0 + i >= p.m) continue;
        int at = int(p.base[2]) + z * VK_WINO_PLANE(p.m * p.ldc) + (m0 + i) * p.ldc + n;
        u64vec2 low = four_words(vec4(acc[i][0], acc[i][1], acc[i][2], acc[i][3]));
        if (TN == 8) {
            m2[at / 8] = u64vec4(low, four_words(vec4(acc[i][4], acc[i][5], acc[i][6], acc[i][7])));
        } else {
            m[at / 4] = low;
        }
    }
}
