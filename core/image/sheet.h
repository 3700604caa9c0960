/* sheet.h: tiles of one layer's channels on one picture. */
#ifndef CORE_IMAGE_SHEET_H
#define CORE_IMAGE_SHEET_H

#include "core/image/image.h"

struct vgg_sheet;

/* A sheet of `rows` bands; each has an image at its left and `channels` tiles for maps of height x width. Tiles are
 * about 96 pixels high: small maps are enlarged without smoothing, large ones reduced. Under each stands its channel's
 * number. */
enum vgg_status vgg_sheet_create(struct vgg_sheet **out, size_t rows, int channels, int height, int width,
                                 enum vgg_colours colours);
void vgg_sheet_destroy(struct vgg_sheet *sheet); /* accepts NULL */

/* The next band: the image, and the strongest channels of maps (height * width * count, NHWC), ordered by their mean,
 * equal ones by number. strongest gets the sheet's `channels` numbers; count is at least as many. */
enum vgg_status vgg_sheet_add(struct vgg_sheet *sheet, const struct vgg_image *image, const float *maps, int count,
                              int *strongest);
/* What has been added so far, as a PNG file with a title (NULL: none). */
enum vgg_status vgg_sheet_write(struct vgg_sheet *sheet, const char *path, const char *title);

#endif
