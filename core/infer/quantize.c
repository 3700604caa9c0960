/* The scales of int8 for a model, and how far int8 then is from fp32. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/infer/int8.h"

enum { DEFAULT_COUNT = 256, TRIED = 32, TIMED = 5 };

/* Squares of differences and of what they are relative to. */
struct distance {
    double apart, norm;
};

static void compare(struct distance *d, const float *fp32, const float *int8, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double apart = (double)int8[i] - (double)fp32[i];
        d->apart += apart * apart;
        d->norm += (double)fp32[i] * (double)fp32[i];
    }
}

static double relative(const struct distance *d)
{
    return d->norm > 0 ? sqrt(d->apart / d->norm) : 0.0;
}

/* Both networks side by side, every layer readable. */
struct trial {
    const struct vgg_engine *engine;
    const struct vgg_model *model;
    const float (*scales)[VGG_QUANT_COUNT];
    int last;
    struct vgg_net *fp32, *int8;
    const struct vgg_plan *plan;      /* of int8 */
    struct distance *layer;           /* of each of the plan's operations */
    struct distance features, output; /* of the last convolution's means, and of what comes out */
    float *map[2], *y[2], *mean[2];   /* fp32's and int8's */
    uint8_t *bytes;
    size_t same, tried;
};

static enum vgg_status open_net(struct vgg_net **net, const struct trial *t, enum vgg_precision precision, bool keep)
{
    enum vgg_status status;
    const struct vgg_arch *arch = &t->model->arch;
    const struct vgg_plan_spec spec = {
        .arch = arch, .batch = 1, .last = t->last, .trainable = arch->count, .keep_all = keep, .precision = precision
    };
    CHECK(vgg_net_create(net, t->engine->backend, &spec, 0, 0, t->engine->memory));
    CHECK(vgg_net_set_params(*net, t->model->params));
    CHECK(vgg_net_set_scales(*net, t->scales));
fail:
    return status;
}

static enum vgg_status trial_open(struct trial *t)
{
    enum vgg_status status;
    size_t largest = 0;
    CHECK(open_net(&t->fp32, t, VGG_PRECISION_FP32, true));
    CHECK(open_net(&t->int8, t, VGG_PRECISION_INT8, true));
    CHECK(vgg_net_plan(&t->plan, t->int8));
    for (int i = 0; i < t->last; i++)
        if (vgg_view_count(&t->plan->activation[i]) > largest) largest = vgg_view_count(&t->plan->activation[i]);
    t->layer = vgg_mem_calloc(VGG_MAX_LAYERS, sizeof *t->layer);
    t->bytes = vgg_mem_calloc(largest, 1);
    for (int k = 0; k < 2; k++) {
        t->map[k] = vgg_mem_calloc(largest, sizeof(float));
        t->mean[k] = vgg_mem_calloc(largest, sizeof(float));
        t->y[k] = vgg_mem_calloc(vgg_net_output(t->fp32), sizeof(float));
        if (!t->map[k] || !t->mean[k] || !t->y[k]) CHECK(vgg_fail_memory("feature maps", largest * sizeof(float)));
    }
    if (!t->layer || !t->bytes) CHECK(vgg_fail_memory("feature maps", largest));
fail:
    return status;
}

static void trial_close(struct trial *t)
{
    vgg_net_destroy(t->fp32);
    vgg_net_destroy(t->int8);
    free(t->layer);
    free(t->bytes);
    for (int k = 0; k < 2; k++) {
        free(t->map[k]);
        free(t->mean[k]);
        free(t->y[k]);
    }
}

/* The layer's output in both; bytes times their step. */
static enum vgg_status fetch(struct trial *t, const struct vgg_op *op, int output)
{
    enum vgg_status status;
    const struct vgg_view *view = &t->plan->activation[output];
    CHECK(vgg_net_get_activation(t->fp32, output, t->map[0]));
    if (view->type == VGG_F32) return vgg_net_get_activation(t->int8, output, t->map[1]);
    CHECK(vgg_net_get_activation(t->int8, output, t->bytes));
    for (size_t i = 0; i < vgg_view_count(view); i++)
        t->map[1][i] = (float)t->bytes[i] * t->scales[op->layer][VGG_QUANT_Y];
fail:
    return status;
}

static void average(float *mean, const float *map, const struct vgg_view *view)
{
    size_t pixels = (size_t)view->h * (size_t)view->w, channels = (size_t)view->c;
    memset(mean, 0, channels * sizeof *mean);
    for (size_t i = 0; i < pixels * channels; i++)
        mean[i % channels] += map[i] / (float)pixels;
}

/* The layer whose output the operation writes. */
static int output_of(const struct vgg_op *op)
{
    return op->layer + (op->flags & VGG_OP_POOL ? 1 : 0);
}

static enum vgg_status try_one(struct trial *t, const float *x)
{
    enum vgg_status status;
    int last_conv = -1;
    CHECK(vgg_net_forward(t->fp32, &(struct vgg_net_io) { .n = 1, .x = x, .y = t->y[0] }));
    CHECK(vgg_net_forward(t->int8, &(struct vgg_net_io) { .n = 1, .x = x, .y = t->y[1] }));
    for (size_t i = 0; i < t->plan->forward; i++) {
        const struct vgg_op *op = &t->plan->op[i];
        if (op->kind != VGG_OP_CONV) continue;
        last_conv = output_of(op);
        CHECK(fetch(t, op, last_conv));
        compare(&t->layer[op->layer], t->map[0], t->map[1], vgg_view_count(&t->plan->activation[last_conv]));
    }
    if (last_conv >= 0) {
        const struct vgg_view *view = &t->plan->activation[last_conv];
        for (int k = 0; k < 2; k++)
            average(t->mean[k], t->map[k], view);
        compare(&t->features, t->mean[0], t->mean[1], (size_t)view->c);
    }
    compare(&t->output, t->y[0], t->y[1], vgg_net_output(t->fp32));
    t->same += vgg_model_predicted(t->model, t->y[0]) == vgg_model_predicted(t->model, t->y[1]);
    t->tried++;
fail:
    return status;
}

/* The least time of a forward pass, and its activations. */
static enum vgg_status time_one(double *seconds, uint64_t *activations, const struct trial *t,
                                enum vgg_precision precision, const float *x)
{
    enum vgg_status status;
    struct vgg_net *net = NULL;
    const struct vgg_plan *plan;
    CHECK(open_net(&net, t, precision, false));
    CHECK(vgg_net_plan(&plan, net));
    *activations = plan->arena_size[VGG_ARENA_ACT];
    *seconds = INFINITY;
    for (int i = 0; i <= TIMED; i++) {
        double begin = vgg_clock_seconds();
        CHECK(vgg_net_forward(net, &(struct vgg_net_io) { .n = 1, .x = x, .y = t->y[0] }));
        double took = vgg_clock_seconds() - begin;
        if (i && took < *seconds) *seconds = took; /* the first packs the weights */
    }
fail:
    vgg_net_destroy(net);
    return status;
}

static enum vgg_status fill(struct vgg_quantized *q, const struct trial *t)
{
    q->layer = vgg_mem_calloc(t->plan->forward, sizeof *q->layer);
    if (!q->layer) return vgg_fail_memory("errors of layers", t->plan->forward * sizeof *q->layer);
    for (size_t i = 0; i < t->plan->forward; i++) {
        const struct vgg_op *op = &t->plan->op[i];
        if (op->kind != VGG_OP_CONV) continue;
        struct vgg_quantized_layer *layer = &q->layer[q->layers++];
        memcpy(layer->name, t->model->arch.layer[op->layer].name, sizeof layer->name);
        layer->step = op->y.type == VGG_U8 ? t->scales[op->layer][VGG_QUANT_Y] : 0.0f;
        layer->error = relative(&t->layer[op->layer]);
    }
    bool classes = t->last == t->model->arch.count && vgg_arch_classes(&t->model->arch) > 0;
    q->tried = t->tried;
    q->features = relative(&t->features);
    q->outputs = relative(&t->output);
    q->agree = classes ? (double)t->same / (double)t->tried : (double)NAN;
    return VGG_OK;
}

static enum vgg_status try_out(struct vgg_quantized *q, struct trial *t, struct vgg_int8_items *items)
{
    enum vgg_status status;
    const struct vgg_quant_source source = vgg_int8_source(items);
    const float *x;
    CHECK(trial_open(t));
    for (;;) {
        CHECK(source.next(source.user, &x));
        if (!x) break;
        CHECK(try_one(t, x));
    }
    CHECK(fill(q, t));
    CHECK(time_one(&q->seconds_fp32, &q->activations_fp32, t, VGG_PRECISION_FP32, items->x));
    CHECK(time_one(&q->seconds_int8, &q->activations_int8, t, VGG_PRECISION_INT8, items->x));
fail:
    return status;
}

static enum vgg_status check(const struct vgg_engine *engine, const struct vgg_data *data,
                             const struct vgg_quantize_options *options)
{
    struct vgg_data_shape shape;
    vgg_data_shape(data, &shape);
    if (engine->backend->precision != VGG_PRECISION_INT8)
        return vgg_fail(VGG_ERR_ARGUMENT, "the scales of int8 are found on an engine of precision int8");
    if (shape.features)
        return vgg_fail(VGG_ERR_ARGUMENT, "the scales of int8 are found with images, not with features");
    if (options->count < 0)
        return vgg_fail(VGG_ERR_ARGUMENT, "%d images: must be at least 1, better a few hundred", options->count);
    return VGG_OK;
}

enum vgg_status vgg_quantize(struct vgg_quantized **out, struct vgg_engine *engine, struct vgg_model *model,
                             const struct vgg_data *data, const struct vgg_quantize_options *options)
{
    static const struct vgg_quantize_options defaults = { 0 };
    enum vgg_status status = VGG_OK;
    const struct vgg_arch *arch = &model->arch;
    float(*scales)[VGG_QUANT_COUNT] = vgg_mem_calloc(VGG_MAX_LAYERS, sizeof *scales);
    struct vgg_quantized *q = vgg_mem_calloc(1, sizeof *q);
    struct vgg_int8_items items = { 0 }, few = { 0 };
    if (!options) options = &defaults;
    struct vgg_image_options images = options->images;
    struct trial trial = { .engine = engine, .model = model, .last = arch->count };
    if (out) *out = NULL;
    if (!scales || !q) CHECK(vgg_fail_memory("the scales of int8", VGG_MAX_LAYERS * sizeof *scales));
    trial.scales = (const float(*)[VGG_QUANT_COUNT])scales;
    CHECK(check(engine, data, options));
    if (options->layer) {
        trial.last = vgg_arch_find(arch, options->layer) + 1;
        if (!trial.last)
            CHECK(vgg_fail(VGG_ERR_MISSING, "the model has no layer %s%s", options->layer,
                           vgg_arch_hint(arch, options->layer).text));
    }
    vgg_model_images(model, &images);
    if (images.preprocess != model->preprocess)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "preprocess %s: the model's is %s, and int8 is prepared for that",
                       vgg_name(VGG_NAMES_PREPROCESS, (int)images.preprocess),
                       vgg_name(VGG_NAMES_PREPROCESS, (int)model->preprocess)));
    CHECK(vgg_int8_items_init(&items, data, &images, (size_t)(options->count ? options->count : DEFAULT_COUNT), true));
    CHECK(vgg_int8_items_init(&few, data, &images, items.count < TRIED ? items.count : TRIED, true));
    items.progress = few.progress = options->progress, items.user = few.user = options->user;
    items.steps = few.steps = (options->direct ? 1 : 2) * items.count + (out ? few.count : 0);
    const struct vgg_quant_source source = vgg_int8_source(&items);
    const struct vgg_quant_target target = {
        .backend = engine->backend,
        .arch = arch,
        .last = trial.last,
        .params = model->params,
        .memory = engine->memory,
        .direct = options->direct,
    };
    CHECK(vgg_quant_calibrate(scales, &target, &source));
    q->images = items.taken;
    if (*vgg_int8_few(q->images))
        vgg_log(VGG_LOG_WARNING, "%zu image%s gave the scales of int8%s; take a few hundred", q->images,
                q->images == 1 ? "" : "s", vgg_int8_few(q->images));
    few.done = items.done;
    if (out) CHECK(try_out(q, &trial, &few));
    free(model->scales);
    model->scales = scales;
    model->scales_images = (int)q->images;
    scales = NULL;
    if (out) *out = q, q = NULL;
fail:
    trial_close(&trial);
    vgg_int8_items_finish(&items);
    vgg_int8_items_finish(&few);
    vgg_quantized_destroy(q);
    free(scales);
    return status;
}

void vgg_quantized_destroy(struct vgg_quantized *quantized)
{
    if (!quantized) return;
    free(quantized->layer);
    free(quantized);
}
