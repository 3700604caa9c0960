#include "core/model/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/names.h"
#include "core/base/os.h"
#include "core/data/data.h"
#include "core/image/image.h"
#include "core/model/init.h"
#include "core/weights/names.h"

enum { DEFAULT_SIZE = 224, MESSAGE = 768 };

void vgg_model_flattened(const struct vgg_model *model, int *h, int *w)
{
    int c, base = model->arch.base;
    *h = *w = 1;
    if (base < model->arch.count && model->arch.layer[base].kind == VGG_LAYER_FLATTEN)
        vgg_arch_shape(&model->arch, base - 1, h, w, &c);
}

/* ---- weights from a file ---- */

static void layer_shape(const struct vgg_layer *layer, int *rank, int shape[4])
{
    const struct vgg_view *k = &layer->kernel;
    if (layer->kind == VGG_LAYER_CONV) {
        *rank = 4;
        shape[0] = k->n, shape[1] = k->h, shape[2] = k->w, shape[3] = k->c;
    } else {
        *rank = 2;
        shape[0] = k->w, shape[1] = k->c;
        shape[2] = shape[3] = 1;
    }
}

/* A convolution that a shallower network of the family does without: layers above the first of a block, as wide as the
 * one below. */
static bool may_grow(const struct vgg_model *model, int index, const struct vgg_weights *weights)
{
    const struct vgg_layer *layer = &model->arch.layer[index];
    const char *held = vgg_weights_arch(weights);
    return held && strcmp(held, model->arch.name) != 0 && layer->kind == VGG_LAYER_CONV &&
           layer->kernel.w == layer->kernel.c && model->arch.layer[index - 1].kind == VGG_LAYER_CONV;
}

/* Names every layer of [from, to) that the file lacks in one line; those that may grow are not missed. */
static enum vgg_status check_layers(const struct vgg_model *model, int from, int to, const struct vgg_weights *weights,
                                    const char *path)
{
    char missing[MESSAGE] = "";
    size_t used = 0;
    for (int i = from; i < to; i++) {
        const struct vgg_layer *layer = &model->arch.layer[i];
        int rank, shape[4];
        if (layer->kernel.n == 0 || vgg_weights_shape(weights, layer->name, &rank, shape)) continue;
        if (may_grow(model, i, weights)) continue;
        if (used < sizeof missing) {
            used +=
                (size_t)snprintf(missing + used, sizeof missing - used, "%s%s/kernel", used ? ", " : "", layer->name);
        }
    }
    if (!used) return VGG_OK;
    struct vgg_weights_dense own;
    vgg_weights_dense(&own, weights);
    if (own.count && !own.imagenet && from == 0 && to > model->arch.base) {
        return vgg_fail(
            VGG_ERR_MISSING,
            "%s: holds no weights for %s; `vgg16 convert --classes A,B,... FILE MODEL` makes a model of its own "
            "dense layers %s",
            path, missing, own.list);
    }
    return vgg_fail(VGG_ERR_MISSING, "%s: holds no weights for %s; ask for a layer below, or take a complete file",
                    path, missing);
}

/* Are they all finite? */
static bool is_finite(const float *values, size_t count)
{
    static const uint32_t exponent = 0x7f800000;
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        found |= (bits & exponent) == exponent;
    }
    return !found;
}

/* Outputs of weights that are not finite would be blamed on the images. */
static enum vgg_status check_finite(const struct vgg_model *model, const struct vgg_layer *layer,
                                    const struct vgg_weights *weights, const char *path)
{
    for (int bias = 0; bias < 2; bias++) {
        const struct vgg_view *view = bias ? &layer->bias : &layer->kernel;
        char name[VGG_WEIGHTS_NAME];
        if (is_finite(vgg_model_param(model, view), vgg_view_count(view))) continue;
        vgg_weights_names_missing(weights, layer->name, bias, name);
        return vgg_fail(VGG_ERR_NUMERIC,
                        "%s: tensor %s holds values that are infinite or no numbers; a training that diverged wrote "
                        "it, or the file is damaged",
                        path, name);
    }
    return VGG_OK;
}

static enum vgg_status read_layers(struct vgg_model *model, int from, int to, const struct vgg_weights *weights,
                                   const char *path)
{
    enum vgg_status status = check_layers(model, from, to, weights, path);
    int h, w;
    vgg_model_flattened(model, &h, &w);
    for (int i = from; i < to && status == VGG_OK; i++) {
        const struct vgg_layer *layer = &model->arch.layer[i];
        int rank, shape[4];
        if (layer->kernel.n == 0) continue;
        if (!vgg_weights_shape(weights, layer->name, &rank, shape)) {
            vgg_model_init_identity(model, i);
            vgg_log(VGG_LOG_INFO, "weights: %s is not in %s, which holds a %s: it starts as the identity", layer->name,
                    path, vgg_weights_arch(weights));
            continue;
        }
        layer_shape(layer, &rank, shape);
        status = vgg_weights_read(weights, layer->name, vgg_model_param(model, &layer->kernel), rank, shape,
                                  vgg_model_param(model, &layer->bias), h, w);
        if (status == VGG_OK) status = check_finite(model, layer, weights, path);
    }
    return status;
}

/* ---- creating ---- */

static enum vgg_status copy_text(char **out, const char *text)
{
    free(*out);
    *out = vgg_mem_strdup(text);
    return *out ? VGG_OK : vgg_fail_memory("a model", strlen(text));
}

/* The architecture and room for its parameters. */
static enum vgg_status shape_model(struct vgg_model *model, const char *arch, int h, int w, const char *last,
                                   const char *head)
{
    enum vgg_status status = vgg_arch_base(&model->arch, arch, h, w, last);
    if (status == VGG_OK && head && *head) {
        status = vgg_arch_head(&model->arch, head);
        if (status == VGG_OK) status = copy_text(&model->head, head);
    }
    if (status != VGG_OK) return status;
    model->params = vgg_mem_aligned(model->arch.param_size);
    return model->params ? VGG_OK : vgg_fail_memory("the parameters", model->arch.param_size);
}

enum vgg_status vgg_model_check_name(const char *path, bool weights)
{
    struct vgg_nearest nearest = { .text = path };
    vgg_nearest_try(&nearest, "starter");
    if (weights) vgg_nearest_try(&nearest, "imagenet");
    if (weights) vgg_nearest_try(&nearest, "random");
    if (!nearest.name || vgg_os_readable(path)) return VGG_OK;
    return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s%s", path, strerror(errno), vgg_nearest_hint(&nearest, ""));
}

/* Turns "imagenet", "starter" and NULL into a file's name, or `random`. *name: what NULL stands for. */
static enum vgg_status find_weights(char **path, const char **name, bool *random, const char *wanted, bool top)
{
    *path = NULL;
    *name = wanted ? wanted : "imagenet";
    *random = wanted && strcmp(wanted, "random") == 0;
    if (*random) return VGG_OK;
    if (wanted && strcmp(wanted, "starter") == 0) return vgg_weights_need_starter(path);
    if (wanted && strcmp(wanted, "imagenet") != 0) {
        enum vgg_status status = vgg_model_check_name(wanted, true);
        if (status != VGG_OK) return status;
        *path = vgg_mem_strdup(wanted);
        return *path ? VGG_OK : vgg_fail_memory("a path", strlen(wanted));
    }
    enum vgg_status status = vgg_weights_find(path, top);
    if (status == VGG_ERR_MISSING && !wanted && !top) {
        status = vgg_weights_starter(path);
        if (status == VGG_OK) {
            *name = "starter";
            vgg_log(VGG_LOG_WARNING,
                    "no ImageNet weights on this machine: using the starter weights, trained on CIFAR-10's ten classes "
                    "at 32x32; `vgg16 pull vgg16-notop` gets better ones");
        }
        if (status != VGG_ERR_MISSING) return status;
    }
    if (status == VGG_ERR_MISSING) {
        return vgg_fail(status,
                        "no ImageNet weights on this machine; get them by `vgg16 pull vgg16%s`, or take --weights FILE "
                        "or --weights random",
                        top ? "" : "-notop");
    }
    if (status == VGG_OK) vgg_log(VGG_LOG_INFO, "weights: ImageNet, from %s", *path);
    return status;
}

/* The input size: what is asked for, else what the weights' file says of itself, else 224. */
static int input_size(int wanted, const struct vgg_weights *weights, const char *key)
{
    const char *told = weights && !wanted ? vgg_weights_meta(weights, key) : NULL;
    if (told) wanted = atoi(told);
    return wanted > 0 ? wanted : DEFAULT_SIZE;
}

/* The words of a model's metadata; words that the library does not know leave a value at its default. */
static void read_fitting(struct vgg_model *model, const struct vgg_weights *weights)
{
    int value;
    if (vgg_names_find(&value, VGG_NAMES_RESIZE, vgg_weights_meta(weights, "resize")))
        model->resize = (enum vgg_resize)value;
    if (vgg_names_find(&value, VGG_NAMES_CROP, vgg_weights_meta(weights, "crop"))) model->crop = (enum vgg_crop)value;
    if (vgg_names_find(&value, VGG_NAMES_DECODE, vgg_weights_meta(weights, "decode")))
        model->decode = (enum vgg_decode)value;
}

/* The scales of int8 in the file, for as long as the preprocessing is that which they were found with. */
static enum vgg_status read_scales(struct vgg_model *model, const struct vgg_weights *weights, const char *path)
{
    enum vgg_status status = VGG_OK;
    const char *images = vgg_weights_meta(weights, VGG_WEIGHTS_INT8_IMAGES);
    const char *preprocess = vgg_weights_meta(weights, VGG_WEIGHTS_INT8_PREPROCESS);
    int found_with;
    for (int i = 0; i < model->arch.base; i++) {
        float row[VGG_QUANT_COUNT];
        bool found;
        CHECK(vgg_weights_scales(&found, row, weights, model->arch.layer[i].name));
        if (!found) continue;
        CHECK(vgg_model_need_scales(model));
        memcpy(model->scales[i], row, sizeof row);
    }
    if (!model->scales) return VGG_OK;
    model->scales_images = images ? atoi(images) : 0;
    if (vgg_names_find(&found_with, VGG_NAMES_PREPROCESS, preprocess) && found_with != (int)model->preprocess) {
        vgg_log(VGG_LOG_INFO, "%s: its scales of int8 were found with preprocess %s and are not used with %s", path,
                preprocess, vgg_name(VGG_NAMES_PREPROCESS, (int)model->preprocess));
        vgg_model_drop_scales(model);
    }
fail:
    return status;
}

/* A new head leaves the file's own one out. Whoever names ImageNet's, the starter weights or a model knows that. */
static void tell_unused(const struct vgg_weights *weights, const char *path, const char *named)
{
    struct vgg_weights_dense dense;
    const char *format = vgg_weights_meta(weights, "format");
    bool model = format && strcmp(format, VGG_MODEL_FORMAT) == 0;
    bool known = model || !named || strcmp(named, "imagenet") == 0 || strcmp(named, "starter") == 0;
    vgg_weights_dense(&dense, weights);
    if (!dense.count) return;
    vgg_log(known || dense.imagenet ? VGG_LOG_INFO : VGG_LOG_WARNING,
            "%s: its own dense layer%s %s %s not used; the head starts random from the seed; --from MODEL %s", path,
            dense.count == 1 ? "" : "s", dense.list, dense.count == 1 ? "is" : "are",
            model ? "instead of --weights goes on from this one"
                  : "goes on from what `vgg16 convert --head` makes of it");
}

/* head_too: the head's weights come from the file as well. `opened`: that file, or NULL; it stays open. */
static enum vgg_status create(struct vgg_model **out, const struct vgg_model_options *options, bool head_too,
                              struct vgg_weights *opened)
{
    enum vgg_status status = VGG_OK;
    struct vgg_weights *weights = opened;
    char *path = NULL;
    const char *name;
    bool random;
    *out = NULL;
    struct vgg_model *model = vgg_mem_calloc(1, sizeof *model);
    if (!model) return vgg_fail_memory("a model", sizeof *model);
    CHECK(find_weights(&path, &name, &random, options->weights, head_too));
    CHECK(copy_text(&model->weights, name));
    const char *arch = options->arch;
    if (!random) {
        if (!weights) CHECK(vgg_weights_open(&weights, path));
        const char *held = vgg_weights_arch(weights);
        if (!arch) arch = held;
    }
    int h = input_size(options->height, weights, "height"), w = input_size(options->width, weights, "width");
    CHECK(shape_model(model, arch ? arch : "vgg16", h, w, options->last, options->head));
    model->preprocess = options->preprocess;
    if (random) {
        vgg_model_init(model, 0, model->arch.count, options->seed);
        CHECK(copy_text(&model->source, "random"));
        if (model->preprocess == VGG_PREPROCESS_DEFAULT) model->preprocess = VGG_PREPROCESS_RESCALE;
    } else {
        CHECK(read_layers(model, 0, head_too ? model->arch.count : model->arch.base, weights, path));
        if (!head_too) vgg_model_init(model, model->arch.base, model->arch.count, options->seed);
        if (!head_too && model->head) tell_unused(weights, path, options->weights);
        CHECK(copy_text(&model->source, vgg_weights_path(weights)));
        read_fitting(model, weights);
        if (model->preprocess == VGG_PREPROCESS_DEFAULT) model->preprocess = vgg_weights_preprocess(weights);
        CHECK(read_scales(model, weights, path));
    }
    if (weights != opened) vgg_weights_close(weights);
    free(path);
    *out = model;
    return VGG_OK;
fail:
    if (weights != opened) vgg_weights_close(weights);
    free(path);
    vgg_model_destroy(model);
    return status;
}

enum vgg_status vgg_model_create(struct vgg_model **out, const struct vgg_model_options *options)
{
    return create(out, options, options->head && strcmp(options->head, "top") == 0, NULL);
}

enum vgg_status vgg_model_create_whole(struct vgg_model **out, const struct vgg_model_options *options,
                                       struct vgg_weights *weights)
{
    return create(out, options, true, weights);
}

void vgg_model_destroy(struct vgg_model *model)
{
    if (!model) return;
    for (int i = 0; model->class_names && i < vgg_arch_classes(&model->arch); i++)
        free(model->class_names[i]);
    free(model->class_names);
    vgg_mem_free(model->params);
    free(model->scales);
    free(model->head);
    free(model->weights);
    free(model->source);
    free(model);
}

/* ---- what the parts of core share ---- */

void vgg_model_release(struct vgg_model *model)
{
    vgg_mem_free(model->params);
    model->params = NULL;
}

enum vgg_status vgg_model_whole(const struct vgg_model *model)
{
    if (model->params) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT, "the model's parameters were released (vgg_features_release)");
}

enum vgg_status vgg_model_need_scales(struct vgg_model *model)
{
    if (!model->scales) model->scales = vgg_mem_calloc(VGG_MAX_LAYERS, sizeof *model->scales);
    return model->scales ? VGG_OK : vgg_fail_memory("the scales of int8", VGG_MAX_LAYERS * sizeof *model->scales);
}

void vgg_model_drop_scales(struct vgg_model *model)
{
    free(model->scales);
    model->scales = NULL;
    model->scales_images = 0;
}

void vgg_model_images(const struct vgg_model *model, struct vgg_image_options *images)
{
    if (images->height == 0) images->height = model->arch.h;
    if (images->width == 0) images->width = model->arch.w;
    if (images->preprocess == VGG_PREPROCESS_DEFAULT) images->preprocess = model->preprocess;
    if (images->resize == VGG_RESIZE_DEFAULT) images->resize = model->resize;
    if (images->crop == VGG_CROP_DEFAULT) images->crop = model->crop;
    if (images->decode == VGG_DECODE_DEFAULT) images->decode = model->decode;
    vgg_image_resolve(images);
}

int vgg_model_predicted(const struct vgg_model *model, const float *output)
{
    const struct vgg_layer *last = &model->arch.layer[model->arch.count - 1];
    if (last->activation == VGG_SIGMOID) return output[0] > 0.5f;
    int best = 0;
    for (int i = 1; i < last->c; i++) {
        if (output[i] > output[best]) best = i;
    }
    return best;
}
