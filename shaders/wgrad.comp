/* wgrad.comp: gradient of a convolution's kernel: rows are (tap, input channel), columns output channels, and the sum
 * runs over pixels, in parts of p.per_part that workgroup z makes; reduce.comp adds the parts in order. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/tile.glsl"

layout(constant_id = VK_SPEC_A_VEC) const bool A_VEC = false; /* ci is a multiple of 4 */
layout(constant_id = VK_SPEC_C_VEC) const bool C_VEC = false; /* co is a multiple of 4 */

layout(push_constant) uniform Push { vk_push_wgrad p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 1) readonly buffer Dy4 { vec4 dy4[]; };
layout(binding = 2) writeonly buffer Part { float part[]; };
layout(binding = 2) writeonly buffer Part4 { vec4 part4[]; };

#include "common/pixel.glsl"

/* x at neighbour `tap` of a pixel, channel c; outside of the image 0. */
bool inside(pixel at, int tap)
{
    return (pixel_neighbours(at) >> tap & 1) != 0;
}

void load_a(int k0, int k_end, int m0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BM * BK / 4) break;
        int k = l / (BM / 4), m = m0 + l % (BM / 4) * 4;
        vec4 v = vec4(0);
        if (k0 + k < k_end) {
            pixel at = pixel_at(k0 + k);
            int origin = int(p.base[0]) + pixel_halo_offset(at);
            if (A_VEC) {
                int tap = m / p.ci;
                if (m < 9 * p.ci && inside(at, tap)) v = x4[(origin + pixel_step(tap) + m - tap * p.ci) / 4];
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) {
                    int tap = (m + s) / p.ci;
                    if (m + s < 9 * p.ci && inside(at, tap)) v[s] = x[origin + pixel_step(tap) + m + s - tap * p.ci];
                }
            }
        }
        tile_a[k * A_STRIDE + l % (BM / 4)] = v;
    }
}

void load_b(int k0, int k_end, int n0)
{
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BN * BK / 4) break;
        int k = l / (BN / 4), n = n0 + l % (BN / 4) * 4;
        vec4 v = vec4(0);
        if (k0 + k < k_end) {
            int at = int(p.base[1]) + (k0 + k) * p.co + n;
            if (C_VEC) {
                if (n < p.co) v = dy4[at / 4];
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) if (n + s < p.co) v[s] = dy[at + s];
            }
        }
        tile_b[k * B_STRIDE + l % (BN / 4)] = v;
    }
}

void main()
{
    int m0 = int(gl_WorkGroupID.x) * BM, n0 = int(gl_WorkGroupID.y) * BN, z = p.first_part + int(gl_WorkGroupID.z);
    int begin = z * p.per_part, end = min(begin + p.per_part, p.images * p.rows * p.w);
    acc_clear();
    for (int k0 = begin; k0 < end; k0 += BK) {
        load_a(k0, end, m0);
        load_b(k0, end, n0);
        barrier();
        tile_multiply();
        barrier();
    }
    int out_base = int(p.base[2]) + z * 9 * p.ci * p.co;
    [[unroll]] for (int i = 0; i < TM; i++) {
        [[unroll]] for (int j = 0; j < TN / 4; j++) {
            int m = m0 + acc_row(i), n = n0 + acc_column(j), at = out_base + m * p.co + n;
            if (m >= 9 * p.ci || n >= p.co) continue;
            if (C_VEC) {
                part4[at / 4] = acc[i][j];
            } else {
                [[unroll]] for (int s = 0; s < 4; s++) if (n + s < p.co) part[at + s] = acc[i][j][s];
            }
        }
    }
}
