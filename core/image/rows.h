/* rows.h: an image resized row by row, as a decoder gives them, so that the whole of it never lies in memory. */
#ifndef CORE_IMAGE_ROWS_H
#define CORE_IMAGE_ROWS_H

#include "core/image/resize.h"

/* One resizing under way. */
struct vgg_rows;

/* Begins to make the window of an image of src_height x src_width pixels as they are stored, which `orientation` (1 to
 * 8, see exif.h) turns upright: dst is window height x width x 3, upright, the bytes that vgg_resize_rgb makes of the
 * upright image. dst must live until the last row. VGG_ERR_MEMORY without a message. */
enum vgg_status vgg_rows_begin(struct vgg_rows **out, uint8_t *dst, const struct vgg_resize_window *window,
                               int src_height, int src_width, int orientation, enum vgg_resize filter);
/* Takes the next stored row, src_width x 3; with the last one dst is complete. */
void vgg_rows_push(struct vgg_rows *rows, const uint8_t *row);
void vgg_rows_end(struct vgg_rows *rows);

#endif
