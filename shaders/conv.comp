/* conv.comp: 3x3 convolution with padding 1 as an implicit matrix product: rows are pixels, columns the channels made,
 * and the sum runs over tap and channel. Forward (bias, ReLU, 2x2 max-pool fused) and, with TRANSPOSED, the gradient
 * with respect to the input: the same sum over the output's gradient with the kernel turned by 180 degrees. With SPLIT
 * part z of the sum goes to y[z][row][co] as it is. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/tile.glsl"

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

int a_offset[A_LOADS], a_valid[A_LOADS];

void rows_init(int m0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int m = m0 + (int(gl_LocalInvocationIndex) + i * THREADS) / (BK / 4);
        pixel at = quad_pixel(m);
        a_offset[i] = elements_to(0) + pixel_halo_offset(at);
        a_valid[i] = m < row_count() ? pixel_neighbours(at) : 0;
    }
}

vec4 x_four(int i)
{
    if (HALVES_0) return halves_four(x_halves[i]);
    return x4[i];
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

void load_a(int k0, int tap, int c0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (!A_EVEN && l >= BM * BK / 4) break;
        int k = l % (BK / 4) * 4;
        vec4 v = vec4(0);
        if (A_VEC) {
            int four = (a_offset[i] + pixel_step(tap) + c0 + k) / 4;
            if ((a_valid[i] >> tap & 1) != 0) v = x_four(four);
        } else {
            [[unroll]] for (int s = 0; s < 4; s++) v[s] = a_element(i, k0 + k + s);
        }
        tile_a_put_k(l / (BK / 4), k, v);
    }
}

/* Columns past the last one are taken from there: no sum of them is stored. */
void load_b(int k0, int tap, int c0, int n0)
{
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (!B_EVEN && l >= BN * BK / 4) break;
        vec4 v = vec4(0);
        if (TRANSPOSED) {
            int k = l % (BK / 4) * 4, n = l / (BK / 4);
            if (A_VEC) {
                v = w4[(int(p.base[1]) + ((8 - tap) * p.co + min(n0 + n, p.co - 1)) * p.ci + c0 + k) / 4];
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) v[s] = b_element(k0 + k + s, n0 + n);
            }
            tile_b_put_k(n, k, v);
        } else {
            int k = l / (BN / 4), n = l % (BN / 4) * 4;
            if (C_VEC) {
                if (A_VEC || k0 + k < 9 * p.ci) {
                    v = w4[(int(p.base[1]) + (k0 + k) * p.co + min(n0 + n, p.co - 4)) / 4];
                }
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) v[s] = b_element(k0 + k, n0 + n + s);
            }
            tile_b[k * B_STRIDE + n / 4] = operand(v);
        }
    }
}

void step_tile(int k0, int tap, int c0, int n0)
{
    load_a(k0, tap, c0);
    load_b(k0, tap, c0, n0);
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
    rows_init(m0);
    acc_clear();
    if (A_VEC) {
        int tap = begin / p.ci, c0 = begin - tap * p.ci;
        for (int k0 = begin; k0 < end; k0 += BK) {
            step_tile(k0, tap, c0, n0);
            c0 += BK;
            if (c0 == p.ci) {
                c0 = 0;
                tap++;
            }
        }
    } else {
        for (int k0 = begin; k0 < end; k0 += BK) step_tile(k0, 0, 0, n0);
    }
    [[unroll]] for (int j = 0; j < TN / 4; j++) {
        int n = n0 + acc_column(j);
        if (n >= p.co) continue;
        vec4 bias = SPLIT ? vec4(0) : out_bias(n);
        [[unroll]] for (int i = 0; i < TM; i += 4) {
            finish(m0 + acc_row(i), n, vec4[4](acc[i][j], acc[i + 1][j], acc[i + 2][j], acc[i + 3][j]), bias);
        }
    }
}
