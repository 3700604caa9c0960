/* export.h: models in files of other programs. */
#ifndef CORE_MODEL_EXPORT_H
#define CORE_MODEL_EXPORT_H

#include "core/model/model.h"

/* Writes the network for inference, with `meta` (key, value pairs ended by NULL) and what its input means as metadata.
 * Input "input": N x 3 x height x width, preprocessed as the model wants it; of any size where no layer fixes it.
 * Output "output": what the last layer gives. */
enum vgg_status vgg_model_write_onnx(const struct vgg_model *model, const char *path, const char *const *meta);
/* What a weight file or a model is as a model: with its own head where it has one. */
enum vgg_status vgg_model_of_file(struct vgg_model **out, const char *path);

#endif
