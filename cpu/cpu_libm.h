/* cpu_libm.h: exponential and log_1_plus of cpu_vec.h by the C library, in double, a number at a time: for builds
 * without SLEEF. */
#ifndef CPU_CPU_LIBM_H
#define CPU_CPU_LIBM_H

#include <math.h>

static inline vec exponential(vec x)
{
    float lane[LANES];
    store(lane, x);
    for (int i = 0; i < LANES; i++)
        lane[i] = (float)exp((double)lane[i]);
    return load(lane);
}

static inline vec log_1_plus(vec x)
{
    float lane[LANES];
    store(lane, x);
    for (int i = 0; i < LANES; i++)
        lane[i] = (float)log1p((double)lane[i]);
    return load(lane);
}

#endif
