#include "core/report/explain_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/image/colour.h"
#include "core/image/picture.h"

enum { TEXT = VGG_EXPLAIN_TEXT, LEGEND_WIDTH = 256, LEGEND_HEIGHT = 8, CHANNELS = 3 };

void vgg_explain_class(char text[TEXT], const struct vgg_model *model, int label)
{
    const char *name = vgg_model_class_name(model, label);
    if (name && *name) {
        snprintf(text, TEXT, "%s", name);
    } else {
        snprintf(text, TEXT, "class %d", label);
    }
}

static enum vgg_status write_legend(struct vgg_html *page, enum vgg_colours colours)
{
    uint8_t rgb[LEGEND_WIDTH * LEGEND_HEIGHT * CHANNELS], *png;
    struct vgg_image strip = { LEGEND_HEIGHT, LEGEND_WIDTH, rgb, 0, 0, false };
    size_t size;
    for (int i = 0; i < LEGEND_WIDTH * LEGEND_HEIGHT; i++)
        vgg_colour_map(rgb + i * CHANNELS, i % LEGEND_WIDTH / (double)(LEGEND_WIDTH - 1), colours);
    enum vgg_status status = vgg_picture_png(&png, &size, &strip);
    if (status != VGG_OK) return status;
    vgg_html_card_begin(page, NULL, true);
    vgg_html_markup(page, "<div class=\"legend\"><span>speaks little for the class</span>");
    vgg_html_image(page, "image/png", png, size, "the colours from the least to the most");
    vgg_html_markup(page, "<span>speaks most for it</span></div>\n");
    vgg_html_card_end(page);
    free(png);
    return VGG_OK;
}

enum vgg_status vgg_explain_page_create(struct vgg_html **out, const char *path, const struct vgg_explain *explain,
                                        const struct vgg_explain_options *options)
{
    char what[TEXT] = "the predicted class of each image", lead[2 * TEXT];
    const struct vgg_arch *arch = &explain->model->arch;
    if (options->chosen) vgg_explain_class(what, explain->model, options->label);
    snprintf(lead, sizeof lead, "What speaks for %s: Grad-CAM at %s of %s, a map of %d x %d.", what,
             arch->layer[explain->layer].name, arch->name, explain->h, explain->w);
    enum vgg_status status = vgg_html_create(out, path, "Where the network looks", lead);
    if (status != VGG_OK) return status;
    vgg_html_section(*out, "Images",
                     "Each map is scaled by its own largest value: colours compare places of one image, not images.");
    status = write_legend(*out, options->colours);
    if (status == VGG_OK) return VGG_OK;
    vgg_html_abort(*out);
    *out = NULL;
    return status;
}

static enum vgg_status write_picture(struct vgg_html *page, const struct vgg_image *image, const char *alt)
{
    uint8_t *jpeg;
    size_t size;
    enum vgg_status status = vgg_picture_jpeg(&jpeg, &size, image);
    if (status != VGG_OK) return status;
    vgg_html_image(page, "image/jpeg", jpeg, size, alt);
    free(jpeg);
    return VGG_OK;
}

/* The next less probable class after the last one written (NULL: the first), equal ones by number; -1: none is left. */
static int next_class(const struct vgg_explanation *e, const int *last)
{
    int best = -1;
    for (int k = 0; k < e->classes; k++) {
        float p = e->probabilities[k];
        if (last) {
            float bound = e->probabilities[*last];
            if (p > bound || (p == bound && k <= *last)) continue;
        }
        if (best < 0 || p > e->probabilities[best]) best = k;
    }
    return best;
}

static void write_class(struct vgg_html *page, const struct vgg_explain_card *card, int label)
{
    const struct vgg_explanation *e = card->explanation;
    char name[TEXT];
    double percent = 100.0 * (double)e->probabilities[label];
    vgg_explain_class(name, card->model, label);
    vgg_html_markup(page, label == e->label ? "<li class=\"c0\"><span>" : "<li><span>");
    vgg_html_text(page, name);
    vgg_html_markup(page, "</span><b>%.1f %%</b><span class=\"meter\"><i style=\"width:%.1f%%\"></i></span></li>\n",
                    percent, percent);
}

static void write_classes(struct vgg_html *page, const struct vgg_explain_card *card)
{
    int label = -1, shown = 0;
    bool explained = false;
    vgg_html_markup(page, "<ul class=\"classes\">\n");
    while (shown < card->top && (label = next_class(card->explanation, shown ? &label : NULL)) >= 0) {
        write_class(page, card, label);
        explained = explained || label == card->explanation->label;
        shown++;
    }
    if (!explained) write_class(page, card, card->explanation->label);
    vgg_html_markup(page, "</ul>\n");
}

enum vgg_status vgg_explain_page_card(struct vgg_html *page, const struct vgg_explain_card *card)
{
    char alt[2 * TEXT], name[TEXT];
    const char *slash = strrchr(card->path, '/');
    vgg_explain_class(name, card->model, card->explanation->label);
    vgg_html_card_begin(page, slash ? slash + 1 : card->path, false);
    vgg_html_markup(page, "<div class=\"two\">");
    enum vgg_status status = write_picture(page, card->plain, card->path);
    if (status != VGG_OK) return status;
    snprintf(alt, sizeof alt, "what speaks for %s", name);
    status = write_picture(page, card->hot, alt);
    if (status != VGG_OK) return status;
    vgg_html_markup(page, "</div>\n");
    if (card->truth) vgg_html_paragraph(page, "Labelled %s.", card->truth);
    write_classes(page, card);
    vgg_html_card_end(page);
    return VGG_OK;
}
