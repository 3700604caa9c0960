/* image.h: image files to RGB bytes, and those to network input. */
#ifndef CORE_IMAGE_IMAGE_H
#define CORE_IMAGE_IMAGE_H

#include "core/image/format.h"

/* Larger images are refused before anything is allocated for them. */
enum { VGG_IMAGE_MAX_SIDE = 32768, VGG_IMAGE_MAX_PIXELS = 100000000 };
/* Room for the line that says why an image cannot be used. */
enum { VGG_IMAGE_WHY = 640 };

struct vgg_image {
    int height, width;
    uint8_t *rgb;                /* height * width * 3, by malloc */
    int full_height, full_width; /* what the file holds, upright, where the pixels are reduced; else 0 */
    bool fitted;                 /* the pixels are resized and cropped to what was asked for */
};

/* Decodes an image file, of the format that its first bytes tell, and turns it upright. Nothing is logged: `why` gets
 * the line instead. */
enum vgg_status vgg_image_read(struct vgg_image *image, const char *path, char why[VGG_IMAGE_WHY]);
/* The same for what `options` fit it to: with VGG_DECODE_FAST perhaps reduced. */
enum vgg_status vgg_image_read_for(struct vgg_image *image, const char *path, const struct vgg_image_options *options,
                                   char why[VGG_IMAGE_WHY]);
/* The same, perhaps fitted while it is decoded, which saves the memory of all its pixels: for what has no other use of
 * the image than vgg_image_fit with these options. */
enum vgg_status vgg_image_read_fitted(struct vgg_image *image, const char *path,
                                      const struct vgg_image_options *options, char why[VGG_IMAGE_WHY]);
void vgg_image_finish(struct vgg_image *image);
/* A look at the beginning of a file: is it there, of a format that is read here, and of extents that are decoded, as
 * far as that shows? */
enum vgg_status vgg_image_probe(const char *path, char why[VGG_IMAGE_WHY]);

/* Pixels to be fitted: bytes or floats (0..255), exactly one of them set. name: for messages. */
struct vgg_image_pixels {
    int height, width;
    const uint8_t *rgb;
    const float *values;
    const char *name;
    int full_height, full_width; /* as in struct vgg_image */
    bool fitted;
};
/* x = pixels resized as `options` says, mapped by `map` of augment.h (NULL: not), preprocessed. Floats that need a
 * filter (other than NEAREST) are rounded to bytes first; without resizing they go through exactly. */
enum vgg_status vgg_image_fit(float *x, const struct vgg_image_pixels *pixels, const struct vgg_image_options *options,
                              const double *map, char why[VGG_IMAGE_WHY]);
/* Puts the documented defaults of resizing and cropping where they are DEFAULT. */
void vgg_image_resolve(struct vgg_image_options *options);
/* RGB 0..255 to what the network takes, in place. DEFAULT: caffe. */
void vgg_image_preprocess(float *x, size_t pixels, enum vgg_preprocess preprocess);
/* Are extents, preprocessing, resizing and cropping ones that exist? */
enum vgg_status vgg_image_check_options(const struct vgg_image_options *options);
/* Writes the line and returns `status`. */
enum vgg_status vgg_image_why(char why[VGG_IMAGE_WHY], enum vgg_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#endif
