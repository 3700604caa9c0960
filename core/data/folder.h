/* folder.h: data sets of image files. */
#ifndef CORE_DATA_FOLDER_H
#define CORE_DATA_FOLDER_H

#include "core/data/store.h"

/* Each fills an object made by vgg_data_create, and leaves destroying it to the caller. */
enum vgg_status vgg_data_read_folder(struct vgg_data *data, const char *path);
enum vgg_status vgg_data_read_list(struct vgg_data *data, const char *path);
/* Image files, and folders for all images in them and below: by folder, then by name. */
enum vgg_status vgg_data_read_images(struct vgg_data *data, const char *const *paths, size_t count);
/* Takes a list of paths over, list and strings by malloc, whether or not it succeeds. */
enum vgg_status vgg_data_take_paths(struct vgg_data *data, char **paths, size_t count);

#endif
