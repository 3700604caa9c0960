/* array.h: data sets in a safetensors file. */
#ifndef CORE_DATA_ARRAY_H
#define CORE_DATA_ARRAY_H

#include "core/data/store.h"

/* Fills an object made by vgg_data_create, and leaves destroying it to the caller. */
enum vgg_status vgg_data_read_array(struct vgg_data *data, const char *path);

/* Class names from a JSON array of strings; `path`: of the file that has it. */
enum vgg_status vgg_data_set_classes(struct vgg_data *data, const char *json, const char *path);

#endif
