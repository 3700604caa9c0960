/* A training's curves: training as dots, validation as a line; raw, and smoothed as in chapter 5.3 of F. Chollet's Deep
 * Learning with Python (2017): s[0] = p[0], s[i] = 0.8 s[i - 1] + 0.2 p[i]. */
#include "core/report/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/page/chart.h"
#include "core/report/words.h"

static const double factor = 0.8;

enum { EPOCH, LOSS, ACCURACY, VAL_LOSS, VAL_ACCURACY, RATE, COLUMNS };

/* The columns of a history, `count` values each, raw and smoothed. */
struct curves {
    size_t count;
    bool validation;
    double *raw, *smooth;
};

static const double *column(const double *columns, const struct curves *curves, int index)
{
    return columns + (size_t)index * curves->count;
}

static enum vgg_status curves_create(struct curves *curves, const struct vgg_history *history)
{
    size_t n = history->count;
    *curves = (struct curves) { .count = n };
    curves->raw = vgg_mem_calloc(COLUMNS * n, sizeof *curves->raw);
    curves->smooth = vgg_mem_calloc(COLUMNS * n, sizeof *curves->smooth);
    if (!curves->raw || !curves->smooth) return vgg_fail_memory("curves", 2 * COLUMNS * n * sizeof *curves->raw);
    for (size_t i = 0; i < n; i++) {
        const struct vgg_epoch *e = &history->epochs[i];
        const double row[COLUMNS] = { e->epoch, e->loss, e->accuracy, e->val_loss, e->val_accuracy, e->learning_rate };
        if (!isnan(e->val_loss)) curves->validation = true;
        for (int k = 0; k < COLUMNS; k++) {
            size_t at = (size_t)k * n + i;
            curves->raw[at] = row[k];
            bool first = i == 0 || k == EPOCH || isnan(curves->smooth[at - 1]);
            curves->smooth[at] = first ? row[k] : factor * curves->smooth[at - 1] + (1.0 - factor) * row[k];
        }
    }
    return VGG_OK;
}

static void curves_finish(struct curves *curves)
{
    free(curves->raw);
    free(curves->smooth);
}

static void write_pair(struct vgg_html *page, const struct curves *curves, const double *columns, const char *title,
                       int training, int validation, bool percent)
{
    const double *x = column(columns, curves, EPOCH);
    const struct vgg_chart_series series[] = {
        { .name = "training",
          .mark = VGG_CHART_DOTS,
          .count = curves->count,
          .x = x,
          .y = column(columns, curves, training) },
        { .name = "validation",
          .mark = VGG_CHART_LINE,
          .colour = 1,
          .count = curves->count,
          .x = x,
          .y = column(columns, curves, validation) },
    };
    vgg_chart_plot(page, &(struct vgg_chart) { .title = title,
                                               .x = { .title = "epoch", .whole = true },
                                               .y = { .percent = percent },
                                               .series = series,
                                               .count = curves->validation ? 2 : 1 });
}

static void write_rate(struct vgg_html *page, const struct curves *curves)
{
    const struct vgg_chart_series series = { .mark = VGG_CHART_LINE,
                                             .colour = 2,
                                             .count = curves->count,
                                             .x = column(curves->raw, curves, EPOCH),
                                             .y = column(curves->raw, curves, RATE) };
    vgg_chart_plot(page, &(struct vgg_chart) { .title = "Learning rate",
                                               .x = { .title = "epoch", .whole = true },
                                               .y = { .zero = true },
                                               .series = &series,
                                               .count = 1 });
}

static void write_time(struct vgg_html *page, const struct vgg_history *history)
{
    enum { FEATURES, LOAD, STEPS, VALIDATE, SAVE, OTHER, PHASES };
    static const char *const names[PHASES] = { "Features of frozen layers, once",
                                               "Waiting for data",
                                               "Steps",
                                               "Validation",
                                               "Writing checkpoints",
                                               "Everything else" };
    double seconds[PHASES] = { [FEATURES] = history->seconds_features, [SAVE] = history->seconds_save }, sum = 0.0;
    for (size_t i = 0; i < history->count; i++) {
        const struct vgg_epoch *e = &history->epochs[i];
        seconds[LOAD] += e->seconds_load;
        seconds[STEPS] += e->seconds_train;
        seconds[VALIDATE] += e->seconds_validate;
        seconds[OTHER] += fmax(e->seconds - e->seconds_load - e->seconds_train - e->seconds_validate, 0.0);
    }
    for (int k = 0; k < PHASES; k++)
        sum += seconds[k];
    struct vgg_chart_part parts[PHASES];
    char texts[PHASES][160];
    size_t count = 0;
    for (int k = 0; k < PHASES; k++) {
        if (seconds[k] < 1e-3 * sum) continue;
        snprintf(texts[count], sizeof texts[count], "%s, %.*f %%", vgg_report_duration(seconds[k]).text,
                 seconds[k] < 0.0995 * sum, 100.0 * seconds[k] / sum);
        parts[count] = (struct vgg_chart_part) { names[k], seconds[k], k, texts[count] };
        count++;
    }
    vgg_chart_parts(page, "Time", parts, count);
}

enum vgg_status vgg_report_curves(struct vgg_html *page, const struct vgg_report *report)
{
    enum vgg_status status = VGG_OK;
    struct curves curves = { 0 };
    if (!report->history || !report->history->count) return VGG_OK;
    CHECK(curves_create(&curves, report->history));
    vgg_html_section(page, "Curves",
                     curves.validation
                         ? "Training accuracy and loss are means over the epoch while the weights change, "
                           "with dropout and augmentation; validation is measured after it, without."
                         : "There was no validation data: give some to see whether what was learnt "
                           "holds for images that were not trained on.");
    write_pair(page, &curves, curves.raw, "Accuracy", ACCURACY, VAL_ACCURACY, true);
    write_pair(page, &curves, curves.smooth, "Accuracy, smoothed by 0.8", ACCURACY, VAL_ACCURACY, true);
    write_pair(page, &curves, curves.raw, "Loss", LOSS, VAL_LOSS, false);
    write_pair(page, &curves, curves.smooth, "Loss, smoothed by 0.8", LOSS, VAL_LOSS, false);
    write_rate(page, &curves);
    write_time(page, report->history);
fail:
    curves_finish(&curves);
    return status;
}
