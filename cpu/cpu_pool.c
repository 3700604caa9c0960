#include <string.h>

#include "cpu/cpu.h"

/* Channels of one piece of global pooling. */
enum { BLOCK = 64 };

void cpu_pool2_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    size_t h = (size_t)op->y.h, w = (size_t)op->y.w, c = (size_t)op->y.c, rows = (size_t)op->y.n * h;
    size_t in_h = (size_t)op->x.h, in_row = (size_t)op->x.w * c;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *x0 = a->x + (r / h * in_h + 2 * (r % h)) * in_row;
        cpu->kernels.pool2_row(a->y + r * w * c, a->arg ? a->arg + r * w * c : NULL, x0, x0 + in_row, w, c);
    }
}

void cpu_pool2_bwd_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    size_t h = (size_t)op->dy.h, w = (size_t)op->dy.w, c = (size_t)op->dy.c;
    size_t out_h = (size_t)op->dx.h, out_row = (size_t)op->dx.w * c, pairs = (out_h + 1) / 2;
    size_t pieces = (size_t)op->dx.n * pairs;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t p = 0; p < pieces; p++) {
        size_t i = p / pairs, y = p % pairs;
        float *dx0 = a->dx + (i * out_h + 2 * y) * out_row, *dx1 = dx0 + out_row;
        if (y == h) { /* the odd last row that pooling dropped */
            memset(dx0, 0, out_row * sizeof(float));
            continue;
        }
        size_t from = (i * h + y) * w * c, tail = out_row - 2 * w * c;
        cpu->kernels.pool2_bwd_row(dx0, dx1, a->dy + from, a->arg + from,
                                   (op->flags & VGG_OP_RELU) ? a->y + from : NULL, w, c);
        memset(dx0 + 2 * w * c, 0, tail * sizeof(float));
        memset(dx1 + 2 * w * c, 0, tail * sizeof(float));
    }
}

static size_t block_count(const struct vgg_view *x)
{
    return ((size_t)x->c + BLOCK - 1) / BLOCK;
}

/* What of one image and block: the offsets of its first channel in a map and in the pooled vector, and its width. */
struct piece {
    size_t map, vector, c;
};

static struct piece piece_of(const struct vgg_view *x, size_t index)
{
    size_t blocks = block_count(x), c = (size_t)x->c, i = index / blocks, k = index % blocks * BLOCK;
    return (struct piece) { i * (size_t)x->h * (size_t)x->w * c + k, i * c + k, c - k < BLOCK ? c - k : BLOCK };
}

static void gpool(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, cpu_gpool_fn *kernel)
{
    size_t pieces = (size_t)op->x.n * block_count(&op->x), pixels = (size_t)op->x.h * (size_t)op->x.w;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < pieces; i++) {
        struct piece p = piece_of(&op->x, i);
        kernel(a->y + p.vector, a->x + p.map, pixels, (size_t)op->x.c, p.c);
    }
}

void cpu_avgpool_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    gpool(cpu, op, a, cpu->kernels.avgpool);
}

void cpu_gmaxpool_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    gpool(cpu, op, a, cpu->kernels.gmaxpool);
}

void cpu_avgpool_bwd_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a,
                         const struct vgg_step *step)
{
    (void)step;
    size_t pieces = (size_t)op->dx.n * block_count(&op->dx), pixels = (size_t)op->dx.h * (size_t)op->dx.w;
    const float *mask = (op->flags & VGG_OP_RELU) ? a->x : NULL;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < pieces; i++) {
        struct piece p = piece_of(&op->dx, i);
        cpu->kernels.avgpool_bwd(a->dx + p.map, a->dy + p.vector, mask ? mask + p.map : NULL, pixels, (size_t)op->dx.c,
                                 p.c);
    }
}

void cpu_gmaxpool_bwd_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a,
                          const struct vgg_step *step)
{
    (void)step;
    size_t pieces = (size_t)op->dx.n * block_count(&op->dx), pixels = (size_t)op->dx.h * (size_t)op->dx.w;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < pieces; i++) {
        struct piece p = piece_of(&op->dx, i);
        cpu->kernels.gmaxpool_bwd(a->dx + p.map, a->dy + p.vector, a->x + p.map, op->flags & VGG_OP_RELU, pixels,
                                  (size_t)op->dx.c, p.c);
    }
}
