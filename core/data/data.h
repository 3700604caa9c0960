/* data.h: what a data set offers to the loader. */
#ifndef CORE_DATA_DATA_H
#define CORE_DATA_DATA_H

#include "core/vgg16.h"

/* Where one item goes: an image of the options' height and width with 3 channels, or a feature map as stored. */
struct vgg_data_shape {
    bool features; /* stored values are network activations: no resizing, preprocessing or augmentation */
    int h, w, c;
};

void vgg_data_shape(const struct vgg_data *data, struct vgg_data_shape *shape); /* images: h = w = 0, c = 3 */
/* The array file that the data came from; NULL: none. */
const char *vgg_data_file(const struct vgg_data *data);
/* Items from <= i < to of `data`, which stays open and must outlive them; perhaps none. */
enum vgg_status vgg_data_range(struct vgg_data **out, const struct vgg_data *data, size_t from, size_t to);
/* What makes pixels of its images: the decoder's name and version, or "array". */
const char *vgg_data_decoder(const struct vgg_data *data);
/* One item into x. Images: decoded, resized, augmented by the numbers of (seed, stream = pass, index) when `augment` is
 * not NULL, preprocessed. May be called from several threads at once. */
enum vgg_status vgg_data_fetch(const struct vgg_data *data, size_t index, const struct vgg_image_options *images,
                               const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass, float *x);
/* The same without logging: a failure's line goes to `why` (VGG_IMAGE_WHY bytes). Options are not checked again. */
enum vgg_status vgg_data_fetch_quiet(const struct vgg_data *data, size_t index, const struct vgg_image_options *images,
                                     const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass, float *x,
                                     char *why);
/* vgg_data_fetch_quiet for an image that is to be seen, too: its pixels as they are before preprocessing. */
struct vgg_image;
enum vgg_status vgg_data_fetch_pixels(struct vgg_image *image, float *x, const struct vgg_data *data, size_t index,
                                      const struct vgg_image_options *images, char *why);
/* A data set of count feature maps h*w*c that borrows x and labels (may be NULL); class names are copied from `like`
 * (NULL: they are "0", "1", ...). */
enum vgg_status vgg_data_from_features(struct vgg_data **out, const struct vgg_data *like, const float *x,
                                       const int *labels, size_t count, int h, int w, int c);

#endif
