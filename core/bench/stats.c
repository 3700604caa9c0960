#include "core/bench/stats.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value that a share of the sorted numbers does not exceed. */
static double quantile(const double *sorted, int count, double share)
{
    double at = share * (count - 1);
    int below = (int)at, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

struct vgg_bench_time vgg_bench_stats(double *seconds, int runs)
{
    qsort(seconds, (size_t)runs, sizeof *seconds, compare);
    return (struct vgg_bench_time) {
        .runs = runs,
        .min = seconds[0],
        .q1 = quantile(seconds, runs, 0.25),
        .median = quantile(seconds, runs, 0.5),
        .q3 = quantile(seconds, runs, 0.75),
        .max = seconds[runs - 1],
    };
}

double vgg_bench_spread(const struct vgg_bench_time *time)
{
    return time->median > 0 ? (time->q3 - time->q1) / time->median : 0;
}

double vgg_bench_distance(const float *a, const float *b, size_t count)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        double x = (double)a[i], d = (double)b[i] - x;
        difference += d * d;
        norm += x * x;
    }
    if (difference == 0) return 0;
    double distance = sqrt(difference / norm);
    return isfinite(distance) ? distance : (double)INFINITY;
}

unsigned vgg_bench_noise_of(const struct vgg_bench_time *time, double others, double steal)
{
    static const double most_spread = 0.10, most_others = 0.05, most_steal = 0.02;
    unsigned noise = 0;
    if (vgg_bench_spread(time) > most_spread) noise |= VGG_BENCH_NOISE_SPREAD;
    if (others > most_others) noise |= VGG_BENCH_NOISE_LOAD;
    if (steal > most_steal) noise |= VGG_BENCH_NOISE_STEAL;
    return noise;
}
