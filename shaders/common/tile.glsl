/* tile.glsl: the product of a BM x BK and a BK x BN tile in shared memory, accumulated in registers: TM x TN elements a
 * thread. TILE is the number of the module's tile. What stands in the tiles is the including shader's business; before it
 * includes this, it says with A_GRADIENTS and B_GRADIENTS which of them holds gradients. */
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

/* vec4 before row k: each eight rows stand two vec4 further right, so that four threads that put elements along k, and
 * eight neighbours of theirs, meet all 32 banks. */
uint tile_row(uint k, int stride)
{
    return k * uint(stride) + k / 8u * 2u;
}

shared vec4 tile_a[BK * A_STRIDE + (BK - 1) / 8 * 2]; /* [k][m] */
shared vec4 tile_b[BK * B_STRIDE + (BK - 1) / 8 * 2]; /* [k][n] */

vec4 acc[TM][TN / 4];

/* What no step changes, as variables: compilers leave such sums in the loop. The thread's column and row in vec4; where
 * its loads go in a tile, and which word of the vec4 when they go along k. */
uint tile_x, tile_y, a_put, b_put, a_word, b_word;

/* Thirty-two threads share eight columns and four rows, to read few words of a tile at a time. */
const uint WIDE = BM / TM >= 4 ? 8u : 32u, ACROSS = uint(BN / TN) / WIDE;

/* along_k: the tile is filled by tile_a_put_k, else by tile_a_put; b alike. */
void tile_init(bool a_along_k, bool b_along_k)
{
    uint t = gl_LocalInvocationIndex, wave = t / 32u, lane = t % 32u;
    tile_x = wave % ACROSS * WIDE + lane % WIDE;
    tile_y = wave / ACROSS * (32u / WIDE) + lane / WIDE;
    uint along = t / uint(BK / 4), k = t % uint(BK / 4) * 4u, a_line = uint(BM / 4), b_line = uint(BN / 4);
    a_put = a_along_k ? tile_row(k, A_STRIDE) + along / 4u : tile_row(t / a_line, A_STRIDE) + t % a_line;
    b_put = b_along_k ? tile_row(k, B_STRIDE) + along / 4u : tile_row(t / b_line, B_STRIDE) + t % b_line;
    a_word = b_word = along % 4u;
    [[unroll]] for (int i = 0; i < TM; i++)
        [[unroll]] for (int j = 0; j < TN / 4; j++) acc[i][j] = vec4(0);
}

/* Row of the tile that acc[i] belongs to; four rows of a thread lie together. Column of acc[][j].x. */
int acc_row(int i)
{
    return ((i / 4) * (BM / TM) + int(tile_y)) * 4 + i % 4;
}

int acc_column(int j)
{
    return (j * (BN / TN) + int(tile_x)) * 4;
}

void tile_multiply()
{
    [[unroll]] for (uint k = 0u; k < uint(BK); k++) {
        vec4 a[TM / 4], b[TN / 4];
        [[unroll]] for (int i = 0; i < TM / 4; i++) a[i] = tile_a[tile_y + tile_row(k, A_STRIDE) + uint(i * (BM / TM))];
        [[unroll]] for (int j = 0; j < TN / 4; j++) b[j] = tile_b[tile_x + tile_row(k, B_STRIDE) + uint(j * (BN / TN))];
        [[unroll]] for (int i = 0; i < TM; i++)
            [[unroll]] for (int j = 0; j < TN / 4; j++) acc[i][j] = fma(vec4(a[i / 4][i % 4]), b[j], acc[i][j]);
    }
}

/* As the product takes it. */
vec4 operand(vec4 v, bool gradients)
{
    return HALF ? half_round(v, gradients) : v;
}

/* Puts load i into a tile: four rows (or columns) of one k, or four k of a row. A thread's loads are THREADS apart, in
 * vec4 of what is loaded. */
void tile_a_put(int i, vec4 v)
{
    tile_a[a_put + tile_row(uint(i * THREADS / (BM / 4)), A_STRIDE)] = operand(v, A_GRADIENTS);
}

void tile_b_put(int i, vec4 v)
{
    tile_b[b_put + tile_row(uint(i * THREADS / (BN / 4)), B_STRIDE)] = operand(v, B_GRADIENTS);
}

void tile_a_put_k(int i, vec4 v)
{
    v = operand(v, A_GRADIENTS);
    [[unroll]] for (int s = 0; s < 4; s++) tile_a[a_put + uint(i * THREADS / BK + s * A_STRIDE)][a_word] = v[s];
}

void tile_b_put_k(int i, vec4 v)
{
    v = operand(v, B_GRADIENTS);
    [[unroll]] for (int s = 0; s < 4; s++) tile_b[b_put + uint(i * THREADS / BK + s * B_STRIDE)][b_word] = v[s];
}
