/* Each operation in the order of cpu_ref_update.c and without fused multiply-adds: the results are the same bits. */
#include <arm_neon.h>

#include "cpu/cpu_kernels.h"

/* a * b + c, rounded twice. */
static inline float32x4_t scaled_sum(float a, float32x4_t b, float32x4_t c)
{
    return vaddq_f32(vmulq_n_f32(b, a), c);
}

/* dw + weight_decay w. */
static inline float32x4_t gradient(const float *dw, float32x4_t w, const struct cpu_update *u)
{
    return vaddq_f32(vld1q_f32(dw), vmulq_n_f32(w, u->weight_decay));
}

void cpu_sgd_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        float32x4_t old = vld1q_f32(w + i), g = gradient(dw + i, old, u), step = g;
        if (m) {
            float32x4_t momentum = scaled_sum(u->momentum, vld1q_f32(m + i), g);
            vst1q_f32(m + i, momentum);
            step = u->nesterov ? vaddq_f32(g, vmulq_n_f32(momentum, u->momentum)) : momentum;
        }
        vst1q_f32(w + i, vsubq_f32(old, vmulq_n_f32(step, u->learning_rate)));
    }
    cpu_sgd_update_c(w + i, m ? m + i : NULL, v, dw + i, count - i, u);
}

/* v = rho v + (1 - rho) g^2, stored. */
static inline float32x4_t second_moment(float *v, float rho, float32x4_t g)
{
    float32x4_t moment = scaled_sum(rho, vld1q_f32(v), vmulq_n_f32(vmulq_f32(g, g), 1 - rho));
    vst1q_f32(v, moment);
    return moment;
}

void cpu_rmsprop_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        float32x4_t old = vld1q_f32(w + i), g = gradient(dw + i, old, u);
        float32x4_t root = vsqrtq_f32(second_moment(v + i, u->rho, g)), step = vmulq_n_f32(g, u->learning_rate);
        vst1q_f32(w + i, vsubq_f32(old, vdivq_f32(step, vaddq_f32(root, vdupq_n_f32(u->epsilon)))));
    }
    cpu_rmsprop_update_c(w + i, m, v + i, dw + i, count - i, u);
}

static inline float32x4_t adam_step(float *m, float *v, float32x4_t g, const struct cpu_update *u)
{
    float32x4_t first = scaled_sum(u->beta1, vld1q_f32(m), vmulq_n_f32(g, 1 - u->beta1));
    vst1q_f32(m, first);
    float32x4_t root = vsqrtq_f32(vdivq_f32(second_moment(v, u->beta2, g), vdupq_n_f32(u->bias2)));
    float32x4_t step = vmulq_n_f32(vdivq_f32(first, vdupq_n_f32(u->bias1)), u->learning_rate);
    return vdivq_f32(step, vaddq_f32(root, vdupq_n_f32(u->epsilon)));
}

void cpu_adam_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        float32x4_t old = vld1q_f32(w + i);
        vst1q_f32(w + i, vsubq_f32(old, adam_step(m + i, v + i, gradient(dw + i, old, u), u)));
    }
    cpu_adam_update_c(w + i, m + i, v + i, dw + i, count - i, u);
}

void cpu_adamw_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        float32x4_t old = vld1q_f32(w + i);
        old = vsubq_f32(old, vmulq_n_f32(old, u->learning_rate * u->weight_decay));
        vst1q_f32(w + i, vsubq_f32(old, adam_step(m + i, v + i, vld1q_f32(dw + i), u)));
    }
    cpu_adamw_update_c(w + i, m + i, v + i, dw + i, count - i, u);
}
