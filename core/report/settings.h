/* settings.h: the section of settings and layers. */
#ifndef CORE_REPORT_SETTINGS_H
#define CORE_REPORT_SETTINGS_H

#include "core/page/html.h"

/* Settings and layers. */
void vgg_report_settings(struct vgg_html *page, const struct vgg_report *report);

#endif
