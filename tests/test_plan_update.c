/* The update stretch of a plan: every parameter that trains is updated once, at its block's rate, with its own gradient
 * and moments; clipping and unscaling come before. What is refused says what there is. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plans.h"

static char said[512];

static void hear(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level;
    snprintf(said, sizeof said, "%s", line);
}

/* The rate that a layer must have, from its name. */
static float rate_of(const struct vgg_layer *layer, float decay)
{
    bool base = strncmp(layer->name, "block", 5) == 0;
    float rate = 1;
    for (int block = base ? layer->name[5] - '0' : 5; block < 5; block++)
        rate *= decay;
    return decay == 0 ? 1 : rate;
}

/* Is this the part of `all` for parameters [from, to) of those that train? */
static void expect_part(const struct vgg_view *part, const struct vgg_view *all, size_t from, size_t to,
                        const char *what)
{
    if (all->n == 0) {
        cr_expect_eq(part->n, 0, "%s", what);
        return;
    }
    cr_expect(part->arena == all->arena && part->type == VGG_F32 && part->n == 1 && part->h == 1 && part->w == 1, "%s",
              what);
    cr_expect_eq(part->offset, all->offset + from, "%s", what);
    cr_expect_eq(vgg_view_size(part), to - from, "%s: %zu bytes, not %zu", what, vgg_view_size(part), to - from);
}

static void expect_update(const struct vgg_plan_spec *spec, const struct vgg_plan *plan, const char *where)
{
    const struct vgg_arch *arch = spec->arch;
    size_t at = plan->forward + plan->backward, end = at + plan->update, done = plan->params.offset;
    int low = spec->trainable;
    while (arch->layer[low].kernel.n == 0)
        low++;
    cr_expect_eq(plan->params.offset, arch->layer[low].kernel.offset, "%s", where);
    cr_expect_eq(plan->params.offset + vgg_view_size(&plan->params), arch->param_size, "%s", where);
    cr_expect(plan->grads.arena == VGG_ARENA_GRAD && plan->grads.offset == 0 && plan->grads.c == plan->params.c);
    if (spec->scaled) {
        cr_assert(plan->op[at].kind == VGG_OP_UNSCALE && plan->op[at].flags == 0, "%s", where);
        cr_expect(plan->op[at].dw.offset == 0 && plan->op[at].dw.c == plan->grads.c);
        cr_expect(plan->found.n == 1 && vgg_view_size(&plan->found) == sizeof(float) && plan->found.type == VGG_F32);
        cr_expect_eq(plan->op[at++].y.offset, plan->found.offset);
    }
    if (spec->clip != 0) {
        cr_assert_eq(plan->op[at].kind, VGG_OP_CLIP, "%s", where);
        cr_expect_eq(plan->op[at].limit, spec->clip);
        cr_expect_eq(plan->op[at++].dw.c, plan->grads.c);
    }
    for (; at + 1 < end; at++) {
        const struct vgg_op *op = &plan->op[at];
        size_t size = vgg_view_size(&op->w), from = done - plan->params.offset;
        cr_assert(op->kind == VGG_OP_ADAM || op->kind == VGG_OP_SGD || op->kind == VGG_OP_RMSPROP, "%s", where);
        cr_expect_eq(op->flags, 0u, "%s", where);
        cr_assert_eq(op->w.offset, done, "%s: a gap or an overlap", where);
        expect_part(&op->w, &plan->params, from, from + size, where);
        expect_part(&op->dw, &plan->grads, from, from + size, where);
        expect_part(&op->m, &plan->m, from, from + size, where);
        expect_part(&op->v, &plan->v, from, from + size, where);
        float rate = spec->lr_decay == 0 ? op->hyper.rate : rate_of(&arch->layer[op->layer], spec->lr_decay);
        cr_expect_float_eq(op->hyper.rate, rate, 1e-7, "%s: rate %g of layer %s", where, (double)op->hyper.rate,
                           arch->layer[op->layer].name);
        done += size;
        for (int i = low; i < arch->count; i++) { /* all in it are of one rate, and the next is of another */
            const struct vgg_layer *layer = &arch->layer[i];
            if (layer->kernel.n == 0 || spec->lr_decay == 0) continue;
            bool inside = layer->kernel.offset >= op->w.offset && layer->kernel.offset < done;
            if (inside) cr_expect_float_eq(rate_of(layer, spec->lr_decay), rate, 1e-7, "%s: %s", where, layer->name);
            if (layer->kernel.offset == done)
                cr_expect_gt(rate_of(layer, spec->lr_decay), rate, "%s: %s apart", where, layer->name);
        }
    }
    cr_expect_eq(done, arch->param_size, "%s: parameters left out", where);
    cr_assert_eq(plan->op[at].kind, VGG_OP_ZERO, "%s", where);
    cr_expect(plan->op[at].y.arena == VGG_ARENA_GRAD && plan->op[at].y.offset == 0 &&
              plan->op[at].y.c == plan->grads.c);
    size_t grads = plan->arena_size[VGG_ARENA_GRAD], moments = (plan->m.n ? 1u : 0u) + (plan->v.n ? 1u : 0u);
    cr_expect_eq(plan->arena_size[VGG_ARENA_MOMENT], moments * grads, "%s", where);
    if (plan->m.n && plan->v.n) cr_expect_eq(plan->v.offset, plan->m.offset + grads, "%s: moments that overlap", where);
}

Test(plan_update, each_parameter_once)
{
    static const char *const trainable[] = { "head", "block5", "block4_conv2", "block2_pool", "block1_conv2", "all" };
    static const enum vgg_optimizer optimizers[] = { VGG_OPTIMIZER_ADAM, VGG_OPTIMIZER_SGD, VGG_OPTIMIZER_RMSPROP };
    struct vgg_arch arch = plans_arch("vgg13", 33, 47, NULL, "flatten,dense:6:relu,dropout:0.5,dense:3:softmax");
    for (size_t t = 0; t < sizeof trainable / sizeof *trainable; t++) {
        for (int variant = 0; variant < 24; variant++) {
            char where[80];
            struct vgg_plan *plan;
            struct vgg_plan_spec spec = { .arch = &arch,
                                          .batch = 2,
                                          .last = arch.count,
                                          .loss = true,
                                          .trainable = vgg_arch_trainable(&arch, trainable[t]),
                                          .optimizer = optimizers[variant % 3],
                                          .hyper = { .momentum = variant % 2 ? 0.9f : 0, .rate = 1 },
                                          .scaled = variant / 3 % 2,
                                          .clip = variant / 6 % 2 ? 2.5f : 0,
                                          .lr_decay = variant >= 12 ? 0.5f : 0 };
            snprintf(where, sizeof where, "%s, variant %d", trainable[t], variant);
            cr_assert_eq(vgg_plan_build(&plan, &spec), VGG_OK, "%s", where);
            cr_expect_geq(plan->update, 2 + (size_t)(spec.scaled + (spec.clip != 0)), "%s", where);
            expect_update(&spec, plan, where);
            vgg_plan_destroy(plan);
        }
    }
}

static void refuse(const struct vgg_plan_spec *spec, const char *words)
{
    struct vgg_plan *plan;
    *said = '\0';
    vgg_log_set(hear, NULL, VGG_LOG_ERROR);
    cr_expect_neq(vgg_plan_build(&plan, spec), VGG_OK, "%s", words);
    cr_expect_null(plan);
    cr_expect_not_null(strstr(said, words), "%s, not %s", said, words);
}

Test(plan_update, refusals_say_what_there_is)
{
    struct vgg_arch base = plans_arch("vgg13", 33, 47, NULL, NULL);
    struct vgg_arch full = plans_arch("vgg13", 33, 47, NULL, "flatten,dense:3:softmax");
    struct vgg_plan_spec good = { .arch = &full, .batch = 1, .last = full.count, .loss = true }, bad;
    cr_assert_eq(full.count, 17);
    bad = good, bad.last = 18, refuse(&bad, "layers 0 to 17: the network has layers 0 to 16");
    bad = good, bad.first = -1, refuse(&bad, "layers -1 to 16: the network has layers 0 to 16");
    bad = good, bad.first = 5, bad.last = 5, refuse(&bad, "layers 5 to 4");
    bad = good, bad.first = 3, bad.trainable = 2, refuse(&bad, "layer block1_pool cannot train");
    bad = good, bad.batch = 0, refuse(&bad, "batch 0: must be at least 1");
    /* An input that alone is too large, of a pool that the network starts with. */
    int pixels = 33 * 47 * 64, most = INT32_MAX / pixels;
    bad = (struct vgg_plan_spec) { .arch = &base, .batch = most + 1, .first = 2, .last = 3, .trainable = base.count };
    refuse(&bad, "layer block1_pool would hold more than 2^31 values");
    struct vgg_plan *plan;
    bad.batch = most;
    cr_assert_eq(vgg_plan_build(&plan, &bad), VGG_OK);
    vgg_plan_destroy(plan);
    /* A gradient between layers that run, and nothing else. */
    struct vgg_plan_spec seen = { .arch = &full, .batch = 1, .last = full.count, .trainable = full.count };
    for (int k = 1; k < full.count; k++) {
        seen.gradient = k;
        cr_assert_eq(vgg_plan_build(&plan, &seen), VGG_OK, "%d", k);
        cr_expect(plan->backward > 0 && plan->update == 0);
        vgg_plan_destroy(plan);
    }
    seen.gradient = full.count, refuse(&seen, "no gradient at the input of layer 17");
    seen.gradient = 4;
    bad = seen, bad.first = 4, refuse(&bad, "no gradient");
    bad = seen, bad.loss = true, refuse(&bad, "no gradient");
    bad = seen, bad.trainable = full.count - 1, refuse(&bad, "no gradient");
    bad = seen, bad.pooling = VGG_POOLING_AVG, refuse(&bad, "no gradient");
    bad = seen, bad.precision = VGG_PRECISION_INT8, refuse(&bad, "int8");
    bad = good, bad.precision = VGG_PRECISION_INT8, refuse(&bad, "int8");
}
