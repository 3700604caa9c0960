/* cell.h: one pass at one batch and input size, on every device. */
#ifndef CORE_BENCH_CELL_H
#define CORE_BENCH_CELL_H

#include "core/arch/arch.h"
#include "core/bench/subject.h"

/* A case that several subjects share, and where the runs of the whole benchmark stand. */
struct vgg_bench_cell {
    const struct vgg_bench_options *options;
    enum vgg_bench_pass pass;
    int batch;
    const struct vgg_arch *arch;
    const float *params; /* arch->param_size bytes */
    struct vgg_progress *progress;
};

/* Measures one cell on all subjects. */
enum vgg_status vgg_bench_cell_measure(struct vgg_bench *bench, const struct vgg_bench_subjects *subjects,
                                       const struct vgg_bench_cell *cell);
/* Runs that a cell takes on one subject, as progress counts them. */
uint64_t vgg_bench_cell_runs(const struct vgg_bench_options *options);

#endif
