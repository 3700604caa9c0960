/* picture.h: RGB bytes to picture files and to other sizes. */
#ifndef CORE_IMAGE_PICTURE_H
#define CORE_IMAGE_PICTURE_H

#include "core/image/image.h"

/* A whole PNG or JPEG file in memory, by malloc. PNG keeps every byte of drawings; JPEG (quality 88) is a tenth of its
 * size for photographs in a page. At most VGG_IMAGE_MAX_PIXELS. *out is NULL after a failure. */
enum vgg_status vgg_picture_png(uint8_t **out, size_t *size, const struct vgg_image *image);
enum vgg_status vgg_picture_jpeg(uint8_t **out, size_t *size, const struct vgg_image *image);
/* The PNG file `path`, written aside and renamed. title (UTF-8; NULL: none): what it shows, as its text chunk "Title".
 */
enum vgg_status vgg_picture_write(const char *path, const struct vgg_image *image, const char *title);

/* `image` stretched to height x width (Lanczos, antialiased). *out is finished with vgg_image_finish, empty after a
 * failure, and never shares memory with `image`. */
enum vgg_status vgg_picture_scale(struct vgg_image *out, const struct vgg_image *image, int height, int width);
/* `image` made smaller, in proportion, until neither side is longer than `side`; smaller ones are copied as they are.
 */
enum vgg_status vgg_picture_shrink(struct vgg_image *out, const struct vgg_image *image, int side);

#endif
