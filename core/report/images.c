/* The images that a model is surest and least sure of, by the probability that it gives to their true class. */
#include "core/report/images.h"

#include <stdlib.h>

#include "core/base/mem.h"
#include "core/data/data.h"
#include "core/image/colour.h"
#include "core/image/picture.h"
#include "core/model/model.h"
#include "core/report/words.h"

enum { MOST = 12, SIDE = 144 };

/* One image of the evaluation. */
struct item {
    size_t at; /* row of the evaluation */
    float probability;
};

/* The surest first; equal ones in the data's order. */
static int compare(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    if (a->probability != b->probability) return a->probability > b->probability ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* A thumbnail, cut and stretched as the network saw the image, but sharper. */
static enum vgg_status write_picture(struct vgg_html *page, const struct vgg_report *report, size_t index)
{
    enum vgg_status status = VGG_OK;
    int height, width;
    enum vgg_preprocess preprocess;
    char why[VGG_IMAGE_WHY];
    struct vgg_image image = { 0 };
    uint8_t *jpeg = NULL;
    size_t size;
    vgg_model_input(report->model, &height, &width, &preprocess);
    int longest = height > width ? height : width;
    struct vgg_image_options fit = { .height = (height * SIDE + longest / 2) / longest,
                                     .width = (width * SIDE + longest / 2) / longest,
                                     .preprocess = VGG_PREPROCESS_NONE,
                                     .resize = VGG_RESIZE_LANCZOS };
    if (fit.height < 1) fit.height = 1;
    if (fit.width < 1) fit.width = 1;
    if (report->images) fit.crop = report->images->crop;
    size_t values = (size_t)fit.height * (size_t)fit.width * 3;
    float *x = vgg_mem_calloc(values, sizeof *x);
    image = (struct vgg_image) { .height = fit.height, .width = fit.width, .rgb = vgg_mem_calloc(values, 1) };
    if (!x || !image.rgb) CHECK(vgg_fail_memory("a thumbnail", values * sizeof *x));
    if (vgg_data_fetch_quiet(report->evaluated, index, &fit, NULL, 0, 0, x, why) != VGG_OK) goto fail;
    for (size_t i = 0; i < values; i++)
        image.rgb[i] = vgg_colour_byte(x[i]);
    CHECK(vgg_picture_jpeg(&jpeg, &size, &image));
    vgg_html_image(page, "image/jpeg", jpeg, size, vgg_data_path(report->evaluated, index));
fail:
    free(jpeg);
    free(x);
    vgg_image_finish(&image);
    return status;
}

static const char *file_name(const char *path)
{
    const char *name = path;
    for (; *path; path++) {
        if (*path == '/' && path[1]) name = path + 1;
    }
    return name;
}

static enum vgg_status write_item(struct vgg_html *page, const struct vgg_report *report, const struct item *item)
{
    const struct vgg_evaluation *e = report->evaluation;
    int label = e->labels[item->at], best = e->predicted[item->at];
    double sure = (double)e->probabilities[item->at * (size_t)e->classes + (size_t)best];
    vgg_html_markup(page, "<li>");
    enum vgg_status status = write_picture(page, report, e->index[item->at]);
    if (status != VGG_OK) return status;
    vgg_html_markup(page, "<b class=\"%s\">", best == label ? "right" : "wrong");
    vgg_html_words(page, "%s", vgg_report_class(report->model, best).text);
    vgg_html_markup(page, "</b> %.1f %%", 100.0 * sure);
    vgg_html_markup(page, "<span class=\"meter %s\"><i style=\"width:%.1f%%\"></i></span>",
                    best == label ? "right" : "wrong", 100.0 * sure);
    if (best != label) {
        vgg_html_words(page, "is %s, %.1f %%", vgg_report_class(report->model, label).text,
                       100.0 * (double)item->probability);
        vgg_html_markup(page, "<br>");
    }
    vgg_html_markup(page, "<span class=\"name\">");
    vgg_html_text(page, file_name(vgg_data_path(report->evaluated, e->index[item->at])));
    vgg_html_markup(page, "</span></li>\n");
    return VGG_OK;
}

static enum vgg_status write_gallery(struct vgg_html *page, const struct vgg_report *report, const char *title,
                                     const struct item *items, size_t count)
{
    enum vgg_status status = VGG_OK;
    vgg_html_card_begin(page, title, true);
    vgg_html_markup(page, "<ul class=\"gallery\">\n");
    for (size_t i = 0; i < count; i++)
        CHECK(write_item(page, report, &items[i]));
    vgg_html_markup(page, "</ul>\n");
    vgg_html_card_end(page);
fail:
    return status;
}

/* The surest of `count` sorted items, no class more often than its share, so that not one class fills the row. */
static size_t choose_best(struct item *best, const struct vgg_evaluation *e, const struct item *items, size_t count,
                          size_t most, int *taken)
{
    size_t chosen = 0;
    int present = 0;
    for (int k = 0; k < e->classes; k++)
        present += e->support[k] > 0;
    int share = ((int)most + present - 1) / present;
    for (size_t i = 0; i < count && chosen < most; i++) {
        int label = e->labels[items[i].at];
        if (e->predicted[items[i].at] != label || taken[label] == share) continue;
        taken[label]++;
        best[chosen++] = items[i];
    }
    return chosen;
}

enum vgg_status vgg_report_images(struct vgg_html *page, const struct vgg_report *report)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_evaluation *e = report->evaluation;
    struct item best[MOST], worst[MOST], *items = NULL;
    struct vgg_data_shape shape;
    int *taken = NULL;
    if (!e || !e->count) return VGG_OK;
    vgg_data_shape(report->evaluated, &shape);
    if (shape.features) {
        vgg_html_section(page, "Images", "None are shown: the data holds features of images, not the images.");
        return VGG_OK;
    }
    vgg_html_section(page, "Images", "The bar and its number are the probability of the class that the model names.");
    items = vgg_mem_calloc(e->count, sizeof *items);
    taken = vgg_mem_calloc((size_t)e->classes, sizeof *taken);
    if (!items || !taken) CHECK(vgg_fail_memory("a list of images", e->count * sizeof *items));
    for (size_t i = 0; i < e->count; i++)
        items[i] = (struct item) { i, e->probabilities[i * (size_t)e->classes + (size_t)e->labels[i]] };
    qsort(items, e->count, sizeof *items, compare);
    size_t most = e->count < 2 * MOST ? (e->count + 1) / 2 : MOST;
    size_t chosen = choose_best(best, e, items, e->count, most, taken);
    for (size_t i = 0; i < most; i++)
        worst[i] = items[e->count - 1 - i];
    CHECK(write_gallery(page, report, "Least probable: the model's worst", worst, most));
    if (chosen) CHECK(write_gallery(page, report, "Most probable: the model's best", best, chosen));
fail:
    free(items);
    free(taken);
    return status;
}
