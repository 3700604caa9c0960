/* origin_match.h: data that meets a model: how its images are to be read, and where its features belong. */
#ifndef CORE_INFER_ORIGIN_MATCH_H
#define CORE_INFER_ORIGIN_MATCH_H

#include "core/data/origin.h"
#include "core/model/model.h"

/* Fills what `images` leaves open with what the model wants, and where the model does not know how its images were
 * resized and cropped, with what the features of `data` were made with; nothing DEFAULT is left. Features whose record
 * then says otherwise, or that weights computed which the model does not hold: VGG_ERR_ARGUMENT, with both values. */
enum vgg_status vgg_origin_images(struct vgg_image_options *images, const struct vgg_model *model,
                                  const struct vgg_data *data);
/* Features of two files that belong together must be made alike; where one is images or has no record there is nothing
 * to compare. */
enum vgg_status vgg_origin_alike(const struct vgg_data *data, const struct vgg_data *other);
/* Index k such that stored features are the input of layer k; 0 for images. With a record, k follows the layer (and
 * the pooling, which must be the model's next layer) that it names; else features of h x w x c are the output of layer
 * k - 1. VGG_ERR_ARGUMENT when they belong nowhere. */
enum vgg_status vgg_origin_first(int *out, const struct vgg_model *model, const struct vgg_data *data);

/* The record of features of `layer`, made from `data` as `images` (nothing DEFAULT) says. It points into the model and
 * to `digest`, which is computed; where the model's parameters were released it is what it was. */
enum vgg_status vgg_origin_make(struct vgg_origin *origin, char digest[65], const struct vgg_model *model, int layer,
                                enum vgg_pooling pooling, const struct vgg_image_options *images);

#endif
