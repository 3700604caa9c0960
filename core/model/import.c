/* A classifier that another program trained becomes a model: which head its dense layers are, and of what input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/model/export.h"
#include "core/weights/keras.h"
#include "core/weights/names.h"

enum { HEAD = 512 };

/* What the file's layers tell. */
struct found {
    int blocks, channels;           /* of the convolutions; 0: there are none */
    int shape[VGG_WEIGHTS_HEAD][2]; /* of the dense layers, in network order */
    int count;
    bool chained;
    char last[VGG_NAME_SIZE]; /* the last convolution */
};

static void look(struct found *found, const struct vgg_weights *weights)
{
    *found = (struct found) { 0 };
    for (size_t i = 0; i < vgg_weights_count(weights); i++) {
        int rank, shape[4], block, conv;
        const char *layer = vgg_weights_layer(weights, i);
        if (!vgg_arch_conv_place(&block, &conv, layer) || !vgg_weights_shape(weights, layer, &rank, shape)) continue;
        if (block < found->blocks) continue;
        found->blocks = block, found->channels = shape[3];
        snprintf(found->last, sizeof found->last, "%s", layer);
    }
    found->chained = vgg_weights_head(found->shape, &found->count, weights);
}

static enum vgg_status need_layers(const struct found *found, const struct vgg_weights *weights, const char *path)
{
    struct vgg_weights_dense dense;
    vgg_weights_dense(&dense, weights);
    if (!found->blocks) return vgg_fail(VGG_ERR_MISSING, "%s: holds no convolutions of a VGG", path);
    if (!dense.count) {
        return vgg_fail(VGG_ERR_MISSING, "%s: holds no dense layers to make a head of; train one with vgg16 train",
                        path);
    }
    return VGG_OK;
}

static enum vgg_status need_no_norm(const struct vgg_weights *weights, const char *path)
{
    const char *norm = vgg_weights_norm(weights);
    if (!norm) return VGG_OK;
    return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: has batch normalisation (%s) in its head, which is not run here", path,
                    norm);
}

/* The head that the shapes suggest: ReLU between the layers; one unit is a sigmoid, more are a softmax. */
static enum vgg_status guess(char head[HEAD], const struct found *found, const char *path, const char *list)
{
    if (!found->chained) {
        return vgg_fail(VGG_ERR_UNSUPPORTED,
                        "%s: its dense layers %s do not follow each other; --head says which count", path, list);
    }
    size_t used = (size_t)snprintf(head, HEAD, "%s", found->shape[0][0] == found->channels ? "gap" : "flatten");
    for (int i = 0; i < found->count; i++) {
        int units = found->shape[i][1];
        const char *last = units == 1 ? "sigmoid" : "softmax";
        used += (size_t)snprintf(head + used, HEAD - used, ",dense:%d:%s", units, i + 1 < found->count ? "relu" : last);
    }
    vgg_log(VGG_LOG_WARNING, "%s: its head is taken for %s; --head says otherwise", path, head);
    return VGG_OK;
}

/* The input size where neither options nor metadata say it: what makes a square map of the first dense layer's inputs.
 */
static void find_size(struct vgg_model_options *options, const struct found *found, int inputs,
                      const struct vgg_weights *weights, const char *path)
{
    if (options->height || vgg_weights_meta(weights, "height") || strncmp(options->head, "flatten", 7) != 0) return;
    int side = 0;
    while (side < 512 && (long long)side * side * found->channels < inputs)
        side++;
    if ((long long)side * side * found->channels != inputs || side << found->blocks < 32) return;
    options->height = options->width = side << found->blocks;
    if (options->height != 224)
        vgg_log(VGG_LOG_WARNING, "%s: its input is taken for %dx%d; --size says otherwise", path, options->height,
                options->width);
}

/* The shapes of the dense layers that `options` ask for. */
static enum vgg_status head_shapes(int shape[VGG_WEIGHTS_HEAD][2], int *count, const struct vgg_model_options *options,
                                   const struct vgg_weights *weights)
{
    struct vgg_arch arch;
    const char *height = vgg_weights_meta(weights, "height"), *width = vgg_weights_meta(weights, "width");
    int h = options->height ? options->height : height ? atoi(height) : 224;
    int w = options->height ? options->width : width ? atoi(width) : 224;
    enum vgg_status status = vgg_arch_base(&arch, options->arch, h, w, options->last);
    if (status == VGG_OK) status = vgg_arch_head(&arch, options->head);
    *count = 0;
    for (int i = 0; status == VGG_OK && i < arch.count; i++) {
        if (arch.layer[i].kind != VGG_LAYER_DENSE) continue;
        if (*count == VGG_WEIGHTS_HEAD)
            return vgg_fail(VGG_ERR_ARGUMENT, "head \"%s\": more than %d dense layers", options->head,
                            VGG_WEIGHTS_HEAD);
        shape[*count][0] = arch.layer[i].kernel.w;
        shape[(*count)++][1] = arch.layer[i].kernel.c;
    }
    return status;
}

/* A model says its head and its size itself. */
static enum vgg_status take_record(struct vgg_model_options *wanted, const struct vgg_weights *weights,
                                   const char *path)
{
    const char *head = vgg_weights_meta(weights, "head");
    const char *height = vgg_weights_meta(weights, "height"), *width = vgg_weights_meta(weights, "width");
    if (!head || !*head) return VGG_OK;
    if (wanted->head && strcmp(wanted->head, head) != 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "head \"%s\": %s is a model with the head %s; leave --head out", wanted->head,
                        path, head);
    }
    wanted->head = head;
    if (!height || !width || !wanted->height) return VGG_OK;
    if (wanted->height == atoi(height) && wanted->width == atoi(width)) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT, "input size %dx%d: %s is a model for %sx%s; leave --size out", wanted->height,
                    wanted->width, path, height, width);
}

/* A whole model of Keras says its head, and what it was trained with. */
static enum vgg_status take_keras(struct vgg_model_options *wanted, const struct vgg_weights_keras *keras,
                                  const struct found *found, const char *path)
{
    if (!*keras->head) return VGG_OK;
    wanted->head = keras->head;
    if (!wanted->last && !keras->pooled) wanted->last = found->last;
    if (wanted->preprocess == VGG_PREPROCESS_DEFAULT) wanted->preprocess = keras->preprocess;
    if (keras->height && wanted->height && (keras->height != wanted->height || keras->width != wanted->width)) {
        return vgg_fail(VGG_ERR_ARGUMENT, "input size %dx%d: %s says that it is for %dx%d; leave --size out",
                        wanted->height, wanted->width, path, keras->height, keras->width);
    }
    if (!wanted->height) wanted->height = keras->height, wanted->width = keras->width;
    return VGG_OK;
}

/* The head of `wanted`, where the options do not say it: the file's own, else what its shapes suggest. */
static enum vgg_status choose_head(struct vgg_model_options *wanted, char head[HEAD], struct vgg_weights_keras *keras,
                                   const struct found *found, const struct vgg_weights *weights, const char *path)
{
    struct vgg_weights_dense dense;
    enum vgg_status status = take_record(wanted, weights, path);
    if (status != VGG_OK || wanted->head) return status;
    vgg_weights_dense(&dense, weights);
    if (dense.imagenet && found->blocks == 5) {
        wanted->head = "top";
        return VGG_OK;
    }
    status = vgg_weights_keras(keras, weights);
    if (status == VGG_OK) status = take_keras(wanted, keras, found, path);
    if (status != VGG_OK || wanted->head) return status;
    status = need_no_norm(weights, path);
    if (status == VGG_OK) status = guess(head, found, path, dense.list);
    wanted->head = head;
    return status;
}

enum vgg_status vgg_model_import(struct vgg_model **out, const struct vgg_model_options *options,
                                 const char *const *classes, int count)
{
    enum vgg_status status;
    const char *path = options->weights;
    struct vgg_weights *weights = NULL;
    struct vgg_model_options wanted = *options;
    struct vgg_weights_keras keras = { .preprocess = VGG_PREPROCESS_DEFAULT };
    struct found found;
    char head[HEAD], last[16];
    const char *name[VGG_WEIGHTS_HEAD];
    int shape[VGG_WEIGHTS_HEAD][2], layers;
    *out = NULL;
    CHECK(vgg_weights_open(&weights, path));
    look(&found, weights);
    CHECK(need_layers(&found, weights, path));
    if (!wanted.arch) wanted.arch = vgg_weights_arch(weights) ? vgg_weights_arch(weights) : "vgg16";
    CHECK(choose_head(&wanted, head, &keras, &found, weights, path));
    CHECK(need_no_norm(weights, path));
    snprintf(last, sizeof last, "block%d_pool", found.blocks);
    if (!wanted.last) wanted.last = last;
    if (strcmp(wanted.head, "top") != 0) {
        find_size(&wanted, &found, found.count ? found.shape[0][0] : 0, weights, path);
        CHECK(head_shapes(shape, &layers, &wanted, weights));
        for (int i = 0; i < VGG_WEIGHTS_HEAD; i++)
            name[i] = keras.dense[i];
        CHECK(vgg_weights_take_head(weights, (const int(*)[2])shape, name, layers));
    }
    CHECK(vgg_model_create_whole(out, &wanted, weights));
    if (classes) CHECK(vgg_model_set_class_names(*out, classes, count));
    vgg_weights_close(weights);
    return VGG_OK;
fail:
    vgg_weights_close(weights);
    vgg_model_destroy(*out);
    *out = NULL;
    return status;
}

enum vgg_status vgg_model_of_file(struct vgg_model **out, const char *path)
{
    struct vgg_weights *weights;
    struct vgg_weights_dense dense;
    struct found found;
    char last[16];
    *out = NULL;
    if (strcmp(path, "starter") == 0) return vgg_model_load(out, path);
    enum vgg_status status = vgg_weights_open(&weights, path);
    if (status != VGG_OK) return status;
    const char *format = vgg_weights_meta(weights, "format");
    bool model = format && strcmp(format, VGG_MODEL_FORMAT) == 0;
    vgg_weights_dense(&dense, weights);
    look(&found, weights);
    char *file = vgg_mem_strdup(vgg_weights_path(weights)); /* of a folder, the checkpoint that was taken */
    vgg_weights_close(weights);
    if (!file) return vgg_fail_memory(path, strlen(path));
    struct vgg_model_options options = { .weights = file };
    snprintf(last, sizeof last, "block%d_pool", found.blocks);
    if (model) {
        status = vgg_model_load(out, file);
    } else if (dense.count || !found.blocks) {
        status = vgg_model_import(out, &options, NULL, 0);
    } else {
        options.last = last;
        status = vgg_model_create(out, &options);
    }
    free(file);
    return status;
}
