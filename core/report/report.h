/* report.h: the parts of the report of a training or an evaluation, each a section of the page. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/page/report_html.h"

/* Curves over the epochs and the time by phase; nothing without a history. */
enum vgg_status vgg_report_curves(struct vgg_html *page, const struct vgg_report *report);
/* Confusion matrix and figures of each class. */
enum vgg_status vgg_report_classes(struct vgg_html *page, const struct vgg_report *report);
/* The images that the model is surest and least sure of. One that cannot be read any more is shown without a picture.
 */
enum vgg_status vgg_report_images(struct vgg_html *page, const struct vgg_report *report);
/* Settings and layers. */
void vgg_report_settings(struct vgg_html *page, const struct vgg_report *report);

/* A class's name, or its number where it has none. */
struct vgg_report_name {
    char text[128];
};
struct vgg_report_name vgg_report_class(const struct vgg_model *model, int label);
/* "12.3 s", "3:05 min", "1:02:03 h". */
struct vgg_report_name vgg_report_duration(double seconds);

#endif
