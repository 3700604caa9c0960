/* Each operation in the order of cpu_ref_update.c and without fused multiply-adds: the results are the same bits. */
#include <immintrin.h>

#include "cpu/cpu_kernels.h"

static inline __m512 splat(float x)
{
    return _mm512_set1_ps(x);
}

/* a * b + c, rounded twice. */
static inline __m512 scaled_sum(float a, __m512 b, __m512 c)
{
    return _mm512_add_ps(_mm512_mul_ps(splat(a), b), c);
}

/* w - step, stored. */
static inline void descend(float *w, __m512 old, __m512 step)
{
    _mm512_storeu_ps(w, _mm512_sub_ps(old, step));
}

void cpu_sgd_update_avx512(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512 old = _mm512_loadu_ps(w + i);
        __m512 g = _mm512_add_ps(_mm512_loadu_ps(dw + i), _mm512_mul_ps(splat(u->weight_decay), old)), step = g;
        if (m) {
            __m512 momentum = scaled_sum(u->momentum, _mm512_loadu_ps(m + i), g);
            _mm512_storeu_ps(m + i, momentum);
            step = u->nesterov ? _mm512_add_ps(g, _mm512_mul_ps(splat(u->momentum), momentum)) : momentum;
        }
        descend(w + i, old, _mm512_mul_ps(splat(u->learning_rate), step));
    }
    cpu_sgd_update_c(w + i, m ? m + i : NULL, v, dw + i, count - i, u);
}

/* v = rho v + (1 - rho) g^2, stored. */
static inline __m512 second_moment(float *v, float rho, __m512 g)
{
    __m512 square = _mm512_mul_ps(splat(1 - rho), _mm512_mul_ps(g, g));
    __m512 moment = scaled_sum(rho, _mm512_loadu_ps(v), square);
    _mm512_storeu_ps(v, moment);
    return moment;
}

void cpu_rmsprop_update_avx512(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512 old = _mm512_loadu_ps(w + i);
        __m512 g = _mm512_add_ps(_mm512_loadu_ps(dw + i), _mm512_mul_ps(splat(u->weight_decay), old));
        __m512 root = _mm512_sqrt_ps(second_moment(v + i, u->rho, g));
        __m512 step = _mm512_mul_ps(splat(u->learning_rate), g);
        descend(w + i, old, _mm512_div_ps(step, _mm512_add_ps(root, splat(u->epsilon))));
    }
    cpu_rmsprop_update_c(w + i, m, v + i, dw + i, count - i, u);
}

static inline __m512 adam_step(float *m, float *v, __m512 g, const struct cpu_update *u)
{
    __m512 first = scaled_sum(u->beta1, _mm512_loadu_ps(m), _mm512_mul_ps(splat(1 - u->beta1), g));
    _mm512_storeu_ps(m, first);
    __m512 root = _mm512_sqrt_ps(_mm512_div_ps(second_moment(v, u->beta2, g), splat(u->bias2)));
    __m512 step = _mm512_mul_ps(splat(u->learning_rate), _mm512_div_ps(first, splat(u->bias1)));
    return _mm512_div_ps(step, _mm512_add_ps(root, splat(u->epsilon)));
}

void cpu_adam_update_avx512(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512 old = _mm512_loadu_ps(w + i);
        __m512 g = _mm512_add_ps(_mm512_loadu_ps(dw + i), _mm512_mul_ps(splat(u->weight_decay), old));
        descend(w + i, old, adam_step(m + i, v + i, g, u));
    }
    cpu_adam_update_c(w + i, m + i, v + i, dw + i, count - i, u);
}

void cpu_adamw_update_avx512(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512 old = _mm512_loadu_ps(w + i);
        old = _mm512_sub_ps(old, _mm512_mul_ps(splat(u->learning_rate * u->weight_decay), old));
        descend(w + i, old, adam_step(m + i, v + i, _mm512_loadu_ps(dw + i), u));
    }
    cpu_adamw_update_c(w + i, m + i, v + i, dw + i, count - i, u);
}
