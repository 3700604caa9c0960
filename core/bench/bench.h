/* bench.h: what the files of the benchmark share. */
#ifndef CORE_BENCH_H
#define CORE_BENCH_H

#include "core/arch/arch.h"
#include "core/op/backend.h"
#include "core/vgg16_bench.h"

/* One opened device at one instruction set level. */
struct vgg_bench_subject {
    struct vgg_backend *backend;
    struct vgg_bench_device device; /* peak and bandwidth are filled in by vgg_bench_measure */
    uint64_t memory;                /* bytes that a network may take */
};

struct vgg_bench_subjects {
    struct vgg_bench_subject *item;
    size_t count;
};

/* Opens what options->on and options->engine name; what is found and left out is noted in bench->skip. */
enum vgg_status vgg_bench_subjects_open(struct vgg_bench_subjects *subjects, struct vgg_bench *bench,
                                        const struct vgg_bench_options *options);
void vgg_bench_subjects_close(struct vgg_bench_subjects *subjects);

/* Measures every case of `options` (nothing left to its default) on the subjects into `bench`, which may hold results
 * already. VGG_INTERRUPTED, with what was measured, when options->progress asks to stop. */
enum vgg_status vgg_bench_measure(struct vgg_bench *bench, const struct vgg_bench_subjects *subjects,
                                  const struct vgg_bench_options *options);

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

/* Notes what is left out. */
enum vgg_status vgg_bench_skip_add(struct vgg_bench *bench, const char *device, const char *what, const char *why);

#endif
