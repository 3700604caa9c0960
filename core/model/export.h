/* export.h: models in files of other programs. */
#ifndef CORE_MODEL_EXPORT_H
#define CORE_MODEL_EXPORT_H

#include "core/model/model.h"

/* Writes the network for inference, with `meta` (key, value pairs ended by NULL) and what its input means as metadata.
 * Input "input": N x 3 x height x width, preprocessed as the model wants it; of any size where no layer fixes it.
 * Output "output": what the last layer gives. */
enum vgg_status vgg_model_write_onnx(const struct vgg_model *model, const char *path, const char *const *meta);
/* What a model's file says of it. */
enum { VGG_MODEL_PAIRS = 18 };
struct vgg_model_meta {
    const char *pair[2 * VGG_MODEL_PAIRS + 1]; /* key, value, ... NULL; of the model's or this structure's memory */
    char height[16], width[16], shard[16], epoch[16], *classes;
};
enum vgg_status vgg_model_meta(struct vgg_model_meta *meta, const struct vgg_model *model);
void vgg_model_meta_finish(struct vgg_model_meta *meta);
/* Writes the first `count` layers, with Keras names and what the model says of its images, as weights that are no
 * model.
 */
enum vgg_status vgg_model_export_base(const struct vgg_model *model, const char *path, int count);
/* The warning that a file will be without the scales of int8. */
void vgg_model_tell_scales(const char *path);

#endif
