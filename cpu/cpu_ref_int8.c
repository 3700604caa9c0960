/* cpu_ref_int8.c: quantised layers in plain C, the reference that the other levels equal bit for bit. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

enum { COLS = 64, TAPS = VGG_QUANT_TAPS };

static const struct cpu_int8_layout layout = { .form = CPU_PACK_INT8_PLAIN, .cols = COLS, .quad = 1, .chunk = 1 };

/* Where a value of the layer goes: bytes or floats, with ReLU where asked. */
static void put(const struct vgg_op *op, const struct cpu_args *a, size_t at, float value)
{
    if (op->y.type == VGG_U8)
        cpu_int8_bytes(a->y)[at] = cpu_int8_byte(value);
    else
        a->y[at] = (op->flags & VGG_OP_RELU) && 0 > value ? 0 : value;
}

/* ---- the first layer: floats to bytes ---- */

/* The layer's value at one pixel and output channel, before ReLU. */
static float first_pixel(const struct vgg_op *op, const struct cpu_args *a, int i, int y, int x, int k)
{
    size_t in = (size_t)op->x.c, out = (size_t)op->w.c;
    float sum = a->b[k];
    for (int tap = 0; tap < 9; tap++) {
        int iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
        bool inside = iy >= 0 && iy < op->x.h && ix >= 0 && ix < op->x.w;
        size_t at = (((size_t)i * (size_t)op->x.h + (size_t)iy) * (size_t)op->x.w + (size_t)ix) * in;
        for (size_t c = 0; c < in; c++)
            sum = fmaf(inside ? a->x[at + c] : 0, a->w[((size_t)tap * in + c) * out + (size_t)k], sum);
    }
    return sum;
}

static void first_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    int pool = op->flags & VGG_OP_POOL ? 2 : 1, rows = op->y.n * op->y.h;
    float share = cpu_int8_share(op, a->q);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int row = 0; row < rows; row++) {
        size_t at = (size_t)row * (size_t)op->y.w * (size_t)op->y.c;
        int i = row / op->y.h, y = row % op->y.h * pool;
        for (int x = 0; x < op->y.w; x++) {
            for (int k = 0; k < op->y.c; k++, at++) {
                float most = first_pixel(op, a, i, y, x * pool, k);
                for (int p = 1; p < pool * pool; p++) {
                    float value = first_pixel(op, a, i, y + p / 2, x * pool + p % 2, k);
                    most = value > most ? value : most;
                }
                put(op, a, at, most * share);
            }
        }
    }
}

/* ---- bytes, by Winograd's algorithm or by the formula itself ---- */

/* v[tap][c] = Vq of the tile whose outputs begin at pixel (y, x) of image i. */
static void tile_input(int16_t *v, const struct vgg_op *op, const uint8_t *from, const int16_t *mul, int i, int y,
                       int x)
{
    static const int B[4][4] = { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } };
    int in = op->x.c;
    for (int c = 0; c < in; c++) {
        int pixel[4][4], half[4][4];
        for (int p = 0; p < 16; p++) {
            int iy = y + p / 4 - 1, ix = x + p % 4 - 1;
            size_t at = (((size_t)i * (size_t)op->x.h + (size_t)iy) * (size_t)op->x.w + (size_t)ix) * (size_t)in;
            bool inside = iy >= 0 && iy < op->x.h && ix >= 0 && ix < op->x.w;
            pixel[p / 4][p % 4] = inside ? from[at + (size_t)c] : 0;
        }
        for (int p = 0; p < 16; p++) {
            half[p / 4][p % 4] = 0;
            for (int s = 0; s < 4; s++)
                half[p / 4][p % 4] += B[p / 4][s] * pixel[s][p % 4];
        }
        for (int t = 0; t < TAPS; t++) {
            int sum = 0, low = t == VGG_QUANT_PLUS ? 0 : -128, high = low + 255;
            for (int s = 0; s < 4; s++)
                sum += half[t / 4][s] * B[t % 4][s];
            sum = (sum * mul[t] + (1 << 14)) >> 15;
            v[t * in + c] = (int16_t)(sum < low ? low : sum > high ? high : sum);
        }
    }
}

/* m[tap][j] = the sums of a tile and a block of output channels. */
static void tile_multiply(int32_t m[TAPS][COLS], const int16_t *v, int in, const int8_t *u)
{
    for (int t = 0; t < TAPS; t++) {
        memset(m[t], 0, sizeof m[t]);
        for (int c = 0; c < in; c++, u += COLS)
            for (int j = 0; j < COLS; j++)
                m[t][j] += v[t * in + c] * u[j];
    }
}

/* o[2 * row + column] = A^T (m d) A + bias of output channel j of a block. */
static void tile_output(float o[4], int32_t m[TAPS][COLS], const float *d, float bias, int j)
{
    float z[2][4];
    for (int s = 0; s < 4; s++) {
        float m0 = (float)m[s][j], m1 = (float)m[4 + s][j], m2 = (float)m[8 + s][j], m3 = (float)m[12 + s][j];
        float middle = m1 * d[(4 + s) * COLS + j];
        z[0][s] = fmaf(m0, d[s * COLS + j], fmaf(m2, d[(8 + s) * COLS + j], middle));
        z[1][s] = fmaf(-m3, d[(12 + s) * COLS + j], fmaf(-m2, d[(8 + s) * COLS + j], middle));
    }
    for (int r = 0; r < 2; r++) {
        o[2 * r] = (z[r][0] + z[r][2]) + (z[r][1] + bias);
        o[2 * r + 1] = (z[r][1] - z[r][3]) + (bias - z[r][2]);
    }
}

/* Stores the four values of output channel k, those inside of the map, or their maximum. */
static void tile_store(const struct vgg_op *op, const struct cpu_args *a, const float o[4], int i, int ty, int tx,
                       int k)
{
    size_t h = (size_t)op->y.h, w = (size_t)op->y.w, c = (size_t)op->y.c;
    if (op->flags & VGG_OP_POOL) {
        float first = o[0] > o[1] ? o[0] : o[1], second = o[2] > o[3] ? o[2] : o[3];
        put(op, a, (((size_t)i * h + (size_t)ty) * w + (size_t)tx) * c + (size_t)k, first > second ? first : second);
        return;
    }
    for (int p = 0; p < 4; p++) {
        int y = 2 * ty + p / 2, x = 2 * tx + p % 2;
        if (y < op->y.h && x < op->y.w) put(op, a, (((size_t)i * h + (size_t)y) * w + (size_t)x) * c + (size_t)k, o[p]);
    }
}

/* The sums of the nine pixels around (y, x) of image i for a block of output channels. */
static void pixel_multiply(int32_t m[COLS], const struct vgg_op *op, const uint8_t *from, const int8_t *u, int i, int y,
                           int x)
{
    int in = op->x.c;
    memset(m, 0, COLS * sizeof *m);
    for (int tap = 0; tap < 9; tap++) {
        int iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
        size_t at = (((size_t)i * (size_t)op->x.h + (size_t)iy) * (size_t)op->x.w + (size_t)ix) * (size_t)in;
        if (iy < 0 || iy >= op->x.h || ix < 0 || ix >= op->x.w) {
            u += in * COLS;
            continue;
        }
        for (int c = 0; c < in; c++, u += COLS)
            for (int j = 0; j < COLS; j++)
                m[j] += from[at + (size_t)c] * u[j];
    }
}

static void direct_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a,
                       const struct cpu_int8_weights *weights, const struct cpu_int8_scales *scales)
{
    int side = op->flags & VGG_OP_POOL ? 2 : 1;
    size_t outputs = (size_t)op->y.n * (size_t)op->y.h * (size_t)op->y.w;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t o = 0; o < outputs; o++) {
        int x = (int)(o % (size_t)op->y.w), row = (int)(o / (size_t)op->y.w), y = row % op->y.h, i = row / op->y.h;
        for (int k = 0; k < op->w.c; k += COLS) {
            int32_t m[4][COLS];
            int count = op->w.c - k < COLS ? op->w.c - k : COLS;
            for (int p = 0; p < side * side; p++)
                pixel_multiply(m[p], op, cpu_int8_bytes(a->x), weights->u + (size_t)k * (size_t)weights->in, i,
                               side * y + p / 2, side * x + p % 2);
            for (int j = k; j < k + count; j++) {
                float most = fmaf((float)m[0][j - k], scales->deq[j], scales->bias[j]);
                for (int p = 1; p < side * side; p++) {
                    float value = fmaf((float)m[p][j - k], scales->deq[j], scales->bias[j]);
                    most = value > most ? value : most;
                }
                put(op, a, o * (size_t)op->w.c + (size_t)j, most);
            }
        }
    }
}

static enum vgg_status bytes_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    bool pool = op->flags & VGG_OP_POOL;
    int high = pool ? op->y.h : (op->y.h + 1) / 2, wide = pool ? op->y.w : (op->y.w + 1) / 2, in = op->x.c;
    struct cpu_int8_weights weights;
    struct cpu_int8_scales scales;
    void *scratch;
    enum vgg_status status = cpu_int8_weights_get(cpu, &weights, op, a, &layout);
    if (status != VGG_OK) return status;
    size_t size = cpu_int8_scales_size(&weights), one = TAPS * (size_t)in;
    status = cpu_scratch(cpu, &scratch, size + one * (size_t)cpu->threads * sizeof(int16_t));
    if (status != VGG_OK) return status;
    cpu_int8_scales_make(&scales, scratch, op, a, &weights, COLS);
    if (cpu_int8_direct(cpu, a->q)) {
        direct_run(cpu, op, a, &weights, &scales);
        return VGG_OK;
    }
    int16_t *inputs = (int16_t *)(void *)((char *)scratch + size);
    size_t tiles = (size_t)op->x.n * (size_t)high * (size_t)wide;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t tile = 0; tile < tiles; tile++) {
        int16_t *v = inputs + one * (size_t)omp_get_thread_num();
        int tx = (int)(tile % (size_t)wide), row = (int)(tile / (size_t)wide), ty = row % high, i = row / high;
        tile_input(v, op, cpu_int8_bytes(a->x), scales.mul, i, 2 * ty, 2 * tx);
        for (int k = 0; k < op->w.c; k += COLS) {
            int32_t m[TAPS][COLS];
            float o[4];
            int count = op->w.c - k < COLS ? op->w.c - k : COLS;
            tile_multiply(m, v, in, weights.u + (size_t)k * one);
            for (int j = 0; j < count; j++) {
                tile_output(o, m, scales.deq + (size_t)k * TAPS, scales.bias[k + j], j);
                tile_store(op, a, o, i, ty, tx, k + j);
            }
        }
    }
    return VGG_OK;
}

enum vgg_status cpu_conv_int8_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    if (op->x.type == VGG_U8) return bytes_run(cpu, op, a);
    first_run(cpu, op, a);
    return VGG_OK;
}

/* ---- dense layers ---- */

enum vgg_status cpu_dense_int8_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    struct cpu_int8_weights weights;
    struct cpu_int8_scales scales;
    void *scratch;
    enum vgg_status status = cpu_int8_weights_get(cpu, &weights, op, a, &layout);
    if (status != VGG_OK) return status;
    status = cpu_scratch(cpu, &scratch, cpu_int8_scales_size(&weights));
    if (status != VGG_OK) return status;
    cpu_int8_scales_make(&scales, scratch, op, a, &weights, COLS);
    size_t in = (size_t)op->w.w, out = (size_t)op->w.c;
    int blocks = weights.out / COLS;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int i = 0; i < op->x.n * blocks; i++) {
        size_t row = (size_t)(i / blocks), k = (size_t)(i % blocks) * COLS, count = out - k < COLS ? out - k : COLS;
        const uint8_t *x = cpu_int8_bytes(a->x) + row * in;
        const int8_t *u = weights.u + k * in;
        int32_t sum[COLS] = { 0 };
        for (size_t c = 0; c < in; c++, u += COLS)
            for (int j = 0; j < COLS; j++)
                sum[j] += x[c] * u[j];
        for (size_t j = 0; j < count; j++)
            put(op, a, row * out + k + j, fmaf((float)sum[j], scales.deq[k + j], scales.bias[k + j]));
    }
    return VGG_OK;
}
