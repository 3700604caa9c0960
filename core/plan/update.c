/* The third stretch of a plan's list: what the gradients do to the parameters. */
#include <math.h>
#include <stdio.h>

#include "core/plan/builder.h"

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
static struct vgg_view part_of(const struct vgg_builder *b, struct vgg_view whole, int first, int end)
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
static void add_rates(struct vgg_builder *b, struct vgg_op whole)
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
        vgg_builder_add(b, part);
    }
}

void vgg_builder_update(struct vgg_builder *b)
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
        plan->found = vgg_builder_view(b, VGG_F32, 1, 1, 1, 1);
        vgg_builder_add(b, (struct vgg_op) { VGG_OP_UNSCALE, 0, b->low, .y = plan->found, .dw = plan->grads });
        vgg_builder_touch(b, &plan->found, VGG_BUILDER_AFTER);
    }
    if (spec->clip != 0.0f)
        vgg_builder_add(b, (struct vgg_op) { VGG_OP_CLIP, 0, b->low, .dw = plan->grads, .limit = spec->clip });
    add_rates(b, update);
    vgg_builder_add(b, (struct vgg_op) { VGG_OP_ZERO, 0, b->low, .y = plan->grads });
}
