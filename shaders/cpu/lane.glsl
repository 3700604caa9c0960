/* lane.glsl: a matrix product by one subgroup of 8 that is one workgroup, for devices of CPU type. Loads whose address
 * differs between lanes cost them a loop over the lanes, sums and products nothing in comparison; so the tile is large,
 * lies in (spilled) registers, and what all lanes need is loaded once by one of them and passed on. */

const int LANES = 8;
layout(local_size_x = 8) in;
layout(constant_id = VK_SPEC_TM) const int TM = 64; /* rows, a multiple of 8; the lane loads rows 8 i + lane */
layout(constant_id = VK_SPEC_TN) const int TN = 4;  /* columns 8 j + lane, j < TN, belong to that lane */

float acc[TM][TN];

void acc_clear()
{
    [[unroll]] for (int i = 0; i < TM; i++)
        [[unroll]] for (int j = 0; j < TN; j++) acc[i][j] = 0.0;
}

/* acc += a b^T for one k: `a` of the rows 8 i .. 8 i + 7 by lane, b of the lane's columns. */
void acc_rows(int i, float a, float b[TN])
{
    [[unroll]] for (int l = 0; l < LANES; l++) {
        float row = subgroupShuffle(a, uint(l)); /* one instruction where a broadcast would look for an active lane */
        [[unroll]] for (int j = 0; j < TN; j++) acc[LANES * i + l][j] = fma(row, b[j], acc[LANES * i + l][j]);
    }
}
