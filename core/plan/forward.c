/* The first stretch of a plan's list, and the end that it has: features, probabilities or a loss. */
#include "core/plan/builder.h"

static bool fuses_pool(const struct vgg_builder *b, int layer)
{
    bool readable = (b->spec->keep_all && !vgg_builder_is_int8(b)) || layer + 1 == b->spec->gradient;
    return !readable && layer + 1 < b->spec->last && b->arch->layer[layer + 1].kind == VGG_LAYER_MAXPOOL;
}

/* Where the output of layer i is what another convolution reads; what others read is fp32. */
static enum vgg_type type_above(const struct vgg_builder *b, int i)
{
    if (i + 1 == b->spec->gradient) return VGG_F32;
    for (int above = i + 1; above < b->spec->last; above++)
        if (b->arch->layer[above].kind == VGG_LAYER_CONV) return vgg_builder_inner_type(b);
    return VGG_F32;
}

int vgg_builder_forward(struct vgg_builder *b, int i, struct vgg_view x)
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
        struct vgg_view y = vgg_builder_view(b, type_above(b, i + 1), n, pool->h, pool->w, pool->c), arg = { 0 };
        if (vgg_builder_goes_back(b, i)) arg = vgg_builder_view(b, VGG_U8, n, pool->h, pool->w, pool->c);
        vgg_builder_conv(b, i, relu | VGG_OP_POOL, x, y, arg);
        b->y[i + 1] = y;
        b->arg[i + 1] = arg;
        return 2;
    }
    /* Dropout works in place, but never on the input, which belongs to the caller. */
    bool in_place = layer->kind == VGG_LAYER_DROPOUT && !b->spec->keep_all && i > b->spec->first &&
                    x.offset != b->plan->input.offset;
    enum vgg_type type = layer->kind == VGG_LAYER_CONV ? type_above(b, i) : VGG_F32;
    struct vgg_view y = in_place ? x : vgg_builder_view(b, type, n, layer->h, layer->w, layer->c);
    switch (layer->kind) {
    case VGG_LAYER_CONV: vgg_builder_conv(b, i, relu, x, y, (struct vgg_view) { 0 }); break;
    case VGG_LAYER_MAXPOOL:
        if (vgg_builder_goes_back(b, i)) b->arg[i] = vgg_builder_view(b, VGG_U8, n, layer->h, layer->w, layer->c);
        vgg_builder_add(b, (struct vgg_op) { VGG_OP_POOL2, 0, i, .x = x, .y = y, .arg = b->arg[i] });
        break;
    case VGG_LAYER_AVGPOOL: vgg_builder_add(b, (struct vgg_op) { VGG_OP_AVGPOOL, 0, i, .x = x, .y = y }); break;
    case VGG_LAYER_GMAXPOOL: vgg_builder_add(b, (struct vgg_op) { VGG_OP_GMAXPOOL, 0, i, .x = x, .y = y }); break;
    case VGG_LAYER_DENSE:
        vgg_builder_add(
            b, (struct vgg_op) { VGG_OP_DENSE, relu, i, .x = x, .w = layer->kernel, .b = layer->bias, .y = y });
        break;
    case VGG_LAYER_DROPOUT:
        vgg_builder_add(b, (struct vgg_op) { VGG_OP_DROPOUT, 0, i, layer->rate, .x = x, .y = y });
        break;
    case VGG_LAYER_FLATTEN: break;
    }
    b->y[i] = y;
    return 1;
}

struct vgg_view vgg_builder_output(struct vgg_builder *b, struct vgg_view y)
{
    const struct vgg_plan_spec *spec = b->spec;
    struct vgg_plan *plan = b->plan;
    const struct vgg_layer *layer = &b->arch->layer[spec->last - 1];
    bool sigmoid = layer->activation == VGG_SIGMOID;
    struct vgg_view dx = { 0 };
    int i = spec->last - 1;
    plan->output = y;
    if (spec->pooling != VGG_POOLING_NONE) {
        plan->output = vgg_builder_view(b, VGG_F32, y.n, 1, 1, y.c);
        vgg_builder_add(b, (struct vgg_op) { spec->pooling == VGG_POOLING_AVG ? VGG_OP_AVGPOOL : VGG_OP_GMAXPOOL, 0, i,
                                             .x = y, .y = plan->output });
    } else if (spec->loss) {
        plan->targets = vgg_builder_view(b, VGG_F32, y.n, 1, 1, 1);
        plan->weights = vgg_builder_view(b, VGG_F32, y.n, 1, 1, 1);
        plan->loss = vgg_builder_view(b, VGG_F32, y.n, 1, 1, 1);
        plan->output = vgg_builder_like(b, &y);
        if (b->training) dx = vgg_builder_like(b, &y);
        vgg_builder_add(b, (struct vgg_op) { sigmoid ? VGG_OP_SIGMOID_XENT : VGG_OP_SOFTMAX_XENT, 0, i, .x = y,
                                             .y = plan->output, .dx = dx, .t = plan->targets, .sw = plan->weights,
                                             .loss = plan->loss,
                                             .smoothing = b->training && !sigmoid ? spec->smoothing : 0.0f });
        vgg_builder_touch(b, &plan->targets, VGG_BUILDER_BEFORE);
        vgg_builder_touch(b, &plan->weights, VGG_BUILDER_BEFORE);
        vgg_builder_touch(b, &plan->loss, VGG_BUILDER_AFTER);
    } else if (sigmoid || layer->activation == VGG_SOFTMAX) {
        vgg_builder_add(b, (struct vgg_op) { sigmoid ? VGG_OP_SIGMOID : VGG_OP_SOFTMAX, 0, i, .x = y, .y = y });
    }
    vgg_builder_touch(b, &plan->output, VGG_BUILDER_AFTER);
    if (spec->gradient) dx = plan->seed = vgg_builder_like(b, &y);
    return dx;
}
