/* dense.comp: ../gemm.comp on matrix cores; all sides of matrices are multiples of 4, but for the sum over images. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_A_K) const bool A_K = true;
layout(constant_id = VK_SPEC_B_K) const bool B_K = false;
layout(constant_id = VK_SPEC_ADD) const bool ADD = false;   /* c += */
layout(constant_id = VK_SPEC_BIAS) const bool BIAS = false; /* binding 3 is a bias of n values */
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;
layout(constant_id = VK_SPEC_MASK) const bool MASK = false; /* c = 0 where binding 3 is not > 0 */

layout(push_constant) uniform Push { vk_push_gemm p; };
layout(binding = 0) readonly buffer A4 { vec4 a4[]; };
layout(binding = 1) readonly buffer B4 { vec4 b4[]; };
layout(binding = 2) buffer C4 { vec4 c4[]; };
layout(binding = 3) readonly buffer Extra4 { vec4 extra4[]; };

#define MATRIX_A_ALONG_K A_K
#define MATRIX_B_ALONG_K B_K
#define A_GRADIENTS B_K /* dx = dy w^T */
#define B_GRADIENTS !A_K /* dw = x^T dy */
#include "common/matrix.glsl"

vec4 a_next[A_LOADS], b_next[B_LOADS];

/* Row (or column) and k of a tile where load l begins. */
ivec2 a_place(int l)
{
    return A_K ? ivec2(l / (BK / 4), l % (BK / 4) * 4) : ivec2(l % (BM / 4) * 4, l / (BM / 4));
}

ivec2 b_place(int l)
{
    return B_K ? ivec2(l / (BK / 4), l % (BK / 4) * 4) : ivec2(l % (BN / 4) * 4, l / (BN / 4));
}

/* What comes next, from memory to registers. */
void fetch(int m0, int n0, int k0, int end)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        ivec2 at = a_place(l) + ivec2(m0, k0);
        bool inside = l < BM * BK / 4 && at.x < p.m && at.y < end;
        a_next[i] = inside ? a4[(int(p.base[0]) + (A_K ? at.x * p.lda + at.y : at.y * p.lda + at.x)) / 4] : vec4(0);
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        ivec2 at = b_place(l) + ivec2(n0, k0);
        bool inside = l < BN * BK / 4 && at.x < p.n && at.y < end;
        b_next[i] = inside ? b4[(int(p.base[1]) + (B_K ? at.x * p.ldb + at.y : at.y * p.ldb + at.x)) / 4] : vec4(0);
    }
}

/* From registers into the tiles. */
void put()
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BM * BK / 4) break;
        ivec2 at = a_place(l);
        tile_a_put(at.x, at.y, a_next[i]);
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BN * BK / 4) break;
        ivec2 at = b_place(l);
        tile_b_put(at.x, at.y, b_next[i]);
    }
}

void store(int m, int n, int part, vec4 v)
{
    int row = m * p.ldc + n, at = (int(p.base[2]) + part * int(p.part_size) + row) / 4;
    vec4 extra = BIAS || MASK ? extra4[(int(p.base[3]) + (BIAS ? n : row)) / 4] : vec4(0);
    if (ADD) v += c4[at];
    if (BIAS) v += extra;
    if (RELU) v = relu(v);
    if (MASK) v = mix(vec4(0), v, positive(floatBitsToInt(extra)));
    c4[at] = v;
}

void main()
{
    int m0 = int(gl_WorkGroupID.y) * BM, n0 = int(gl_WorkGroupID.x) * BN, z = int(gl_WorkGroupID.z);
    int begin = z * p.per_part, end = min(begin + p.per_part, p.k);
    acc_clear();
    fetch(m0, n0, begin, end);
    for (int k0 = begin; k0 < end; k0 += BK) {
        put();
        barrier();
        if (k0 + BK < end) fetch(m0, n0, k0 + BK, end);
        tile_multiply();
        barrier();
    }
    [[unroll]] for (int i = 0; i < MOST_M; i++) {
        if (i >= WM / FM) break;
        strip_store(i);
        for (int l = int(gl_LocalInvocationIndex); l < STRIP_BLOCKS; l += THREADS) {
            int m = m0 + strip_row(i, l), n = n0 + strip_column(l);
            if (n >= p.n) continue;
            [[unroll]] for (int q = 0; q < 4; q++) if (m + q < p.m) store(m + q, n, z, strip_at(l, q));
        }
    }
}
