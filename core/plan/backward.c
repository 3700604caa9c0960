/* The second stretch of a plan's list: gradients, from the scores down. */
#include "core/plan/builder.h"

/* The gradient of a parameter: where it is in the parameters, from the first trainable one on. */
static struct vgg_view gradient_of(const struct vgg_builder *b, struct vgg_view param)
{
    param.arena = VGG_ARENA_GRAD;
    param.offset -= b->plan->params.offset;
    return param;
}

/* Is layer i a convolution above another layer of that kind, whose gradient nobody reads? */
static bool is_conv_above(const struct vgg_builder *b, int i, enum vgg_layer_kind kind)
{
    const struct vgg_layer *layer = &b->arch->layer[i];
    return !b->spec->keep_all && i > 0 && i < b->spec->last && layer->kind == VGG_LAYER_CONV && layer[-1].kind == kind;
}

/* VGG_OP_RELU when the gradient of layer i's input must be masked by that input: it came out of a ReLU that nothing
 * else masks. A max-pool masks for itself, unless the convolution above it does: it then can write over what masks.
 * Dropout and flatten pass the mask on. The output of a layer whose backward does not run is not masked: what is wanted
 * is the gradient after its ReLU. */
static unsigned mask_below(const struct vgg_builder *b, int i)
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
static struct vgg_view add_again(struct vgg_builder *b, int i)
{
    struct vgg_view y = b->x[i];
    if (!b->spec->again || i != b->low + 1 || !is_conv_above(b, i, VGG_LAYER_CONV)) return y;
    y = vgg_builder_like(b, &y);
    vgg_builder_conv(b, i - 1, b->arch->layer[i - 1].activation == VGG_RELU ? VGG_OP_RELU : 0, b->x[i - 1], y,
                     (struct vgg_view) { 0 });
    return y;
}

struct vgg_view vgg_builder_backward(struct vgg_builder *b, int i, struct vgg_view dy)
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
            vgg_builder_add(b, (struct vgg_op) { conv ? VGG_OP_CONV_BWD_WEIGHT : VGG_OP_DENSE_BWD_WEIGHT, 0, i, .x = x,
                                                 .dy = dy, .dw = gradient_of(b, layer->kernel),
                                                 .db = gradient_of(b, layer->bias) });
            if (i == b->low) break;
        }
        dx = conv && mask && !b->spec->keep_all ? x : vgg_builder_like(b, &x);
        vgg_builder_add(b, (struct vgg_op) { conv ? VGG_OP_CONV_BWD_DATA : VGG_OP_DENSE_BWD_DATA, mask, i, .x = x,
                                             .dx = dx, .dy = dy, .w = layer->kernel });
        break;
    case VGG_LAYER_MAXPOOL: {
        int h, w, c;
        bool fused = b->y[i - 1].n == 0; /* then only this one's gradient sees the map */
        vgg_arch_shape(b->arch, i - 1, &h, &w, &c);
        dx = vgg_builder_view(b, fused ? vgg_builder_inner_type(b) : VGG_F32, dy.n, h, w, c);
        if (mask) y = b->y[i];
        vgg_builder_add(b, (struct vgg_op) { VGG_OP_POOL2_BWD, mask, i, .y = y, .arg = b->arg[i], .dx = dx, .dy = dy });
        break;
    }
    case VGG_LAYER_AVGPOOL:
    case VGG_LAYER_GMAXPOOL:
        dx = vgg_builder_like(b, &x);
        vgg_builder_add(b,
                        (struct vgg_op) { layer->kind == VGG_LAYER_AVGPOOL ? VGG_OP_AVGPOOL_BWD : VGG_OP_GMAXPOOL_BWD,
                                          mask, i, .x = x, .dx = dx, .dy = dy });
        break;
    case VGG_LAYER_DROPOUT:
        if (layer->rate == 0.0f || !b->training) break;
        if (b->spec->keep_all) dx = vgg_builder_like(b, &dy);
        vgg_builder_add(b, (struct vgg_op) { VGG_OP_DROPOUT_BWD, 0, i, layer->rate, .dx = dx, .dy = dy });
        break;
    case VGG_LAYER_FLATTEN: dx.h = x.h, dx.w = x.w, dx.c = x.c; break;
    }
    return dx;
}
