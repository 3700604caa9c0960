/* caption.h: words on a picture. */
#ifndef CORE_IMAGE_CAPTION_H
#define CORE_IMAGE_CAPTION_H

#include "core/image/image.h"

enum { VGG_CAPTION_HEIGHT = 12 }; /* pixels of a line of text at scale 1; letters are about 7 high and 6 wide */

/* Draws one line of text (UTF-8) in light grey with its upper left corner at (top, left); pixels outside the picture
 * are left out. Letters beyond ASCII become a question mark. A text wider than `width` pixels ends in three points. */
void vgg_caption_draw(struct vgg_image *image, const char *text, int top, int left, int width, int scale);

/* Adds a strip with one line of text beneath a picture, its letters in proportion to the picture. image->rgb, by
 * malloc, moves; the pixels above the strip stay as they are. */
enum vgg_status vgg_caption_append(struct vgg_image *image, const char *text);

#endif
