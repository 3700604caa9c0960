/* The page of a benchmark: bars of all devices, rooflines and heat maps of layers, changes, and every number. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/bench/stats.h"
#include "core/page/chart.h"
#include "core/report/bench_layers.h"
#include "core/report/words.h"

static double images_per_second(const struct vgg_bench_result *result)
{
    return result->batch / result->time.median;
}

static bool same_shape(const struct vgg_bench_result *a, const struct vgg_bench_result *b)
{
    return a->pass == b->pass && a->batch == b->batch && a->height == b->height && a->width == b->width;
}

/* ---- the top ---- */

static const struct vgg_bench_result *fastest(const struct vgg_bench *bench, enum vgg_bench_pass pass)
{
    const struct vgg_bench_result *best = NULL;
    for (size_t i = 0; i < bench->results; i++) {
        const struct vgg_bench_result *result = &bench->result[i];
        if (result->pass == pass && (!best || images_per_second(result) > images_per_second(best))) best = result;
    }
    return best;
}

static void write_tiles(struct vgg_html *page, const struct vgg_bench *bench)
{
    struct vgg_html_pair tile[4];
    size_t count = 0, noisy = 0;
    for (int pass = VGG_BENCH_FORWARD; pass <= VGG_BENCH_STEP; pass += VGG_BENCH_STEP - VGG_BENCH_FORWARD) {
        const struct vgg_bench_result *best = fastest(bench, (enum vgg_bench_pass)pass);
        if (!best) continue;
        tile[count].name = pass == VGG_BENCH_FORWARD ? "Forward, images/s" : "Training, images/s";
        snprintf(tile[count++].value, sizeof tile->value, "%s", vgg_report_figures(images_per_second(best)).text);
    }
    tile[count].name = "Process memory";
    snprintf(tile[count++].value, sizeof tile->value, "%.0f MiB", (double)bench->peak_resident / 0x1p20);
    for (size_t i = 0; i < bench->results; i++)
        noisy += bench->result[i].noise != 0;
    tile[count].name = "Noisy results";
    snprintf(tile[count++].value, sizeof tile->value, "%zu of %zu", noisy, bench->results);
    vgg_html_tiles(page, tile, count);
}

static void write_devices(struct vgg_html *page, const struct vgg_bench *bench)
{
    static const struct vgg_html_column columns[] = {
        { "Device", false },       { "Name", false }, { "Driver", false },   { "Threads", true },
        { "Peak, GFLOP/s", true }, { "GB/s", true },  { "FLOP/byte", true },
    };
    vgg_html_section(page, "Devices",
                     "Peaks are measured: multiply-adds in registers, and a sweep over memory larger than the caches. "
                     "Below the last column's FLOP/byte an operation is limited by memory.");
    vgg_html_card_begin(page, NULL, true);
    vgg_html_table_begin(page, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < bench->devices; i++) {
        const struct vgg_bench_device *device = &bench->device[i];
        vgg_html_cell(page, "%s", device->name);
        vgg_html_cell(page, "%s", device->info.name);
        vgg_html_cell(page, "%s", device->info.driver);
        if (device->info.threads)
            vgg_html_cell(page, "%d", device->info.threads);
        else
            vgg_html_cell(page, "-");
        vgg_html_cell(page, "%s", vgg_report_figures(device->peak * 1e-9).text);
        vgg_html_cell(page, "%s", vgg_report_figures(device->bandwidth * 1e-9).text);
        vgg_html_cell(page, "%s", vgg_report_figures(device->peak / device->bandwidth).text);
    }
    vgg_html_table_end(page);
    vgg_html_card_end(page);
}

/* ---- bars ---- */

struct bar_words {
    char label[80], text[80];
};

/* One chart a pass: a bar for each device at each shape. */
static enum vgg_status write_bars(struct vgg_html *page, const struct vgg_bench *bench, enum vgg_bench_pass pass,
                                  const char *title)
{
    enum vgg_status status = VGG_OK;
    size_t count = 0;
    struct vgg_chart_bar *bars = vgg_mem_calloc(bench->results, sizeof *bars);
    struct vgg_chart_key *keys = vgg_mem_calloc(bench->devices, sizeof *keys);
    struct bar_words *words = vgg_mem_calloc(bench->results, sizeof *words);
    if (!bars || !keys || !words) CHECK(vgg_fail_memory("a chart", bench->results * sizeof *bars));
    for (size_t i = 0; i < bench->devices; i++)
        keys[i] = (struct vgg_chart_key) { bench->device[i].name, (int)i };
    const struct vgg_bench_result *last = NULL;
    for (size_t i = 0; i < bench->results; i++) {
        const struct vgg_bench_result *result = &bench->result[i];
        if (result->pass != pass) continue;
        if (!last || !same_shape(last, result))
            snprintf(words[count].label, sizeof words->label, "%s", vgg_report_shape(result).text);
        snprintf(words[count].text, sizeof words->text, "%s%s", vgg_report_figures(images_per_second(result)).text,
                 result->noise ? " (noisy)" : "");
        bars[count] =
            (struct vgg_chart_bar) { .label = words[count].label,
                                     .value = images_per_second(result),
                                     .spread = images_per_second(result) * vgg_bench_spread(&result->time) / 2,
                                     .colour = result->device,
                                     .text = words[count].text };
        last = result;
        count++;
    }
    const struct vgg_chart_bars chart = {
        .title = title, .bars = bars, .count = count, .keys = keys, .key_count = bench->devices
    };
    if (count) vgg_chart_bars(page, &chart);
fail:
    free(bars);
    free(keys);
    free(words);
    return status;
}

/* ---- layers ---- */

/* A section for each pass and shape that was measured layer by layer. */
static enum vgg_status write_layers(struct vgg_html *page, const struct vgg_bench *bench)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_bench_result **group = vgg_mem_calloc(bench->results, sizeof *group);
    if (!group) return vgg_fail_memory("a chart", bench->results * sizeof *group);
    for (size_t i = 0; i < bench->results && status == VGG_OK; i++) {
        const struct vgg_bench_result *first = &bench->result[i];
        size_t count = 0;
        bool seen = false;
        for (size_t j = 0; j < bench->results; j++) {
            const struct vgg_bench_result *other = &bench->result[j];
            if (!other->layers || !same_shape(first, other)) continue;
            seen |= j < i;
            group[count++] = other;
        }
        if (first->layers && !seen) status = vgg_report_layers(page, bench, group, count);
    }
    free(group);
    return status;
}

/* ---- what changed ---- */

static void write_change(struct vgg_html *page, const struct vgg_bench *bench, const struct vgg_bench_change *change)
{
    const struct vgg_bench_result *result = &bench->result[change->new_result];
    vgg_html_cell(page, "%s", change->verdict > 0 ? "slower" : change->verdict < 0 ? "faster" : "same");
    vgg_html_cell(page, "%.2f", change->ratio);
    vgg_html_cell(page, "%.0f %%", 100 * change->noise);
    vgg_html_cell(page, "%s", bench->device[result->device].name);
    vgg_html_cell(page, "%s, %s", vgg_bench_pass_name(result->pass), vgg_report_shape(result).text);
    if (change->layer == SIZE_MAX)
        vgg_html_cell(page, "all");
    else
        vgg_html_cell(page, "%s %s", result->layer[change->layer].name, result->layer[change->layer].op);
}

static void write_changes(struct vgg_html *page, const struct vgg_bench *bench, const struct vgg_bench *old,
                          const struct vgg_bench_comparison *comparison)
{
    static const struct vgg_html_column columns[] = {
        { "", false },       { "Time, new / old", true }, { "Noise", true },
        { "Device", false }, { "Case", false },           { "Layers", false },
    };
    vgg_html_section(page, "Changes", "Cases as a whole, and layers that changed by more than the noise of both.");
    vgg_html_card_begin(page, NULL, true);
    vgg_html_paragraph(page, "Since %s (version %s): %zu slower, %zu faster; %zu new, %zu not measured again.",
                       old->date, old->version, comparison->slower, comparison->faster, comparison->only_new,
                       comparison->only_old);
    vgg_html_table_begin(page, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < comparison->changes; i++) {
        const struct vgg_bench_change *change = &comparison->change[i];
        if (change->layer == SIZE_MAX || change->verdict) write_change(page, bench, change);
    }
    vgg_html_table_end(page);
    vgg_html_card_end(page);
}

/* ---- every number ---- */

static void write_row(struct vgg_html *page, const struct vgg_bench *bench, const struct vgg_bench_result *result)
{
    const struct vgg_bench_device *device = &bench->device[result->device];
    double rate = result->flops / result->time.median;
    uint64_t memory = result->parameters + result->gradients + result->moments + result->activations;
    vgg_html_cell(page, "%s", vgg_bench_pass_name(result->pass));
    vgg_html_cell(page, "%s", vgg_report_shape(result).text);
    vgg_html_cell(page, "%s", device->name);
    vgg_html_cell(page, "%s", vgg_report_figures(1e3 * result->time.median).text);
    vgg_html_cell(page, "%s to %s", vgg_report_figures(1e3 * result->time.q1).text,
                  vgg_report_figures(1e3 * result->time.q3).text);
    vgg_html_cell(page, "%d", result->time.runs);
    vgg_html_cell(page, "%s", vgg_report_figures(images_per_second(result)).text);
    vgg_html_cell(page, "%s", vgg_report_figures(rate * 1e-9).text);
    vgg_html_cell(page, "%.0f %%", 100 * rate / device->peak);
    vgg_html_cell(page, "%.0f", (double)memory / 0x1p20);
    vgg_html_cell(page, "%.1e", result->error);
    if (isnan(result->energy))
        vgg_html_cell(page, "-");
    else
        vgg_html_cell(page, "%s", vgg_report_figures(result->energy).text);
    vgg_html_cell(page, "%s%s%s%s", result->noise ? "" : "-", result->noise & VGG_BENCH_NOISE_SPREAD ? "spread " : "",
                  result->noise & VGG_BENCH_NOISE_LOAD ? "load " : "",
                  result->noise & VGG_BENCH_NOISE_STEAL ? "steal" : "");
}

static void write_results(struct vgg_html *page, const struct vgg_bench *bench)
{
    static const struct vgg_html_column columns[] = {
        { "Pass", false },     { "Shape", false }, { "Device", false },    { "Median, ms", true },
        { "Quartiles", true }, { "Runs", true },   { "Images/s", true },   { "GFLOP/s", true },
        { "Of peak", true },   { "MiB", true },    { "Difference", true }, { "J", true },
        { "Noise", false },
    };
    vgg_html_section(page, "All results",
                     "MiB: parameters, gradients, moments and activations on the device. Difference: relative distance "
                     "from the first device's outputs or gradients. J: energy of the processor packages for one run. "
                     "Noise: quartiles more than 10 % apart, more than 5 % of the processors used by others, more than "
                     "2 % taken by a hypervisor.");
    vgg_html_card_begin(page, NULL, true);
    vgg_html_table_begin(page, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < bench->results; i++)
        write_row(page, bench, &bench->result[i]);
    vgg_html_table_end(page);
    for (size_t i = 0; i < bench->skips; i++)
        vgg_html_paragraph(page, "Left out: %s, %s: %s.", bench->skip[i].device, bench->skip[i].what,
                           bench->skip[i].why);
    if (bench->interrupted) vgg_html_paragraph(page, "The benchmark was interrupted; this is what it had measured.");
    vgg_html_card_end(page);
}

enum vgg_status vgg_bench_report(const struct vgg_bench *bench, const struct vgg_bench *old,
                                 const struct vgg_bench_comparison *comparison, const char *path)
{
    enum vgg_status status;
    struct vgg_html *page = NULL;
    char lead[400];
    snprintf(lead, sizeof lead, "%s, %d processors; %s, head %s, trainable %s; version %s, %s", bench->machine,
             bench->processors, bench->arch, bench->head, bench->trainable, bench->version, bench->date);
    CHECK(vgg_html_create(&page, path, "Benchmark", lead));
    write_tiles(page, bench);
    vgg_html_section(page, "Images per second",
                     "Medians; a whisker is the distance of the quartiles. Forward: upload, pass, download. Backward: "
                     "the gradients alone. Step: a whole training step.");
    CHECK(write_bars(page, bench, VGG_BENCH_FORWARD, "Forward"));
    CHECK(write_bars(page, bench, VGG_BENCH_BACKWARD, "Backward"));
    CHECK(write_bars(page, bench, VGG_BENCH_STEP, "Training step"));
    if (old && comparison) write_changes(page, bench, old, comparison);
    write_devices(page, bench);
    CHECK(write_layers(page, bench));
    write_results(page, bench);
    return vgg_html_commit(page);
fail:
    vgg_html_abort(page);
    return status;
}
