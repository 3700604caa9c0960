/* wgrad.comp: ../wgrad.comp on matrix cores; ci and co are multiples of 4. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"

layout(push_constant) uniform Push { vk_push_wgrad p; };
layout(binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(binding = 0) readonly buffer HalvesX { uvec2 x_halves[]; };
layout(binding = 1) readonly buffer Dy4 { uvec4 dy4[]; };
layout(binding = 1) readonly buffer HalvesDy { uvec2 dy_halves[]; };
layout(binding = 2) writeonly buffer Part4 { vec4 part4[]; };

#include "common/halves.glsl"
#include "common/pixel.glsl"
#define MATRIX_A_ALONG_K false
#define MATRIX_B_ALONG_K false
#define A_GRADIENTS false
#define B_GRADIENTS true
#include "common/matrix.glsl"

/* For each of a thread's loads of x: the pixel, in rows of all the part's images, and the place of its neighbour. */
int a_x[A_LOADS], a_row[A_LOADS], a_image[A_LOADS];
int a_tap[A_LOADS], a_step[A_LOADS]; /* tap 9: none */
uvec4 a_next[A_LOADS], b_next[B_LOADS]; /* by the bits: four floats, or halves in two words */

void places_init(int m0, int k0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS, m = m0 + l % (BM / 4) * 4, k = k0 + l / (BM / 4);
        a_tap[i] = min(m / p.ci, 9);
        a_step[i] = elements_to(0) + pixel_step(a_tap[i]) + m - a_tap[i] * p.ci;
        int row = k / p.w;
        a_x[i] = k - row * p.w;
        a_image[i] = row / p.rows;
        a_row[i] = row - a_image[i] * p.rows;
    }
}

/* On by BK pixels, which are `rows` rows and `columns` columns. */
void places_step(int rows, int columns)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        a_x[i] += columns;
        a_row[i] += rows;
        if (a_x[i] >= p.w) {
            a_x[i] -= p.w;
            a_row[i]++;
        }
        while (a_row[i] >= p.rows) {
            a_row[i] -= p.rows;
            a_image[i]++;
        }
    }
}

/* What comes next, from memory to registers. */
void fetch(int k0, int end, int n0)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS, k = k0 + l / (BM / 4);
        pixel at = pixel(a_image[i], p.y0 + a_row[i], a_x[i]);
        bool inside = l < BM * BK / 4 && k < end && a_tap[i] < 9 && (pixel_neighbours(at) >> a_tap[i] & 1) != 0;
        int four = (a_step[i] + pixel_halo_offset(at)) / 4;
        a_next[i] = uvec4(0);
        if (inside && HALVES_0) a_next[i].xy = x_halves[four];
        if (inside && !HALVES_0) a_next[i] = x4[four];
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS, k = k0 + l / (BN / 4), n = n0 + l % (BN / 4) * 4;
        bool inside = l < BN * BK / 4 && k < end && n < p.co;
        int four = (elements_to(1) + k * p.co + n) / 4;
        b_next[i] = uvec4(0);
        if (inside && HALVES_1) b_next[i].xy = dy_halves[four];
        if (inside && !HALVES_1) b_next[i] = dy4[four];
    }
}

/* From registers into the tiles. */
void put()
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BM * BK / 4) break;
        tile_a_put_bits(l % (BM / 4) * 4, l / (BM / 4), a_next[i], HALVES_0);
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (l >= BN * BK / 4) break;
        tile_b_put_bits(l % (BN / 4) * 4, l / (BN / 4), b_next[i], HALVES_1);
    }
}

void main()
{
    int m0 = int(gl_WorkGroupID.x) * BM, n0 = int(gl_WorkGroupID.y) * BN, z = p.first_part + int(gl_WorkGroupID.z);
    int begin = z * p.per_part, end = min(begin + p.per_part, p.images * p.rows * p.w);
    int rows = BK / p.w, columns = BK - rows * p.w;
    acc_clear();
    places_init(m0, begin);
    fetch(begin, end, n0);
    for (int k0 = begin; k0 < end; k0 += BK) {
        put();
        barrier();
        places_step(rows, columns);
        if (k0 + BK < end) fetch(k0 + BK, end, n0);
        tile_multiply();
        barrier();
    }
    int out_base = int(p.base[2]) + z * 9 * p.ci * p.co;
    [[unroll]] for (int i = 0; i < MOST_M; i++) {
        if (i >= WM / FM) break;
        strip_store(i);
        for (int l = int(gl_LocalInvocationIndex); l < STRIP_BLOCKS; l += THREADS) {
            int m = m0 + strip_row(i, l), n = n0 + strip_column(l);
            if (n >= p.co) continue;
            [[unroll]] for (int q = 0; q < 4; q++) {
                if (m + q < 9 * p.ci) part4[(out_base + (m + q) * p.co + n) / 4] = strip_at(l, q);
            }
        }
    }
}
