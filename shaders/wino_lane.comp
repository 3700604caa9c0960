/* wino_lane.comp: the 36 products of Winograd's domain on devices of CPU type: m[z] = v[z] u[z] for workgroup z, v[z]
 * being [m][k], or [k][m] when TRANSPOSED. Two neighbours are loaded at once, as one 64-bit word; m (k when not
 * TRANSPOSED) and n are even. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "common/lane.glsl"
#include "common/pair.glsl"

layout(constant_id = 2) const bool TRANSPOSED = false;
layout(push_constant) uniform Push { vk_push_gemm p; };
layout(binding = 0) readonly buffer V { uint64_t v[]; };
layout(binding = 1) readonly buffer U { uint64_t u[]; };
layout(binding = 2) writeonly buffer M { float m[]; };

int column[TN / 2]; /* pairs to the lane's columns 16 j + 2 lane, + 1 */

/* The lane's columns of row k of u. */
void load_columns(out float b[TN], int k)
{
    [[unroll]] for (int j = 0; j < TN / 2; j++) {
        vec2 two = pair(u[column[j] + k * (p.n / 2)]);
        b[2 * j] = two.x;
        b[2 * j + 1] = two.y;
    }
}

/* Rows 8 i + lane; pairs along k. */
void multiply(int base, int m0)
{
    int row[TM / LANES];
    [[unroll]] for (int i = 0; i < TM / LANES; i++) {
        row[i] = (base + min(m0 + LANES * i + int(gl_LocalInvocationIndex), p.m - 1) * p.k) / 2;
    }
    [[dont_unroll]] for (int k = 0; k < p.k / 2; k++) {
        float b0[TN], b1[TN];
        load_columns(b0, 2 * k);
        load_columns(b1, 2 * k + 1);
        [[unroll]] for (int i = 0; i < TM / LANES; i++) {
            vec2 two = pair(v[row[i] + k]);
            acc_rows(i, two.x, b0);
            acc_rows(i, two.y, b1);
        }
    }
}

/* Rows 16 i + 2 lane, + 1: acc[16 i + lane] and acc[16 i + 8 + lane]. */
void multiply_transposed(int base, int m0)
{
    int row[TM / LANES / 2];
    [[unroll]] for (int i = 0; i < TM / LANES / 2; i++) {
        row[i] = (base + min(m0 + 2 * LANES * i + 2 * int(gl_LocalInvocationIndex), p.m - 2)) / 2;
    }
    [[dont_unroll]] for (int k = 0; k < p.k; k++) {
        float b[TN];
        load_columns(b, k);
        [[unroll]] for (int i = 0; i < TM / LANES / 2; i++) {
            vec2 two = pair(v[row[i] + k * (p.m / 2)]);
            acc_rows(2 * i, two.x, b);
            acc_rows(2 * i + 1, two.y, b);
        }
    }
}

/* Row of the tile that acc[i] belongs to. */
int acc_row(int i)
{
    return TRANSPOSED ? i / 16 * 16 + i % 8 * 2 + i / 8 % 2 : i;
}

void main()
{
    int z = int(gl_WorkGroupID.z), m0 = int(gl_WorkGroupID.x) * TM;
    int n0 = int(gl_WorkGroupID.y) * LANES * TN + 2 * int(gl_LocalInvocationIndex);
    [[unroll]] for (int j = 0; j < TN / 2; j++) {
        column[j] = (int(p.base[1]) + z * p.k * p.n + min(n0 + 2 * LANES * j, p.n - 2)) / 2;
    }
    acc_clear();
    int base = int(p.base[0]) + z * p.m * p.k;
    if (TRANSPOSED) {
        multiply_transposed(base, m0);
    } else {
        multiply(base, m0);
    }
    [[unroll]] for (int i = 0; i < TM; i++) {
        [[unroll]] for (int j = 0; j < TN; j++) {
            int row = m0 + acc_row(i), n = n0 + 2 * LANES * (j / 2) + j % 2;
            if (row < p.m && n < p.n) m[int(p.base[2]) + (z * p.m + row) * p.n + n] = acc[i][j];
        }
    }
}
