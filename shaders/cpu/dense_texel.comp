/* dense_texel.comp: gemm.comp for devices of CPU type where rows and columns of every operand come in eights. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "cpu/texel.glsl"
#include "cpu/four.glsl"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_A_K) const bool A_K = true; /* as in gemm.comp, also the others */
layout(constant_id = VK_SPEC_B_K) const bool B_K = false;
layout(constant_id = VK_SPEC_ADD) const bool ADD = false;
layout(constant_id = VK_SPEC_BIAS) const bool BIAS = false;
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;
layout(constant_id = VK_SPEC_MASK) const bool MASK = false;

layout(push_constant) uniform Push { vk_push_gemm p; };
layout(binding = 2) writeonly buffer C { u64vec2 c[]; };
layout(binding = 2) writeonly buffer C2 { u64vec4 c2[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer a;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer b;
layout(binding = VK_BINDING_TEXEL + 2) uniform samplerBuffer old;
layout(binding = VK_BINDING_TEXEL + 3) uniform samplerBuffer extra;

/* Words k .. k + 7 of the sum for the lane's columns. */
void load_b(out float t[STEP][TN], int k, int last, int n)
{
    if (!B_K) {
        [[unroll]] for (int s = 0; s < STEP; s++) {
            load_columns(t[s], b, int(p.base[1]) + min(k + s, last) * p.ldb + n);
        }
        return;
    }
    [[unroll]] for (int j = 0; j < TN; j++) {
        float column[8];
        load_eight(column, b, int(p.base[1]) + (n + j) * p.ldb + k);
        [[unroll]] for (int s = 0; s < STEP; s++) t[s][j] = column[s];
    }
}

/* Columns j .. j + 3 of row i, as they are stored; at: of the first in c, other: in extra. */
u64vec2 finish(int i, int j, int at, int other)
{
    vec4 v = vec4(acc[i][j], acc[i][j + 1], acc[i][j + 2], acc[i][j + 3]);
    if (ADD) v += texelFetch(old, at >> 2);
    vec4 e = BIAS || MASK ? texelFetch(extra, other >> 2) : vec4(0);
    if (BIAS) v += e;
    if (RELU) v = relu(v);
    if (MASK) v = mix(vec4(0), v, positive(floatBitsToInt(e)));
    return four_words(v);
}

void main()
{
    int z = int(gl_WorkGroupID.z), m0 = int(gl_WorkGroupID.y) * TM;
    int n = (int(gl_WorkGroupID.x) * LANES + int(gl_LocalInvocationIndex)) * TN;
    int last = min((z + 1) * p.per_part, p.k) - 1;
    acc_clear();
    [[dont_unroll]] for (int k = z * p.per_part; k <= last; k += STEP) {
        float columns[STEP][TN];
        load_b(columns, k, last, min(n, p.n - TN));
        [[unroll]] for (int i = 0; i < TM; i += LANES) {
            float rows[8];
            if (A_K) {
                load_lines(rows, a, int(p.base[0]), p.lda, m0 + i, p.m - 1, k, true);
            } else {
                load_lines(rows, a, int(p.base[0]), p.lda, k, last, min(m0 + i, p.m - 8), false);
            }
            acc_step(i / LANES, rows, A_K, columns);
        }
    }
    if (n >= p.n) return;
    [[unroll]] for (int i = 0; i < TM; i++) {
        if (m0 + i >= p.m) break;
        int row = (m0 + i) * p.ldc + n, at = int(p.base[2]) + z * int(p.part_size) + row;
        int other = int(p.base[3]) + (BIAS ? n : row);
        if (TN == 8) {
            c2[at / 8] = u64vec4(finish(i, 0, at, other), finish(i, 4, at + 4, other + 4));
        } else {
            c[at / 4] = finish(i, 0, at, other);
        }
    }
}
