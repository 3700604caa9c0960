/* tile.glsl: the product of a BM x BK and a BK x BN tile in shared memory, accumulated in registers: TM x TN elements a
 * thread. TILE is the number of the module's tile. What stands in the tiles is the including shader's business, which passes
 * it through operand(). */
#include "common/half.glsl"

layout(constant_id = VK_SPEC_HALF) const bool HALF = false; /* operands are rounded to fp16 */

const int THREADS = vk_tiles[TILE].threads; /* (BM / TM) * (BN / TN) */
const int BM = vk_tiles[TILE].bm, BN = vk_tiles[TILE].bn, BK = vk_tiles[TILE].bk;
const int TM = vk_tiles[TILE].tm, TN = vk_tiles[TILE].tn;
layout(local_size_x = THREADS) in;

const int A_STRIDE = BM / 4 + 1; /* in vec4: one of padding against bank conflicts */
const int B_STRIDE = BN / 4 + 1;
const int A_LOADS = (BM * BK / 4 + THREADS - 1) / THREADS; /* vec4 a thread brings for one step */
const int B_LOADS = (BN * BK / 4 + THREADS - 1) / THREADS;

/* Does every thread bring as many as the others? No branch then. */
const bool A_EVEN = A_LOADS * THREADS == BM * BK / 4, B_EVEN = B_LOADS * THREADS == BN * BK / 4;

shared vec4 tile_a[BK * A_STRIDE]; /* [k][m] */
shared vec4 tile_b[BK * B_STRIDE]; /* [k][n] */

vec4 acc[TM][TN / 4];

void acc_clear()
{
    [[unroll]] for (int i = 0; i < TM; i++)
        [[unroll]] for (int j = 0; j < TN / 4; j++) acc[i][j] = vec4(0);
}

/* Row of the tile that acc[i] belongs to; four rows of a thread lie together. Column of acc[][j].x. */
int acc_row(int i)
{
    return ((i / 4) * (BM / TM) + int(gl_LocalInvocationIndex) / (BN / TN)) * 4 + i % 4;
}

int acc_column(int j)
{
    return (j * (BN / TN) + int(gl_LocalInvocationIndex) % (BN / TN)) * 4;
}

void tile_multiply()
{
    int tx = int(gl_LocalInvocationIndex) % (BN / TN), ty = int(gl_LocalInvocationIndex) / (BN / TN);
    [[unroll]] for (int k = 0; k < BK; k++) {
        vec4 a[TM / 4], b[TN / 4];
        [[unroll]] for (int i = 0; i < TM / 4; i++) a[i] = tile_a[k * A_STRIDE + i * (BM / TM) + ty];
        [[unroll]] for (int j = 0; j < TN / 4; j++) b[j] = tile_b[k * B_STRIDE + j * (BN / TN) + tx];
        [[unroll]] for (int i = 0; i < TM; i++)
            [[unroll]] for (int j = 0; j < TN / 4; j++) acc[i][j] = fma(vec4(a[i / 4][i % 4]), b[j], acc[i][j]);
    }
}

/* As the product takes it. */
vec4 operand(vec4 v)
{
    return HALF ? half_round(v) : v;
}

/* Puts four elements along k of row (or column) `at` into a tile. */
void tile_a_put_k(int at, int k, vec4 v)
{
    v = operand(v);
    [[unroll]] for (int s = 0; s < 4; s++) tile_a[(k + s) * A_STRIDE + at / 4][at % 4] = v[s];
}

void tile_b_put_k(int at, int k, vec4 v)
{
    v = operand(v);
    [[unroll]] for (int s = 0; s < 4; s++) tile_b[(k + s) * B_STRIDE + at / 4][at % 4] = v[s];
}
