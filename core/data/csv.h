/* csv.h: data sets that are a table of images and their classes. */
#ifndef CORE_DATA_CSV_H
#define CORE_DATA_CSV_H

#include "core/data/store.h"

/* Reads rows of PATH,LABEL (RFC 4180: fields may be quoted), after a first row that may be a header: one whose path is
 * no name of an image and leads to nothing. Paths are relative to the table's folder; the labels are names, in byte
 * order the classes. Fills an object made by vgg_data_create, and leaves destroying it to the caller. */
enum vgg_status vgg_data_read_csv(struct vgg_data *data, const char *path);
/* The images alone, where nobody asks for labels: of each row the first field, however many follow. */
enum vgg_status vgg_data_read_csv_images(struct vgg_data *data, const char *path);

#endif
