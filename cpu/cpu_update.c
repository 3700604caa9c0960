#include <math.h>
#include <string.h>

#include "cpu/cpu.h"

enum { PIECE = 16384 };

static struct cpu_update constants_of(const struct vgg_op *op, const struct vgg_step *step)
{
    const struct vgg_hyper *h = &op->hyper;
    double t = (double)(step->step - step->skipped) + 1;
    return (struct cpu_update) { .learning_rate = h->rate != 0.0f ? step->learning_rate * h->rate : step->learning_rate,
                                 .momentum = h->momentum,
                                 .rho = h->rho,
                                 .beta1 = h->beta1,
                                 .beta2 = h->beta2,
                                 .epsilon = h->epsilon,
                                 .weight_decay = h->weight_decay,
                                 .bias1 = (float)(1 - pow((double)h->beta1, t)),
                                 .bias2 = (float)(1 - pow((double)h->beta2, t)),
                                 .nesterov = op->flags & VGG_OP_NESTEROV };
}

/* The sum of squares of n values: LANES sums side by side, which the compiler takes at once. */
static double squares(const float *g, size_t n)
{
    enum { LANES = 16 };
    double sum[LANES] = { 0 };
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sum[k] += (double)g[i + k] * (double)g[i + k];
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += (double)g[i] * (double)g[i];
    for (size_t k = 1; k < LANES; k++)
        sum[0] += sum[k];
    return sum[0];
}

enum vgg_status cpu_clip_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    void *memory;
    size_t count = vgg_view_count(&op->dw), pieces = (count + PIECE - 1) / PIECE;
    enum vgg_status status = cpu_scratch(cpu, &memory, pieces * sizeof(double));
    if (status != VGG_OK) return status;
    double *sum = memory, total = 0;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t p = 0; p < pieces; p++)
        sum[p] = squares(a->dw + p * PIECE, count - p * PIECE < PIECE ? count - p * PIECE : PIECE);
    for (size_t p = 0; p < pieces; p++)
        total += sum[p];
    float factor = isfinite(total) ? (float)((double)op->limit / (sqrt(total) + 1e-6)) : NAN;
    if (factor >= 1.0f) return VGG_OK;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i++)
        a->dw[i] *= factor;
    return VGG_OK;
}

/* Multiplies n values; was any of them not finite? By its bits: the compiler takes many at once. */
static uint32_t unscale(float *g, size_t n, float factor)
{
    const uint32_t exponent = 0x7F800000u;
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &g[i], sizeof bits);
        found |= (bits & exponent) == exponent;
        g[i] *= factor;
    }
    return found;
}

void cpu_unscale_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    size_t count = vgg_view_count(&op->dw);
    uint32_t found = 0;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i += PIECE) {
        uint32_t here = unscale(a->dw + i, count - i < PIECE ? count - i : PIECE, step->unscale);
#pragma omp atomic
        found |= here;
    }
    *a->y = found ? 1.0f : 0.0f;
}

void cpu_update_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, const struct vgg_step *step)
{
    cpu_update_fn *kernel = op->kind == VGG_OP_SGD       ? cpu->kernels.sgd
                            : op->kind == VGG_OP_RMSPROP ? cpu->kernels.rmsprop
                            : op->kind == VGG_OP_ADAM    ? cpu->kernels.adam
                                                         : cpu->kernels.adamw;
    const struct cpu_update constants = constants_of(op, step);
    size_t count = vgg_view_count(&op->w);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t i = 0; i < count; i += PIECE) {
        size_t n = count - i < PIECE ? count - i : PIECE;
        kernel(a->w + i, a->m ? a->m + i : NULL, a->v ? a->v + i : NULL, a->dw + i, n, &constants);
    }
}
