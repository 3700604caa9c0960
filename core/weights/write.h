/* write.h: the HDF5 half of vgg_weights_write. */
#ifndef CORE_WEIGHTS_WRITE_H
#define CORE_WEIGHTS_WRITE_H

#include "core/weights/weights.h"

/* Writes what Keras 2 writes by save_weights: loads there by topology and by name. Metadata longer than HDF5's 64 KiB
 * for an attribute is left out with a warning. Source: keras.saving.hdf5_format, save_weights_to_hdf5_group. */
enum vgg_status vgg_weights_write_h5(const char *path, const struct vgg_weights_layer *layers, size_t count,
                                     const char *const *meta);

#endif
