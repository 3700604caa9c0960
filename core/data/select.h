/* select.h: parts of data sets. */
#ifndef CORE_DATA_SELECT_H
#define CORE_DATA_SELECT_H

#include "core/data/store.h"

/* Applies the options after the `?` of a source: classes=0,3,5 and per_class=N, joined by &. */
enum vgg_status vgg_data_select(struct vgg_data *data, const char *options, const char *source);

#endif
