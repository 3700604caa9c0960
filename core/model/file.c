/* Saving and loading whole models. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/names.h"
#include "core/format/json.h"
#include "core/model/export.h"
#include "core/weights/weights.h"

/* Metadata keys of a model file. `format` tells a model from bare weights. */
#define META_FORMAT "format"
#define META_ARCH "arch"
#define META_LAST "last"
#define META_HEAD "head"
#define META_HEIGHT "height"
#define META_WIDTH "width"
#define META_PREPROCESS "preprocess"
#define META_RESIZE "resize"
#define META_CROP "crop"
#define META_DECODE "decode"
#define META_CLASSES "classes"
#define META_SOURCE "weights"
#define META_DIGEST "weights_digest"
#define META_SHARD "shard"
#define META_EPOCH "epoch"

/* ---- saving ---- */

void vgg_model_tell_scales(const char *path)
{
    vgg_log(VGG_LOG_WARNING, "%s: the scales of int8 are left out; a safetensors file with Keras names keeps them",
            path);
}

static void list_layers(struct vgg_weights_layer layers[VGG_MAX_LAYERS], const struct vgg_model *model, int count)
{
    for (int i = 0; i < count; i++) {
        const struct vgg_layer *layer = &model->arch.layer[i];
        const struct vgg_view *k = &layer->kernel;
        layers[i] = (struct vgg_weights_layer) { .name = layer->name };
        if (k->n == 0) continue;
        bool conv = layer->kind == VGG_LAYER_CONV;
        layers[i].rank = conv ? 4 : 2;
        layers[i].shape[0] = conv ? k->n : k->w;
        layers[i].shape[1] = conv ? k->h : k->c;
        layers[i].shape[2] = conv ? k->w : 1;
        layers[i].shape[3] = conv ? k->c : 1;
        layers[i].kernel = vgg_model_param(model, k);
        layers[i].bias = vgg_model_param(model, &layer->bias);
    }
}

static void add_pair(struct vgg_model_meta *meta, size_t *at, const char *key, const char *value)
{
    meta->pair[(*at)++] = key;
    meta->pair[(*at)++] = value;
}

enum vgg_status vgg_model_meta(struct vgg_model_meta *meta, const struct vgg_model *model)
{
    const struct vgg_arch *arch = &model->arch;
    size_t n = 0, named = model->class_names ? (size_t)vgg_arch_classes(arch) : 0;
    *meta = (struct vgg_model_meta) { .classes = NULL };
    enum vgg_status status = vgg_model_whole(model);
    if (status != VGG_OK) return status;
    meta->classes = vgg_json_print_texts((const char *const *)model->class_names, named);
    if (!meta->classes) return vgg_fail_memory("class names", 0);
    snprintf(meta->height, sizeof meta->height, "%d", arch->h);
    snprintf(meta->width, sizeof meta->width, "%d", arch->w);
    snprintf(meta->shard, sizeof meta->shard, "%d", model->shard);
    snprintf(meta->epoch, sizeof meta->epoch, "%d", model->epoch);
    add_pair(meta, &n, META_FORMAT, VGG_MODEL_FORMAT);
    add_pair(meta, &n, META_ARCH, arch->name);
    add_pair(meta, &n, META_LAST, arch->layer[arch->base - 1].name);
    add_pair(meta, &n, META_HEAD, model->head ? model->head : "");
    add_pair(meta, &n, META_HEIGHT, meta->height);
    add_pair(meta, &n, META_WIDTH, meta->width);
    add_pair(meta, &n, META_PREPROCESS, vgg_name(VGG_NAMES_PREPROCESS, (int)model->preprocess));
    add_pair(meta, &n, META_CLASSES, meta->classes);
    const char *slash = strrchr(model->source, '/'); /* the folder is of one machine, and nobody's business */
    add_pair(meta, &n, META_SOURCE, slash ? slash + 1 : model->source);
    /* From here on what only a trained model knows. */
    if (model->digest[0]) add_pair(meta, &n, META_DIGEST, model->digest);
    if (model->shard) add_pair(meta, &n, META_SHARD, meta->shard);
    if (model->epoch) add_pair(meta, &n, META_EPOCH, meta->epoch);
    if (model->resize != VGG_RESIZE_DEFAULT)
        add_pair(meta, &n, META_RESIZE, vgg_name(VGG_NAMES_RESIZE, (int)model->resize));
    if (model->crop != VGG_CROP_DEFAULT) add_pair(meta, &n, META_CROP, vgg_name(VGG_NAMES_CROP, (int)model->crop));
    /* Exact is what a model without it means. */
    if (model->decode == VGG_DECODE_FAST) add_pair(meta, &n, META_DECODE, vgg_name(VGG_NAMES_DECODE, VGG_DECODE_FAST));
    return VGG_OK;
}

void vgg_model_meta_finish(struct vgg_model_meta *meta)
{
    free(meta->classes);
    meta->classes = NULL;
}

/* Puts the scales of int8 to the layers and says what they are of. images: room for a number, as long as meta is used.
 */
static void add_scales(struct vgg_weights_layer layers[VGG_MAX_LAYERS], struct vgg_model_meta *meta, char images[16],
                       const struct vgg_model *model)
{
    size_t n = 0;
    while (meta->pair[n])
        n += 2;
    for (int i = 0; i < model->arch.count; i++)
        if (model->arch.layer[i].kind == VGG_LAYER_CONV) layers[i].scales = model->scales[i];
    snprintf(images, 16, "%d", model->scales_images);
    add_pair(meta, &n, VGG_WEIGHTS_INT8_IMAGES, images);
    add_pair(meta, &n, VGG_WEIGHTS_INT8_PREPROCESS, vgg_name(VGG_NAMES_PREPROCESS, (int)model->preprocess));
}

enum vgg_status vgg_model_export(const struct vgg_model *model, const char *path, enum vgg_weights_layout layout,
                                 enum vgg_weights_precision precision)
{
    struct vgg_weights_layer layers[VGG_MAX_LAYERS];
    struct vgg_model_meta meta;
    char images[16];
    int h, w;
    enum vgg_status status = vgg_model_meta(&meta, model);
    if (status != VGG_OK) return status;
    list_layers(layers, model, model->arch.count);
    if (model->scales && vgg_weights_keeps_scales(layout))
        add_scales(layers, &meta, images, model);
    else if (model->scales)
        vgg_model_tell_scales(path);
    if (layout == VGG_WEIGHTS_ONNX && precision == VGG_WEIGHTS_F32) {
        status = vgg_model_write_onnx(model, path, meta.pair);
    } else if (layout == VGG_WEIGHTS_ONNX) {
        status = vgg_fail(VGG_ERR_UNSUPPORTED, "%s: ONNX is written as F32; F16 needs .safetensors or .pth", path);
    } else {
        vgg_model_flattened(model, &h, &w);
        status = vgg_weights_write(path, layout, precision, layers, (size_t)model->arch.count, h, w, meta.pair);
    }
    vgg_model_meta_finish(&meta);
    return status;
}

enum vgg_status vgg_model_export_base(const struct vgg_model *model, const char *path, int count)
{
    struct vgg_weights_layer layers[VGG_MAX_LAYERS];
    struct vgg_model_meta all;
    const char *meta[2 * VGG_MODEL_PAIRS + 1] = { NULL };
    size_t n = 0;
    enum vgg_status status = vgg_model_meta(&all, model);
    if (status != VGG_OK) return status;
    for (const char **pair = all.pair; *pair; pair += 2) {
        bool own = strcmp(pair[0], META_FORMAT) == 0 || strcmp(pair[0], META_LAST) == 0 ||
                   strcmp(pair[0], META_HEAD) == 0 || strcmp(pair[0], META_CLASSES) == 0 ||
                   strcmp(pair[0], META_DIGEST) == 0;
        if (!own) meta[n++] = pair[0], meta[n++] = pair[1];
    }
    list_layers(layers, model, count);
    status = vgg_weights_write(path, VGG_WEIGHTS_KERAS_SAFETENSORS, VGG_WEIGHTS_F32, layers, (size_t)count, 1, 1, meta);
    vgg_model_meta_finish(&all);
    return status;
}

enum vgg_status vgg_model_save(const struct vgg_model *model, const char *path)
{
    return vgg_model_export(model, path, VGG_WEIGHTS_KERAS_SAFETENSORS, VGG_WEIGHTS_F32);
}

/* ---- loading ---- */

/* The value of a word in the metadata; one that a file may lack stays at its default, 0. */
static enum vgg_status read_name(int *out, enum vgg_names names, const struct vgg_weights *weights, const char *key,
                                 bool may_lack, const char *path)
{
    const char *word = vgg_weights_meta(weights, key);
    if (vgg_names_find(out, names, word)) return VGG_OK;
    *out = 0;
    if (!word && may_lack) return VGG_OK;
    return vgg_fail(VGG_ERR_FORMAT, "%s: metadata %s \"%s\" is none of %s", path, key, word ? word : "",
                    vgg_names_list(names).text);
}

static enum vgg_status read_classes(struct vgg_model *model, const char *json, const char *path)
{
    struct vgg_json *array = json ? vgg_json_parse(json, strlen(json)) : NULL;
    int count = (int)vgg_json_count(array);
    enum vgg_status status = VGG_OK;
    if (vgg_json_kind(array) != VGG_JSON_ARRAY || (count != 0 && count != vgg_arch_classes(&model->arch))) {
        status = vgg_fail(VGG_ERR_FORMAT, "%s: metadata " META_CLASSES " must be a JSON array of %d names", path,
                          vgg_arch_classes(&model->arch));
    } else if (count) {
        const char **names = vgg_mem_calloc((size_t)count, sizeof *names);
        if (!names) status = vgg_fail_memory("class names", (size_t)count * sizeof *names);
        const struct vgg_json *name = vgg_json_first(array);
        for (int i = 0; i < count && status == VGG_OK; i++, name = vgg_json_next(name)) {
            names[i] = vgg_json_text(name);
            if (!names[i]) status = vgg_fail(VGG_ERR_FORMAT, "%s: metadata " META_CLASSES " must hold strings", path);
        }
        if (status == VGG_OK) status = vgg_model_set_class_names(model, names, count);
        free(names);
    }
    vgg_json_destroy(array);
    return status;
}

static enum vgg_status load(struct vgg_model **out, const char *path)
{
    enum vgg_status status = VGG_OK;
    struct vgg_weights *weights = NULL;
    *out = NULL;
    CHECK(vgg_weights_open(&weights, path));
    const char *format = vgg_weights_meta(weights, META_FORMAT), *arch = vgg_weights_meta(weights, META_ARCH);
    const char *height = vgg_weights_meta(weights, META_HEIGHT), *width = vgg_weights_meta(weights, META_WIDTH);
    const char *head = vgg_weights_meta(weights, META_HEAD);
    if (!format || strcmp(format, VGG_MODEL_FORMAT) != 0 || !arch || !height || !width) {
        CHECK(vgg_fail(VGG_ERR_FORMAT,
                       "%s: holds weights but is no model written by `vgg16 train`; give it as --weights", path));
    }
    struct vgg_model_options options = {
        .arch = arch,
        .weights = path,
        .head = head && *head ? head : NULL,
        .height = atoi(height),
        .width = atoi(width),
        .last = vgg_weights_meta(weights, META_LAST),
    };
    int preprocess, resize, crop, decode;
    CHECK(read_name(&preprocess, VGG_NAMES_PREPROCESS, weights, META_PREPROCESS, false, path));
    CHECK(read_name(&resize, VGG_NAMES_RESIZE, weights, META_RESIZE, true, path));
    CHECK(read_name(&crop, VGG_NAMES_CROP, weights, META_CROP, true, path));
    CHECK(read_name(&decode, VGG_NAMES_DECODE, weights, META_DECODE, true, path));
    options.preprocess = (enum vgg_preprocess)preprocess;
    CHECK(vgg_model_create_whole(out, &options, weights));
    CHECK(read_classes(*out, vgg_weights_meta(weights, META_CLASSES), path));
    const char *shard = vgg_weights_meta(weights, META_SHARD);
    if (shard) (*out)->shard = atoi(shard);
    const char *epoch = vgg_weights_meta(weights, META_EPOCH);
    if (epoch) (*out)->epoch = atoi(epoch);
    vgg_weights_close(weights);
    return VGG_OK;
fail:
    vgg_weights_close(weights);
    vgg_model_destroy(*out);
    *out = NULL;
    return status == VGG_ERR_ARGUMENT ? VGG_ERR_FORMAT
                                      : status; /* the file asks for what is not there, not the caller */
}

enum vgg_status vgg_model_load(struct vgg_model **out, const char *path)
{
    char *starter;
    *out = NULL;
    enum vgg_status status;
    if (strcmp(path, "starter") != 0) {
        status = vgg_model_check_name(path, false);
        return status == VGG_OK ? load(out, path) : status;
    }
    status = vgg_weights_need_starter(&starter);
    if (status == VGG_OK) status = load(out, starter);
    free(starter);
    return status;
}

enum vgg_status vgg_model_open(struct vgg_model **out, const struct vgg_model_options *options)
{
    const char *path = options->weights;
    struct vgg_weights *weights;
    *out = NULL;
    if (!path || strcmp(path, "imagenet") == 0 || strcmp(path, "random") == 0) return vgg_model_create(out, options);
    if (strcmp(path, "starter") == 0) return vgg_model_load(out, path);
    enum vgg_status status = vgg_model_check_name(path, true);
    if (status == VGG_OK) status = vgg_weights_open(&weights, path);
    if (status != VGG_OK) return status;
    const char *format = vgg_weights_meta(weights, META_FORMAT);
    bool model = format && strcmp(format, VGG_MODEL_FORMAT) == 0;
    struct vgg_model_options found = *options;
    char *file = vgg_mem_strdup(vgg_weights_path(weights)); /* of a folder, the checkpoint that was taken */
    vgg_weights_close(weights);
    if (!file) return vgg_fail_memory(path, strlen(path));
    found.weights = file;
    status = model ? vgg_model_load(out, file) : vgg_model_create(out, &found);
    free(file);
    return status;
}
