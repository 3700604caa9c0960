/* exif.h: which way up a photo is. */
#ifndef CORE_IMAGE_EXIF_H
#define CORE_IMAGE_EXIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* EXIF orientation 1..8 of a JPEG (APP1 segment) or PNG (eXIf chunk) file in memory; 1 (upright) where there is none or
 * it is malformed. Source: CIPA DC-008 (Exif 2.32), tag 0x0112 in the 0th IFD; PNG specification, chunk eXIf. */
int vgg_exif_orientation(const uint8_t *file, size_t size);
/* What turns an image upright: its stored rows, or the pixels along each, run the other way; then rows become columns.
 */
struct vgg_exif_turn {
    bool mirror_row, mirror_column, axes;
};
void vgg_exif_turn(struct vgg_exif_turn *turn, int orientation);
/* dst = src turned upright: dst is height x width, or width x height when the orientation is 5 or more. src is
 * height x width x 3. */
void vgg_exif_apply(uint8_t *dst, const uint8_t *src, int height, int width, int orientation);

#endif
