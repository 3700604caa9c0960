/* Feature extraction: the network up to one layer, for arrays in memory and for whole data sets. */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/model.h"
#include "core/pass.h"
#include "core/sink.h"

enum { DEFAULT_BATCH = 32 };

struct vgg_features {
    const struct vgg_model *model;
    struct vgg_net *net;
    int batch;
    int h, w, c; /* of one output */
};

enum vgg_status vgg_features_create(struct vgg_features **out, struct vgg_engine *engine, const struct vgg_model *model,
                                    const struct vgg_features_options *options)
{
    static const struct vgg_features_options defaults = { 0 };
    enum vgg_status status = VGG_OK;
    const struct vgg_arch *arch = &model->arch;
    if (!options) options = &defaults;
    const char *name = options->layer ? options->layer : arch->layer[arch->base - 1].name;
    int layer = vgg_arch_find(arch, name);
    struct vgg_features *features = vgg_mem_calloc(1, sizeof *features);
    *out = NULL;
    if (!features) return vgg_fail_memory("features", sizeof *features);
    if (layer < 0) CHECK(vgg_fail(VGG_ERR_MISSING, "the model has no layer %s; `vgg16 summary` lists them", name));
    if (options->batch < 0) CHECK(vgg_fail(VGG_ERR_ARGUMENT, "batch %d: must be at least 1", options->batch));
    features->model = model;
    features->batch = options->batch ? options->batch : DEFAULT_BATCH;
    vgg_arch_shape(arch, layer, &features->h, &features->w, &features->c);
    if (options->pooling != VGG_POOLING_NONE) features->h = features->w = 1;
    struct vgg_plan_spec spec = {
        .arch = arch,
        .batch = features->batch,
        .last = layer + 1,
        .pooling = options->pooling,
        .trainable = arch->count,
    };
    CHECK(vgg_net_create(&features->net, engine->backend, &spec, 0, engine->memory));
    CHECK(vgg_net_set_params(features->net, model->params));
    *out = features;
    return VGG_OK;
fail:
    vgg_features_destroy(features);
    return status;
}

void vgg_features_destroy(struct vgg_features *features)
{
    if (!features) return;
    vgg_net_destroy(features->net);
    free(features);
}

void vgg_features_shape(const struct vgg_features *features, int *height, int *width, int *channels)
{
    *height = features->h;
    *width = features->w;
    *channels = features->c;
}

enum vgg_status vgg_features_run(struct vgg_features *features, float *y, const float *x, size_t count)
{
    const struct vgg_arch *arch = &features->model->arch;
    size_t input = (size_t)arch->h * (size_t)arch->w * 3, output = vgg_net_output(features->net);
    enum vgg_status status = VGG_OK;
    for (size_t at = 0; at < count && status == VGG_OK;) {
        size_t left = count - at, n = left < (size_t)features->batch ? left : (size_t)features->batch;
        struct vgg_net_io io = { .n = (int)n, .x = x + at * input, .y = y + at * output };
        status = vgg_net_forward(features->net, &io);
        at += n;
    }
    return status;
}

static enum vgg_status append(void *sink, const struct vgg_batch *batch, const float *y, const float *loss)
{
    (void)loss;
    return vgg_sink_append(sink, y, batch->index, (size_t)batch->count);
}

enum vgg_status vgg_features_extract(struct vgg_features *features, const char *output, const struct vgg_data *data,
                                     const struct vgg_image_options *images, vgg_progress_fn *progress, void *user)
{
    enum vgg_status status = VGG_OK;
    struct vgg_sink *sink = NULL;
    struct vgg_data_shape shape;
    struct vgg_pass pass = {
        .net = features->net,
        .data = data,
        .batch = features->batch,
        .phase = "features",
        .progress = progress,
        .user = user,
    };
    if (images) pass.images = *images;
    vgg_model_images(features->model, &pass.images);
    vgg_data_shape(data, &shape);
    if (shape.features) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: holds features already; extraction takes images",
                       vgg_data_count(data) ? vgg_data_path(data, 0) : "data"));
    }
    CHECK(vgg_sink_create(&sink, output, data, features->h, features->w, features->c));
    CHECK(vgg_pass_run(&pass, append, sink));
    return vgg_sink_commit(sink);
fail:
    vgg_sink_abort(sink);
    return status;
}
