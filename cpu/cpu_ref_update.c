#include <math.h>

#include "cpu/cpu_kernels.h"

void cpu_sgd_update_c(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    (void)v;
    for (size_t i = 0; i < count; i++) {
        float g = dw[i] + u->weight_decay * w[i], step = g;
        if (m) {
            m[i] = u->momentum * m[i] + g;
            step = u->nesterov ? g + u->momentum * m[i] : m[i];
        }
        w[i] -= u->learning_rate * step;
    }
}

void cpu_rmsprop_update_c(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    (void)m;
    for (size_t i = 0; i < count; i++) {
        float g = dw[i] + u->weight_decay * w[i];
        v[i] = u->rho * v[i] + (1 - u->rho) * (g * g);
        w[i] -= u->learning_rate * g / (sqrtf(v[i]) + u->epsilon);
    }
}

/* One element of Adam once its gradient is known. */
static float adam_step(float *m, float *v, float g, const struct cpu_update *u)
{
    *m = u->beta1 * *m + (1 - u->beta1) * g;
    *v = u->beta2 * *v + (1 - u->beta2) * (g * g);
    return u->learning_rate * (*m / u->bias1) / (sqrtf(*v / u->bias2) + u->epsilon);
}

void cpu_adam_update_c(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    for (size_t i = 0; i < count; i++)
        w[i] -= adam_step(&m[i], &v[i], dw[i] + u->weight_decay * w[i], u);
}

void cpu_adamw_update_c(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    for (size_t i = 0; i < count; i++) {
        w[i] -= u->learning_rate * u->weight_decay * w[i];
        w[i] -= adam_step(&m[i], &v[i], dw[i], u);
    }
}
