/* curves.h: curves over the epochs and the time by phase. */
#ifndef CORE_REPORT_CURVES_H
#define CORE_REPORT_CURVES_H

#include "core/page/html.h"

/* Curves over the epochs and the time by phase; nothing without a history. */
enum vgg_status vgg_report_curves(struct vgg_html *page, const struct vgg_report *report);

#endif
