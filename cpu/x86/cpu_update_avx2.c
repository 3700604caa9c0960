/* cpu_update_avx2.c: the optimisers of cpu_update_vec.h for AVX2. */
#include <immintrin.h>

typedef __m256 vec;
enum { LANES = 8 };

static inline vec load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline void store(float *y, vec x)
{
    _mm256_storeu_ps(y, x);
}

static inline vec splat(float x)
{
    return _mm256_set1_ps(x);
}

static inline vec add(vec x, vec y)
{
    return _mm256_add_ps(x, y);
}

static inline vec sub(vec x, vec y)
{
    return _mm256_sub_ps(x, y);
}

static inline vec mul(vec x, vec y)
{
    return _mm256_mul_ps(x, y);
}

static inline vec quotient(vec x, vec y)
{
    return _mm256_div_ps(x, y);
}

static inline vec root(vec x)
{
    return _mm256_sqrt_ps(x);
}

#include "cpu/cpu_update_vec.h"

void cpu_sgd_update_avx2(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    sgd_update(w, m, v, dw, count, u);
}

void cpu_rmsprop_update_avx2(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    rmsprop_update(w, m, v, dw, count, u);
}

void cpu_adam_update_avx2(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    adam_update(w, m, v, dw, count, u);
}

void cpu_adamw_update_avx2(float *w, float *m, float *v, const float *dw, size_t count, const struct cpu_update *u)
{
    adamw_update(w, m, v, dw, count, u);
}
