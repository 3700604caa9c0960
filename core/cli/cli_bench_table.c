#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cli/cli_bench.h"

struct text {
    char text[48];
};

static struct text size_text(const struct vgg_bench_result *result)
{
    struct text t;
    if (result->height == result->width)
        snprintf(t.text, sizeof t.text, "%d", result->width);
    else
        snprintf(t.text, sizeof t.text, "%dx%d", result->height, result->width);
    return t;
}

/* Three figures, whatever the size. */
static struct text figures(double value)
{
    struct text t;
    snprintf(t.text, sizeof t.text, "%.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
    return t;
}

static double spread(const struct vgg_bench_time *time)
{
    return (time->q3 - time->q1) / time->median;
}

static void print_head(const struct vgg_bench *bench)
{
    printf("%s, head %s, trainable %s; %s, %d processors\n\n", bench->arch, bench->head, bench->trainable,
           bench->machine, bench->processors);
    printf("%-22s %-28s %8s %12s %8s\n", "Device", "Name", "Threads", "Peak GFLOP/s", "GB/s");
    for (size_t i = 0; i < bench->devices; i++) {
        const struct vgg_bench_device *d = &bench->device[i];
        char threads[16] = "-";
        if (d->info.threads) snprintf(threads, sizeof threads, "%d", d->info.threads);
        printf("%-22s %-28.28s %8s %12s %8s\n", d->name, d->info.name, threads, figures(d->peak * 1e-9).text,
               figures(d->bandwidth * 1e-9).text);
    }
    printf("\n%-8s %5s %7s %-18s %10s %7s %9s %8s %6s %8s\n", "Pass", "Batch", "Size", "Device", "ms", "Spread",
           "Images/s", "GFLOP/s", "Peak", "MiB");
}

static void print_layers(const struct vgg_bench_device *device, const struct vgg_bench_result *result)
{
    printf("    %-24s %-18s %10s %7s %8s %9s %8s  %s\n", "Layer", "Operation", "ms", "Spread", "GFLOP/s", "FLOP/byte",
           "Of roof", "Limit");
    double ridge = device->peak / device->bandwidth, sum = 0;
    for (size_t i = 0; i < result->layers; i++) {
        const struct vgg_bench_layer *l = &result->layer[i];
        double rate = l->flops / l->time.median, intensity = l->flops / l->bytes;
        printf("    %-24s %-18s %10s %6.1f%% %8s %9s %7.0f%%  %s\n", l->name, l->op, figures(1e3 * l->time.median).text,
               100 * spread(&l->time), figures(rate * 1e-9).text, figures(intensity).text, 100 * rate / l->roof,
               intensity < ridge ? "memory" : "compute");
        sum += l->time.median;
    }
    printf("    %-24s %-18s %10s\n\n", "all layers", "", figures(1e3 * sum).text);
}

static bool ends_in_precision(const char *name)
{
    const char *last = strrchr(name, ':');
    return last && (strcmp(last, ":bf16") == 0 || strcmp(last, ":int8") == 0);
}

void cli_bench_row(struct cli_bench_table *table, const struct vgg_bench *bench, const struct vgg_bench_result *result)
{
    const struct vgg_bench_device *device = &bench->device[result->device];
    double rate = result->flops / result->time.median;
    uint64_t memory = result->parameters + result->gradients + result->moments + result->activations;
    cli_progress_clear(table->progress);
    if (!table->headed) print_head(bench);
    table->headed = true;
    table->noise |= result->noise;
    printf("%-8s %5d %7s %-18s %10s %6.1f%% %9s %8s %5.0f%% %8.0f%s", vgg_bench_pass_name(result->pass), result->batch,
           size_text(result).text, device->name, figures(1e3 * result->time.median).text, 100 * spread(&result->time),
           figures(result->batch / result->time.median).text, figures(rate * 1e-9).text, 100 * rate / device->peak,
           (double)memory / 0x1p20, result->noise ? " !" : "");
    if (!isnan(result->energy)) printf("  %.1f J", result->energy);
    if (ends_in_precision(device->name)) printf("  %.2f%% off fp32", 1e2 * result->error);
    putchar('\n');
    if (result->layers) print_layers(device, result);
    fflush(stdout);
}

void cli_bench_foot(const struct cli_bench_table *table, const struct vgg_bench *bench)
{
    if (table->noise) {
        printf("\n! noisy:%s%s%s measure again on a quiet machine\n",
               table->noise & VGG_BENCH_NOISE_SPREAD ? " quartiles more than 10 % apart;" : "",
               table->noise & VGG_BENCH_NOISE_LOAD ? " other processes used more than 5 % of the processors;" : "",
               table->noise & VGG_BENCH_NOISE_STEAL ? " the hypervisor took more than 2 % of them;" : "");
    }
    if (bench->results) printf("\nMost memory held by the process: %.0f MiB\n", (double)bench->peak_resident / 0x1p20);
    for (size_t i = 0; i < bench->skips; i++)
        printf("Left out: %s, %s: %s\n", bench->skip[i].device, bench->skip[i].what, bench->skip[i].why);
}

void cli_bench_changes(const struct vgg_bench *bench, const struct vgg_bench *old,
                       const struct vgg_bench_comparison *comparison, const char *path)
{
    size_t cases = comparison->slower + comparison->faster, same = 0;
    printf("\nSince %s (%s, version %s):\n", path, old->date, old->version);
    for (size_t i = 0; i < comparison->changes; i++) {
        const struct vgg_bench_change *c = &comparison->change[i];
        const struct vgg_bench_result *now = &bench->result[c->new_result], *was = &old->result[c->old_result];
        bool whole = c->layer == SIZE_MAX;
        same += whole && !c->verdict;
        if (!c->verdict) continue;
        const struct vgg_bench_layer *layer = whole ? NULL : &now->layer[c->layer];
        printf("%-7s %5.2fx  %s%-8s batch %d at %s on %s", c->verdict > 0 ? "slower" : "faster",
               c->verdict > 0 ? c->ratio : 1 / c->ratio, whole ? "" : "  ", vgg_bench_pass_name(now->pass), now->batch,
               size_text(now).text, bench->device[now->device].name);
        if (layer) printf(", %s %s", layer->name, layer->op);
        if (whole) {
            printf(": %s ms, was %s", figures(1e3 * now->time.median).text, figures(1e3 * was->time.median).text);
        }
        printf(" (noise %.0f %%)\n", 100 * c->noise);
    }
    printf("%zu slower, %zu faster, %zu of %zu within the noise", comparison->slower, comparison->faster, same,
           cases + same);
    if (comparison->only_new) printf(", %zu new", comparison->only_new);
    if (comparison->only_old) printf(", %zu not measured again", comparison->only_old);
    putchar('\n');
}
