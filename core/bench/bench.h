/* bench.h: the measuring of a benchmark. */
#ifndef CORE_BENCH_BENCH_H
#define CORE_BENCH_BENCH_H

#include "core/bench/subject.h"

/* Measures every case of `options` (nothing left to its default) on the subjects into `bench`, which may hold results
 * already. VGG_INTERRUPTED, with what was measured, when options->progress asks to stop. */
enum vgg_status vgg_bench_measure(struct vgg_bench *bench, const struct vgg_bench_subjects *subjects,
                                  const struct vgg_bench_options *options);

#endif
