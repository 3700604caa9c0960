/* wgrad.comp: gradient of a convolution's kernel: rows are (tap, input channel), columns output channels, and the sum
 * runs over pixels, in parts of p.per_part that workgroup z makes; reduce.comp adds the parts in order. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#define A_GRADIENTS false
#define B_GRADIENTS true
#include "common/tile.glsl"

layout(constant_id = VK_SPEC_A_VEC) const bool A_VEC = false; /* ci is a multiple of 4 */
layout(constant_id = VK_SPEC_C_VEC) const bool C_VEC = false; /* co is a multiple of 4 */

layout(push_constant) uniform Push { vk_push_wgrad p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(binding = 0) readonly buffer HalvesX { uvec2 x_halves[]; };
layout(binding = 1) readonly buffer Dy { float dy[]; };
layout(binding = 1) readonly buffer Dy4 { vec4 dy4[]; };
layout(binding = 1) readonly buffer HalvesDy { uvec2 dy_halves[]; };
layout(binding = 2) writeonly buffer Part { float part[]; };
layout(binding = 2) writeonly buffer Part4 { vec4 part4[]; };

#include "common/halves.glsl"
#include "common/pixel.glsl"

const int A_LINE = BM / 4, A_STEP = THREADS / A_LINE; /* vec4 in a row of the tile; rows that all threads bring at once */
const int B_LINE = BN / 4, B_STEP = THREADS / B_LINE;

/* Where a thread's loads stand. All of them are of one tap and channel; the pixel steps by BK, its neighbour with it.
 * With A_VEC and C_VEC; vec4. */
int a_x[A_LOADS], a_y[A_LOADS], a_at[A_LOADS], b_at[B_LOADS];
int a_x_end, a_y_end; /* of the neighbours of a row and of the part */
bool b_inside;

void loads_init(int begin, int m0, int n0)
{
    int m = m0 + int(gl_LocalInvocationIndex) % A_LINE * 4, tap = m / p.ci, dx = tap % 3 - 1, dy = tap / 3 - 1;
    int n = n0 + int(gl_LocalInvocationIndex) % B_LINE * 4;
    a_x_end = p.w + dx;
    a_y_end = p.y0 + p.rows + dy;
    b_inside = n < p.co;
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        pixel at = pixel_at(begin + int(gl_LocalInvocationIndex) / A_LINE + i * A_STEP);
        a_x[i] = m < 9 * p.ci ? at.x + dx : -0x40000000; /* in no image */
        a_y[i] = at.y + dy;
        a_at[i] = (elements_to(0) + pixel_halo_offset(at) + pixel_step(tap) + m - tap * p.ci) / 4;
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int k = begin + int(gl_LocalInvocationIndex) / B_LINE + i * B_STEP;
        b_at[i] = (elements_to(1) + k * p.co + n) / 4;
    }
}

vec4 x_four(int i)
{
    if (HALVES_0) return halves_four(x_halves[i]);
    return x4[i];
}

vec4 dy_four(int i)
{
    if (HALVES_1) return halves_four(dy_halves[i]);
    return dy4[i];
}

/* One element of the unrolled input. */
float a_element(pixel at, int m)
{
    int tap = m / p.ci;
    bool inside = m < 9 * p.ci && (pixel_neighbours(at) >> tap & 1) != 0;
    return inside ? x[int(p.base[0]) + pixel_halo_offset(at) + pixel_step(tap) + m - tap * p.ci] : 0.0;
}

/* What lies outside is read from the first pixel and taken for 0: no load waits for another, as behind branches. */
vec4 a_load(int i, int k0, int k_end, int m0)
{
    int l = int(gl_LocalInvocationIndex) + i * THREADS, k = l / A_LINE;
    if (A_VEC) {
        bool inside = k < k_end - k0 && uint(a_x[i]) < uint(p.w) && uint(a_y[i]) < uint(p.h);
        return mix(vec4(0), x_four(inside ? a_at[i] : elements_to(0) / 4), bvec4(inside));
    }
    vec4 v = vec4(0);
    if (k >= k_end - k0) return v;
    pixel at = pixel_at(k0 + k);
    [[unroll]] for (int s = 0; s < 4; s++) v[s] = a_element(at, m0 + l % A_LINE * 4 + s);
    return v;
}

vec4 b_load(int i, int k0, int k_end, int n0)
{
    int l = int(gl_LocalInvocationIndex) + i * THREADS, k = l / B_LINE;
    if (C_VEC) {
        bool inside = k < k_end - k0 && b_inside;
        return mix(vec4(0), dy_four(inside ? b_at[i] : elements_to(1) / 4), bvec4(inside));
    }
    vec4 v = vec4(0);
    if (k >= k_end - k0) return v;
    int n = n0 + l % B_LINE * 4, at = int(p.base[1]) + (k0 + k) * p.co;
    [[unroll]] for (int s = 0; s < 4; s++) v[s] = dy[at + min(n + s, p.co - 1)]; /* past the last: not stored */
    return v;
}

/* On to the next BK pixels. */
void loads_step()
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        a_x[i] += BK;
        a_at[i] += BK * p.ci / 4;
        do { /* rows of BK and more take one turn, without a branch */
            bool row = a_x[i] >= a_x_end;
            a_x[i] -= row ? p.w : 0;
            a_y[i] += row ? 1 : 0;
            a_y[i] -= row && a_y[i] == a_y_end ? p.rows : 0; /* of the next image, whose rows follow at once */
        } while (p.w < BK && a_x[i] >= a_x_end);
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) b_at[i] += BK * p.co / 4;
}

void load(int k0, int k_end, int m0, int n0)
{
    vec4 a[A_LOADS], b[B_LOADS];
    [[unroll]] for (int i = 0; i < A_LOADS; i++) a[i] = a_load(i, k0, k_end, m0);
    [[unroll]] for (int i = 0; i < B_LOADS; i++) b[i] = b_load(i, k0, k_end, n0);
    loads_step();
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        if (A_EVEN || int(gl_LocalInvocationIndex) + i * THREADS < BM * BK / 4) tile_a_put(i, a[i]);
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        if (B_EVEN || int(gl_LocalInvocationIndex) + i * THREADS < BN * BK / 4) tile_b_put(i, b[i]);
    }
}

void main()
{
    int m0 = int(gl_WorkGroupID.x) * BM, n0 = int(gl_WorkGroupID.y) * BN, z = p.first_part + int(gl_WorkGroupID.z);
    int begin = z * p.per_part, end = min(begin + p.per_part, p.images * p.rows * p.w);
    tile_init(false, false);
    loads_init(begin, m0, n0);
    int k0 = begin;
    do { /* no part of a sum is empty */
        load(k0, end, m0, n0);
        barrier();
        tile_multiply();
        barrier();
        k0 += BK;
    } while (k0 < end);
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
