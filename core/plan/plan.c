#include "core/plan/plan.h"

#include <limits.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/plan/builder.h"

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

static void build(struct vgg_builder *b)
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
    plan->input = vgg_builder_view(b, VGG_F32, spec->batch, h, w, c);
    vgg_builder_touch(b, &plan->input, VGG_BUILDER_BEFORE);
    struct vgg_view view = plan->input;
    for (int i = spec->first; i < spec->last;) {
        i += vgg_builder_forward(b, i, view);
        view = b->y[i - 1];
    }
    struct vgg_view dy = vgg_builder_output(b, view);
    plan->forward = (size_t)b->ops;

    plan->arena_size[VGG_ARENA_PARAM] =
        vgg_builder_is_int8(b) ? vgg_plan_scales(arch, arch->count).offset : arch->param_size;
    if (b->training) {
        size_t from = arch->layer[b->low].kernel.offset, size = arch->param_size - from;
        plan->params = (struct vgg_view) { from, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, (int)(size / sizeof(float)) };
        plan->grads = (struct vgg_view) { 0, VGG_ARENA_GRAD, VGG_F32, 1, 1, 1, plan->params.c };
        plan->arena_size[VGG_ARENA_GRAD] = size;
    }
    for (int i = spec->last - 1; i >= b->low && vgg_builder_goes_back(b, i); i--) {
        plan->delta[i] = dy;
        dy = vgg_builder_backward(b, i, dy);
    }
    plan->backward = (size_t)b->ops - plan->forward;
    if (spec->gradient) {
        plan->kept = b->y[spec->gradient - 1];
        plan->slope = dy;
        vgg_builder_touch(b, &plan->kept, VGG_BUILDER_AFTER);
        vgg_builder_touch(b, &plan->slope, VGG_BUILDER_AFTER);
    }
    if (b->training) {
        vgg_builder_update(b);
        plan->update = (size_t)b->ops - plan->forward - plan->backward;
    }
    for (int i = spec->first; i < spec->last && spec->keep_all; i++) {
        plan->activation[i] = b->y[i];
        vgg_builder_touch(b, &b->y[i], VGG_BUILDER_AFTER);
        vgg_builder_touch(b, &plan->delta[i], VGG_BUILDER_AFTER);
    }
}

/* Turns span numbers into offsets. */
static void resolve(const struct vgg_builder *b, struct vgg_view *view)
{
    if (view->n != 0 && view->arena == VGG_ARENA_ACT) view->offset = b->span[view->offset].offset;
}

static void resolve_all(struct vgg_builder *b)
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
    struct vgg_builder *b = NULL;
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
