/* digest.h: telling one data set from another. */
#ifndef CORE_DATA_DIGEST_H
#define CORE_DATA_DIGEST_H

#include "core/vgg16.h"

/* A checksum of which items there are, in which order, and labels[class] of each (NULL: the class's own number). Items
 * of arrays count by their values, image files by their names without folders and their sizes; of at most `most` items,
 * evenly over the data, SIZE_MAX for all, are values or size looked at. */
enum vgg_status vgg_data_digest(uint32_t *out, const struct vgg_data *data, const int *labels, size_t most);

#endif
