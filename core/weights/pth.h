/* pth.h: weights in a file of PyTorch's own format. */
#ifndef CORE_WEIGHTS_PTH_H
#define CORE_WEIGHTS_PTH_H

#include "core/weights/store.h"

/* Fills an object whose path is set; `zip`: the opened archive, which belongs to it afterwards, or NULL for the older
 * form. */
enum vgg_status vgg_weights_pth_open(struct vgg_weights *weights, struct vgg_zip *zip);

#endif
