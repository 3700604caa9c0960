#include "core/plan/plan.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/plan/arena.h"

enum {
    MAX_OPS = 4 * VGG_MAX_LAYERS + 8,
    MAX_SPANS = 4 * VGG_MAX_LAYERS + 8,
    BEFORE = -1,     /* lifetime of what is uploaded before the list runs */
    AFTER = MAX_OPS, /* lifetime of what is read after it */
};

/* While a plan grows, the offset of a view in VGG_ARENA_ACT is the number of its span. */
struct builder {
    const struct vgg_plan_spec *spec;
    const struct vgg_arch *arch;
    struct vgg_plan *plan;
    struct vgg_op op[MAX_OPS];
    int ops;
    struct vgg_span span[MAX_SPANS];
    int spans;
    bool training;
    int low;                             /* the lowest layer whose backward runs; training: the first that trains */
    struct vgg_view x[VGG_MAX_LAYERS];   /* input of each layer */
    struct vgg_view y[VGG_MAX_LAYERS];   /* its output */
    struct vgg_view arg[VGG_MAX_LAYERS]; /* where its maxima were */
};

static struct vgg_view new_view(struct builder *b, enum vgg_type type, int n, int h, int w, int c)
{
    struct vgg_view view = {
        .offset = (size_t)b->spans, .arena = VGG_ARENA_ACT, .type = type, .n = n, .h = h, .w = w, .c = c
    };
    b->span[b->spans++] = (struct vgg_span) { .size = vgg_view_size(&view), .first = AFTER, .last = BEFORE };
    return view;
}

static struct vgg_view new_like(struct builder *b, const struct vgg_view *like)
{
    return new_view(b, like->type, like->n, like->h, like->w, like->c);
}

static void touch(struct builder *b, const struct vgg_view *view, int when)
{
    if (view->n == 0 || view->arena != VGG_ARENA_ACT) return;
    struct vgg_span *span = &b->span[view->offset];
    if (when < span->first) span->first = when;
    if (when > span->last) span->last = when;
}

static void add(struct builder *b, struct vgg_op op)
{
    for (int i = 0; i < VGG_OP_VIEW_COUNT; i++)
        touch(b, vgg_op_view(&op, (enum vgg_op_view)i), b->ops);
    b->op[b->ops++] = op;
}

/* ---- forward ---- */

/* Has this layer a backward? */
static bool goes_back(const struct builder *b, int layer)
{
    return (b->training || b->spec->gradient) && layer >= b->low;
}

static bool is_int8(const struct builder *b)
{
    return b->spec->precision == VGG_PRECISION_INT8;
}

static bool fuses_pool(const struct builder *b, int layer)
{
    bool readable = (b->spec->keep_all && !is_int8(b)) || layer + 1 == b->spec->gradient;
    return !readable && layer + 1 < b->spec->last && b->arch->layer[layer + 1].kind == VGG_LAYER_MAXPOOL;
}

/* Of what lies between convolutions. */
static enum vgg_type inner_type(const struct builder *b)
{
    return is_int8(b) ? VGG_U8 : b->spec->halves && !b->spec->keep_all ? VGG_F16 : VGG_F32;
}

/* Where the output of layer i is what another convolution reads; what others read is fp32. */
static enum vgg_type type_above(const struct builder *b, int i)
{
    if (i + 1 == b->spec->gradient) return VGG_F32;
    for (int above = i + 1; above < b->spec->last; above++)
        if (b->arch->layer[above].kind == VGG_LAYER_CONV) return inner_type(b);
    return VGG_F32;
}

struct vgg_view vgg_plan_scales(const struct vgg_arch *arch, int index)
{
    size_t size = vgg_mem_round_up(VGG_QUANT_COUNT * sizeof(float), VGG_VIEW_ALIGN);
    return (struct vgg_view) {
        arch->param_size + (size_t)index * size, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, VGG_QUANT_COUNT
    };
}

/* A convolution with or without its pool; its scales where it reads or writes bytes. */
static void add_conv(struct builder *b, int i, unsigned flags, struct vgg_view x, struct vgg_view y,
                     struct vgg_view arg)
{
    const struct vgg_layer *layer = &b->arch->layer[i];
    struct vgg_op op = { VGG_OP_CONV, flags, i, .x = x, .w = layer->kernel, .b = layer->bias, .y = y, .arg = arg };
    if (x.type == VGG_U8 || y.type == VGG_U8) op.q = vgg_plan_scales(b->arch, i);
    add(b, op);
}

/* Adds layer i (and the pool above it when both are one operation); returns how many layers that were. */
static int add_forward(struct builder *b, int i, struct vgg_view x)
{
    const struct vgg_layer *layer = &b->arch->layer[i];
    int n = b->spec->batch;
    unsigned relu = layer->activation == VGG_RELU ? VGG_OP_RELU : 0;
    b->x[i] = x;
    if (layer->kind == VGG_LAYER_FLATTEN) {
        b->y[i] = x;
        b->y[i].h = b->y[i].w = 1;
        b->y[i].c = layer->c;
        return 1;
    }
    if (layer->kind == VGG_LAYER_DROPOUT && (!b->training || layer->rate == 0.0f)) {
        b->y[i] = x;
        return 1;
    }
    if (layer->kind == VGG_LAYER_CONV && fuses_pool(b, i)) {
        const struct vgg_layer *pool = layer + 1;
        struct vgg_view y = new_view(b, type_above(b, i + 1), n, pool->h, pool->w, pool->c), arg = { 0 };
        if (goes_back(b, i)) arg = new_view(b, VGG_U8, n, pool->h, pool->w, pool->c);
        add_conv(b, i, relu | VGG_OP_POOL, x, y, arg);
        b->y[i + 1] = y;
        b->arg[i + 1] = arg;
        return 2;
    }
    /* Dropout works in place, but never on the input, which belongs to the caller. */
    bool in_place = layer->kind == VGG_LAYER_DROPOUT && !b->spec->keep_all && i > b->spec->first &&
                    x.offset != b->plan->input.offset;
    enum vgg_type type = layer->kind == VGG_LAYER_CONV ? type_above(b, i) : VGG_F32;
    struct vgg_view y = in_place ? x : new_view(b, type, n, layer->h, layer->w, layer->c);
    switch (layer->kind) {
    case VGG_LAYER_CONV: add_conv(b, i, relu, x, y, (struct vgg_view) { 0 }); break;
    case VGG_LAYER_MAXPOOL:
        if (goes_back(b, i)) b->arg[i] = new_view(b, VGG_U8, n, layer->h, layer->w, layer->c);
        add(b, (struct vgg_op) { VGG_OP_POOL2, 0, i, .x = x, .y = y, .arg = b->arg[i] });
        break;
    case VGG_LAYER_AVGPOOL: add(b, (struct vgg_op) { VGG_OP_AVGPOOL, 0, i, .x = x, .y = y }); break;
    case VGG_LAYER_GMAXPOOL: add(b, (struct vgg_op) { VGG_OP_GMAXPOOL, 0, i, .x = x, .y = y }); break;
    case VGG_LAYER_DENSE:
        add(b, (struct vgg_op) { VGG_OP_DENSE, relu, i, .x = x, .w = layer->kernel, .b = layer->bias, .y = y });
        break;
    case VGG_LAYER_DROPOUT: add(b, (struct vgg_op) { VGG_OP_DROPOUT, 0, i, layer->rate, .x = x, .y = y }); break;
    case VGG_LAYER_FLATTEN: break;
    }
    b->y[i] = y;
    return 1;
}

/* The end of the forward stretch: pooling, probabilities, or the loss. Returns the gradient of the logits. */
static struct vgg_view add_output(struct builder *b, struct vgg_view y)
{
    const struct vgg_plan_spec *spec = b->spec;
    struct vgg_plan *plan = b->plan;
    const struct vgg_layer *layer = &b->arch->layer[spec->last - 1];
    bool sigmoid = layer->activation == VGG_SIGMOID;
    struct vgg_view dx = { 0 };
    int i = spec->last - 1;
    plan->output = y;
    if (spec->pooling != VGG_POOLING_NONE) {
        plan->output = new_view(b, VGG_F32, y.n, 1, 1, y.c);
        add(b, (struct vgg_op) { spec->pooling == VGG_POOLING_AVG ? VGG_OP_AVGPOOL : VGG_OP_GMAXPOOL, 0, i, .x = y,
                                 .y = plan->output });
    } else if (spec->loss) {
        plan->targets = new_view(b, VGG_F32, y.n, 1, 1, 1);
        plan->weights = new_view(b, VGG_F32, y.n, 1, 1, 1);
        plan->loss = new_view(b, VGG_F32, y.n, 1, 1, 1);
        plan->output = new_like(b, &y);
        if (b->training) dx = new_like(b, &y);
        add(b, (struct vgg_op) { sigmoid ? VGG_OP_SIGMOID_XENT : VGG_OP_SOFTMAX_XENT, 0, i, .x = y, .y = plan->output,
                                 .dx = dx, .t = plan->targets, .sw = plan->weights, .loss = plan->loss,
                                 .smoothing = b->training && !sigmoid ? spec->smoothing : 0.0f });
        touch(b, &plan->targets, BEFORE);
        touch(b, &plan->weights, BEFORE);
        touch(b, &plan->loss, AFTER);
    } else if (sigmoid || layer->activation == VGG_SOFTMAX) {
        add(b, (struct vgg_op) { sigmoid ? VGG_OP_SIGMOID : VGG_OP_SOFTMAX, 0, i, .x = y, .y = y });
    }
    touch(b, &plan->output, AFTER);
    if (spec->gradient) dx = plan->seed = new_like(b, &y);
    return dx;
}

/* ---- backward ---- */

/* The gradient of a parameter: where it is in the parameters, from the first trainable one on. */
static struct vgg_view gradient_of(const struct builder *b, struct vgg_view param)
{
    param.arena = VGG_ARENA_GRAD;
    param.offset -= b->plan->params.offset;
    return param;
}

/* Is layer i a convolution above another layer of that kind, whose gradient nobody reads? */
static bool is_conv_above(const struct builder *b, int i, enum vgg_layer_kind kind)
{
    const struct vgg_layer *layer = &b->arch->layer[i];
    return !b->spec->keep_all && i > 0 && i < b->spec->last && layer->kind == VGG_LAYER_CONV && layer[-1].kind == kind;
}

/* VGG_OP_RELU when the gradient of layer i's input must be masked by that input: it came out of a ReLU that nothing
 * else masks. A max-pool masks for itself, unless the convolution above it does: it then can write over what masks.
 * Dropout and flatten pass the mask on. The output of a layer whose backward does not run is not masked: what is wanted
 * is the gradient after its ReLU. */
static unsigned mask_below(const struct builder *b, int i)
{
    int below = i - 1;
    if (is_conv_above(b, i + 1, VGG_LAYER_MAXPOOL)) return 0;
    if (is_conv_above(b, i, VGG_LAYER_MAXPOOL) && below >= b->low) below--;
    while (below >= b->low &&
           (b->arch->layer[below].kind == VGG_LAYER_DROPOUT || b->arch->layer[below].kind == VGG_LAYER_FLATTEN)) {
        below--;
    }
    return below >= b->low && b->arch->layer[below].activation == VGG_RELU ? VGG_OP_RELU : 0;
}

/* What the forward stretch of the layer below made, made again where that one was not kept: the lowest that trains, so
 * that its input is there. */
static struct vgg_view add_again(struct builder *b, int i)
{
    struct vgg_view y = b->x[i];
    if (!b->spec->again || i != b->low + 1 || !is_conv_above(b, i, VGG_LAYER_CONV)) return y;
    y = new_like(b, &y);
    add_conv(b, i - 1, b->arch->layer[i - 1].activation == VGG_RELU ? VGG_OP_RELU : 0, b->x[i - 1], y,
             (struct vgg_view) { 0 });
    return y;
}

/* Adds the backward of layer i given dy, the gradient of its output before its ReLU; returns that of the layer below.
 */
static struct vgg_view add_backward(struct builder *b, int i, struct vgg_view dy)
{
    const struct vgg_layer *layer = &b->arch->layer[i];
    struct vgg_view x = b->x[i], y = { 0 }, dx = dy;
    unsigned mask = mask_below(b, i);
    bool conv = layer->kind == VGG_LAYER_CONV;
    switch (layer->kind) {
    case VGG_LAYER_CONV:
    case VGG_LAYER_DENSE:
        if (b->training) {
            x = add_again(b, i);
            add(b, (struct vgg_op) { conv ? VGG_OP_CONV_BWD_WEIGHT : VGG_OP_DENSE_BWD_WEIGHT, 0, i, .x = x, .dy = dy,
                                     .dw = gradient_of(b, layer->kernel), .db = gradient_of(b, layer->bias) });
            if (i == b->low) break;
        }
        dx = conv && mask && !b->spec->keep_all ? x : new_like(b, &x);
        add(b, (struct vgg_op) { conv ? VGG_OP_CONV_BWD_DATA : VGG_OP_DENSE_BWD_DATA, mask, i, .x = x, .dx = dx,
                                 .dy = dy, .w = layer->kernel });
        break;
    case VGG_LAYER_MAXPOOL: {
        int h, w, c;
        bool fused = b->y[i - 1].n == 0; /* then only this one's gradient sees the map */
        vgg_arch_shape(b->arch, i - 1, &h, &w, &c);
        dx = new_view(b, fused ? inner_type(b) : VGG_F32, dy.n, h, w, c);
        if (mask) y = b->y[i];
        add(b, (struct vgg_op) { VGG_OP_POOL2_BWD, mask, i, .y = y, .arg = b->arg[i], .dx = dx, .dy = dy });
        break;
    }
    case VGG_LAYER_AVGPOOL:
    case VGG_LAYER_GMAXPOOL:
        dx = new_like(b, &x);
        add(b, (struct vgg_op) { layer->kind == VGG_LAYER_AVGPOOL ? VGG_OP_AVGPOOL_BWD : VGG_OP_GMAXPOOL_BWD, mask, i,
                                 .x = x, .dx = dx, .dy = dy });
        break;
    case VGG_LAYER_DROPOUT:
        if (layer->rate == 0.0f || !b->training) break;
        if (b->spec->keep_all) dx = new_like(b, &dy);
        add(b, (struct vgg_op) { VGG_OP_DROPOUT_BWD, 0, i, layer->rate, .dx = dx, .dy = dy });
        break;
    case VGG_LAYER_FLATTEN: dx.h = x.h, dx.w = x.w, dx.c = x.c; break;
    }
    return dx;
}

/* How many blocks of the base stand above the one that layer i is of; 0 in the head. */
static int blocks_above(const struct vgg_arch *arch, int i)
{
    int block = 0, last = 0;
    if (i >= arch->base || sscanf(arch->layer[i].name, "block%d_", &block) != 1) return 0;
    for (int k = 0; k < arch->base; k++)
        sscanf(arch->layer[k].name, "block%d_", &last);
    return last - block;
}

/* The part of a flat range of trained parameters, or of what belongs to them, from layer `first` up to `end`. */
static struct vgg_view part_of(const struct builder *b, struct vgg_view whole, int first, int end)
{
    if (whole.n == 0) return whole;
    size_t from = b->arch->layer[first].kernel.offset - b->plan->params.offset;
    size_t to = end < b->arch->count ? b->arch->layer[end].kernel.offset - b->plan->params.offset
                                     : (size_t)whole.c * sizeof(float);
    whole.offset += from;
    whole.c = (int)((to - from) / sizeof(float));
    return whole;
}

/* One update for all layers, or one for those of each learning rate. */
static void add_rates(struct builder *b, struct vgg_op whole)
{
    const struct vgg_plan_spec *spec = b->spec;
    const struct vgg_arch *arch = b->arch;
    for (int first = b->low, end; first < arch->count; first = end) {
        int above = blocks_above(arch, first);
        struct vgg_op part = whole;
        end = spec->lr_decay == 0.0f ? arch->count : first + 1;
        while (end < arch->count && (arch->layer[end].kernel.n == 0 || blocks_above(arch, end) == above))
            end++;
        if (spec->lr_decay != 0.0f) part.hyper.rate = (float)pow((double)spec->lr_decay, above);
        part.layer = first;
        part.w = part_of(b, whole.w, first, end);
        part.dw = part_of(b, whole.dw, first, end);
        part.m = part_of(b, whole.m, first, end);
        part.v = part_of(b, whole.v, first, end);
        add(b, part);
    }
}

static void add_update(struct builder *b)
{
    static const enum vgg_op_kind kinds[] = {
        [VGG_OPTIMIZER_RMSPROP] = VGG_OP_RMSPROP,
        [VGG_OPTIMIZER_SGD] = VGG_OP_SGD,
        [VGG_OPTIMIZER_ADAM] = VGG_OP_ADAM,
        [VGG_OPTIMIZER_ADAMW] = VGG_OP_ADAMW,
    };
    const struct vgg_plan_spec *spec = b->spec;
    struct vgg_plan *plan = b->plan;
    size_t size = plan->arena_size[VGG_ARENA_GRAD];
    struct vgg_view moment = plan->grads;
    struct vgg_op update = {
        kinds[spec->optimizer], spec->nesterov ? VGG_OP_NESTEROV : 0, b->low, .w = plan->params, .dw = plan->grads,
        .hyper = spec->hyper
    };
    moment.arena = VGG_ARENA_MOMENT;
    if (vgg_op_keeps(&update, VGG_OP_M)) {
        update.m = plan->m = moment;
        moment.offset += size;
    }
    if (vgg_op_keeps(&update, VGG_OP_V)) {
        update.v = plan->v = moment;
        moment.offset += size;
    }
    plan->arena_size[VGG_ARENA_MOMENT] = moment.offset;
    if (spec->scaled) {
        plan->found = new_view(b, VGG_F32, 1, 1, 1, 1);
        add(b, (struct vgg_op) { VGG_OP_UNSCALE, 0, b->low, .y = plan->found, .dw = plan->grads });
        touch(b, &plan->found, AFTER);
    }
    if (spec->clip != 0.0f) add(b, (struct vgg_op) { VGG_OP_CLIP, 0, b->low, .dw = plan->grads, .limit = spec->clip });
    add_rates(b, update);
    add(b, (struct vgg_op) { VGG_OP_ZERO, 0, b->low, .y = plan->grads });
}

/* ---- the whole ---- */

static enum vgg_status check_spec(const struct vgg_plan_spec *spec)
{
    const struct vgg_arch *arch = spec->arch;
    if (spec->batch < 1) return vgg_fail(VGG_ERR_ARGUMENT, "batch %d: must be at least 1", spec->batch);
    if (spec->first < 0 || spec->first >= spec->last || spec->last > arch->count) {
        return vgg_fail(VGG_ERR_ARGUMENT, "layers %d to %d: the network has layers 0 to %d", spec->first,
                        spec->last - 1, arch->count - 1);
    }
    if (spec->loss && (spec->last != arch->count || vgg_arch_classes(arch) == 0)) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "the network must end in a softmax or sigmoid layer to have a loss; give it a head");
    }
    if (spec->trainable < arch->count && spec->trainable < spec->first) {
        return vgg_fail(VGG_ERR_ARGUMENT, "layer %s cannot train when the network starts above it",
                        arch->layer[spec->trainable].name);
    }
    if (spec->gradient && (spec->gradient <= spec->first || spec->gradient >= spec->last || spec->loss ||
                           spec->trainable < arch->count || spec->pooling != VGG_POOLING_NONE)) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "no gradient at the input of layer %d: there is one between the layers that "
                        "run, without loss, training and pooling",
                        spec->gradient);
    }
    if (spec->precision == VGG_PRECISION_INT8 && (spec->trainable < arch->count || spec->gradient)) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "precision int8: serves features and predictions; gradients need fp32");
    }
    if (arch->param_size / sizeof(float) > INT_MAX) {
        return vgg_fail(VGG_ERR_ARGUMENT, "the network has %zu parameters, more than 2^31; take fewer units",
                        arch->param_size / sizeof(float));
    }
    for (int i = spec->first; i < spec->last; i++) {
        const struct vgg_layer *layer = &arch->layer[i];
        int h, w, c;
        vgg_arch_shape(arch, i - 1, &h, &w, &c);
        double largest = (double)spec->batch * h * w * (c > layer->c ? c : layer->c);
        if (largest > (double)(1u << 31) - 1.0) {
            return vgg_fail(VGG_ERR_ARGUMENT,
                            "batch %d at %dx%d: layer %s would hold more than 2^31 values; take a smaller batch",
                            spec->batch, arch->h, arch->w, layer->name);
        }
    }
    return VGG_OK;
}

static void build(struct builder *b)
{
    const struct vgg_plan_spec *spec = b->spec;
    const struct vgg_arch *arch = b->arch;
    struct vgg_plan *plan = b->plan;
    b->low = spec->gradient ? spec->gradient : spec->trainable;
    while (!spec->gradient && b->low < arch->count && arch->layer[b->low].kernel.n == 0)
        b->low++;
    b->training = spec->loss && b->low < arch->count;

    int h, w, c;
    vgg_arch_shape(arch, spec->first - 1, &h, &w, &c);
    plan->input = new_view(b, VGG_F32, spec->batch, h, w, c);
    touch(b, &plan->input, BEFORE);
    struct vgg_view view = plan->input;
    for (int i = spec->first; i < spec->last;) {
        i += add_forward(b, i, view);
        view = b->y[i - 1];
    }
    struct vgg_view dy = add_output(b, view);
    plan->forward = (size_t)b->ops;

    plan->arena_size[VGG_ARENA_PARAM] = is_int8(b) ? vgg_plan_scales(arch, arch->count).offset : arch->param_size;
    if (b->training) {
        size_t from = arch->layer[b->low].kernel.offset, size = arch->param_size - from;
        plan->params = (struct vgg_view) { from, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, (int)(size / sizeof(float)) };
        plan->grads = (struct vgg_view) { 0, VGG_ARENA_GRAD, VGG_F32, 1, 1, 1, plan->params.c };
        plan->arena_size[VGG_ARENA_GRAD] = size;
    }
    for (int i = spec->last - 1; i >= b->low && goes_back(b, i); i--) {
        plan->delta[i] = dy;
        dy = add_backward(b, i, dy);
    }
    plan->backward = (size_t)b->ops - plan->forward;
    if (spec->gradient) {
        plan->kept = b->y[spec->gradient - 1];
        plan->slope = dy;
        touch(b, &plan->kept, AFTER);
        touch(b, &plan->slope, AFTER);
    }
    if (b->training) {
        add_update(b);
        plan->update = (size_t)b->ops - plan->forward - plan->backward;
    }
    for (int i = spec->first; i < spec->last && spec->keep_all; i++) {
        plan->activation[i] = b->y[i];
        touch(b, &b->y[i], AFTER);
        touch(b, &plan->delta[i], AFTER);
    }
}

/* Turns span numbers into offsets. */
static void resolve(const struct builder *b, struct vgg_view *view)
{
    if (view->n != 0 && view->arena == VGG_ARENA_ACT) view->offset = b->span[view->offset].offset;
}

static void resolve_all(struct builder *b)
{
    struct vgg_plan *plan = b->plan;
    plan->arena_size[VGG_ARENA_ACT] = vgg_arena_place(b->span, b->spans);
    for (int i = 0; i < b->ops; i++) {
        for (int k = 0; k < VGG_OP_VIEW_COUNT; k++)
            resolve(b, (struct vgg_view *)vgg_op_view(&b->op[i], (enum vgg_op_view)k));
    }
    struct vgg_view *ends[] = { &plan->input, &plan->output, &plan->targets, &plan->weights, &plan->loss,
                                &plan->seed,  &plan->kept,   &plan->slope,   &plan->found };
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
        resolve(b, ends[k]);
    for (int i = 0; i < b->arch->count; i++) {
        resolve(b, &plan->activation[i]);
        if (b->spec->keep_all)
            resolve(b, &plan->delta[i]);
        else
            plan->delta[i] = (struct vgg_view) { 0 };
    }
}

enum vgg_status vgg_plan_build(struct vgg_plan **out, const struct vgg_plan_spec *spec)
{
    enum vgg_status status = VGG_OK;
    struct builder *b = NULL;
    struct vgg_plan *plan = NULL;
    *out = NULL;
    CHECK(check_spec(spec));
    b = vgg_mem_calloc(1, sizeof *b);
    plan = vgg_mem_calloc(1, sizeof *plan);
    if (!b || !plan) CHECK(vgg_fail_memory("a plan", sizeof *b));
    b->spec = spec, b->arch = spec->arch, b->plan = plan;
    build(b);
    resolve_all(b);
    plan->op = vgg_mem_calloc((size_t)b->ops, sizeof *plan->op);
    if (!plan->op) CHECK(vgg_fail_memory("a plan", (size_t)b->ops * sizeof *plan->op));
    for (int i = 0; i < b->ops; i++) {
        const char *why;
        plan->op[i] = b->op[i];
        if (!vgg_op_check(&plan->op[i], plan->arena_size, &why)) {
            CHECK(vgg_fail(VGG_ERR_ARGUMENT, "layer %s: %s", spec->arch->layer[b->op[i].layer].name, why));
        }
    }
    free(b);
    *out = plan;
    return VGG_OK;
fail:
    free(b);
    vgg_plan_destroy(plan);
    return status;
}

void vgg_plan_destroy(struct vgg_plan *plan)
{
    if (!plan) return;
    free(plan->op);
    free(plan);
}
