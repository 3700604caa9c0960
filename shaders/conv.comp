/* conv.comp: 3x3 convolution with padding 1 as an implicit matrix product: rows are pixels, columns the channels made,
 * and the sum runs over tap and channel. Forward (bias, ReLU, 2x2 max-pool fused) and, with TRANSPOSED, the gradient
 * with respect to the input: the same sum over the output's gradient with the kernel turned by 180 degrees. With SPLIT
 * part z of the sum goes to y[z][row][co] as it is. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"

layout(constant_id = VK_SPEC_A_VEC) const bool A_VEC = false; /* ci is a multiple of BK */
/* Workgroup z sums p.per_part products; conv_sum.comp goes on. */
layout(constant_id = VK_SPEC_SPLIT) const bool SPLIT = false;

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(binding = 0) readonly buffer HalvesX { uvec2 x_halves[]; };

#include "common/conv_out.glsl"
#include "common/pixel.glsl"
#include "common/quad.glsl"
#define A_GRADIENTS TRANSPOSED
#define B_GRADIENTS false
#include "common/tile.glsl"

/* Of each load: words to its pixel, the neighbours of that which lie inside; with A_VEC, vec4 to its neighbour's
 * channels, and whether that lies inside. vec4 to its kernel's line. */
int a_offset[A_LOADS], a_valid[A_LOADS];
uint a_at[A_LOADS], b_at[B_LOADS];
bool a_inside[A_LOADS];

void rows_init(int m0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int m = m0 + (int(gl_LocalInvocationIndex) + i * THREADS) / (BK / 4);
        pixel at = quad_pixel(m);
        a_offset[i] = elements_to(0) + pixel_halo_offset(at);
        a_valid[i] = m < row_count() ? pixel_neighbours(at) : 0;
    }
}

vec4 x_four(uint i)
{
    if (HALVES_0) return halves_four(x_halves[i]);
    return x4[i];
}

/* With A_VEC, before the steps of a tap. What lies outside is read from the first pixel and taken for 0. */
void tap_init(int tap)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        a_inside[i] = (a_valid[i] >> tap & 1) != 0;
        int from = a_inside[i] ? a_offset[i] + pixel_step(tap) : elements_to(0);
        a_at[i] = uint(from) / 4u + gl_LocalInvocationIndex % uint(BK / 4);
    }
}

/* Columns past the last one are taken from there: no sum of them is stored. Before the steps of a tap. */
void columns_init(int tap, int n0)
{
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (TRANSPOSED) {
            int n = min(n0 + l / (BK / 4), p.co - 1);
            b_at[i] = (p.base[1] + uint(((8 - tap) * p.co + n) * p.ci)) / 4u + uint(l) % uint(BK / 4);
        } else {
            int k = l / (BN / 4), n = min(n0 + l % (BN / 4) * 4, p.co - 4);
            b_at[i] = (p.base[1] + uint(k * p.co + n)) / 4u;
        }
    }
}

/* One element of the unrolled input, k = tap * ci + channel. */
float a_element(int i, int k)
{
    int tap = k / p.ci;
    bool inside = k < 9 * p.ci && (a_valid[i] >> tap & 1) != 0;
    return inside ? x[a_offset[i] + pixel_step(tap) + k - tap * p.ci] : 0.0;
}

float b_element(int k, int n)
{
    if (k >= 9 * p.ci || n >= p.co) return 0.0;
    if (!TRANSPOSED) return w[int(p.base[1]) + k * p.co + n];
    int tap = k / p.ci;
    return w[int(p.base[1]) + ((8 - tap) * p.co + n) * p.ci + k - tap * p.ci];
}

/* k0: of the sum; c0: of the tap. */
void load_a(int k0, int c0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (!A_EVEN && l >= BM * BK / 4) break;
        vec4 v;
        if (A_VEC) {
            v = mix(vec4(0), x_four(a_at[i] + uint(c0) / 4u), bvec4(a_inside[i]));
        } else {
            [[unroll]] for (int s = 0; s < 4; s++) v[s] = a_element(i, k0 + l % (BK / 4) * 4 + s);
        }
        tile_a_put_k(i, v);
    }
}

void load_b(int k0, int c0, int n0)
{
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (!B_EVEN && l >= BN * BK / 4) break;
        vec4 v = vec4(0);
        if (TRANSPOSED) {
            if (A_VEC) {
                v = w4[b_at[i] + uint(c0) / 4u];
            } else {
                int k = l % (BK / 4) * 4, n = l / (BK / 4);
                [[unroll]] for (int s = 0; s < 4; s++) v[s] = b_element(k0 + k + s, n0 + n);
            }
            tile_b_put_k(i, v);
        } else {
            int k = l / (BN / 4), n = l % (BN / 4) * 4;
            if (C_VEC) {
                if (A_VEC || k0 + k < 9 * p.ci) v = w4[b_at[i] + uint(k0 * p.co) / 4u];
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) v[s] = b_element(k0 + k, n0 + n + s);
            }
            tile_b_put(i, v);
        }
    }
}

void step_tile(int k0, int c0, int n0)
{
    load_a(k0, c0);
    load_b(k0, c0, n0);
    barrier();
    tile_multiply();
    barrier();
}

/* Four rows of the matrix, four columns from n on. */
void finish(int m, int n, vec4 v[4], vec4 bias)
{
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
    tile_init(true, TRANSPOSED);
    rows_init(m0);
    columns_init(0, n0);
    int k0 = begin;
    do {
        int tap = k0 / p.ci, first = tap * p.ci, stop = A_VEC ? min(end, first + p.ci) : end;
        if (A_VEC) tap_init(tap);
        if (A_VEC && TRANSPOSED) columns_init(tap, n0);
        do { /* no part of a sum is empty */
            step_tile(k0, k0 - first, n0);
            k0 += BK;
        } while (k0 < stop);
    } while (k0 < end);
    [[unroll]] for (int j = 0; j < TN / 4; j++) {
        int n = n0 + acc_column(j);
        if (n >= p.co) continue;
        vec4 bias = SPLIT ? vec4(0) : out_bias(n);
        [[unroll]] for (int i = 0; i < TM; i += 4) {
            finish(m0 + acc_row(i), n, vec4[4](acc[i][j], acc[i + 1][j], acc[i + 2][j], acc[i + 3][j]), bias);
        }
    }
}
