/* Feature extraction: the network up to one layer, for arrays in memory and for whole data sets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/data/data.h"
#include "core/engine/engine.h"
#include "core/image/image.h"
#include "core/image/sheet.h"
#include "core/infer/int8.h"
#include "core/infer/origin_match.h"
#include "core/infer/part.h"
#include "core/infer/pass.h"
#include "core/infer/sink.h"

enum { DEFAULT_BATCH = 32, CHANNELS_OF_ONE = 24, CHANNELS_OF_SEVERAL = 8 };

struct vgg_features {
    const struct vgg_model *model;
    struct vgg_net *net;
    int layer; /* index of the last that runs */
    enum vgg_pooling pooling;
    int batch;
    int h, w, c; /* of one output */
    const struct vgg_engine *engine;
    bool prepared;              /* scales of int8 are there, or none are needed */
    struct vgg_model *released; /* whose parameters go before the first pass; NULL: they stay */
    char digest[65];            /* of the layer, as last computed; "": not yet */
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
    if (layer < 0) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "the model has no layer %s%s", name, vgg_arch_hint(arch, name).text));
    }
    if (options->batch < 0) CHECK(vgg_fail(VGG_ERR_ARGUMENT, "batch %d: must be at least 1", options->batch));
    features->model = model;
    features->layer = layer;
    features->pooling = options->pooling;
    features->engine = engine;
    features->batch = options->batch ? options->batch : DEFAULT_BATCH;
    vgg_arch_shape(arch, layer, &features->h, &features->w, &features->c);
    if (options->pooling != VGG_POOLING_NONE) features->h = features->w = 1;
    struct vgg_plan_spec spec = {
        .arch = arch,
        .batch = features->batch,
        .last = layer + 1,
        .pooling = options->pooling,
        .trainable = arch->count,
        .precision = engine->backend->precision,
    };
    CHECK(vgg_net_create(&features->net, engine->backend, &spec, 0, 0, engine->memory));
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

void vgg_features_release(struct vgg_features *features, struct vgg_model *model)
{
    if (features->model == model) features->released = model;
}

/* The network has them. */
static enum vgg_status release(struct vgg_features *features)
{
    enum vgg_status status = VGG_OK;
    if (!features->released || !features->released->params) return VGG_OK;
    if (!features->digest[0]) status = vgg_model_digest(features->model, features->layer, features->digest);
    if (status == VGG_OK) vgg_model_release(features->released);
    return status;
}

void vgg_features_shape(const struct vgg_features *features, int *height, int *width, int *channels)
{
    *height = features->h;
    *width = features->w;
    *channels = features->c;
}

static struct vgg_int8_pass pass_of(const struct vgg_features *features)
{
    return (struct vgg_int8_pass) { features->net, features->engine, features->model, 0, features->layer + 1 };
}

/* Before the first pass over a data set. */
static enum vgg_status prepare(struct vgg_features *features, const struct vgg_data *data,
                               const struct vgg_image_options *images)
{
    const struct vgg_int8_pass pass = pass_of(features);
    enum vgg_status status = release(features);
    if (status != VGG_OK || features->prepared) return status;
    status = vgg_int8_prepare(&pass, data, images);
    features->prepared = status == VGG_OK;
    return status;
}

enum vgg_status vgg_features_run(struct vgg_features *features, float *y, const float *x, size_t count)
{
    const struct vgg_arch *arch = &features->model->arch;
    size_t input = (size_t)arch->h * (size_t)arch->w * 3, output = vgg_net_output(features->net);
    enum vgg_status status = count ? release(features) : VGG_OK;
    if (count && status == VGG_OK && !features->prepared) {
        const struct vgg_int8_pass pass = pass_of(features);
        status = vgg_int8_prepare_array(&pass, x, count);
        features->prepared = status == VGG_OK;
    }
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

/* Into a file, all of `data` or that part of it. */
struct extraction {
    struct vgg_features *features;
    const char *output;
    const struct vgg_data *data;
    struct vgg_image_options images;
    struct vgg_part *part; /* NULL: all */
    struct vgg_part_about about;
    struct vgg_data *range; /* the part's items */
    struct vgg_sink_part places;
    struct vgg_origin origin;
    struct vgg_sink *sink;
    struct vgg_ranks *ranks;
};

/* The record, and what `about` says. */
static enum vgg_status describe(struct extraction *e)
{
    enum vgg_status status = VGG_OK;
    struct vgg_features *f = e->features;
    CHECK(vgg_origin_make(&e->origin, f->digest, f->model, f->layer, f->pooling, &e->images));
    e->origin.decoder = vgg_data_decoder(e->data);
    e->origin.precision = vgg_name(VGG_NAMES_PRECISION, (int)f->engine->backend->precision);
    if (e->part) CHECK(vgg_part_describe(&e->about, e->part->number, e->part->count, e->data, f->engine));
fail:
    return status;
}

static enum vgg_status open_range(struct extraction *e)
{
    size_t count = vgg_data_count(e->data);
    const struct vgg_part *p = e->part;
    if (p->count < 1 || p->count > VGG_PARTS_MOST || p->number < 1 || p->number > p->count) {
        return vgg_fail(VGG_ERR_ARGUMENT, "part %d/%d: must be 1 to the number of parts, which is at most %d",
                        p->number, p->count, VGG_PARTS_MOST);
    }
    if (count > UINT32_MAX) return vgg_fail(VGG_ERR_UNSUPPORTED, "too many items for parts");
    return vgg_data_range(&e->range, e->data, vgg_share_begin(count, p->number - 1, p->count),
                          vgg_share_begin(count, p->number, p->count));
}

/* With `resume`: is the part there already? */
static enum vgg_status find_part(struct extraction *e)
{
    struct vgg_os_info info;
    struct vgg_part_file there;
    struct vgg_origin_text record;
    const char *key, *value;
    if (!e->part->resume || !vgg_os_look(&info, e->output)) return VGG_OK;
    enum vgg_status status = vgg_part_open(&there, e->output);
    if (status != VGG_OK) return status;
    vgg_origin_write(&record, &e->origin);
    bool same = vgg_part_says(&there, record.pair, VGG_ORIGIN_PAIRS, &key, &value) &&
                vgg_part_says(&there, e->about.pair, VGG_PART_PAIRS, &key, &value);
    if (!same) {
        status = vgg_fail(VGG_ERR_ARGUMENT,
                          "%s: is there with another %s, %.160s; --resume leaves alone what this "
                          "command would write, and nothing else: remove it, or name another file",
                          e->output, key, value ? value : "none");
    }
    e->part->found = same;
    e->part->images = there.rows;
    vgg_part_close(&there);
    return status;
}

static enum vgg_status create_sink(struct extraction *e)
{
    const struct vgg_features *f = e->features;
    if (!vgg_ranks_first(e->ranks)) return VGG_OK;
    if (!e->part) return vgg_sink_create(&e->sink, e->output, e->data, f->h, f->w, f->c, &e->origin);
    e->places = (struct vgg_sink_part) { e->about.pair, VGG_PART_PAIRS, 0 };
    e->places.first = vgg_share_begin(vgg_data_count(e->data), e->part->number - 1, e->part->count);
    return vgg_sink_create_part(&e->sink, e->output, e->range, f->h, f->w, f->c, &e->origin, &e->places);
}

static enum vgg_status extract(struct extraction *e, vgg_progress_fn *progress, void *user)
{
    enum vgg_status status = VGG_OK;
    struct vgg_features *features = e->features;
    struct vgg_data_shape shape;
    struct vgg_pass pass = {
        .net = features->net,
        .data = e->data,
        .batch = features->batch,
        .phase = "features",
        .progress = progress,
        .user = user,
        .ranks = e->ranks,
        .may_be_none = e->part,
    };
    vgg_model_images(features->model, &e->images);
    pass.images = e->images;
    vgg_data_shape(e->data, &shape);
    if (shape.features) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: holds features already; extraction takes images",
                       vgg_data_count(e->data) ? vgg_data_path(e->data, 0) : "data"));
    }
    if (e->part) CHECK(open_range(e));
    CHECK(describe(e));
    if (e->part) {
        pass.data = e->range;
        if (vgg_ranks_first(e->ranks)) status = find_part(e);
        CHECK(vgg_ranks_agree(e->ranks, status, &e->part->found));
        if (e->part->found) return VGG_OK;
    }
    CHECK(prepare(features, e->data, &pass.images));
    CHECK(create_sink(e));
    if (vgg_data_count(pass.data)) CHECK(vgg_pass_run(&pass, append, e->sink));
    if (e->part && e->sink) e->part->images = vgg_sink_count(e->sink);
    if (e->sink) status = vgg_sink_commit(e->sink);
    e->sink = NULL;
fail:
    vgg_sink_abort(e->sink);
    return vgg_ranks_agree(e->ranks, status, NULL);
}

enum vgg_status vgg_features_extract(struct vgg_features *features, const char *output, const struct vgg_data *data,
                                     const struct vgg_image_options *images, vgg_progress_fn *progress, void *user)
{
    struct extraction e = { .features = features, .output = output, .data = data, .ranks = features->engine->ranks };
    if (images) e.images = *images;
    return extract(&e, progress, user);
}

enum vgg_status vgg_features_extract_part(struct vgg_features *features, const char *output,
                                          const struct vgg_data *data, const struct vgg_image_options *images,
                                          struct vgg_part *part, vgg_progress_fn *progress, void *user)
{
    struct extraction e = {
        .features = features, .output = output, .data = data, .part = part, .ranks = features->engine->ranks
    };
    part->images = 0;
    part->found = false;
    if (images) e.images = *images;
    enum vgg_status status = extract(&e, progress, user);
    vgg_data_destroy(e.range);
    return status;
}

/* ---- pictures ---- */

/* One band of the sheet; a bad image leaves it out when that is allowed. x, y: room for one image and its maps. */
static enum vgg_status add_band(struct vgg_sheet *sheet, struct vgg_features *features, const struct vgg_data *data,
                                size_t index, const struct vgg_image_options *images, float *x, float *y,
                                int *strongest)
{
    char why[VGG_IMAGE_WHY];
    struct vgg_image image;
    enum vgg_status status = vgg_data_fetch_pixels(&image, x, data, index, images, why);
    if (status != VGG_OK && images->skip_bad) {
        vgg_log(VGG_LOG_WARNING, "%s; skipped", why);
        return VGG_OK;
    }
    if (status != VGG_OK) return vgg_fail(status, "%s", why);
    status = vgg_features_run(features, y, x, 1);
    if (status == VGG_OK) status = vgg_sheet_add(sheet, &image, y, features->c, strongest);
    vgg_image_finish(&image);
    return status;
}

enum vgg_status vgg_features_picture(struct vgg_features *features, const char *path, const struct vgg_data *data,
                                     const struct vgg_image_options *images, enum vgg_colours colours, int channels,
                                     int *strongest)
{
    enum vgg_status status = VGG_OK;
    struct vgg_sheet *sheet = NULL;
    struct vgg_image_options wanted = { 0 };
    struct vgg_data_shape shape;
    size_t count = vgg_data_count(data);
    float *x = NULL, *y = NULL;
    int *numbers = NULL;
    char title[128];
    if (images) wanted = *images;
    vgg_model_images(features->model, &wanted);
    CHECK(vgg_image_check_options(&wanted));
    vgg_data_shape(data, &shape);
    if (shape.features) CHECK(vgg_fail(VGG_ERR_ARGUMENT, "a picture of activations takes images, not features"));
    if (features->h == 1 && features->w == 1) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "this layer has no maps to show; take one of the base, without pooling"));
    }
    if (channels < 0) CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%d channels: must be at least 1", channels));
    if (channels == 0) channels = count == 1 ? CHANNELS_OF_ONE : CHANNELS_OF_SEVERAL;
    x = vgg_mem_calloc((size_t)wanted.height * (size_t)wanted.width, 3 * sizeof *x);
    y = vgg_mem_calloc(vgg_net_output(features->net), sizeof *y);
    numbers = vgg_mem_calloc((size_t)channels, sizeof *numbers);
    if (!x || !y || !numbers) CHECK(vgg_fail_memory("a sheet", vgg_net_output(features->net) * sizeof *y));
    int tiles = channels < features->c ? channels : features->c;
    CHECK(vgg_sheet_create(&sheet, count, tiles, features->h, features->w, colours));
    CHECK(prepare(features, data, &wanted));
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < channels; k++)
            numbers[k] = -1;
        CHECK(add_band(sheet, features, data, i, &wanted, x, y, numbers));
        if (strongest) memcpy(strongest + i * (size_t)channels, numbers, (size_t)channels * sizeof *numbers);
    }
    const struct vgg_arch *arch = &features->model->arch;
    snprintf(title, sizeof title, "%s of %s, strongest channels", arch->layer[features->layer].name, arch->name);
    status = vgg_sheet_write(sheet, path, title);
fail:
    vgg_sheet_destroy(sheet);
    free(x);
    free(y);
    free(numbers);
    return status;
}
