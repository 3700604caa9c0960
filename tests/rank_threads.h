/* rank_threads.h: ranks that are threads of one process, so that tests need no MPI. */
#ifndef TESTS_RANK_THREADS_H
#define TESTS_RANK_THREADS_H

#include "core/ranks/ranks.h"

/* What one rank does; it must not assert. Returns whether all was right. */
typedef bool rank_threads_fn(struct vgg_ranks *ranks, void *user);

/* Runs it on `size` ranks at once of one machine; true where all returned true. */
bool rank_threads_run(int size, rank_threads_fn *fn, void *user);
/* The same where other threads than the ranks' own may not speak. */
bool rank_threads_run_single(int size, rank_threads_fn *fn, void *user);

#endif
