#include <math.h>

#include "cpu/cpu.h"

/* Output channels summed at once: their sums stay in L1 while the weights stream by. */
enum { BLOCK = 64 };

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* sum[j] = the convolution's output at image i, pixel (y, x), channels k .. k + count - 1, without the bias. */
static void conv_pixel(double *sum, const struct vgg_op *op, const struct cpu_args *a, size_t i, int y, int x, size_t k,
                       size_t count)
{
    int h = op->x.h, w = op->x.w;
    size_t c_in = (size_t)op->x.c, c_out = (size_t)op->w.c;
    for (size_t j = 0; j < count; j++)
        sum[j] = 0;
    for (int ky = 0; ky < 3; ky++) {
        for (int kx = 0; kx < 3; kx++) {
            int iy = y + ky - 1, ix = x + kx - 1;
            if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
            const float *from = a->x + ((i * (size_t)h + (size_t)iy) * (size_t)w + (size_t)ix) * c_in;
            const float *weight = a->w + (size_t)(ky * 3 + kx) * c_in * c_out + k;
            for (size_t ci = 0; ci < c_in; ci++)
                for (size_t j = 0; j < count; j++)
                    sum[j] += (double)from[ci] * (double)weight[ci * c_out + j];
        }
    }
}

/* out[j] = what stands at that pixel before pooling: bias added, rounded, ReLU. */
static void conv_finish(float *out, const double *sum, const struct vgg_op *op, const struct cpu_args *a, size_t k,
                        size_t count)
{
    for (size_t j = 0; j < count; j++) {
        float value = (float)(sum[j] + (double)a->b[k + j]);
        out[j] = (op->flags & VGG_OP_RELU) && 0 > value ? 0 : value;
    }
}

enum vgg_status cpu_conv_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    bool pool = op->flags & VGG_OP_POOL;
    size_t h = (size_t)op->y.h, w = (size_t)op->y.w, c = (size_t)op->w.c, pixels = (size_t)op->y.n * h * w;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t p = 0; p < pixels; p++) {
        size_t i = p / (h * w);
        int y = (int)(p / w % h), x = (int)(p % w);
        double sum[BLOCK];
        float out[BLOCK];
        for (size_t k = 0; k < c; k += BLOCK) {
            size_t count = min_size(BLOCK, c - k);
            float *to = a->y + p * c + k;
            if (!pool) {
                conv_pixel(sum, op, a, i, y, x, k, count);
                conv_finish(to, sum, op, a, k, count);
                continue;
            }
            for (int q = 0; q < 4; q++) {
                conv_pixel(sum, op, a, i, 2 * y + q / 2, 2 * x + q % 2, k, count);
                conv_finish(out, sum, op, a, k, count);
                for (size_t j = 0; j < count; j++) {
                    if (q > 0 && !(out[j] > to[j] || isnan(out[j]))) continue;
                    to[j] = out[j];
                    if (a->arg) a->arg[p * c + k + j] = (uint8_t)q;
                }
            }
        }
    }
    return VGG_OK;
}

enum vgg_status cpu_conv_bwd_data_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    int h = op->dx.h, w = op->dx.w;
    size_t c_in = (size_t)op->dx.c, c_out = (size_t)op->dy.c, pixels = (size_t)op->dx.n * (size_t)h * (size_t)w;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t p = 0; p < pixels; p++) {
        size_t i = p / ((size_t)h * (size_t)w);
        int y = (int)(p / (size_t)w % (size_t)h), x = (int)(p % (size_t)w);
        for (size_t ci = 0; ci < c_in; ci++) {
            double sum = 0;
            for (int ky = 0; ky < 3; ky++) {
                for (int kx = 0; kx < 3; kx++) {
                    int oy = y + 1 - ky, ox = x + 1 - kx;
                    if (oy < 0 || oy >= h || ox < 0 || ox >= w) continue;
                    const float *dy = a->dy + ((i * (size_t)h + (size_t)oy) * (size_t)w + (size_t)ox) * c_out;
                    const float *weight = a->w + ((size_t)(ky * 3 + kx) * c_in + ci) * c_out;
                    for (size_t k = 0; k < c_out; k++)
                        sum += (double)dy[k] * (double)weight[k];
                }
            }
            bool pass = !(op->flags & VGG_OP_RELU) || a->x[p * c_in + ci] > 0;
            a->dx[p * c_in + ci] = pass ? (float)sum : 0;
        }
    }
    return VGG_OK;
}

/* sum[j] = sum over all pixels of x (shifted by the tap, channel ci) times dy (channels k .. k + count - 1). */
static void conv_weight(double *sum, const struct vgg_op *op, const struct cpu_args *a, int ky, int kx, size_t ci,
                        size_t k, size_t count)
{
    int h = op->x.h, w = op->x.w;
    size_t c_in = (size_t)op->x.c, c_out = (size_t)op->dy.c;
    for (size_t j = 0; j < count; j++)
        sum[j] = 0;
    for (size_t i = 0; i < (size_t)op->x.n; i++) {
        for (int y = 0; y < h; y++) {
            int iy = y + ky - 1;
            if (iy < 0 || iy >= h) continue;
            for (int x = 0; x < w; x++) {
                int ix = x + kx - 1;
                if (ix < 0 || ix >= w) continue;
                double from = (double)a->x[((i * (size_t)h + (size_t)iy) * (size_t)w + (size_t)ix) * c_in + ci];
                const float *dy = a->dy + ((i * (size_t)h + (size_t)y) * (size_t)w + (size_t)x) * c_out + k;
                for (size_t j = 0; j < count; j++)
                    sum[j] += from * (double)dy[j];
            }
        }
    }
}

enum vgg_status cpu_conv_bwd_weight_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    size_t c_in = (size_t)op->x.c, c_out = (size_t)op->dy.c;
    size_t pixels = (size_t)op->dy.n * (size_t)op->dy.h * (size_t)op->dy.w, rows = 9 * c_in;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t row = 0; row < rows; row++) {
        int tap = (int)(row / c_in);
        double sum[BLOCK];
        for (size_t k = 0; k < c_out; k += BLOCK) {
            size_t count = min_size(BLOCK, c_out - k);
            conv_weight(sum, op, a, tap / 3, tap % 3, row % c_in, k, count);
            float *dw = a->dw + row * c_out + k;
            for (size_t j = 0; j < count; j++)
                dw[j] = (float)((double)dw[j] + sum[j]);
        }
    }
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t k = 0; k < c_out; k++) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++)
            sum += (double)a->dy[p * c_out + k];
        a->db[k] = (float)((double)a->db[k] + sum);
    }
    return VGG_OK;
}
