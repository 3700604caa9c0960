/* cpu_update_vec.h: the optimisers of cpu_kernels.h in the words of cpu_vec.h: each operation in the order of
 * cpu_ref_update.c and without fused multiply-adds, so that the results are the same bits. The tails call plain C. */
#ifndef CPU_CPU_UPDATE_VEC_H
#define CPU_CPU_UPDATE_VEC_H

#include "cpu/cpu_kernels.h"

/* a * b + c, rounded twice. */
static inline vec scaled_sum(float a, vec b, vec c)
{
    return add(mul(splat(a), b), c);
}

/* dw + weight_decay w. */
static inline vec gradient(const float *dw, vec w, const struct cpu_update *u)
{
    return add(load(dw), mul(splat(u->weight_decay), w));
}

/* v = rho v + (1 - rho) g^2, stored. */
static inline vec second_moment(float *v, float rho, vec g)
{
    vec moment = scaled_sum(rho, load(v), mul(splat(1 - rho), mul(g, g)));
    store(v, moment);
    return moment;
}

static void sgd_update(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec old = load(w + i), g = gradient(dw + i, old, u), step = g;
        if (m) {
            vec momentum = scaled_sum(u->momentum, load(m + i), g);
            store(m + i, momentum);
            step = u->nesterov ? add(g, mul(splat(u->momentum), momentum)) : momentum;
        }
        store(w + i, sub(old, mul(splat(u->learning_rate), step)));
    }
    cpu_sgd_update_c(w + i, m ? m + i : NULL, v, dw + i, count - i, u);
}

static void rmsprop_update(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec old = load(w + i), g = gradient(dw + i, old, u);
        vec scale = add(root(second_moment(v + i, u->rho, g)), splat(u->epsilon));
        store(w + i, sub(old, quotient(mul(splat(u->learning_rate), g), scale)));
    }
    cpu_rmsprop_update_c(w + i, m, v + i, dw + i, count - i, u);
}

static inline vec adam_step(float *m, float *v, vec g, const struct cpu_update *u)
{
    vec first = scaled_sum(u->beta1, load(m), mul(splat(1 - u->beta1), g));
    store(m, first);
    vec scale = add(root(quotient(second_moment(v, u->beta2, g), splat(u->bias2))), splat(u->epsilon));
    return quotient(mul(splat(u->learning_rate), quotient(first, splat(u->bias1))), scale);
}

static void adam_update(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec old = load(w + i);
        store(w + i, sub(old, adam_step(m + i, v + i, gradient(dw + i, old, u), u)));
    }
    cpu_adam_update_c(w + i, m + i, v + i, dw + i, count - i, u);
}

static void adamw_update(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec old = load(w + i);
        old = sub(old, mul(splat(u->learning_rate * u->weight_decay), old));
        store(w + i, sub(old, adam_step(m + i, v + i, load(dw + i), u)));
    }
    cpu_adamw_update_c(w + i, m + i, v + i, dw + i, count - i, u);
}

#endif
