/* stats.h: numbers of measurements. */
#ifndef CORE_BENCH_STATS_H
#define CORE_BENCH_STATS_H

#include "core/vgg16_bench.h"

/* Sorts seconds[0..runs), runs > 0; quartiles by linear interpolation between neighbours. */
struct vgg_bench_time vgg_bench_stats(double *seconds, int runs);
/* Distance of the quartiles as a share of the median. */
double vgg_bench_spread(const struct vgg_bench_time *time);
/* Root of the sum of (b - a)^2 over that of a^2; infinite when b holds what is not finite, or is not 0 where a is. */
double vgg_bench_distance(const float *a, const float *b, size_t count);
/* The bits of enum vgg_bench_noise. others and steal: shares of the processors, NAN when unknown. */
unsigned vgg_bench_noise_of(const struct vgg_bench_time *time, double others, double steal);

#endif
