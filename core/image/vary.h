/* vary.h: a training image on its way into the network with all its random changes: the crop of its own pixels,
 * resizing, the affine map of augment.h, colours, preprocessing. */
#ifndef CORE_IMAGE_VARY_H
#define CORE_IMAGE_VARY_H

#include "core/image/image.h"

/* A rectangle of an image. */
struct vgg_vary_window {
    int top, left, height, width;
};

/* Draws a part of a height x width image: up to ten times an area uniform in [scale, 1] of the image's and an aspect
 * ratio whose logarithm is uniform between those of 3/4 and 4/3, until it fits, its place uniform; else the largest
 * middle part of a ratio in those bounds. Numbers index * 32 + 3 .. 24 of (seed, VGG_RNG_VARY, stream = pass): area and
 * ratio of each try, then top and left. Source: torchvision 0.14, transforms.RandomResizedCrop.get_params. */
void vgg_vary_window(struct vgg_vary_window *window, float scale, int height, int width, uint64_t seed, uint64_t pass,
                     uint64_t index);
/* Draws factors of brightness, contrast and saturation, each uniform in [1 - b, 1 + b]; numbers index * 32 + 0 .. 2. */
void vgg_vary_draw(float factors[3], const struct vgg_augment_options *options, uint64_t seed, uint64_t pass,
                   uint64_t index);
/* Changes `pixels` RGB pixels of 0..255 in that order; each leaves them within 0..255, a factor of 1 leaves them as
 * they are. brightness: f x; contrast: f x + (1 - f) times the mean grey of all; saturation: f x + (1 - f) times the
 * pixel's grey; grey = 0.2989 R + 0.587 G + 0.114 B. Source: torchvision 0.14, transforms.functional_tensor,
 * adjust_brightness, adjust_contrast, adjust_saturation on floats. */
void vgg_vary_colours(float *x, size_t pixels, const float factors[3]);

/* vgg_image_fit with the changes that `augment` (NULL: none) draws for image `index` in pass `pass`. The crop takes the
 * place of that of `images`. */
enum vgg_status vgg_vary_fit(float *x, const struct vgg_image_pixels *pixels, const struct vgg_image_options *images,
                             const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass, uint64_t index,
                             char why[VGG_IMAGE_WHY]);

#endif
