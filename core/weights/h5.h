/* h5.h: weights in an HDF5 file of Keras. */
#ifndef CORE_WEIGHTS_H5_H
#define CORE_WEIGHTS_H5_H

#include "core/weights/store.h"

/* Fills an object whose path is set. */
enum vgg_status vgg_weights_h5_open(struct vgg_weights *weights);
/* Of a Keras archive, whose model.weights.h5 is read where it lies. `zip` belongs to the object afterwards. */
bool vgg_weights_is_keras(const struct vgg_zip *zip);
enum vgg_status vgg_weights_keras_open(struct vgg_weights *weights, struct vgg_zip *zip);
/* All values of a tensor of an HDF5 file, in the file's order; the shape has been checked to be what fits dst. */
enum vgg_status vgg_weights_h5_read(const struct vgg_weights *weights, const struct vgg_weights_tensor *tensor,
                                    float *dst);

#endif
