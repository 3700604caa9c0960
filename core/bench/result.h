/* result.h: what a benchmark found, as it grows. */
#ifndef CORE_BENCH_RESULT_H
#define CORE_BENCH_RESULT_H

#include "core/vgg16_bench.h"

/* Notes what is left out. */
enum vgg_status vgg_bench_skip_add(struct vgg_bench *bench, const char *device, const char *what, const char *why);

#endif
