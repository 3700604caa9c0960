/* subject.h: which devices a benchmark runs on. */
#ifndef CORE_BENCH_SUBJECT_H
#define CORE_BENCH_SUBJECT_H

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

#endif
