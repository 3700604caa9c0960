/* frozen.h: outputs of layers that do not train, computed once and reused as a data set of their own. */
#ifndef CORE_TRAIN_FROZEN_H
#define CORE_TRAIN_FROZEN_H

#include "core/data/data.h"
#include "core/engine/engine.h"
#include "core/model/model.h"

struct vgg_frozen {
    struct vgg_data *data; /* the features with the labels of the items they came from */
    float *x;
    int *labels;
};

/* May `count` outputs of layer index `last - 1` be kept in memory? (They may take half of what this process may
 * use.) */
bool vgg_frozen_fits(const struct vgg_arch *arch, int last, size_t count);
/* Runs layers [first, last) over `data` once, with engine->ranks each over its part. `images` has nothing DEFAULT. */
enum vgg_status vgg_frozen_create(struct vgg_frozen *frozen, struct vgg_engine *engine, const struct vgg_model *model,
                                  const struct vgg_data *data, int first, int last,
                                  const struct vgg_image_options *images, int batch, vgg_progress_fn *progress,
                                  void *user);
void vgg_frozen_finish(struct vgg_frozen *frozen); /* accepts a zeroed one */

#endif
