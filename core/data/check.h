/* check.h: a look at all images of a data set before long work begins. */
#ifndef CORE_DATA_CHECK_H
#define CORE_DATA_CHECK_H

#include "core/vgg16.h"

/* Looks at the beginning of each image file: one that is empty, of another kind or too large fails with its line,
 * instead of when it is needed. Decodes nothing. `progress` (may be NULL) gets the phase "check". */
enum vgg_status vgg_data_check(const struct vgg_data *data, vgg_progress_fn *progress, void *user);

#endif
