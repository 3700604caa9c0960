#include "core/infer/int8.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/names.h"
#include "core/image/image.h"

enum { OWN = 32 }; /* images that a run without scales finds its own with */

/* ---- items of a data set ---- */

enum vgg_status vgg_int8_items_init(struct vgg_int8_items *items, const struct vgg_data *data,
                                    const struct vgg_image_options *images, size_t count, bool spread)
{
    struct vgg_data_shape shape;
    *items =
        (struct vgg_int8_items) { .data = data, .images = *images, .spread = spread, .total = vgg_data_count(data) };
    items->count = count < items->total ? count : items->total;
    vgg_data_shape(data, &shape);
    size_t h = (size_t)(shape.features ? shape.h : images->height);
    size_t w = (size_t)(shape.features ? shape.w : images->width);
    items->x = vgg_mem_calloc(h * w, (size_t)shape.c * sizeof *items->x);
    if (!items->x) return vgg_fail_memory("an image", h * w * (size_t)shape.c * sizeof *items->x);
    return shape.features ? VGG_OK : vgg_image_check_options(images);
}

void vgg_int8_items_finish(struct vgg_int8_items *items)
{
    free(items->x);
}

static enum vgg_status again(void *user)
{
    struct vgg_int8_items *items = user;
    items->at = items->taken = 0;
    return VGG_OK;
}

/* An item that cannot be read is passed over where that is asked for: the run itself lists it. */
static enum vgg_status next(void *user, const float **x)
{
    struct vgg_int8_items *items = user;
    char why[VGG_IMAGE_WHY];
    *x = NULL;
    while (!*x && items->taken < items->count && items->at < items->total) {
        size_t index = items->spread ? items->at * items->total / items->count : items->at;
        if (index >= items->total) break;
        enum vgg_status status = vgg_data_fetch_quiet(items->data, index, &items->images, NULL, 0, 0, items->x, why);
        items->at++;
        if (status != VGG_OK && !items->images.skip_bad) return vgg_fail(status, "%s", why);
        if (status != VGG_OK) continue;
        items->taken++;
        *x = items->x;
    }
    if (!*x || !items->progress) return VGG_OK;
    const struct vgg_progress progress = { .phase = "quantize",
                                           .unit = "images",
                                           .done = ++items->done,
                                           .total = items->steps,
                                           .loss = (double)NAN,
                                           .accuracy = (double)NAN };
    return items->progress(items->user, &progress) ? VGG_OK : VGG_INTERRUPTED;
}

struct vgg_quant_source vgg_int8_source(struct vgg_int8_items *items)
{
    return (struct vgg_quant_source) { next, again, items };
}

/* ---- a pass ---- */

/* The model's own scales, where they hold for these images; *done: they are there, or none are needed. */
static enum vgg_status use_own(bool *done, const struct vgg_int8_pass *pass, bool hold)
{
    const struct vgg_model *model = pass->model;
    const float(*scales)[VGG_QUANT_COUNT] = hold ? (const float(*)[VGG_QUANT_COUNT])model->scales : NULL;
    *done = true;
    if (pass->engine->backend->precision != VGG_PRECISION_INT8) return VGG_OK;
    *done = vgg_quant_complete(scales, &model->arch, pass->first, pass->last);
    if (!*done || !scales) return VGG_OK;
    vgg_log(VGG_LOG_INFO, "int8: scales found with %d images", model->scales_images);
    return vgg_net_set_scales(pass->net, scales);
}

const char *vgg_int8_few(size_t images)
{
    return images < 8 ? ", fewer than 8, too few to be sure" : "";
}

/* count: of the inputs, when they have been taken. */
static enum vgg_status find(const struct vgg_int8_pass *pass, const struct vgg_quant_source *source,
                            const size_t *count, enum vgg_preprocess preprocess)
{
    enum vgg_status status;
    const struct vgg_model *model = pass->model;
    float(*scales)[VGG_QUANT_COUNT] = vgg_mem_calloc(VGG_MAX_LAYERS, sizeof *scales);
    const struct vgg_quant_target target = {
        .backend = pass->engine->backend,
        .arch = &model->arch,
        .first = pass->first,
        .last = pass->last,
        .from = pass->net,
        .memory = pass->engine->memory,
    };
    if (!scales) return vgg_fail_memory("the scales of int8", VGG_MAX_LAYERS * sizeof *scales);
    CHECK(vgg_quant_calibrate(scales, &target, source));
    vgg_log(
        VGG_LOG_WARNING,
        "precision int8: the weights hold no scales for it with preprocess %s, so the first %zu image%s of this run "
        "gave them%s; `vgg16 quantize` finds them once, from more, and keeps them with the weights",
        vgg_name(VGG_NAMES_PREPROCESS, (int)preprocess), *count, *count == 1 ? "" : "s", vgg_int8_few(*count));
    CHECK(vgg_net_set_scales(pass->net, (const float(*)[VGG_QUANT_COUNT])scales));
fail:
    free(scales);
    return status;
}

enum vgg_status vgg_int8_prepare(const struct vgg_int8_pass *pass, const struct vgg_data *data,
                                 const struct vgg_image_options *images)
{
    bool done;
    struct vgg_int8_items items = { 0 };
    enum vgg_status status;
    struct vgg_data_shape shape;
    vgg_data_shape(data, &shape);
    enum vgg_preprocess preprocess = shape.features ? pass->model->preprocess : images->preprocess;
    CHECK(use_own(&done, pass, preprocess == pass->model->preprocess));
    if (done) return VGG_OK;
    CHECK(vgg_int8_items_init(&items, data, images, OWN, false));
    const struct vgg_quant_source source = vgg_int8_source(&items);
    CHECK(find(pass, &source, &items.taken, preprocess));
fail:
    vgg_int8_items_finish(&items);
    return status;
}

enum vgg_status vgg_int8_prepare_array(const struct vgg_int8_pass *pass, const float *x, size_t count)
{
    bool done;
    int h, w, c;
    struct vgg_quant_array place;
    enum vgg_status status = use_own(&done, pass, true);
    if (status != VGG_OK || done) return status;
    vgg_arch_shape(&pass->model->arch, pass->first - 1, &h, &w, &c);
    if (count > OWN) count = OWN;
    const struct vgg_quant_source source = vgg_quant_array(&place, x, (size_t)h * (size_t)w * (size_t)c, count);
    return find(pass, &source, &count, pass->model->preprocess);
}
