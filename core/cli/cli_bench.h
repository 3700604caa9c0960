/* cli_bench.h: what the files of `vgg16 bench` share. */
#ifndef CORE_CLI_CLI_BENCH_H
#define CORE_CLI_CLI_BENCH_H

#include "core/cli/cli.h"
#include "core/vgg16_bench.h"

/* The state of a table that grows while it is measured: `user` of cli_bench_row. */
struct cli_bench_table {
    struct cli_progress *progress;
    bool headed, layers;
    unsigned noise; /* of all rows so far */
};

/* vgg_bench_fn: prints what one case gave, before the first one the devices. */
void cli_bench_row(struct cli_bench_table *table, const struct vgg_bench *bench, const struct vgg_bench_result *result);
/* What was skipped, what was noisy, memory. */
void cli_bench_foot(const struct cli_bench_table *table, const struct vgg_bench *bench);
/* What changed since `path`. */
void cli_bench_changes(const struct vgg_bench *bench, const struct vgg_bench *old,
                       const struct vgg_bench_comparison *comparison, const char *path);

/* What several ranks give beside one. */
enum vgg_status cli_bench_ranks(struct cli *cli, const struct vgg_bench_options *options);

#endif
