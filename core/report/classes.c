/* An evaluation by class: confusion matrix, precision, recall, F1, and what is taken for what. */
#include "core/report/classes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/page/chart.h"
#include "core/report/words.h"

enum { MOST_CLASSES = 40, MOST_MISTAKES = 12, CELL = 12 };

/* The names of all classes, for charts. */
static enum vgg_status create_names(const char ***names, struct vgg_report_name **texts,
                                    const struct vgg_report *report)
{
    int n = report->evaluation->classes;
    *names = vgg_mem_calloc((size_t)n, sizeof **names);
    *texts = vgg_mem_calloc((size_t)n, sizeof **texts);
    if (!*names || !*texts) return vgg_fail_memory("class names", (size_t)n * sizeof **texts);
    for (int k = 0; k < n; k++) {
        (*texts)[k] = vgg_report_class(report->model, k);
        (*names)[k] = (*texts)[k].text;
    }
    return VGG_OK;
}

/* Colours are shares of the true class, so that rare classes show as well as common ones; numbers are images. */
static enum vgg_status write_matrix(struct vgg_html *page, const struct vgg_evaluation *e, const char *const *names)
{
    enum vgg_status status = VGG_OK;
    size_t n = (size_t)e->classes, cells = n * n;
    double *values = vgg_mem_calloc(cells, sizeof *values);
    char(*texts)[CELL] = vgg_mem_calloc(cells, sizeof *texts);
    const char **list = vgg_mem_calloc(cells, sizeof *list);
    if (!values || !texts || !list) CHECK(vgg_fail_memory("a confusion matrix", cells * sizeof *texts));
    for (size_t i = 0; i < cells; i++) {
        values[i] = e->support[i / n] ? (double)e->confusion[i] / (double)e->support[i / n] : (double)NAN;
        snprintf(texts[i], sizeof texts[i], "%" PRIu64, e->confusion[i]);
        list[i] = texts[i];
    }
    vgg_chart_heat(page, &(struct vgg_chart_heat) { .title = "Confusion matrix",
                                                    .row_title = "is",
                                                    .column_title = "was taken for",
                                                    .rows = e->classes,
                                                    .columns = e->classes,
                                                    .row_names = names,
                                                    .column_names = names,
                                                    .values = values,
                                                    .texts = list,
                                                    .max = 1.0,
                                                    .wide = e->classes > 12 });
fail:
    free(values);
    free(texts);
    free(list);
    return status;
}

/* A ratio, or a dash where it is undefined. */
static void write_ratio(struct vgg_html *page, double value)
{
    if (isnan(value)) {
        vgg_html_cell(page, "\xE2\x80\x93");
    } else {
        vgg_html_cell(page, "%.3f", value);
    }
}

/* The mean of what is defined. */
static double mean(const double *values, int count)
{
    double sum = 0.0;
    int defined = 0;
    for (int k = 0; k < count; k++) {
        if (isnan(values[k])) continue;
        sum += values[k];
        defined++;
    }
    return defined ? sum / defined : (double)NAN;
}

static void write_table(struct vgg_html *page, const struct vgg_evaluation *e, const char *const *names)
{
    static const struct vgg_html_column columns[] = { { "class", false }, { "precision", true }, { "recall", true },
                                                      { "F1", true },     { "ROC AUC", true },   { "images", true } };
    vgg_html_card_begin(page, "Classes", false);
    vgg_html_table_begin(page, columns, 6);
    for (int k = 0; k < e->classes; k++) {
        vgg_html_cell(page, "%s", names[k]);
        write_ratio(page, e->precision[k]);
        write_ratio(page, e->recall[k]);
        write_ratio(page, e->f1[k]);
        write_ratio(page, e->auc[k]);
        vgg_html_cell(page, "%" PRIu64, e->support[k]);
    }
    vgg_html_cell(page, "mean");
    write_ratio(page, mean(e->precision, e->classes));
    write_ratio(page, mean(e->recall, e->classes));
    write_ratio(page, mean(e->f1, e->classes));
    write_ratio(page, e->mean_auc);
    vgg_html_cell(page, "%zu", e->count);
    vgg_html_table_end(page);
    vgg_html_card_end(page);
}

/* One cell beside the diagonal. */
struct mistake {
    uint64_t images;
    int is, taken;
};

/* The largest cells beside the diagonal, the largest first; returns how many. */
static int find_mistakes(struct mistake *most, const struct vgg_evaluation *e)
{
    int count = 0, n = e->classes;
    for (int is = 0; is < n; is++) {
        for (int taken = 0; taken < n; taken++) {
            struct mistake mistake = { e->confusion[(size_t)is * (size_t)n + (size_t)taken], is, taken };
            if (is == taken || !mistake.images) continue;
            int at = count;
            for (; at > 0 && most[at - 1].images < mistake.images; at--) {
                if (at < MOST_MISTAKES) most[at] = most[at - 1];
            }
            if (at < MOST_MISTAKES) most[at] = mistake;
            if (count < MOST_MISTAKES) count++;
        }
    }
    return count;
}

static void write_mistakes(struct vgg_html *page, const struct vgg_evaluation *e, const char *const *names)
{
    static const struct vgg_html_column columns[] = {
        { "is", false }, { "was taken for", false }, { "images", true }, { "of the class", true }
    };
    struct mistake most[MOST_MISTAKES];
    int count = find_mistakes(most, e);
    if (!count) return;
    vgg_html_card_begin(page, "Most frequent mistakes", false);
    vgg_html_table_begin(page, columns, 4);
    for (int i = 0; i < count; i++) {
        vgg_html_cell(page, "%s", names[most[i].is]);
        vgg_html_cell(page, "%s", names[most[i].taken]);
        vgg_html_cell(page, "%" PRIu64, most[i].images);
        vgg_html_cell(page, "%.1f %%", 100.0 * (double)most[i].images / (double)e->support[most[i].is]);
    }
    vgg_html_table_end(page);
    vgg_html_card_end(page);
}

enum vgg_status vgg_report_classes(struct vgg_html *page, const struct vgg_report *report)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_evaluation *e = report->evaluation;
    const char **names = NULL;
    struct vgg_report_name *texts = NULL;
    char note[256];
    if (!e) {
        vgg_html_section(page, "Classes",
                         report->interrupted ? "Not measured: the training was interrupted."
                                             : "Not measured: there was no validation data.");
        return VGG_OK;
    }
    CHECK(create_names(&names, &texts, report));
    snprintf(note, sizeof note, "%zu images of the %s, with the model as it was written: accuracy %.1f %%, loss %.4f.",
             e->count, report->training ? "validation data" : "data", 100.0 * e->accuracy, e->loss);
    vgg_html_section(page, "Classes", note);
    if (e->classes <= MOST_CLASSES) CHECK(write_matrix(page, e, names));
    write_table(page, e, names);
    if (e->classes > 2) write_mistakes(page, e, names);
fail:
    free(texts);
    free(names);
    return status;
}
