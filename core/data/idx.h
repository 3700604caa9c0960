/* idx.h: data sets in the format of MNIST. */
#ifndef CORE_DATA_IDX_H
#define CORE_DATA_IDX_H

#include "core/data/store.h"

/* Fills an object made by vgg_data_create, and leaves destroying it to the caller. files: IMAGES or IMAGES,LABELS. */
enum vgg_status vgg_idx_read(struct vgg_data *data, const char *files);

#endif
