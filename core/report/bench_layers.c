/* Charts of a pass measured layer by layer.
 * Source of the roofline: Williams, Waterman, Patterson, CACM 2009. */
#include "core/report/bench_layers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/report/words.h"

/* ---- roofline ---- */

enum { ROOF_POINTS = 3, ROOF_NAME = 80, DOT_NAME = 192 };

/* A device's roof and its operations as dots. */
struct roof {
    double roof_x[ROOF_POINTS], roof_y[ROOF_POINTS];
    double *x, *y;
    char (*words)[DOT_NAME];
    const char **label;
    char name[ROOF_NAME];
};

static void roof_finish(struct roof *roof)
{
    free(roof->x);
    free(roof->y);
    free(roof->words);
    free(roof->label);
}

static double seconds_of(const struct vgg_bench_result *result)
{
    double sum = 0;
    for (size_t i = 0; i < result->layers; i++)
        sum += result->layer[i].time.median;
    return sum;
}

/* What takes less than a thousandth of the time matters to nobody and would stretch the axes. */
static bool has_dot(const struct vgg_bench_layer *layer, double whole)
{
    return layer->flops > 0 && layer->time.median > 1e-3 * whole;
}

static enum vgg_status roof_init(struct roof *roof, const struct vgg_bench_device *device,
                                 const struct vgg_bench_result *result, double least, double most)
{
    size_t count = result->layers;
    roof->x = vgg_mem_calloc(count, sizeof *roof->x);
    roof->y = vgg_mem_calloc(count, sizeof *roof->y);
    roof->words = vgg_mem_calloc(count, sizeof *roof->words);
    roof->label = vgg_mem_calloc(count, sizeof *roof->label);
    if (!roof->x || !roof->y || !roof->words || !roof->label)
        return vgg_fail_memory("a chart", count * sizeof *roof->words);
    double ridge = device->peak / device->bandwidth, whole = seconds_of(result);
    const double at[ROOF_POINTS] = { fmin(least, ridge / 8), ridge, fmax(most, ridge) };
    for (int i = 0; i < ROOF_POINTS; i++) {
        roof->roof_x[i] = at[i];
        roof->roof_y[i] = fmin(device->peak, device->bandwidth * at[i]) * 1e-9;
    }
    snprintf(roof->name, sizeof roof->name, "%s", device->name);
    for (size_t i = 0; i < count; i++) {
        const struct vgg_bench_layer *layer = &result->layer[i];
        double rate = layer->flops / layer->time.median;
        roof->x[i] = has_dot(layer, whole) ? layer->flops / layer->bytes : (double)NAN;
        roof->y[i] = has_dot(layer, whole) ? rate * 1e-9 : (double)NAN;
        snprintf(roof->words[i], sizeof roof->words[i], "%s %s: %s GFLOP/s, %.0f %% of the roof", layer->name,
                 layer->op, vgg_report_figures(rate * 1e-9).text, 100 * rate / layer->roof);
        roof->label[i] = roof->words[i];
    }
    return VGG_OK;
}

static enum vgg_status write_roofline(struct vgg_html *page, const struct vgg_bench *bench,
                                      const struct vgg_bench_result *const *results, size_t count)
{
    enum vgg_status status = VGG_OK;
    double least = (double)INFINITY, most = 0;
    struct roof *roofs = vgg_mem_calloc(count, sizeof *roofs);
    struct vgg_chart_series *series = vgg_mem_calloc(2 * count, sizeof *series);
    if (!roofs || !series) CHECK(vgg_fail_memory("a chart", count * sizeof *roofs));
    for (size_t i = 0; i < count; i++) {
        double whole = seconds_of(results[i]);
        for (size_t k = 0; k < results[i]->layers; k++) {
            const struct vgg_bench_layer *layer = &results[i]->layer[k];
            if (!has_dot(layer, whole)) continue;
            least = fmin(least, layer->flops / layer->bytes);
            most = fmax(most, layer->flops / layer->bytes);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct vgg_bench_device *device = &bench->device[results[i]->device];
        CHECK(roof_init(&roofs[i], device, results[i], least, most));
        series[i] = (struct vgg_chart_series) { .mark = VGG_CHART_LINE,
                                                .colour = results[i]->device,
                                                .count = ROOF_POINTS,
                                                .x = roofs[i].roof_x,
                                                .y = roofs[i].roof_y };
        series[count + i] = (struct vgg_chart_series) { .name = roofs[i].name,
                                                        .mark = VGG_CHART_DOTS,
                                                        .colour = results[i]->device,
                                                        .count = results[i]->layers,
                                                        .x = roofs[i].x,
                                                        .y = roofs[i].y,
                                                        .label = roofs[i].label };
    }
    const struct vgg_chart chart = { .title = "Roofline",
                                     .x = { .title = "FLOP / byte", .log = true },
                                     .y = { .title = "GFLOP/s", .log = true },
                                     .series = series,
                                     .count = 2 * count };
    vgg_chart_plot(page, &chart);
fail:
    for (size_t i = 0; roofs && i < count; i++)
        roof_finish(&roofs[i]);
    free(roofs);
    free(series);
    return status;
}

/* ---- heat maps ---- */

/* What a column shows of a device. */
enum kind { FORWARD, DATA, WEIGHT, UPDATE, KINDS };
static const char *const kind_name[KINDS] = { "forward", "dx", "dw", "update" };

static enum kind kind_of(const struct vgg_bench_layer *layer)
{
    if (layer->stage == VGG_BENCH_FORWARD) return FORWARD;
    if (layer->stage == VGG_BENCH_UPDATE) return UPDATE;
    return strstr(layer->op, "WEIGHT") ? WEIGHT : DATA;
}

enum { MOST_ROWS = 64, COLUMN_NAME = 80, CELL = 64 };

/* Layers down, devices and kinds across. */
struct heat {
    int rows, columns;
    const char *row_name[MOST_ROWS];
    char (*column_words)[COLUMN_NAME];
    const char **column_name;
    struct {
        size_t result;
        enum kind kind;
    } * column;
    double *seconds, *work; /* rows x columns: times, and what the roof would take */
    double *value;
    char (*words)[CELL];
    const char **text;
};

static void heat_finish(struct heat *heat)
{
    free(heat->column_words);
    free(heat->column_name);
    free(heat->column);
    free(heat->seconds);
    free(heat->work);
    free(heat->value);
    free(heat->words);
    free(heat->text);
}

static int row_of(struct heat *heat, const char *name)
{
    int row = 0;
    while (row < heat->rows && strcmp(heat->row_name[row], name) != 0)
        row++;
    if (row == heat->rows && row < MOST_ROWS) heat->row_name[heat->rows++] = name;
    return row;
}

/* Rows in the network's order, which backward passes turn round, and the columns that are used: devices side by side.
 */
static void heat_shape(struct heat *heat, const struct vgg_bench *bench, const struct vgg_bench_result *const *results,
                       size_t count)
{
    bool used[KINDS] = { false };
    int kinds = 0;
    for (size_t i = 0; i < count; i++) {
        size_t layers = results[i]->layers;
        bool turned = results[i]->pass == VGG_BENCH_BACKWARD;
        for (size_t k = 0; k < layers; k++) {
            const struct vgg_bench_layer *layer = &results[i]->layer[turned ? layers - 1 - k : k];
            row_of(heat, layer->name);
            used[kind_of(layer)] = true;
        }
    }
    for (int kind = 0; kind < KINDS; kind++)
        kinds += used[kind];
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; used[kind] && i < count; i++) {
            int column = heat->columns++;
            heat->column[column].result = i;
            heat->column[column].kind = (enum kind)kind;
            const char *device = bench->device[results[i]->device].name;
            snprintf(heat->column_words[column], COLUMN_NAME, "%s%s%s", kinds > 1 ? kind_name[kind] : "",
                     count > 1 && kinds > 1 ? " " : "", count > 1 || kinds == 1 ? device : "");
            heat->column_name[column] = heat->column_words[column];
        }
    }
}

static enum vgg_status heat_init(struct heat *heat, const struct vgg_bench *bench,
                                 const struct vgg_bench_result *const *results, size_t count)
{
    size_t columns = count * KINDS, cells = columns * MOST_ROWS;
    heat->column = vgg_mem_calloc(columns, sizeof *heat->column);
    heat->column_words = vgg_mem_calloc(columns, sizeof *heat->column_words);
    heat->column_name = vgg_mem_calloc(columns, sizeof *heat->column_name);
    heat->seconds = vgg_mem_calloc(cells, sizeof *heat->seconds);
    heat->work = vgg_mem_calloc(cells, sizeof *heat->work);
    heat->value = vgg_mem_calloc(cells, sizeof *heat->value);
    heat->words = vgg_mem_calloc(cells, sizeof *heat->words);
    heat->text = vgg_mem_calloc(cells, sizeof *heat->text);
    if (!heat->column || !heat->column_words || !heat->column_name || !heat->seconds || !heat->work || !heat->value ||
        !heat->words || !heat->text)
        return vgg_fail_memory("a chart", cells * sizeof *heat->words);
    heat_shape(heat, bench, results, count);
    for (int column = 0; column < heat->columns; column++) {
        const struct vgg_bench_result *result = results[heat->column[column].result];
        for (size_t k = 0; k < result->layers; k++) {
            const struct vgg_bench_layer *layer = &result->layer[k];
            int row = row_of(heat, layer->name);
            if (kind_of(layer) != heat->column[column].kind || row == MOST_ROWS) continue;
            heat->seconds[row * heat->columns + column] += layer->time.median;
            heat->work[row * heat->columns + column] += layer->flops / layer->roof;
        }
    }
    return VGG_OK;
}

/* share: of the roof, else milliseconds. */
static void write_heat(struct vgg_html *page, struct heat *heat, const char *title, bool share)
{
    for (int i = 0; i < heat->rows * heat->columns; i++) {
        double seconds = heat->seconds[i], value = share ? 100 * heat->work[i] / seconds : 1e3 * seconds;
        heat->value[i] = seconds > 0 ? value : (double)NAN;
        if (share)
            snprintf(heat->words[i], CELL, "%.0f %%", value);
        else
            snprintf(heat->words[i], CELL, "%s", vgg_report_figures(value).text);
        heat->text[i] = seconds > 0 ? heat->words[i] : NULL;
    }
    const struct vgg_chart_heat chart = { .title = title,
                                          .rows = heat->rows,
                                          .columns = heat->columns,
                                          .row_names = heat->row_name,
                                          .column_names = heat->column_name,
                                          .values = heat->value,
                                          .texts = heat->text,
                                          .wide = heat->columns > 4 };
    vgg_chart_heat(page, &chart);
}

/* ---- where the time goes ---- */

/* The part of the network that an operation belongs to: block1 ... block5, the head, the update. */
static void part_of(char *name, size_t size, const struct vgg_bench_layer *layer)
{
    if (layer->stage == VGG_BENCH_UPDATE)
        snprintf(name, size, "update");
    else if (strncmp(layer->name, "block", 5) == 0)
        snprintf(name, size, "%.6s", layer->name);
    else
        snprintf(name, size, "head");
}

static void write_parts(struct vgg_html *page, const struct vgg_bench *bench, const struct vgg_bench_result *result)
{
    enum { MOST_PARTS = 8 };
    struct vgg_chart_part part[MOST_PARTS];
    char name[MOST_PARTS][32], text[MOST_PARTS][80], title[120];
    size_t count = 0;
    double whole = seconds_of(result);
    bool turned = result->pass == VGG_BENCH_BACKWARD;
    for (size_t k = 0; k < result->layers; k++) {
        const struct vgg_bench_layer *layer = &result->layer[turned ? result->layers - 1 - k : k];
        char wanted[sizeof name[0]];
        size_t at = 0;
        part_of(wanted, sizeof wanted, layer);
        while (at < count && strcmp(name[at], wanted) != 0)
            at++;
        if (at == MOST_PARTS) continue;
        if (at == count) {
            memcpy(name[at], wanted, sizeof wanted);
            part[count++] = (struct vgg_chart_part) { .name = name[at], .colour = (int)at, .text = text[at] };
        }
        part[at].value += layer->time.median;
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%s ms, %.0f %%", vgg_report_figures(1e3 * part[i].value).text,
                 100 * part[i].value / whole);
    }
    snprintf(title, sizeof title, "Where the time goes: %s", bench->device[result->device].name);
    vgg_chart_parts(page, title, part, count);
}

enum vgg_status vgg_report_layers(struct vgg_html *page, const struct vgg_bench *bench,
                                  const struct vgg_bench_result *const *results, size_t count)
{
    enum vgg_status status;
    struct heat heat = { 0 };
    char title[120];
    snprintf(title, sizeof title, "Layer by layer: %s, %s", vgg_bench_pass_name(results[0]->pass),
             vgg_report_shape(results[0]).text);
    vgg_html_section(page, title,
                     "Each dot is one operation; the line above it is its device's roof, the lesser of what memory and "
                     "what arithmetic allow. Operations are counted as the formula has them: Winograd's convolutions "
                     "save some and may pass the roof. dx, dw: gradients of what a layer reads, and of its weights.");
    const struct vgg_bench_result *fastest = results[0];
    for (size_t i = 1; i < count; i++)
        if (results[i]->time.median < fastest->time.median) fastest = results[i];
    CHECK(write_roofline(page, bench, results, count));
    write_parts(page, bench, fastest);
    CHECK(heat_init(&heat, bench, results, count));
    write_heat(page, &heat, "Milliseconds", false);
    write_heat(page, &heat, "Share of the roof", true);
fail:
    heat_finish(&heat);
    return status;
}
