/* vec_level.h: the functions of cpu_vec.h that a library computes, of each level that was built. */
#ifndef TESTS_VEC_VEC_LEVEL_H
#define TESTS_VEC_VEC_LEVEL_H

#include <stddef.h>

struct vec_level {
    const char *name;
    void (*exponential)(float *y, const float *x, size_t n);
    void (*log_1_plus)(float *y, const float *x, size_t n);
};
extern const struct vec_level vec_level_avx2, vec_level_avx512, vec_level_neon;

#endif
