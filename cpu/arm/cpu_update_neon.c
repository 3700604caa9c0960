/* cpu_update_neon.c: the optimisers of cpu_update_vec.h for NEON. */
#include <arm_neon.h>

typedef float32x4_t vec;
enum { LANES = 4 };

static inline vec load(const float *x)
{
    return vld1q_f32(x);
}

static inline void store(float *y, vec x)
{
    vst1q_f32(y, x);
}

static inline vec splat(float x)
{
    return vdupq_n_f32(x);
}

static inline vec add(vec x, vec y)
{
    return vaddq_f32(x, y);
}

static inline vec sub(vec x, vec y)
{
    return vsubq_f32(x, y);
}

static inline vec mul(vec x, vec y)
{
    return vmulq_f32(x, y);
}

static inline vec quotient(vec x, vec y)
{
    return vdivq_f32(x, y);
}

static inline vec root(vec x)
{
    return vsqrtq_f32(x);
}

#include "cpu/cpu_update_vec.h"

void cpu_sgd_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    sgd_update(w, m, v, dw, count, u);
}

void cpu_rmsprop_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    rmsprop_update(w, m, v, dw, count, u);
}

void cpu_adam_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    adam_update(w, m, v, dw, count, u);
}

void cpu_adamw_update_neon(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    adamw_update(w, m, v, dw, count, u);
}
