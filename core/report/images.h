/* images.h: the section of images. */
#ifndef CORE_REPORT_IMAGES_H
#define CORE_REPORT_IMAGES_H

#include "core/page/html.h"

/* The images that the model is surest and least sure of. One that cannot be read any more is shown without a picture.
 */
enum vgg_status vgg_report_images(struct vgg_html *page, const struct vgg_report *report);

#endif
