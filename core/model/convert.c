#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/model/export.h"
#include "core/weights/names.h"

/* All layers of a file in memory, with the parameterless ones that Keras lists between them. */
struct copy {
    struct vgg_weights_layer *layer;
    char (*name)[VGG_WEIGHTS_NAME];
    float **values; /* one block a layer: kernel, then bias */
    float (*scales)[VGG_QUANT_COUNT];
    size_t count;
};

static void copy_finish(struct copy *copy)
{
    for (size_t i = 0; copy->values && i < copy->count; i++)
        vgg_mem_free(copy->values[i]);
    free(copy->values);
    free(copy->scales);
    free(copy->layer);
    free(copy->name);
}

/* What Flatten saw, from the first dense layer's inputs and the last convolution's channels: the metadata's input size
 * where it fits, else a square. 0 x 0: cannot be told. */
static void find_features(const struct vgg_weights *weights, int *h, int *w)
{
    int channels = 512, in = 0, blocks = VGG_ARCH_BLOCKS;
    const char *height = vgg_weights_meta(weights, "height"), *width = vgg_weights_meta(weights, "width");
    for (size_t i = 0; i < vgg_weights_count(weights) && !in; i++) {
        int rank, shape[4], block, conv;
        const char *layer = vgg_weights_layer(weights, i);
        if (!vgg_weights_shape(weights, layer, &rank, shape)) continue;
        if (rank == 4) channels = shape[3];
        if (rank == 4 && vgg_arch_conv_place(&block, &conv, layer)) blocks = block;
        if (rank == 2) in = shape[0];
    }
    *h = *w = 0;
    if (in == 0 || in == channels) {
        *h = *w = 1;
    } else if (height && width) {
        int rows = atoi(height) >> blocks, columns = atoi(width) >> blocks;
        if (rows > 0 && columns > 0 && (long long)rows * columns * channels == in) *h = rows, *w = columns;
    }
    for (int side = 1; *h == 0 && channels > 0 && (long long)side * side * channels <= in; side++) {
        if ((long long)side * side * channels == in) *h = *w = side;
    }
}

/* Adds a layer without parameters, once. */
static void add_plain(struct copy *copy, const char *name)
{
    if (copy->count && strcmp(copy->name[copy->count - 1], name) == 0) return;
    snprintf(copy->name[copy->count], VGG_WEIGHTS_NAME, "%s", name);
    copy->layer[copy->count] = (struct vgg_weights_layer) { .name = copy->name[copy->count] };
    copy->count++;
}

static enum vgg_status add_layer(struct copy *copy, const struct vgg_weights *weights, const char *name, int h, int w)
{
    struct vgg_weights_layer *layer = &copy->layer[copy->count];
    size_t size = sizeof(float), at = copy->count;
    snprintf(copy->name[at], VGG_WEIGHTS_NAME, "%s", name);
    *layer = (struct vgg_weights_layer) { .name = copy->name[at] };
    if (!vgg_weights_shape(weights, name, &layer->rank, layer->shape)) {
        /* A lone bias, or a kernel of a kind that these networks do not have: reading names what is missing. */
        static const int none[4] = { 1, 1, 1, 1 };
        float dummy;
        enum vgg_status status = vgg_weights_read(weights, name, &dummy, 2, none, &dummy, 1, 1);
        return status == VGG_OK ? VGG_ERR_FORMAT : status;
    }
    size_t out = (size_t)layer->shape[layer->rank - 1];
    for (int i = 0; i < layer->rank; i++)
        size = vgg_mem_mul(size, (size_t)layer->shape[i]);
    size_t total = vgg_mem_add(size, out * sizeof(float));
    float *values = total < SIZE_MAX ? vgg_mem_aligned(total) : NULL;
    if (!values) return vgg_fail_memory(name, total);
    copy->values[at] = values;
    copy->count++;
    layer->kernel = values;
    layer->bias = values + size / sizeof(float);
    bool scales;
    enum vgg_status status = vgg_weights_scales(&scales, copy->scales[at], weights, name);
    if (status != VGG_OK) return status;
    if (scales) layer->scales = copy->scales[at];
    return vgg_weights_read(weights, name, values, layer->rank, layer->shape, values + size / sizeof(float), h, w);
}

static enum vgg_status copy_layers(struct copy *copy, const struct vgg_weights *weights, int h, int w)
{
    size_t n = vgg_weights_count(weights), most = 2 * n + 2;
    int before = 0;
    copy->layer = vgg_mem_calloc(most, sizeof *copy->layer);
    copy->name = vgg_mem_calloc(most, sizeof *copy->name);
    copy->values = vgg_mem_calloc(most, sizeof *copy->values);
    copy->scales = vgg_mem_calloc(most, sizeof *copy->scales);
    if (!copy->layer || !copy->name || !copy->values || !copy->scales)
        return vgg_fail_memory("the layers", most * sizeof *copy->layer);
    for (size_t i = 0; i < n; i++) {
        const char *name = vgg_weights_layer(weights, i);
        char pool[VGG_NAME_SIZE];
        int block = 0, conv;
        bool base = vgg_arch_conv_place(&block, &conv, name);
        if (before && block != before) {
            vgg_arch_pool_name(pool, before);
            add_plain(copy, pool);
            if (!base && h * w > 1) add_plain(copy, "flatten");
        }
        before = base ? block : 0;
        enum vgg_status status = add_layer(copy, weights, name, h, w);
        if (status != VGG_OK) return status;
    }
    if (before) {
        char pool[VGG_NAME_SIZE];
        vgg_arch_pool_name(pool, before);
        add_plain(copy, pool);
    }
    return VGG_OK;
}

static bool is_torch(enum vgg_weights_layout layout)
{
    return layout == VGG_WEIGHTS_TORCHVISION || layout == VGG_WEIGHTS_PTH;
}

/* The source's metadata, and what the other names would no longer tell: architecture and preprocessing. The list is
 * released by free(); its strings belong to `weights`. NULL without memory. */
static const char **copy_meta(const struct vgg_weights *weights, enum vgg_weights_layout layout)
{
    bool torch = is_torch(layout), scales = vgg_weights_keeps_scales(layout);
    const char *key, *value;
    size_t pairs = 0, n = 0;
    while (vgg_weights_meta_at(weights, pairs, &key, &value))
        pairs++;
    const char **meta = vgg_mem_calloc(2 * pairs + 5, sizeof *meta);
    if (!meta) return NULL;
    for (size_t i = 0; vgg_weights_meta_at(weights, i, &key, &value); i++) {
        if (strcmp(key, "dense") == 0) continue;                              /* belongs to the source's names */
        if (strcmp(key, "format") == 0 && strcmp(value, "pt") == 0) continue; /* likewise */
        if (!scales && (strcmp(key, VGG_WEIGHTS_INT8_IMAGES) == 0 || strcmp(key, VGG_WEIGHTS_INT8_PREPROCESS) == 0))
            continue;
        meta[n++] = key;
        meta[n++] = value;
    }
    if (vgg_weights_arch(weights) && !vgg_weights_meta(weights, "arch")) {
        meta[n++] = "arch";
        meta[n++] = vgg_weights_arch(weights);
    }
    enum vgg_preprocess wants = vgg_weights_preprocess(weights);
    if (!vgg_weights_meta(weights, "preprocess") && wants != (torch ? VGG_PREPROCESS_TORCH : VGG_PREPROCESS_CAFFE)) {
        meta[n++] = "preprocess";
        meta[n++] = vgg_name(VGG_NAMES_PREPROCESS, (int)wants);
    }
    return meta;
}

static enum vgg_status choose_layout(enum vgg_weights_layout *layout, const struct vgg_weights *weights,
                                     const char *out)
{
    if (*layout != VGG_WEIGHTS_BY_EXTENSION) return VGG_OK;
    if (vgg_file_has_extension(out, ".h5") || vgg_file_has_extension(out, ".hdf5")) {
        *layout = VGG_WEIGHTS_KERAS_H5;
    } else if (vgg_file_has_extension(out, ".pth") || vgg_file_has_extension(out, ".pt")) {
        *layout = VGG_WEIGHTS_PTH;
    } else if (vgg_file_has_extension(out, ".onnx")) {
        *layout = VGG_WEIGHTS_ONNX;
    } else if (vgg_file_has_extension(out, ".safetensors")) {
        *layout = vgg_weights_is_torch(weights) ? VGG_WEIGHTS_KERAS_SAFETENSORS : VGG_WEIGHTS_TORCHVISION;
    } else {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: the extension tells no layout; name it .safetensors, .h5, .pth or .onnx",
                        out);
    }
    return VGG_OK;
}

static enum vgg_status write_onnx(const char *in, const char *out, enum vgg_weights_precision precision)
{
    struct vgg_model *model;
    enum vgg_status status = vgg_model_of_file(&model, in);
    if (status == VGG_OK) status = vgg_model_export(model, out, VGG_WEIGHTS_ONNX, precision);
    vgg_model_destroy(model);
    return status;
}

enum vgg_status vgg_weights_convert(const char *in, const char *out, enum vgg_weights_layout layout,
                                    enum vgg_weights_precision precision)
{
    enum vgg_status status;
    struct vgg_weights *weights = NULL;
    struct copy copy = { 0 };
    const char **meta = NULL;
    int h, w;
    CHECK(vgg_weights_open(&weights, in));
    CHECK(choose_layout(&layout, weights, out));
    if (layout == VGG_WEIGHTS_ONNX) {
        CHECK(write_onnx(vgg_weights_path(weights), out, precision));
        goto fail;
    }
    find_features(weights, &h, &w);
    if (h == 0 && is_torch(layout) != vgg_weights_is_torch(weights)) {
        status = vgg_fail(VGG_ERR_ARGUMENT,
                          "%s: the first dense layer's inputs are no square feature map; add metadata \"height\" and "
                          "\"width\" of the network's input",
                          in);
        goto fail;
    }
    CHECK(copy_layers(&copy, weights, h, w));
    for (size_t i = 0; i < copy.count && !vgg_weights_keeps_scales(layout); i++) {
        if (!copy.layer[i].scales) continue;
        vgg_model_tell_scales(out);
        break;
    }
    meta = copy_meta(weights, layout);
    if (!meta) {
        status = vgg_fail_memory("metadata", 0);
        goto fail;
    }
    CHECK(vgg_weights_write(out, layout, precision, copy.layer, copy.count, h, w, meta));
fail:
    free(meta);
    copy_finish(&copy);
    vgg_weights_close(weights);
    return status;
}
