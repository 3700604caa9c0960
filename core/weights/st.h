/* st.h: weights in a safetensors file. */
#ifndef CORE_WEIGHTS_ST_H
#define CORE_WEIGHTS_ST_H

#include "core/weights/store.h"

/* Fills an object whose path is set. */
enum vgg_status vgg_weights_st_open(struct vgg_weights *weights);

#endif
