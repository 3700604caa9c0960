/* cpu_int8_pack.c: weights and scales of quantised layers, by the arithmetic of op.h in its order. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

enum { MOST_COLS = 64, TAPS = VGG_QUANT_TAPS };

static int round_up(int a, int b)
{
    return (a + b - 1) / b * b;
}

/* ---- values of one input channel, `count` output channels side by side ---- */

/* u[tap][j] = G w G^T of w[3 * row + column][j]. */
static void transform(float u[TAPS][MOST_COLS], const float *w, size_t stride, int count)
{
    float half[4][3][MOST_COLS];
    for (int q = 0; q < 3; q++) {
        const float *w0 = w + (size_t)q * stride, *w1 = w0 + 3 * stride, *w2 = w1 + 3 * stride;
        for (int j = 0; j < count; j++) {
            float ends = w0[j] + w2[j];
            half[0][q][j] = w0[j];
            half[1][q][j] = (ends + w1[j]) * 0.5f;
            half[2][q][j] = (ends - w1[j]) * 0.5f;
            half[3][q][j] = w2[j];
        }
    }
    for (int p = 0; p < 4; p++) {
        for (int j = 0; j < count; j++) {
            float ends = half[p][0][j] + half[p][2][j];
            u[4 * p][j] = half[p][0][j];
            u[4 * p + 1][j] = (ends + half[p][1][j]) * 0.5f;
            u[4 * p + 2][j] = (ends - half[p][1][j]) * 0.5f;
            u[4 * p + 3][j] = half[p][2][j];
        }
    }
}

/* The values that are quantised: of input channel c, or row c of a matrix, and output channels k to k + count. */
static void values(float u[TAPS][MOST_COLS], const struct vgg_op *op, const float *w, int taps, int c, int k, int count)
{
    size_t out = (size_t)op->w.c;
    if (taps == TAPS)
        transform(u, w + (size_t)c * out + (size_t)k, (size_t)op->w.w * out, count);
    else
        memcpy(u[0], w + (size_t)c * out + (size_t)k, (size_t)count * sizeof(float));
}

/* What is summed for an output at each tap: input channels, or all of the kernel. */
static int rows_of(const struct vgg_op *op, int taps)
{
    return taps == TAPS ? op->w.w : op->w.n * op->w.h * op->w.w;
}

/* ---- one block of output channels ---- */

struct block {
    int8_t *u;
    float *step;
    int32_t *start;
};

static void pack_block(const struct block *to, const struct vgg_op *op, const float *w, int k,
                       const struct cpu_int8_weights *weights, const struct cpu_int8_layout *layout)
{
    int cols = layout->cols, quad = layout->quad, taps = weights->taps, in = rows_of(op, taps);
    int count = op->w.c - k < cols ? op->w.c - k : cols;
    float u[TAPS][MOST_COLS], most[TAPS][MOST_COLS] = { { 0 } }, ratio[TAPS][MOST_COLS] = { { 0 } };
    for (int c = 0; c < in; c++) {
        values(u, op, w, taps, c, k, count);
        for (int t = 0; t < taps; t++)
            for (int j = 0; j < count; j++)
                most[t][j] = fabsf(u[t][j]) > most[t][j] ? fabsf(u[t][j]) : most[t][j];
    }
    for (int t = 0; t < taps; t++) {
        for (int j = 0; j < count; j++) {
            if (most[t][j] < 1e-30f) most[t][j] = 0;
            if (most[t][j] > 0) ratio[t][j] = 127.0f / most[t][j];
        }
        for (int j = 0; j < cols; j++)
            to->step[t * cols + j] = most[t][j] / 127.0f, to->start[t * cols + j] = 0;
    }
    memset(to->u, 0, (size_t)taps * (size_t)weights->in * (size_t)cols);
    for (int c = 0; c < in; c++) {
        values(u, op, w, taps, c, k, count);
        for (int t = 0; t < taps; t++) {
            int shift = taps == 1 || t == VGG_QUANT_PLUS ? layout->shift_plus : layout->shift;
            int8_t *line = to->u + ((size_t)t * (size_t)weights->in + (size_t)(c / quad * quad)) * (size_t)cols;
            for (int j = 0; j < count; j++) {
                float v = cpu_int8_round(u[t][j] * ratio[t][j]);
                int number = v > -127 ? v < 127 ? (int)v : 127 : -127; /* where a NaN is a number, too */
                line[j * quad + c % quad] = (int8_t)number;
                to->start[t * cols + j] -= shift * number;
            }
        }
    }
}

enum vgg_status cpu_int8_weights_get(struct cpu *cpu, struct cpu_int8_weights *out, const struct vgg_op *op,
                                     const struct cpu_args *args, const struct cpu_int8_layout *layout)
{
    int cols = layout->cols, taps = op->kind == VGG_OP_CONV && !cpu_int8_direct(cpu, args->q) ? TAPS : 1;
    *out = (struct cpu_int8_weights) { .in = round_up(rows_of(op, taps), layout->chunk),
                                       .out = round_up(op->w.c, cols),
                                       .taps = taps };
    size_t lanes = (size_t)taps * (size_t)out->out, bytes = vgg_mem_mul(lanes, (size_t)out->in);
    size_t sums = vgg_mem_round_up(lanes * sizeof(float), 64);
    void *packed;
    bool valid;
    bytes = vgg_mem_round_up(bytes, 64);
    enum vgg_status status = cpu_pack_get(cpu, args, layout->form, bytes + 2 * sums, &packed, &valid);
    if (status != VGG_OK) return status;
    int8_t *u = packed;
    float *step = (float *)(void *)(u + bytes);
    int32_t *start = (int32_t *)(void *)(u + bytes + sums);
    out->u = u, out->step = step, out->start = start;
    if (valid) return VGG_OK;
    int blocks = out->out / cols;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int i = 0; i < blocks; i++) {
        size_t lane = (size_t)i * (size_t)(taps * cols);
        const struct block to = { u + lane * (size_t)out->in, step + lane, start + lane };
        pack_block(&to, op, args->w, i * cols, out, layout);
    }
    return VGG_OK;
}

/* ---- scales ---- */

float cpu_int8_share(const struct vgg_op *op, const float *q)
{
    return op->y.type == VGG_U8 ? 1.0f / q[VGG_QUANT_Y] : 1.0f;
}

size_t cpu_int8_scales_size(const struct cpu_int8_weights *weights)
{
    return vgg_mem_round_up((size_t)(weights->taps + 1) * (size_t)weights->out * sizeof(float), 64);
}

void cpu_int8_scales_make(struct cpu_int8_scales *out, void *memory, const struct vgg_op *op,
                          const struct cpu_args *args, const struct cpu_int8_weights *weights, int cols)
{
    const float *q = args->q;
    float back[TAPS] = { 1 };
    *out = (struct cpu_int8_scales) { .share = cpu_int8_share(op, q), .deq = memory };
    out->bias = out->deq + (size_t)weights->taps * (size_t)weights->out;
    for (int t = 0; t < weights->taps && weights->taps == TAPS; t++) {
        float mul = (t == VGG_QUANT_PLUS ? 255.0f : 127.0f) / q[VGG_QUANT_CLIP + t] * 0x1p15f;
        mul = cpu_int8_round(mul > 1 ? mul < 32767 ? mul : 32767 : 1);
        out->mul[t] = (int16_t)mul;
        back[t] = out->mul[t] == 32767 ? 1.0f : 0x1p15f / mul;
    }
    float *deq = out->deq;
    const float *step = weights->step;
    for (int k = 0; k < weights->out; k += cols)
        for (int t = 0; t < weights->taps; t++, deq += cols, step += cols)
            for (int j = 0; j < cols; j++)
                deq[j] = q[VGG_QUANT_X] * step[j] * back[t] * out->share;
    for (int k = 0; k < weights->out; k++)
        out->bias[k] = k < op->w.c ? args->b[k] * out->share : 0;
}
