/* resize.h: the resizing of RGB bytes, after Pillow. */
#ifndef CORE_IMAGE_RESIZE_H
#define CORE_IMAGE_RESIZE_H

#include "core/vgg16.h"

/* The part [top, top + height) x [left, left + width) of an image scaled to full_height x full_width. */
struct vgg_resize_window {
    int full_height, full_width;
    int top, left, height, width;
};

/* The window that `crop` asks for: the whole image stretched to height x width, or the middle of the image scaled
 * evenly so that it just covers round(256/224 height) x round(256/224 width): for a square target torchvision's
 * Resize + CenterCrop, with their rounding (long side down, halves of the offset to even). */
void vgg_resize_window(struct vgg_resize_window *window, int src_height, int src_width, int height, int width,
                       enum vgg_crop crop);
/* dst: window height x width x 3. NEAREST takes source pixel floor((i + 1/2) * scale), the same bytes as Pillow's.
 * BILINEAR and LANCZOS (a = 3) are Pillow's antialiased convolutions: the filter is widened by the reduction, rows
 * first, both passes rounded to bytes with 22 fraction bits; within 1 level of Pillow. A side that keeps its length
 * is not filtered. VGG_ERR_MEMORY without a message.
 * Source: behaviour of Pillow 9.4 Image.resize (Image.NEAREST, BILINEAR, LANCZOS), without reducing_gap. */
enum vgg_status vgg_resize_rgb(uint8_t *dst, const struct vgg_resize_window *window, const uint8_t *src, int src_height,
                               int src_width, enum vgg_resize filter);
/* NEAREST of pixels of `size` bytes of any kind. */
enum vgg_status vgg_resize_nearest(void *dst, const struct vgg_resize_window *window, const void *src, int src_height,
                                   int src_width, size_t size);

#endif
