/* explain_page.h: explanations as a page: image and heat side by side with the most probable classes. */
#ifndef CORE_REPORT_EXPLAIN_PAGE_H
#define CORE_REPORT_EXPLAIN_PAGE_H

#include "core/image/image.h"
#include "core/infer/explain.h"
#include "core/page/html.h"

/* A class of the model in words: its name, or "class NUMBER". */
enum { VGG_EXPLAIN_TEXT = 512 };
void vgg_explain_class(char text[VGG_EXPLAIN_TEXT], const struct vgg_model *model, int label);

/* Begins the page `path` with what was asked for and a legend of the colours. */
enum vgg_status vgg_explain_page_create(struct vgg_html **out, const char *path, const struct vgg_explain *explain,
                                        const struct vgg_explain_options *options);

/* One image of the page. */
struct vgg_explain_card {
    const struct vgg_model *model;
    const char *path;
    const char *truth; /* the name of its class; NULL: it has no label */
    const struct vgg_explanation *explanation;
    const struct vgg_image *plain, *hot; /* as they are shown */
    int top;                             /* classes listed; the explained one is, too */
};
enum vgg_status vgg_explain_page_card(struct vgg_html *page, const struct vgg_explain_card *card);

#endif
