/* gemm.comp: c = a b for dense layers and, BATCH, Winograd's domain. a is [m][k] (A_K: contiguous along k) or [k][m], b is [n][k] (B_K) or [k][n].
 * Part z of a split sum goes to its own copy of c. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_A_VEC) const bool A_VEC = false; /* four neighbours of a at once, also of b, c */
layout(constant_id = VK_SPEC_B_VEC) const bool B_VEC = false;
layout(constant_id = VK_SPEC_C_VEC) const bool C_VEC = false;
layout(constant_id = VK_SPEC_A_K) const bool A_K = true;
layout(constant_id = VK_SPEC_B_K) const bool B_K = false;
layout(constant_id = VK_SPEC_ADD) const bool ADD = false;   /* c += */
layout(constant_id = VK_SPEC_BIAS) const bool BIAS = false; /* binding 3 is a bias of n values */
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;
layout(constant_id = VK_SPEC_MASK) const bool MASK = false;   /* c = 0 where binding 3 is not > 0 */
layout(constant_id = VK_SPEC_BATCH) const bool BATCH = false; /* z counts parts of products of matrices without gaps */
layout(constant_id = VK_SPEC_EVEN) const bool EVEN = false;   /* every sum's terms are a multiple of BK */

#define A_GRADIENTS B_K  /* dx = dy w^T */
#define B_GRADIENTS !A_K /* dw = x^T dy */
#include "common/tile.glsl"

layout(push_constant) uniform Push { vk_push_gemm p; };
layout(binding = 0) readonly buffer A { float a[]; };
layout(binding = 0) readonly buffer A4 { vec4 a4[]; };
layout(binding = 1) readonly buffer B { float b[]; };
layout(binding = 1) readonly buffer B4 { vec4 b4[]; };
layout(binding = 2) buffer C { float c[]; };
layout(binding = 2) buffer C4 { vec4 c4[]; };
layout(binding = 3) readonly buffer Extra { float extra[]; };
layout(binding = 3) readonly buffer Extra4 { vec4 extra4[]; };

int a_base, b_base; /* words */

/* What lies past the last row or column is taken from there: no sum of it is stored. vec4 that a thread's loads begin
 * at, with A_VEC and B_VEC. */
uint a_at[A_LOADS], b_at[B_LOADS];
uint a_done, b_done; /* and from there to what the step takes */

int a_row(int l)
{
    return A_K ? l / (BK / 4) : l % (BM / 4) * 4;
}

int a_term(int l)
{
    return A_K ? l % (BK / 4) * 4 : l / (BM / 4);
}

int b_column(int l)
{
    return B_K ? l / (BK / 4) : l % (BN / 4) * 4;
}

int b_term(int l)
{
    return B_K ? l % (BK / 4) * 4 : l / (BN / 4);
}

void loads_init(int m0, int n0, int begin)
{
    a_done = b_done = 0u;
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS, m = m0 + a_row(l), k = begin + a_term(l);
        a_at[i] = uint(a_base + (A_K ? min(m, p.m - 1) * p.lda + k : k * p.lda + min(m, p.m - 4))) / 4u;
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS, n = n0 + b_column(l), k = begin + b_term(l);
        b_at[i] = uint(b_base + (B_K ? min(n, p.n - 1) * p.ldb + k : k * p.ldb + min(n, p.n - 4))) / 4u;
    }
}

/* Load i: four elements of a along its contiguous side, from (m, k) on. */
vec4 a_load(int i, int m, int k, int k_end)
{
    if (A_VEC && EVEN) return a4[a_at[i] + a_done];
    if (A_VEC) return mix(vec4(0), a4[k < k_end ? a_at[i] + a_done : uint(a_base) / 4u], bvec4(k < k_end));
    vec4 v = vec4(0);
    [[unroll]] for (int s = 0; s < 4; s++) {
        int row = min(A_K ? m : m + s, p.m - 1), term = A_K ? k + s : k;
        if (term < k_end) v[s] = a[a_base + (A_K ? row * p.lda + term : term * p.lda + row)];
    }
    return v;
}

vec4 b_load(int i, int n, int k, int k_end)
{
    if (B_VEC && EVEN) return b4[b_at[i] + b_done];
    if (B_VEC) return mix(vec4(0), b4[k < k_end ? b_at[i] + b_done : uint(b_base) / 4u], bvec4(k < k_end));
    vec4 v = vec4(0);
    [[unroll]] for (int s = 0; s < 4; s++) {
        int column = min(B_K ? n : n + s, p.n - 1), term = B_K ? k + s : k;
        if (term < k_end) v[s] = b[b_base + (B_K ? column * p.ldb + term : term * p.ldb + column)];
    }
    return v;
}

void load(int m0, int n0, int k0, int k_end)
{
    [[unroll]] for (int i = 0; i < A_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (!A_EVEN && l >= BM * BK / 4) break;
        vec4 v = a_load(i, m0 + a_row(l), k0 + a_term(l), k_end);
        if (A_K) {
            tile_a_put_k(i, v);
        } else {
            tile_a_put(i, v);
        }
    }
    [[unroll]] for (int i = 0; i < B_LOADS; i++) {
        int l = int(gl_LocalInvocationIndex) + i * THREADS;
        if (!B_EVEN && l >= BN * BK / 4) break;
        vec4 v = b_load(i, n0 + b_column(l), k0 + b_term(l), k_end);
        if (B_K) {
            tile_b_put_k(i, v);
        } else {
            tile_b_put(i, v);
        }
    }
    a_done += uint(A_K ? BK / 4 : BK / 4 * p.lda);
    b_done += uint(B_K ? BK / 4 : BK / 4 * p.ldb);
}

float finish(float v, float old, float extra_value)
{
    if (ADD) v += old;
    if (BIAS) v += extra_value;
    if (RELU) v = relu(v);
    if (MASK) v = positive(floatBitsToInt(extra_value)) ? v : 0.0;
    return v;
}

void store(int m, int n, int part, vec4 v)
{
    int row = m * p.ldc + n, at = int(p.base[2]) + part * int(p.part_size) + row;
    int other = int(p.base[3]) + (BIAS ? n : row);
    if (C_VEC) {
        vec4 old = ADD ? c4[at / 4] : vec4(0), e = BIAS || MASK ? extra4[other / 4] : vec4(0);
        [[unroll]] for (int s = 0; s < 4; s++) v[s] = finish(v[s], old[s], e[s]);
        c4[at / 4] = v;
        return;
    }
    [[unroll]] for (int s = 0; s < 4; s++) {
        if (n + s >= p.n) break;
        float old = ADD ? c[at + s] : 0.0, e = BIAS || MASK ? extra[other + s] : 0.0;
        c[at + s] = finish(v[s], old, e);
    }
}

void main()
{
    int m0 = int(gl_WorkGroupID.y) * BM, n0 = int(gl_WorkGroupID.x) * BN, z = int(gl_WorkGroupID.z);
    int product = BATCH ? z / p.parts : 0, begin = (z - product * p.parts) * p.per_part;
    int end = min(begin + p.per_part, p.k);
    a_base = int(p.base[0]) + product * p.m * p.k;
    b_base = int(p.base[1]) + product * p.k * p.n;
    tile_init(A_K, B_K);
    loads_init(m0, n0, begin);
    int k0 = begin;
    do { /* no part of a sum is empty */
        load(m0, n0, k0, end);
        barrier();
        tile_multiply();
        barrier();
        k0 += BK;
    } while (k0 < end);
    [[unroll]] for (int i = 0; i < TM; i++) {
        [[unroll]] for (int j = 0; j < TN / 4; j++) {
            int m = m0 + acc_row(i), n = n0 + acc_column(j);
            if (m < p.m && n < p.n) store(m, n, z, acc[i][j]);
        }
    }
}
