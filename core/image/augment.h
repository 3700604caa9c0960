/* augment.h: the random affine map of a training image, after Keras' ImageDataGenerator. */
#ifndef CORE_IMAGE_AUGMENT_H
#define CORE_IMAGE_AUGMENT_H

#include "core/vgg16.h"

/* Is any of the changes on? */
bool vgg_augment_any(const struct vgg_augment_options *augment);
/* Is any of those on that the map makes? */
bool vgg_augment_moves(const struct vgg_augment_options *augment);

/* What was drawn for one image. */
struct vgg_augment_draw {
    double rotate;                    /* degrees */
    double shift_height, shift_width; /* fractions of the extents */
    double shear;                     /* degrees */
    double zoom_height, zoom_width;
    bool flip, vflip;
};

/* Draws from (seed, VGG_RNG_AUGMENT, stream = pass), numbers index * 8 + 0 .. 7 in the order of the fields. */
void vgg_augment_draw(struct vgg_augment_draw *draw, const struct vgg_augment_options *options, uint64_t seed,
                      uint64_t pass, uint64_t index);
/* The map of output pixels to source positions: row' = map[0] row + map[1] column + map[2], column' likewise from
 * map[3..5]: rotation * shift * shear * zoom about the centre ((h - 1) / 2, (w - 1) / 2), flip included.
 * Source: keras_preprocessing 1.1.2, image/affine_transformations.py, apply_affine_transform, and the order of
 * ImageDataGenerator.apply_transform (flip last). */
void vgg_augment_map(double map[6], const struct vgg_augment_draw *draw, int height, int width);
/* dst[y][x] = src at map(y, x), interpolated bilinearly; positions outside take the nearest border pixel. Both are
 * height x width x 3; src holds floats 0..255 and is another buffer. */
void vgg_augment_apply(float *dst, const float *src, int height, int width, const double map[6]);

#endif
