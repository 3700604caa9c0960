#include "core/plan/builder.h"

#include "core/base/mem.h"

struct vgg_view vgg_builder_view(struct vgg_builder *b, enum vgg_type type, int n, int h, int w, int c)
{
    struct vgg_view view = {
        .offset = (size_t)b->spans, .arena = VGG_ARENA_ACT, .type = type, .n = n, .h = h, .w = w, .c = c
    };
    b->span[b->spans++] =
        (struct vgg_span) { .size = vgg_view_size(&view), .first = VGG_BUILDER_AFTER, .last = VGG_BUILDER_BEFORE };
    return view;
}

struct vgg_view vgg_builder_like(struct vgg_builder *b, const struct vgg_view *like)
{
    return vgg_builder_view(b, like->type, like->n, like->h, like->w, like->c);
}

void vgg_builder_touch(struct vgg_builder *b, const struct vgg_view *view, int when)
{
    if (view->n == 0 || view->arena != VGG_ARENA_ACT) return;
    struct vgg_span *span = &b->span[view->offset];
    if (when < span->first) span->first = when;
    if (when > span->last) span->last = when;
}

void vgg_builder_add(struct vgg_builder *b, struct vgg_op op)
{
    for (int i = 0; i < VGG_OP_VIEW_COUNT; i++)
        vgg_builder_touch(b, vgg_op_view(&op, (enum vgg_op_view)i), b->ops);
    b->op[b->ops++] = op;
}

bool vgg_builder_goes_back(const struct vgg_builder *b, int layer)
{
    return (b->training || b->spec->gradient) && layer >= b->low;
}

bool vgg_builder_is_int8(const struct vgg_builder *b)
{
    return b->spec->precision == VGG_PRECISION_INT8;
}

enum vgg_type vgg_builder_inner_type(const struct vgg_builder *b)
{
    return vgg_builder_is_int8(b) ? VGG_U8 : b->spec->halves && !b->spec->keep_all ? VGG_F16 : VGG_F32;
}

struct vgg_view vgg_plan_scales(const struct vgg_arch *arch, int index)
{
    size_t size = vgg_mem_round_up(VGG_QUANT_COUNT * sizeof(float), VGG_VIEW_ALIGN);
    return (struct vgg_view) {
        arch->param_size + (size_t)index * size, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, VGG_QUANT_COUNT
    };
}

void vgg_builder_conv(struct vgg_builder *b, int i, unsigned flags, struct vgg_view x, struct vgg_view y,
                      struct vgg_view arg)
{
    const struct vgg_layer *layer = &b->arch->layer[i];
    struct vgg_op op = { VGG_OP_CONV, flags, i, .x = x, .w = layer->kernel, .b = layer->bias, .y = y, .arg = arg };
    if (x.type == VGG_U8 || y.type == VGG_U8) op.q = vgg_plan_scales(b->arch, i);
    vgg_builder_add(b, op);
}
