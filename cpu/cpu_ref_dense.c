#include "cpu/cpu.h"

enum { BLOCK = 64 };

enum vgg_status cpu_dense_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    size_t n = (size_t)op->y.n, in = (size_t)op->w.w, out = (size_t)op->w.c, blocks = (out + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) collapse(2)
    for (size_t i = 0; i < n; i++) {
        for (size_t block = 0; block < blocks; block++) {
            size_t k = block * BLOCK, count = out - k < BLOCK ? out - k : BLOCK;
            double sum[BLOCK] = { 0 };
            for (size_t l = 0; l < in; l++)
                for (size_t j = 0; j < count; j++)
                    sum[j] += (double)a->x[i * in + l] * (double)a->w[l * out + k + j];
            for (size_t j = 0; j < count; j++) {
                float value = (float)(sum[j] + (double)a->b[k + j]);
                a->y[i * out + k + j] = (op->flags & VGG_OP_RELU) && 0 > value ? 0 : value;
            }
        }
    }
    return VGG_OK;
}

enum vgg_status cpu_dense_bwd_data_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    size_t n = (size_t)op->dy.n, in = (size_t)op->w.w, out = (size_t)op->w.c;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) collapse(2)
    for (size_t i = 0; i < n; i++) {
        for (size_t l = 0; l < in; l++) {
            double sum = 0;
            for (size_t k = 0; k < out; k++)
                sum += (double)a->dy[i * out + k] * (double)a->w[l * out + k];
            bool pass = !(op->flags & VGG_OP_RELU) || a->x[i * in + l] > 0;
            a->dx[i * in + l] = pass ? (float)sum : 0;
        }
    }
    return VGG_OK;
}

enum vgg_status cpu_dense_bwd_weight_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    size_t n = (size_t)op->dy.n, out = (size_t)op->dy.c;
    size_t in = (size_t)op->x.h * (size_t)op->x.w * (size_t)op->x.c;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t l = 0; l < in; l++) {
        for (size_t k = 0; k < out; k++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += (double)a->x[i * in + l] * (double)a->dy[i * out + k];
            a->dw[l * out + k] = (float)((double)a->dw[l * out + k] + sum);
        }
    }
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t k = 0; k < out; k++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)a->dy[i * out + k];
        a->db[k] = (float)((double)a->db[k] + sum);
    }
    return VGG_OK;
}
