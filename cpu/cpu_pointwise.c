#include <string.h>

#include "core/base/rng.h"
#include "cpu/cpu.h"

/* Elements of one piece: a few L1 caches, so that starting a piece costs nothing. */
enum { PIECE = 16384 };

static size_t piece_size(size_t count, size_t begin)
{
    return count - begin < PIECE ? count - begin : PIECE;
}

void cpu_zero_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    size_t size = vgg_view_size(&op->y);
    char *y = (char *)a->y;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < size; i += PIECE)
        memset(y + i, 0, piece_size(size, i));
}

void cpu_add_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    size_t count = vgg_view_count(&op->y);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i += PIECE) {
        float *restrict y = a->y + i;
        const float *restrict x = a->x + i;
        size_t n = piece_size(count, i);
        for (size_t k = 0; k < n; k++)
            y[k] += x[k];
    }
}

static void dropout(struct cpu *cpu, const struct vgg_op *op, const struct vgg_view *view, float *y, const float *x,
                    const struct vgg_step *step)
{
    size_t count = vgg_view_count(view), image = count / (size_t)view->n;
    const struct cpu_dropout constants = { .seed = step->seed,
                                           .stream = vgg_rng_dropout_stream(step->step, op->layer),
                                           .threshold = vgg_rng_dropout_threshold(op->rate),
                                           .keep = 1 - op->rate };
    uint64_t first = (uint64_t)step->first * image;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i += PIECE)
        cpu->kernels.dropout(y + i, x + i, piece_size(count, i), first + i, &constants);
}

void cpu_dropout_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    dropout(cpu, op, &op->y, a->y, a->x, step);
}

void cpu_dropout_bwd_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a,
                         const struct vgg_step *step)
{
    dropout(cpu, op, &op->dx, a->dx, a->dy, step);
}

void cpu_softmax_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    size_t c = (size_t)op->x.c, rows = vgg_view_count(&op->x) / c;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < rows; i++)
        cpu->kernels.softmax(a->y + i * c, a->x + i * c, c);
}

void cpu_sigmoid_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    size_t count = vgg_view_count(&op->x);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i += PIECE)
        cpu->kernels.sigmoid(a->y + i, a->x + i, piece_size(count, i));
}

void cpu_softmax_xent_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a,
                          const struct vgg_step *step)
{
    size_t c = (size_t)op->x.c, rows = vgg_view_count(&op->x) / c;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < rows; i++) {
        float t = a->t[i];
        size_t label = t >= 0 && t < (float)c ? (size_t)t : c;
        float weight = a->sw ? a->sw[i] : 1, *dx = a->dx ? a->dx + i * c : NULL;
        cpu->kernels.softmax_xent(a->y + i * c, &a->loss[i], dx, a->x + i * c, c, label, weight, step->loss_scale);
        if (op->smoothing != 0.0f)
            cpu_smooth_c(&a->loss[i], dx, a->x + i * c, c, label, weight, step->loss_scale, op->smoothing);
    }
}

void cpu_sigmoid_xent_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a,
                          const struct vgg_step *step)
{
    size_t count = vgg_view_count(&op->x);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i += PIECE)
        cpu->kernels.sigmoid_xent(a->y + i, a->loss + i, a->dx ? a->dx + i : NULL, a->x + i, a->t + i,
                                  a->sw ? a->sw + i : NULL, step->loss_scale, piece_size(count, i));
}

void cpu_fma_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    (void)step;
    size_t count = vgg_view_count(&op->x);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i += PIECE)
        cpu->kernels.fma(a->y + i, a->x + i, piece_size(count, i), op->rounds);
}
