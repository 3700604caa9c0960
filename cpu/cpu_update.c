#include <math.h>

#include "cpu/cpu.h"

enum { PIECE = 16384 };

static struct cpu_update constants_of(const struct vgg_op *op, const struct vgg_step *step)
{
    const struct vgg_hyper *h = &op->hyper;
    double t = (double)step->step + 1;
    return (struct cpu_update) { .learning_rate = step->learning_rate,
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
