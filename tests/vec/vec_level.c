/* vec_level.c: exponential and log_1_plus of one level, whose header is VEC_HEADER, over arrays. */
#include VEC_HEADER

#include "tests/vec/vec_level.h"

static void exponentials(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        store_some(y + i, exponential(load_some(x + i, n - i)), n - i);
}

static void logarithms(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        store_some(y + i, log_1_plus(load_some(x + i, n - i)), n - i);
}

const struct vec_level VEC_LEVEL = { VEC_NAME, exponentials, logarithms };
