/* The report of a training or an evaluation: title, key figures, and the order of the sections. */
#include <math.h>
#include <stdio.h>

#include "core/base/os.h"
#include "core/model/model.h"
#include "core/page/html.h"
#include "core/report/classes.h"
#include "core/report/curves.h"
#include "core/report/images.h"
#include "core/report/settings.h"
#include "core/report/words.h"

/* ---- key figures ---- */

/* Pairs that are collected. */
struct tiles {
    struct vgg_html_pair pair[9];
    size_t count;
};

static void add(struct tiles *tiles, const char *name, const char *format, double value)
{
    struct vgg_html_pair *pair = &tiles->pair[tiles->count++];
    pair->name = name;
    snprintf(pair->value, sizeof pair->value, format, value);
}

/* The figures are those of the epoch that the model is of. */
static void add_training(struct tiles *tiles, const struct vgg_report *report, char *best_name, size_t size)
{
    const struct vgg_history *h = report->history;
    bool chosen = report->training && report->training->keep == VGG_KEEP_BEST && h->best;
    const struct vgg_epoch *kept = &h->epochs[chosen ? (size_t)h->best - 1 : h->count - 1], *best = kept;
    double seconds = h->seconds_features + h->seconds_save, steps = 0.0, images = 0.0;
    for (size_t i = 0; i < h->count; i++) {
        const struct vgg_epoch *e = &h->epochs[i];
        seconds += e->seconds;
        steps += e->seconds_load + e->seconds_train;
        images += (double)e->images;
        if (e->val_accuracy > best->val_accuracy) best = e;
    }
    if (!isnan(kept->val_accuracy)) {
        add(tiles, "Validation accuracy", "%.1f %%", 100.0 * kept->val_accuracy);
        snprintf(best_name, size, "Best, in epoch %d", best->epoch);
        add(tiles, best_name, "%.1f %%", 100.0 * best->val_accuracy);
        add(tiles, "Validation loss", "%.4f", kept->val_loss);
    }
    add(tiles, "Training accuracy", "%.1f %%", 100.0 * kept->accuracy);
    add(tiles, "Training loss", "%.4f", kept->loss);
    add(tiles, "Epochs", "%.0f", (double)h->count);
    if (chosen) add(tiles, "Model of epoch", "%.0f", h->best);
    struct vgg_html_pair *time = &tiles->pair[tiles->count++];
    time->name = "Time";
    snprintf(time->value, sizeof time->value, "%s", vgg_report_duration(seconds).text);
    if (steps > 0.0) add(tiles, "Training images/s", images / steps < 100.0 ? "%.1f" : "%.0f", images / steps);
}

static void write_tiles(struct vgg_html *page, const struct vgg_report *report)
{
    struct tiles tiles = { 0 };
    char best_name[64];
    const struct vgg_evaluation *e = report->evaluation;
    if (report->history && report->history->count) {
        add_training(&tiles, report, best_name, sizeof best_name);
    } else if (e) {
        add(&tiles, "Accuracy", "%.1f %%", 100.0 * e->accuracy);
        if (!isnan(e->top_accuracy)) add(&tiles, "Among the likeliest", "%.1f %%", 100.0 * e->top_accuracy);
        if (!isnan(e->mean_auc)) add(&tiles, e->classes > 2 ? "Mean ROC AUC" : "ROC AUC", "%.4f", e->mean_auc);
        add(&tiles, "Loss", "%.4f", e->loss);
        add(&tiles, "Images", "%.0f", (double)e->count);
        add(&tiles, "Classes", "%.0f", e->classes);
    }
    if (tiles.count) vgg_html_tiles(page, tiles.pair, tiles.count);
}

/* ---- the page ---- */

/* The last two parts of a path: "pets/train" tells more than "train". */
static const char *short_path(const char *path)
{
    const char *last = path, *before = path;
    for (const char *at = path; *at; at++) {
        if (*at == '/' && at[1]) before = last, last = at + 1;
    }
    return before;
}

enum vgg_status vgg_report_write(const char *path, const struct vgg_report *given)
{
    enum vgg_status status = VGG_OK;
    struct vgg_report filled = *given, *report = &filled;
    struct vgg_image_options images;
    struct vgg_html *page = NULL;
    char title[512], lead[512], date[64];
    if (!report->model) return vgg_fail(VGG_ERR_ARGUMENT, "%s: a report needs a model", path);
    if (report->evaluation && (!report->evaluated || vgg_data_class_count(report->evaluated) == 0))
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: a report on an evaluation needs its data, with labels", path);
    if (report->images) {
        images = *report->images;
        vgg_model_images(report->model, &images);
        report->images = &images;
    }
    vgg_os_date(date, sizeof date, "%Y-%m-%d %H:%M", false);
    snprintf(title, sizeof title, "%s of %s%s%s", report->training ? "Training" : "Evaluation",
             report->model->arch.name, report->data ? " on " : "", report->data ? short_path(report->data) : "");
    snprintf(lead, sizeof lead, "%s%s%s%s", date, report->engine ? " \xC2\xB7 " : "",
             report->engine ? vgg_engine_device(report->engine)->name : "",
             report->interrupted ? " \xC2\xB7 interrupted before its end" : "");
    CHECK(vgg_html_create(&page, path, title, lead));
    write_tiles(page, report);
    CHECK(vgg_report_curves(page, report));
    CHECK(vgg_report_classes(page, report));
    CHECK(vgg_report_images(page, report));
    vgg_report_settings(page, report);
    return vgg_html_commit(page);
fail:
    vgg_html_abort(page);
    return status;
}
