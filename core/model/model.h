/* model.h: an architecture with its parameters on the host, and what its users must know about it. */
#ifndef CORE_MODEL_MODEL_H
#define CORE_MODEL_MODEL_H

#include "core/arch/arch.h"

/* What the metadata `format` of a model's file says. */
#define VGG_MODEL_FORMAT "vgg16-model-1"

struct vgg_model {
    struct vgg_arch arch;
    float *params;                  /* arch.param_size bytes, laid out as VGG_ARENA_PARAM; NULL: released */
    enum vgg_preprocess preprocess; /* never DEFAULT */
    char *head;                     /* as given to vgg_arch_head; NULL: none */
    char *weights;                  /* as they were named: a file, "imagenet", "starter", "random" */
    char *source;                   /* where the weights came from */
    char digest[65];                /* of its base as it came from there, by vgg_model_note_digest; "": not noted */
    int shard;                      /* images whose gradients were one sum in its last training; 0: none, or unknown */
    /* of its last training that its parameters were chosen as the best of; 0: the last one, or unknown */
    int epoch;
    enum vgg_resize resize; /* how the images were fitted that it was trained with; DEFAULT: not known */
    enum vgg_crop crop;
    enum vgg_decode decode;
    /* Of int8: a row for each layer, of which those of convolutions count (op.h, "Quantised layers"); NULL: none are
     * known. They hold for the convolutions' weights and the preprocessing that they were found with. */
    float (*scales)[VGG_QUANT_COUNT];
    int scales_images;  /* that they were found with */
    char **class_names; /* vgg_arch_classes(&arch) of them, or NULL: unnamed */
};

/* Fails where there is no file of that name but "starter" is near, or, with `weights`, another word that stands for
 * weights. What else is wrong is told by who opens it. */
enum vgg_status vgg_model_check_name(const char *path, bool weights);

struct vgg_weights;
/* vgg_model_create with the head's weights from the file, too. `weights`: the file, if it is open already, else NULL.
 */
enum vgg_status vgg_model_create_whole(struct vgg_model **out, const struct vgg_model_options *options,
                                       struct vgg_weights *weights);

/* Where the parameters of a view of `arch` begin. */
static inline float *vgg_model_param(const struct vgg_model *model, const struct vgg_view *view)
{
    return model->params + view->offset / sizeof(float);
}

/* Frees the parameters. */
void vgg_model_release(struct vgg_model *model);
/* VGG_ERR_ARGUMENT where they were released. */
enum vgg_status vgg_model_whole(const struct vgg_model *model);

/* Notes the digest of the base, as vgg_model_digest counts, before it changes; once, and not of random weights. */
enum vgg_status vgg_model_note_digest(struct vgg_model *model);

/* The feature map that the head flattens; 1 x 1 where it flattens none. The inputs of the first dense layer stand in
 * another order in PyTorch's files then. */
void vgg_model_flattened(const struct vgg_model *model, int *h, int *w);

/* Fills the options' defaults with what the model wants, and where it does not know with the library's. */
void vgg_model_images(const struct vgg_model *model, struct vgg_image_options *images);

/* The class that one row of the network's output stands for: the most probable, or class 1 above 0.5 of one sigmoid
 * unit. */
int vgg_model_predicted(const struct vgg_model *model, const float *output);

/* Room for scales, all 0, where the model has none; else what they were stays. */
enum vgg_status vgg_model_need_scales(struct vgg_model *model);
/* For convolutions that have changed. */
void vgg_model_drop_scales(struct vgg_model *model);

struct vgg_data;

#endif
