/* `vgg16 bench` on several ranks. */
#include <stdio.h>
#include <stdlib.h>

#include "core/cli/cli_bench.h"

static void print_row(const struct vgg_bench_scaling_row *row)
{
    char size[32] = "", hidden[16] = "-";
    if (row->height == row->width)
        snprintf(size, sizeof size, "%d", row->width);
    else
        snprintf(size, sizeof size, "%dx%d", row->height, row->width);
    double behind = row->seconds > row->waited ? row->seconds - row->waited : 0;
    if (row->seconds > 0) snprintf(hidden, sizeof hidden, "%.0f%%", 100 * behind / row->seconds);
    printf("%-8s %6d %8s %6d %10.2f %10.2f %10.2f %9.1f %6.1f%% %12.2f %7s %9.1f\n", vgg_bench_pass_name(row->pass),
           row->batch, size, row->shard, 1e3 * row->one.median, 1e3 * row->all.median, 1e3 * row->model,
           row->batch / row->all.median, 100 * row->efficiency, 1e3 * row->seconds, hidden, 1e-6 * row->bytes);
}

static void print_table(const struct vgg_bench_scaling *s)
{
    printf("%s, head %s, trainable %s; %s\n", s->arch, s->head, s->trainable, s->machine);
    printf("%d ranks, each on %s", s->ranks, s->info.name);
    if (s->info.threads) printf(" with %d thread%s", s->info.threads, s->info.threads == 1 ? "" : "s");
    printf("; a message takes %.1f us and a byte 1 / %.2f GB/s\n\n", 1e6 * s->alpha, 1e-9 * s->beta);
    printf("%-8s %6s %8s %6s %10s %10s %10s %9s %7s %12s %7s %9s\n", "Pass", "Batch", "Size", "Shard", "One ms",
           "All ms", "Model ms", "Images/s", "Of one", "Messages ms", "Hidden", "MB sent");
    for (size_t i = 0; i < s->rows; i++)
        print_row(&s->row[i]);
}

enum vgg_status cli_bench_ranks(struct cli *cli, const struct vgg_bench_options *options)
{
    struct vgg_bench_scaling *scaling = NULL;
    char *json = NULL;
    enum vgg_status status = vgg_bench_scale(&scaling, options);
    cli_progress_clear(&cli->progress);
    if (status == VGG_OK && cli->common.json) {
        status = vgg_bench_scaling_json(&json, scaling);
        if (status == VGG_OK) puts(json);
    } else if (status == VGG_OK) {
        print_table(scaling);
    }
    vgg_bench_scaling_destroy(scaling);
    free(json);
    return status;
}
