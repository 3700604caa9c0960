/* conv.comp: 3x3 convolution with padding 1 as an implicit matrix product: rows are pixels, columns the channels made,
 * and the sum runs over tap and channel. Forward (bias, ReLU, 2x2 max-pool fused) and, with TRANSPOSED, the gradient
 * with respect to the input: the same sum over the output's gradient with the kernel turned by 180 degrees. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/tile.glsl"

layout(constant_id = 6) const bool A_VEC = false;      /* ci is a multiple of BK */
layout(constant_id = 7) const bool C_VEC = false;      /* co is a multiple of 4 */
layout(constant_id = 8) const bool TRANSPOSED = false; /* w is [tap][co][ci], taps in reverse, no bias */
layout(constant_id = 9) const bool RELU = false;       /* TRANSPOSED: mask by binding 3 > 0 */
layout(constant_id = 10) const bool POOL = false;      /* rows in quads; y is the pooled map */
layout(constant_id = 11) const bool ARG = false;       /* binding 3 takes the quads' argmax, four channels a word */

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 1) readonly buffer W4 { vec4 w4[]; };
layout(binding = 2) writeonly buffer Y { float y[]; };
layout(binding = 2) writeonly buffer Y4 { vec4 y4[]; };
layout(binding = 3) readonly buffer Mask { int mask[]; };
layout(binding = 3) readonly buffer Mask4 { ivec4 mask4[]; };
layout(binding = 3) writeonly buffer Arg { uint arg[]; };

#include "common/pixel.glsl"
#include "common/quad.glsl"
#include "common/positive.glsl"

int a_offset[A_LOADS], a_valid[A_LOADS];

void rows_init(int m0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int m = m0 + (int(gl_LocalInvocationIndex) + i * THREADS) / (BK / 4);
        pixel at = quad_pixel(m);
        a_offset[i] = int(p.base[0]) + pixel_halo_offset(at);
        a_valid[i] = m < row_count() ? pixel_neighbours(at) : 0;
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

void load_a(int k0, int tap, int c0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BM * BK / 4) break;
        int k = l % (BK / 4) * 4;
        vec4 v = vec4(0);
        if (A_VEC) {
            if ((a_valid[i] >> tap & 1) != 0) v = x4[(a_offset[i] + pixel_step(tap) + c0 + k) / 4];
        } else {
            [[unroll]] for (int s = 0; s < 4; s++) v[s] = a_element(i, k0 + k + s);
        }
        tile_a_put_k(l / (BK / 4), k, v);
    }
}

void load_b(int k0, int tap, int c0, int n0)
{
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BN * BK / 4) break;
        vec4 v = vec4(0);
        if (TRANSPOSED) {
            int k = l % (BK / 4) * 4, n = l / (BK / 4);
            if (A_VEC) {
                if (n0 + n < p.co) v = w4[(int(p.base[1]) + ((8 - tap) * p.co + n0 + n) * p.ci + c0 + k) / 4];
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) v[s] = b_element(k0 + k + s, n0 + n);
            }
            tile_b_put_k(n, k, v);
        } else {
            int k = l / (BN / 4), n = l % (BN / 4) * 4;
            if (C_VEC) {
                if (n0 + n < p.co && (A_VEC || k0 + k < 9 * p.ci)) {
                    v = w4[(int(p.base[1]) + (k0 + k) * p.co + n0 + n) / 4];
                }
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) v[s] = b_element(k0 + k, n0 + n + s);
            }
            tile_b[k * B_STRIDE + n / 4] = v;
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

vec4 bias_at(int n)
{
    if (C_VEC) return n < p.co ? w4[(p.bias + n) / 4] : vec4(0);
    vec4 b = vec4(0);
    [[unroll]] for (int s = 0; s < 4; s++) if (n + s < p.co) b[s] = w[p.bias + n + s];
    return b;
}

/* Four channels of one pixel. */
void store(int at, int n, vec4 v)
{
    if (C_VEC) {
        if (TRANSPOSED && RELU) v = mix(vec4(0), v, positive(mask4[(int(p.base[3]) + at) / 4]));
        y4[(int(p.base[2]) + at) / 4] = v;
        return;
    }
    [[unroll]] for (int s = 0; s < 4; s++) {
        if (n + s >= p.co) break;
        bool keep = !(TRANSPOSED && RELU) || positive(mask[int(p.base[3]) + at + s]);
        y[int(p.base[2]) + at + s] = keep ? v[s] : 0.0;
    }
}

void store_quad(int quad, int n, vec4 v[4])
{
    vec4 best = v[0];
    uvec4 which = uvec4(0);
    [[unroll]] for (int q = 1; q < 4; q++) {
        bvec4 more = greaterThan(v[q], best);
        best = mix(best, v[q], more);
        which = mix(which, uvec4(q), more);
    }
    int at = quad * p.co + n;
    store(at, n, best);
    if (ARG) arg[int(p.base[3]) + at / 4] = which.x | which.y << 8 | which.z << 16 | which.w << 24;
}

void main()
{
    int m0 = int(gl_WorkGroupID.x) * BM, n0 = int(gl_WorkGroupID.y) * BN;
    rows_init(m0);
    acc_clear();
    if (A_VEC) {
        for (int tap = 0; tap < 9; tap++)
            for (int c0 = 0; c0 < p.ci; c0 += BK) step_tile(tap * p.ci + c0, tap, c0, n0);
    } else {
        for (int k0 = 0; k0 < 9 * p.ci; k0 += BK) step_tile(k0, 0, 0, n0);
    }
    [[unroll]] for (int j = 0; j < TN / 4; j++) {
        int n = n0 + acc_column(j);
        if (n >= p.co) continue;
        vec4 bias = TRANSPOSED ? vec4(0) : bias_at(n);
        [[unroll]] for (int i = 0; i < TM; i += 4) {
            vec4 v[4];
            [[unroll]] for (int r = 0; r < 4; r++) {
                v[r] = acc[i + r][j] + bias;
                if (RELU && !TRANSPOSED) v[r] = max(v[r], vec4(0));
            }
            int m = m0 + acc_row(i);
            if (POOL) {
                if (m < row_count()) store_quad(m / 4, n, v);
            } else {
                [[unroll]] for (int r = 0; r < 4; r++) if (m + r < row_count()) store((m + r) * p.co + n, n, v[r]);
            }
        }
    }
}
