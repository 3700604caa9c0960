/* texel.glsl: lane.glsl for operands that lie in texel buffers as well: four words at a time at a price that a storage
 * buffer asks for one. Sums go by eight, in registers; the tile is small enough for the code of one step to stay in the
 * instruction cache. Columns and words of the sum come in eights. */

const int LANES = 8;
layout(local_size_x = 8) in;
layout(constant_id = VK_SPEC_TM) const int TM = 16; /* rows, a multiple of 8 */
layout(constant_id = VK_SPEC_TN) const int TN = 8;  /* 4 or 8 columns, from TN lane on, are the lane's */
const int STEP = 8;                        /* words of the sum at a time */

float acc[TM][TN];

void acc_clear()
{
    [[unroll]] for (int i = 0; i < TM; i++)
        [[unroll]] for (int j = 0; j < TN; j++) acc[i][j] = 0.0;
}

/* Eight words from word `at`, a multiple of four, on. */
void load_eight(out float t[8], samplerBuffer from, int at)
{
    vec4 low = texelFetch(from, at >> 2), high = texelFetch(from, (at >> 2) + 1);
    t = float[8](low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
}

/* Eight words of each of eight rows (words[row][word]) or, rows = false, of eight words of the sum (words[word][row]),
 * for acc_step: a matrix whose lines of `stride` words begin at `at`, from word `from` on of lines line .. line + 7, the
 * last of which is `last`. What lies past it is zero where lines are words of the sum. */
void load_lines(out float t[8], samplerBuffer of, int at, int stride, int line, int last, int from, const bool rows)
{
    line += int(gl_LocalInvocationIndex);
    load_eight(t, of, at + min(line, last) * stride + from);
    if (rows) return;
    [[unroll]] for (int i = 0; i < 8; i++) t[i] = line <= last ? t[i] : 0.0;
}

/* The lane's columns of one row, from word `at` on. */
void load_columns(out float b[TN], samplerBuffer from, int at)
{
    [[unroll]] for (int j = 0; j < TN; j += 4) {
        vec4 four = texelFetch(from, (at + j) >> 2);
        [[unroll]] for (int c = 0; c < 4; c++) b[j + c] = four[c];
    }
}

/* acc += a b for rows 8 i .. 8 i + 7 and eight words of the sum. rows: a holds the words of the lane's row, else the rows
 * of the lane's word. */
void acc_step(int i, float a[8], const bool rows, float b[STEP][TN])
{
    [[unroll]] for (int l = 0; l < LANES; l++) {
        float word[STEP];
        [[unroll]] for (int s = 0; s < STEP; s++) word[s] = subgroupShuffle(a[rows ? s : l], uint(rows ? l : s));
        [[unroll]] for (int j = 0; j < TN; j++) {
            float sum = acc[LANES * i + l][j];
            [[unroll]] for (int s = 0; s < STEP; s++) sum = fma(word[s], b[s][j], sum);
            acc[LANES * i + l][j] = sum;
        }
    }
}
