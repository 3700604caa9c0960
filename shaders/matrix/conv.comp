/* conv.comp: ../conv.comp on matrix cores; ci is a multiple of BK, co of 4. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
layout(constant_id = VK_SPEC_SPLIT) const bool SPLIT = false;

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(binding = 0) readonly buffer HalvesX { uvec2 x_halves[]; };

#include "common/conv_out.glsl"
#include "common/pixel.glsl"
#include "common/quad.glsl"
#define MATRIX_A_ALONG_K true
#define MATRIX_B_ALONG_K TRANSPOSED
#define A_GRADIENTS TRANSPOSED
#define B_GRADIENTS false
#include "common/matrix.glsl"

int a_offset[A_LOADS], a_valid[A_LOADS];
uvec4 a_next[A_LOADS]; /* by the bits: four floats, or halves in two words */
vec4 b_next[B_LOADS];

void rows_init(int m0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int m = m0 + (int(gl_LocalInvocationIndex) + i * THREADS) / (BK / 4);
        pixel at = quad_pixel(m);
        a_offset[i] = elements_to(0) + pixel_halo_offset(at);
        a_valid[i] = m < row_count() ? pixel_neighbours(at) : 0;
    }
}

/* What comes next, from memory to registers; k = tap * ci + c0. */
void fetch(int k0, int tap, int c0, int n0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS, k = l % (BK / 4) * 4;
        bool inside = l < BM * BK / 4 && (a_valid[i] >> tap & 1) != 0;
        int four = (a_offset[i] + pixel_step(tap) + c0 + k) / 4;
        a_next[i] = uvec4(0);
        if (inside && HALVES_0) a_next[i].xy = x_halves[four];
        if (inside && !HALVES_0) a_next[i] = x4[four];
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        b_next[i] = vec4(0);
        if (l >= BN * BK / 4) break;
        if (TRANSPOSED) {
            int k = l % (BK / 4) * 4, n = n0 + l / (BK / 4);
            if (n < p.co) b_next[i] = w4[(int(p.base[1]) + ((8 - tap) * p.co + n) * p.ci + c0 + k) / 4];
        } else {
            int k = l / (BN / 4), n = n0 + l % (BN / 4) * 4;
            if (n < p.co) b_next[i] = w4[(int(p.base[1]) + (k0 + k) * p.co + n) / 4];
        }
    }
}

/* From registers into the tiles. */
void put()
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BM * BK / 4) break;
        tile_a_put_bits(l / (BK / 4), l % (BK / 4) * 4, a_next[i], HALVES_0);
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BN * BK / 4) break;
        if (TRANSPOSED) {
            tile_b_put(l / (BK / 4), l % (BK / 4) * 4, b_next[i]);
        } else {
            tile_b_put(l % (BN / 4) * 4, l / (BN / 4), b_next[i]);
        }
    }
}

/* Four rows of the matrix, four columns from n on. */
void finish(int m, int n, vec4 v[4])
{
    vec4 bias = SPLIT ? vec4(0) : out_bias(n);
    if (POOL && !SPLIT) {
        if (m < row_count()) out_quad(m, n, v, bias);
        return;
    }
    int part = SPLIT ? int(gl_WorkGroupID.z) * int(p.part_size) : 0;
    [[unroll]] for (int r = 0; r < 4; r++) {
        if (m + r >= row_count()) break;
        if (SPLIT) {
            out_store(part + (m + r) * p.co + n, n, v[r]);
        } else {
            out_row(m + r, n, v[r], bias);
        }
    }
}

void main()
{
    int m0 = int(gl_WorkGroupID.x) * BM, n0 = int(gl_WorkGroupID.y) * BN;
    int begin = SPLIT ? int(gl_WorkGroupID.z) * p.per_part : 0;
    int end = SPLIT ? min(begin + p.per_part, 9 * p.ci) : 9 * p.ci;
    int tap = begin / p.ci, c0 = begin - tap * p.ci;
    rows_init(m0);
    acc_clear();
    fetch(begin, tap, c0, n0);
    for (int k0 = begin; k0 < end; k0 += BK) {
        put();
        barrier();
        c0 += BK;
        if (c0 == p.ci) {
            c0 = 0;
            tap++;
        }
        if (k0 + BK < end) fetch(k0 + BK, tap, c0, n0);
        tile_multiply();
        barrier();
    }
    [[unroll]] for (int i = 0; i < MOST_M; i++) {
        if (i >= WM / FM) break;
        strip_store(i);
        for (int l = int(gl_LocalInvocationIndex); l < STRIP_BLOCKS; l += THREADS) {
            int m = m0 + strip_row(i, l), n = n0 + strip_column(l);
            if (n < p.co) finish(m, n, vec4[4](strip_at(l, 0), strip_at(l, 1), strip_at(l, 2), strip_at(l, 3)));
        }
    }
}
