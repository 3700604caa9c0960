#include "core/cli/cli_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"
#include "core/cli/cli_rules.h"

enum { LIST = 16, WORD = 32 };

struct batches {
    int count, batch[LIST];
};

struct sizes {
    int count, size[LIST][2];
};

struct bench {
    const char *on, *head, *trainable, *report, *compare;
    struct batches batches;
    struct sizes sizes;
    unsigned passes;
    int arch, repeats;
    bool layers;
};

/* Cuts the next word off a list separated by commas. False at its end, or where it is no list: *text stays on a comma
 * then. */
static bool next_word(char word[WORD], const char **text)
{
    size_t n = strcspn(*text, ",");
    if (n == 0 || n >= WORD) return false;
    memcpy(word, *text, n);
    word[n] = '\0';
    *text += n;
    if (**text == ',' && (*text)[1]) ++*text;
    return true;
}

/* A list of words, none empty and none twice; the library knows what they mean. */
static const char *read_on(const struct cli_option *option, const char *text, void *target)
{
    const char *list = text;
    for (size_t n; (n = strcspn(text, ",")); text += n + 1) {
        for (const char *other = text + n; *other++;) {
            size_t m = strcspn(other, ",");
            if (m == n && strncmp(text, other, n) == 0) return option->range;
            other += m;
        }
        if (!text[n]) {
            *(const char **)target = list;
            return NULL;
        }
    }
    return option->range;
}

static const char *read_batches(const struct cli_option *option, const char *text, void *target)
{
    struct batches *list = target;
    char word[WORD];
    list->count = 0;
    while (list->count < LIST && next_word(word, &text)) {
        int n = list->count++;
        if (cli_read_int(option, word, &list->batch[n])) return option->range;
        for (int i = 0; i < n; i++) {
            if (list->batch[i] == list->batch[n]) return option->range;
        }
    }
    return *text || !list->count ? option->range : NULL;
}

static const char *read_sizes(const struct cli_option *option, const char *text, void *target)
{
    struct sizes *list = target;
    char word[WORD];
    list->count = 0;
    while (list->count < LIST && next_word(word, &text)) {
        int n = list->count++;
        if (cli_read_size(option, word, list->size[n])) return option->range;
        for (int i = 0; i < n; i++) {
            if (memcmp(list->size[i], list->size[n], sizeof list->size[n]) == 0) return option->range;
        }
    }
    return *text || !list->count ? option->range : NULL;
}

static const char *pass_part(int i)
{
    return i <= VGG_BENCH_STEP ? vgg_bench_pass_name((enum vgg_bench_pass)i) : NULL;
}

static const char *read_passes(const struct cli_option *option, const char *text, void *target)
{
    unsigned passes = 0;
    char word[WORD];
    while (next_word(word, &text)) {
        int pass = VGG_BENCH_FORWARD;
        while (pass <= VGG_BENCH_STEP && strcmp(vgg_bench_pass_name((enum vgg_bench_pass)pass), word) != 0)
            pass++;
        if (pass > VGG_BENCH_STEP || passes >> pass & 1) return option->range;
        passes |= 1u << pass;
    }
    if (*text || !passes) return option->range;
    *(unsigned *)target = passes;
    return NULL;
}

static const struct cli_option bench_options[] = {
    { .name = "on",
      .value = "LIST",
      .help = "what to measure: devices as --device takes them (cpu: every level but scalar), cpu:LEVEL:CONV, vulkan "
              "(every GPU), all (default: cpu and vulkan as found)",
      .read = read_on,
      .range = "a list of devices, separated by commas, each once",
      .offset = offsetof(struct bench, on) },
    { .name = "pass",
      .value = "LIST",
      .help = "forward, backward, step (default: all three)",
      .read = read_passes,
      .part = pass_part,
      .range = "a list of forward, backward and step, separated by commas, each once",
      .offset = offsetof(struct bench, passes) },
    { .name = "batch",
      .value = "LIST",
      .help = "images at once, such as 1,8 (default 1)",
      .read = read_batches,
      .min = 1,
      .max = 65536,
      .range = "up to 16 whole numbers from 1 to 65536, separated by commas, each once",
      .offset = offsetof(struct bench, batches) },
    { .name = "size",
      .value = "LIST",
      .help = "input sizes, such as 224,150x200: numbers, or HEIGHTxWIDTH (default 224)",
      .read = read_sizes,
      .range = "up to 16 sizes, numbers or HEIGHTxWIDTH, from 32 to 16384, separated by commas, each once",
      .offset = offsetof(struct bench, sizes) },
    { .name = "layers",
      .help = "also layer by layer, with the roof of each (default: whole passes only)",
      .read = cli_read_flag,
      .offset = offsetof(struct bench, layers) },
    { .name = "repeats",
      .value = "N",
      .help = "timed runs of each case, after two that warm up (default 7)",
      .read = cli_read_int,
      .min = 1,
      .max = 10000,
      .offset = offsetof(struct bench, repeats) },
    { .name = "report",
      .letter = 'r',
      .value = "FILE.html",
      .help = "also write a page with charts (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct bench, report) },
    { .name = "compare",
      .value = "OLD.json",
      .help = "list what became slower or faster since that benchmark (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct bench, compare) },
    { 0 },
};

static const struct cli_option network_options[] = {
    { .name = "arch",
      .value = "NAME",
      .help = "vgg11, vgg13, vgg16 or vgg19, with random weights (default vgg16)",
      .read = cli_read_choice,
      .names = VGG_NAMES_ARCH,
      .offset = offsetof(struct bench, arch) },
    { .name = "head",
      .value = "LAYERS",
      .help = "layers on top, as `vgg16 train` takes them, or top (default gap,dense:10:softmax)",
      .read = cli_read_text,
      .offset = offsetof(struct bench, head) },
    { .name = "trainable",
      .value = "WHAT",
      .help = "what backward and step train: head, all, a block, or a layer and all above it (default all)",
      .read = cli_read_text,
      .offset = offsetof(struct bench, trainable) },
    { 0 },
};

static const struct cli_group groups[] = {
    { "Options:", bench_options, 0 },
    { "Network:", network_options, 0 },
    { 0 },
};

static void on_result(void *user, const struct vgg_bench *bench, const struct vgg_bench_result *result)
{
    cli_bench_row(user, bench, result);
}

/* The library hands one pointer to both of its callbacks. */
static bool on_progress(void *user, const struct vgg_progress *report)
{
    const struct cli_bench_table *table = user;
    return cli_progress_report(table->progress, report);
}

/* What was measured goes out whole, be it interrupted or not. */
static enum vgg_status show(struct cli *cli, const struct bench *o, const struct cli_bench_table *table,
                            const struct vgg_bench *bench, const struct vgg_bench *old)
{
    struct vgg_bench_comparison *comparison = NULL;
    char *json = NULL;
    enum vgg_status status = old ? vgg_bench_compare(&comparison, old, bench) : VGG_OK;
    if (status == VGG_OK && cli->common.json) {
        status = vgg_bench_json(&json, bench, old, comparison);
        if (status == VGG_OK) puts(json);
    } else if (status == VGG_OK) {
        cli_bench_foot(table, bench);
        if (comparison) cli_bench_changes(bench, old, comparison, o->compare);
    }
    if (status == VGG_OK && o->report) status = vgg_bench_report(bench, old, comparison, o->report);
    vgg_bench_comparison_destroy(comparison);
    free(json);
    return status;
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)args, (void)count;
    const struct bench *o = options;
    struct vgg_bench *bench = NULL, *old = NULL;
    struct cli_bench_table table = { .progress = &cli->progress, .layers = o->layers };
    const struct vgg_bench_options wanted = {
        .on = o->on,
        .engine = cli->common.engine,
        .arch = cli_arch_name(o->arch),
        .head = o->head,
        .trainable = o->trainable,
        .passes = o->passes,
        .batch = o->batches.batch,
        .batches = o->batches.count,
        .size = o->sizes.size,
        .sizes = o->sizes.count,
        .repeats = o->repeats,
        .layers = o->layers,
        .seed = cli->common.seed,
        .on_result = cli->common.json ? NULL : on_result,
        .progress = on_progress,
        .user = &table,
    };
    if (cli->common.engine.ranks) {
        if (o->report || o->compare)
            return cli_usage(cli, "--report and --compare: with one process alone, not with several ranks");
        cli_signals_catch();
        return cli_bench_ranks(cli, &wanted);
    }
    enum vgg_status status = o->report ? cli_output_check(cli, o->report, false) : VGG_OK;
    if (status == VGG_OK) status = cli_rules_check_device(cli);
    if (status == VGG_OK && o->compare) status = vgg_bench_load(&old, o->compare);
    if (status == VGG_OK) {
        cli_signals_catch();
        status = vgg_bench_run(&bench, &wanted);
    }
    cli_progress_clear(&cli->progress);
    if (bench) {
        enum vgg_status shown = show(cli, o, &table, bench, old);
        if (shown != VGG_OK) status = shown;
        if (status == VGG_OK && !bench->results)
            status = cli_fail(cli, VGG_ERR_MISSING, "nothing was measured: all was left out%s",
                              cli->common.engine.memory ? "; take a larger --memory" : "");
    }
    vgg_bench_destroy(bench);
    vgg_bench_destroy(old);
    return status;
}

const struct cli_command cli_bench = {
    .name = "bench",
    .arguments = "",
    .purpose = "Measures backends, devices and instruction set levels side by side",
    .details =
        "Every device runs the same random network in turns, after all of them gave the same results: forward is "
        "upload, pass and download; backward the gradients alone; step a whole training step. Peaks of multiply-adds "
        "and of memory are measured first; shares are of those. A convolution's operations are counted as the formula "
        "has them, so that Winograd's may exceed the peak. Results that the machine disturbed are marked with !. An "
        "interrupted run shows what it has. --backend, --device and --isa narrow what is measured without --on. Under "
        "mpirun "
        "or srun: forward and step on all ranks together beside the first alone, with the same shards as `vgg16 "
        "train`.\nJSON: "
        "schema vgg16-bench, version 1, in benchmarks/README.md: schema, schema_version, version, date, machine, "
        "network, interrupted, peak_resident, devices: [{name, ...}], results: [{device, pass, batch, height, width, "
        "seconds: {min, q1, median, q3, max}, ..., layers}], skipped, comparison",
    .groups = groups,
    .size = sizeof(struct bench),
    .ranks = true,
    .run = run,
};
