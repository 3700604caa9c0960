/* matrix.glsl: the product of tile.glsl on matrix cores: tiles of fp16 in shared memory, sums of fp32 in fragments that
 * a subgroup holds together. Before it is included, MATRIX_A_ALONG_K and MATRIX_B_ALONG_K say along which side the tiles
 * lie, A_GRADIENTS and B_GRADIENTS which of them holds gradients. Compiled as GL_NV_cooperative_matrix, which every
 * compiler knows, and rewritten to the extension that drivers have (khr_matrix.c); it tells what a fragment is for by the
 * constant of its rows, so that each has its own. */
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_NV_cooperative_matrix : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "common/half.glsl"

layout(local_size_x_id = VK_SPEC_THREADS) in;
layout(constant_id = VK_SPEC_BM) const int BM = 64;
layout(constant_id = VK_SPEC_BN) const int BN = 64;
layout(constant_id = VK_SPEC_BK) const int BK = 32;
layout(constant_id = VK_SPEC_TM) const int WM = 32; /* rows and columns that a subgroup makes */
layout(constant_id = VK_SPEC_TN) const int WN = 32;
layout(constant_id = VK_SPEC_SUBGROUP) const int SUBGROUP = 32;
layout(constant_id = VK_SPEC_FRAGMENT_A) const int FM_A = 16; /* rows of a fragment of a, of b, of sums; columns of sums */
layout(constant_id = VK_SPEC_FRAGMENT_B) const int FK = 16;
layout(constant_id = VK_SPEC_FRAGMENT_C) const int FM = 16;
layout(constant_id = VK_SPEC_FRAGMENT_N) const int FN = 16;
layout(constant_id = VK_SPEC_HALF) const bool HALF = false; /* rounds by the bits: the device's conversion does otherwise */

const int PAD = 8; /* halves, against bank conflicts; sides stay multiples of 16 bytes */
const int A_STRIDE = (MATRIX_A_ALONG_K ? BK : BM) + PAD;
const int B_STRIDE = (MATRIX_B_ALONG_K ? BK : BN) + PAD;
const int A_SIZE = (MATRIX_A_ALONG_K ? BM : BK) * A_STRIDE / 4; /* in uvec2, as all that follows */
const int B_SIZE = (MATRIX_B_ALONG_K ? BN : BK) * B_STRIDE / 4;
const int STRIP_STRIDE = (BN + PAD / 2) / 2;
const int STRIP_ROWS = BM / WM * FM; /* one row of fragments of each subgroup, as fp32 */
const int STRIP_SIZE = STRIP_ROWS * STRIP_STRIDE;
const int STRIP_BLOCKS = STRIP_ROWS / 4 * (BN / 4); /* of 4 x 4 */
const int TILE_SIZE = A_SIZE + B_SIZE > STRIP_SIZE ? A_SIZE + B_SIZE : STRIP_SIZE;
const int THREADS = BM / WM * (BN / WN) * SUBGROUP;
const int A_LOADS = (BM * BK / 4 + THREADS - 1) / THREADS; /* vec4 a thread brings for one step */
const int B_LOADS = (BN * BK / 4 + THREADS - 1) / THREADS;
const int MOST_M = 4, MOST_N = 2; /* fragments of a subgroup */

shared uvec2 tiles[TILE_SIZE]; /* a, then b; at the end strips of sums */

fcoopmatNV<32, gl_ScopeSubgroup, FM, FN> acc[MOST_M][MOST_N];

int wave_row()
{
    return int(gl_SubgroupID) / (BN / WN);
}

int wave_column()
{
    return int(gl_SubgroupID) % (BN / WN);
}

void acc_clear()
{
    [[unroll]] for (int i = 0; i < MOST_M; i++)
        [[unroll]] for (int j = 0; j < MOST_N; j++) acc[i][j] = fcoopmatNV<32, gl_ScopeSubgroup, FM, FN>(0.0);
}

/* Four operands as the product takes them: half_round, of which the device's own conversion is the last step. */
uvec2 operand(vec4 v, bool gradients)
{
    v = HALF ? half_round(v, gradients) : half_range(v, gradients);
    return uvec2(packFloat2x16(f16vec2(v.xy)), packFloat2x16(f16vec2(v.zw)));
}

/* Puts four elements into a tile: along k of row (or column) `at`, or along the rows (columns) from `at` on. */
void tile_a_put(int at, int k, vec4 v)
{
    tiles[(MATRIX_A_ALONG_K ? at * A_STRIDE + k : k * A_STRIDE + at) / 4] = operand(v, A_GRADIENTS);
}

void tile_b_put(int at, int k, vec4 v)
{
    tiles[A_SIZE + (MATRIX_B_ALONG_K ? at * B_STRIDE + k : k * B_STRIDE + at) / 4] = operand(v, B_GRADIENTS);
}

/* The same of four floats by their bits, or of four halves in .xy, which are operands already. */
void tile_a_put_bits(int at, int k, uvec4 bits, bool halves)
{
    int place = (MATRIX_A_ALONG_K ? at * A_STRIDE + k : k * A_STRIDE + at) / 4;
    tiles[place] = halves ? bits.xy : operand(uintBitsToFloat(bits), A_GRADIENTS);
}

void tile_b_put_bits(int at, int k, uvec4 bits, bool halves)
{
    int place = A_SIZE + (MATRIX_B_ALONG_K ? at * B_STRIDE + k : k * B_STRIDE + at) / 4;
    tiles[place] = halves ? bits.xy : operand(uintBitsToFloat(bits), B_GRADIENTS);
}

void tile_multiply()
{
    int m0 = wave_row() * WM, n0 = wave_column() * WN;
    [[unroll]] for (int k = 0; k < BK; k += FK) {
        fcoopmatNV<16, gl_ScopeSubgroup, FM_A, FK> a[MOST_M];
        [[unroll]] for (int i = 0; i < MOST_M; i++) {
            if (i >= WM / FM) break;
            int m = m0 + i * FM;
            if (MATRIX_A_ALONG_K) {
                coopMatLoadNV(a[i], tiles, (m * A_STRIDE + k) / 4, A_STRIDE / 4, false);
            } else {
                coopMatLoadNV(a[i], tiles, (k * A_STRIDE + m) / 4, A_STRIDE / 4, true);
            }
        }
        [[unroll]] for (int j = 0; j < MOST_N; j++) {
            if (j >= WN / FN) break;
            fcoopmatNV<16, gl_ScopeSubgroup, FK, FN> b;
            int n = n0 + j * FN;
            if (MATRIX_B_ALONG_K) {
                coopMatLoadNV(b, tiles, A_SIZE + (n * B_STRIDE + k) / 4, B_STRIDE / 4, true);
            } else {
                coopMatLoadNV(b, tiles, A_SIZE + (k * B_STRIDE + n) / 4, B_STRIDE / 4, false);
            }
            [[unroll]] for (int i = 0; i < MOST_M; i++) {
                if (i >= WM / FM) break;
                acc[i][j] = coopMatMulAddNV(a[i], b, acc[i][j]);
            }
        }
    }
}

/* After the last product: row of fragments `i` of every subgroup to shared memory. */
void strip_store(int i)
{
    barrier();
    [[unroll]] for (int j = 0; j < MOST_N; j++) {
        if (j >= WN / FN) break;
        int n = wave_column() * WN + j * FN;
        coopMatStoreNV(acc[i][j], tiles, wave_row() * FM * STRIP_STRIDE + n / 2, STRIP_STRIDE, false);
    }
    barrier();
}

/* Row and column in the tile where block `l` of strip i begins, and its row q. */
int strip_row(int i, int l)
{
    int row = l / (BN / 4) * 4;
    return row / FM * WM + i * FM + row % FM;
}

int strip_column(int l)
{
    return l % (BN / 4) * 4;
}

vec4 strip_at(int l, int q)
{
    int at = (l / (BN / 4) * 4 + q) * STRIP_STRIDE + strip_column(l) / 2;
    return vec4(uintBitsToFloat(tiles[at]), uintBitsToFloat(tiles[at + 1]));
}
