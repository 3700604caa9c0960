/* classes.h: the section on an evaluation by class. */
#ifndef CORE_REPORT_CLASSES_H
#define CORE_REPORT_CLASSES_H

#include "core/page/html.h"

/* Confusion matrix and figures of each class. */
enum vgg_status vgg_report_classes(struct vgg_html *page, const struct vgg_report *report);

#endif
