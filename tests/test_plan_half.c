/* Plans with tensors of fp16: which tensors are, that all read outside is of floats, and what memory that leaves. */
#include <stdio.h>

#include "plans.h"

static bool is_inner(const struct vgg_arch *arch, int layer)
{
    for (int above = layer + 1; above < arch->count; above++)
        if (arch->layer[above].kind == VGG_LAYER_CONV) return true;
    return false;
}

/* Layer of the map that an operation writes forward: a pool's where it is fused. */
static int written(const struct vgg_op *op)
{
    return op->layer + (op->flags & VGG_OP_POOL ? 1 : 0);
}

Test(plan_half, halves_between_convolutions)
{
    struct vgg_arch arch = plans_arch("vgg13", 64, 96, NULL, "flatten,dense:8:relu,dropout:0.5,dense:3:softmax");
    struct vgg_plan_spec spec = { .arch = &arch, .batch = 2, .last = arch.count, .loss = true, .halves = true };
    struct vgg_plan *plan = plans_build(&spec);
    int halves = 0;
    for (size_t i = 0; i < plan->forward + plan->backward; i++) {
        const struct vgg_op *op = &plan->op[i];
        bool first = op->layer == 0, last = !is_inner(&arch, written(op));
        enum vgg_type x = first ? VGG_F32 : VGG_F16, y = last ? VGG_F32 : VGG_F16;
        halves += vgg_op_has_halves(op);
        switch (op->kind) {
        case VGG_OP_CONV: cr_expect(op->x.type == x && op->y.type == y, "operation %zu", i); break;
        case VGG_OP_CONV_BWD_WEIGHT: cr_expect(op->x.type == x && op->dy.type == VGG_F16, "operation %zu", i); break;
        case VGG_OP_CONV_BWD_DATA: cr_expect(op->dx.type == VGG_F16 && op->dy.type == VGG_F16); break;
        case VGG_OP_POOL2_BWD:
            last = !is_inner(&arch, op->layer);
            cr_expect(op->dx.type == VGG_F16 && op->dy.type == (last ? VGG_F32 : VGG_F16), "operation %zu", i);
            if (op->flags & VGG_OP_RELU) cr_expect_eq(op->y.type, op->dy.type);
            break;
        default: cr_expect_not(vgg_op_has_halves(op), "operation %zu: %s", i, vgg_op_name(op->kind));
        }
    }
    cr_expect_eq(halves, 10 + 10 + 9 + 5);
    const struct vgg_view *ends[] = { &plan->input,   &plan->output, &plan->loss, &plan->targets,
                                      &plan->weights, &plan->params, &plan->grads };
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
        cr_expect_eq(ends[k]->type, VGG_F32);
    vgg_plan_destroy(plan);
}

/* What is read outside is of floats: every layer's output as features, everything with keep_all, both sides of a
 * gradient. */
Test(plan_half, halves_stay_inside)
{
    struct vgg_arch arch = plans_arch("vgg11", 64, 64, NULL, "gap,dense:3:softmax");
    for (int last = 1; last <= arch.count; last++) {
        struct vgg_plan_spec spec = {
            .arch = &arch, .batch = 1, .last = last, .trainable = arch.count, .halves = true
        };
        struct vgg_plan *plan = plans_build(&spec);
        cr_expect_eq(plan->output.type, VGG_F32, "up to layer %d", last);
        vgg_plan_destroy(plan);
        spec.last = arch.count, spec.gradient = last;
        if (last == arch.count) continue;
        plan = plans_build(&spec);
        cr_expect_eq(plan->kept.type, VGG_F32, "gradient of layer %d", last);
        cr_expect_eq(plan->slope.type, VGG_F32, "gradient of layer %d", last);
        cr_expect_eq(plan->seed.type, VGG_F32);
        vgg_plan_destroy(plan);
    }
    struct vgg_plan_spec all = {
        .arch = &arch, .batch = 1, .last = arch.count, .loss = true, .keep_all = true, .halves = true
    };
    struct vgg_plan *plan = plans_build(&all);
    for (size_t i = 0; i < plan->forward + plan->backward + plan->update; i++)
        cr_expect_not(vgg_op_has_halves(&plan->op[i]));
    vgg_plan_destroy(plan);
}

static double bytes_of(const struct vgg_op *op, size_t count)
{
    double bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += vgg_op_bytes(&op[i]);
    return bytes;
}

/* A training step of the base by Adam at 224x224: all arenas, and what the two passes move. */
Test(plan_half, halves_take_half_the_memory)
{
    struct vgg_arch arch = plans_arch("vgg16", 224, 224, NULL, "gap,dense:10:softmax");
    for (int batch = 8; batch <= 32; batch += 24) {
        size_t size[2] = { 0, 0 }, maps[2];
        double forward[2], backward[2];
        for (int halves = 0; halves < 2; halves++) {
            struct vgg_plan_spec spec = { .arch = &arch,
                                          .batch = batch,
                                          .last = arch.count,
                                          .loss = true,
                                          .optimizer = VGG_OPTIMIZER_ADAM,
                                          .halves = halves };
            struct vgg_plan *plan = plans_build(&spec);
            for (int i = 0; i < VGG_ARENA_COUNT; i++)
                size[halves] += plan->arena_size[i];
            maps[halves] = plan->arena_size[VGG_ARENA_ACT];
            forward[halves] = bytes_of(plan->op, plan->forward);
            backward[halves] = bytes_of(plan->op + plan->forward, plan->backward);
            vgg_plan_destroy(plan);
        }
        double whole = (double)size[1] / (double)size[0], acts = (double)maps[1] / (double)maps[0];
        printf("batch %d: %.3f of the memory, %.3f of the activations', %.3f and %.3f of the bytes moved\n", batch,
               whole, acts, forward[1] / forward[0], backward[1] / backward[0]);
        cr_expect_leq(acts, 0.55);
        cr_expect_leq(whole, batch == 8 ? 0.75 : 0.61); /* parameters, gradients and moments are 225 MiB always */
        cr_expect_leq(forward[1], 0.57 * forward[0]);
        cr_expect_leq(backward[1], 0.57 * backward[0]);
    }
}
