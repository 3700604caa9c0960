/* h5.h: weights in an HDF5 file of Keras. */
#ifndef CORE_WEIGHTS_H5_H
#define CORE_WEIGHTS_H5_H

#include "core/weights/store.h"

/* Fills an object whose path is set. */
enum vgg_status vgg_weights_h5_open(struct vgg_weights *weights);
/* All values of a tensor of an HDF5 file, in the file's order; the shape has been checked to be what fits dst. */
enum vgg_status vgg_weights_h5_read(const struct vgg_weights *weights, const struct vgg_weights_tensor *tensor,
                                    float *dst);

#endif
