/* Plans: every operation passes the checker, memory shared between tensors never loses one that is still needed (the
 * list is simulated with a label for each tensor), arenas are as small as promised, and only what trains has gradients
 * and moments. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plans.h"

/* ---- a simulation of the list ---- */

/* What a block of the activation arena holds: a kind of tensor and the layer it belongs to. */
enum label_kind { NOTHING, INPUT, OUTPUT_OF, ARG_OF, DELTA_OF, TARGETS, WEIGHTS, LOSS, RESULT };

struct label {
    enum label_kind kind;
    int layer;
};

struct simulation {
    const struct vgg_plan_spec *spec;
    const struct vgg_plan *plan;
    struct label *block; /* one for VGG_VIEW_ALIGN bytes */
    const char *where;
};

static struct label label(enum label_kind kind, int layer)
{
    return (struct label) { .kind = kind, .layer = layer };
}

/* The layer whose output layer i reads, looking through layers that only pass it on; spec->first - 1: the input. */
static int source(const struct simulation *s, int i)
{
    const struct vgg_arch *arch = s->spec->arch;
    bool training = s->plan->update > 0;
    for (i--; i >= s->spec->first; i--) {
        const struct vgg_layer *layer = &arch->layer[i];
        bool passes = layer->kind == VGG_LAYER_FLATTEN ||
                      (layer->kind == VGG_LAYER_DROPOUT && (!training || layer->rate == 0.0f));
        if (!passes) break;
    }
    return i;
}

static struct label output_of(const struct simulation *s, int layer)
{
    return layer < s->spec->first ? label(INPUT, 0) : label(OUTPUT_OF, layer);
}

static void write_label(struct simulation *s, const struct vgg_view *view, struct label what)
{
    if (view->n == 0) return;
    cr_assert_eq(view->arena, VGG_ARENA_ACT);
    size_t end = view->offset + vgg_view_size(view);
    for (size_t at = view->offset; at < end; at += VGG_VIEW_ALIGN)
        s->block[at / VGG_VIEW_ALIGN] = what;
}

static void read_label(const struct simulation *s, const struct vgg_view *view, struct label want, const char *reader)
{
    size_t end = view->offset + vgg_view_size(view);
    cr_assert(view->n != 0 && view->arena == VGG_ARENA_ACT && end <= s->plan->arena_size[VGG_ARENA_ACT], "%s: %s",
              s->where, reader);
    for (size_t at = view->offset; at < end; at += VGG_VIEW_ALIGN) {
        const struct label *have = &s->block[at / VGG_VIEW_ALIGN];
        cr_assert(have->kind == want.kind && have->layer == want.layer,
                  "%s: %s reads tensor %d of layer %d, but finds %d of layer %d", s->where, reader, want.kind,
                  want.layer, have->kind, have->layer);
    }
}

static bool overlap(const struct vgg_view *a, const struct vgg_view *b)
{
    return a->n && b->n && a->arena == b->arena && a->offset < b->offset + vgg_view_size(b) &&
           b->offset < a->offset + vgg_view_size(a);
}

/* No operation writes over what it reads, but for those that may work in place, and then exactly in place. */
static void check_aliases(const struct simulation *s, const struct vgg_op *op)
{
    const struct vgg_view *in[] = { &op->x, &op->dy, &op->t, &op->sw },
                          *out[] = { &op->y, &op->dx, &op->arg, &op->loss };
    bool in_place = op->kind == VGG_OP_DROPOUT || op->kind == VGG_OP_DROPOUT_BWD || op->kind == VGG_OP_SOFTMAX ||
                    op->kind == VGG_OP_SIGMOID;
    bool over_mask = op->kind == VGG_OP_CONV_BWD_DATA && op->flags & VGG_OP_RELU; /* dx over x */
    bool y_is_read = op->kind == VGG_OP_POOL2_BWD;
    for (size_t o = 0; o < 4; o++) {
        if (o == 0 && y_is_read) continue;
        if (o == 2 && y_is_read) continue;
        for (size_t i = 0; i < 4; i++) {
            bool may = (in_place || (over_mask && i == 0 && o == 1)) && in[i]->offset == out[o]->offset;
            cr_assert(!overlap(in[i], out[o]) || may, "%s: %s over its input", s->where, vgg_op_name(op->kind));
        }
        for (size_t i = 0; i < o; i++)
            cr_assert(!overlap(out[i], out[o]) || (y_is_read && i == 0), "%s: %s writes twice", s->where,
                      vgg_op_name(op->kind));
    }
    if (y_is_read) cr_assert(!overlap(&op->dx, &op->y) && !overlap(&op->dx, &op->arg), "%s: pool", s->where);
}

/* What goes down to a layer with a ReLU (dropout and flatten between them change nothing) must be masked, once: of a
 * max-pool below a convolution by that one, but where its gradient is read. Below the layers that run backward it is
 * not. */
static void check_mask(const struct simulation *s, const struct vgg_op *op, int below)
{
    const struct vgg_layer *layer = s->spec->arch->layer;
    int low = s->spec->gradient ? s->spec->gradient : s->spec->first;
    bool early = !s->spec->keep_all, pool = below >= low && layer[below].kind == VGG_LAYER_MAXPOOL;
    bool above = op->layer + 1 < s->spec->last && layer[op->layer + 1].kind == VGG_LAYER_CONV;
    if (early && op->kind == VGG_OP_POOL2_BWD && above) {
        cr_assert_not(op->flags & VGG_OP_RELU, "%s: masked twice", s->where);
        return;
    }
    if (early && op->kind == VGG_OP_CONV_BWD_DATA && pool) below--;
    while (below >= low && (layer[below].kind == VGG_LAYER_DROPOUT || layer[below].kind == VGG_LAYER_FLATTEN))
        below--;
    bool relu = below >= low && layer[below].activation == VGG_RELU;
    cr_assert_eq(!!(op->flags & VGG_OP_RELU), relu, "%s: mask of %s", s->where, vgg_op_name(op->kind));
}

static void simulate_op(struct simulation *s, const struct vgg_op *op)
{
    const char *name = vgg_op_name(op->kind);
    int i = op->layer, below = source(s, i), last = source(s, s->spec->last);
    check_aliases(s, op);
    switch (op->kind) {
    case VGG_OP_AVGPOOL:
    case VGG_OP_GMAXPOOL:
        if (s->spec->pooling != VGG_POOLING_NONE && i == s->spec->last - 1 && op->y.offset == s->plan->output.offset) {
            read_label(s, &op->x, output_of(s, last), name);
            write_label(s, &op->y, label(RESULT, 0));
            break;
        }
        /* fall through */
    case VGG_OP_CONV:
    case VGG_OP_POOL2:
    case VGG_OP_DENSE:
    case VGG_OP_DROPOUT: {
        int above = op->kind == VGG_OP_CONV && (op->flags & VGG_OP_POOL) ? i + 1 : i;
        read_label(s, &op->x, output_of(s, below), name);
        write_label(s, &op->y, label(OUTPUT_OF, above));
        write_label(s, &op->arg, label(ARG_OF, above));
        int low = s->spec->gradient ? s->spec->gradient : s->spec->trainable;
        cr_assert(op->arg.n == 0 || above >= low, "%s: %s keeps places that nobody reads", s->where, name);
        break;
    }
    case VGG_OP_SOFTMAX:
    case VGG_OP_SIGMOID:
        read_label(s, &op->x, output_of(s, last), name);
        write_label(s, &op->y, label(RESULT, 0));
        break;
    case VGG_OP_SOFTMAX_XENT:
    case VGG_OP_SIGMOID_XENT:
        read_label(s, &op->x, output_of(s, last), name);
        read_label(s, &op->t, label(TARGETS, 0), name);
        read_label(s, &op->sw, label(WEIGHTS, 0), name);
        write_label(s, &op->y, label(RESULT, 0));
        write_label(s, &op->loss, label(LOSS, 0));
        write_label(s, &op->dx, label(DELTA_OF, last));
        break;
    case VGG_OP_CONV_BWD_WEIGHT:
    case VGG_OP_DENSE_BWD_WEIGHT:
        read_label(s, &op->x, output_of(s, below), name);
        read_label(s, &op->dy, label(DELTA_OF, i), name);
        break;
    case VGG_OP_CONV_BWD_DATA:
    case VGG_OP_DENSE_BWD_DATA:
    case VGG_OP_AVGPOOL_BWD:
    case VGG_OP_GMAXPOOL_BWD:
        check_mask(s, op, below);
        read_label(s, &op->dy, label(DELTA_OF, i), name);
        if ((op->flags & VGG_OP_RELU) || op->kind == VGG_OP_GMAXPOOL_BWD)
            read_label(s, &op->x, output_of(s, below), name);
        write_label(s, &op->dx, label(DELTA_OF, below));
        break;
    case VGG_OP_POOL2_BWD:
        check_mask(s, op, below);
        read_label(s, &op->dy, label(DELTA_OF, i), name);
        read_label(s, &op->arg, label(ARG_OF, i), name);
        if (op->flags & VGG_OP_RELU) read_label(s, &op->y, label(OUTPUT_OF, i), name);
        write_label(s, &op->dx, label(DELTA_OF, below));
        break;
    case VGG_OP_DROPOUT_BWD:
        read_label(s, &op->dy, label(DELTA_OF, i), name);
        write_label(s, &op->dx, label(DELTA_OF, below));
        break;
    case VGG_OP_ZERO: cr_assert_eq(op->y.arena, VGG_ARENA_GRAD); break;
    case VGG_OP_SGD:
    case VGG_OP_RMSPROP:
    case VGG_OP_ADAM:
    case VGG_OP_ADAMW: break;
    default: cr_assert_fail("%s: unexpected operation %d", s->where, op->kind);
    }
}

static void simulate(const struct vgg_plan_spec *spec, const struct vgg_plan *plan, const char *where)
{
    size_t count = plan->forward + plan->backward + plan->update;
    struct simulation s = { spec, plan, NULL, where };
    s.block = calloc(plan->arena_size[VGG_ARENA_ACT] / VGG_VIEW_ALIGN + 1, sizeof *s.block);
    write_label(&s, &plan->input, label(INPUT, 0));
    write_label(&s, &plan->targets, label(TARGETS, 0));
    write_label(&s, &plan->weights, label(WEIGHTS, 0));
    int last = source(&s, spec->last);
    for (size_t i = 0; i < count; i++) {
        const char *why = "";
        if (i == plan->forward) write_label(&s, &plan->seed, label(DELTA_OF, last));
        cr_assert(vgg_op_check(&plan->op[i], plan->arena_size, &why), "%s: operation %zu: %s", where, i, why);
        simulate_op(&s, &plan->op[i]);
    }
    if (plan->backward == 0) write_label(&s, &plan->seed, label(DELTA_OF, last)); /* through layers that pass it on */
    bool classifies = spec->loss || vgg_arch_classes(spec->arch) > 0;
    bool result = spec->pooling != VGG_POOLING_NONE || (spec->last == spec->arch->count && classifies);
    read_label(&s, &plan->output, result ? label(RESULT, 0) : output_of(&s, last), "the caller (output)");
    if (spec->loss) read_label(&s, &plan->loss, label(LOSS, 0), "the caller (loss)");
    if (spec->gradient) {
        int kept = source(&s, spec->gradient);
        read_label(&s, &plan->kept, output_of(&s, kept), "the caller (layer)");
        read_label(&s, &plan->slope, label(DELTA_OF, kept), "the caller (its gradient)");
    }
    for (int i = spec->first; i < spec->last && spec->keep_all; i++) {
        bool logits = i == spec->last - 1 && result && !spec->loss && spec->pooling == VGG_POOLING_NONE;
        if (!logits) read_label(&s, &plan->activation[i], output_of(&s, source(&s, i + 1)), "the caller (activation)");
        if (plan->delta[i].n) read_label(&s, &plan->delta[i], label(DELTA_OF, source(&s, i + 1)), "the caller (delta)");
    }
    free(s.block);
}

/* How many convolutions the backward stretch makes again. */
static int made_again(const struct vgg_plan *plan)
{
    int count = 0;
    for (size_t i = 0; i < plan->backward; i++)
        count += plan->op[plan->forward + i].kind == VGG_OP_CONV;
    return count;
}

/* The lowest that trains and the one above it are convolutions side by side. */
static bool can_be_made_again(const struct vgg_arch *arch, int low)
{
    while (low < arch->count && arch->layer[low].kernel.n == 0)
        low++;
    return low + 1 < arch->count && arch->layer[low].kind == VGG_LAYER_CONV &&
           arch->layer[low + 1].kind == VGG_LAYER_CONV;
}

Test(plan, memory_is_never_shared_too_early)
{
    static const char *const arch_name[] = { "vgg11", "vgg16", "vgg19" };
    static const char *const head[] = { "flatten,dense:256:relu,dropout:0.5,dense:1:sigmoid", "gap,dense:10:softmax",
                                        "gmp,dropout:0.5,dense:8:relu,dropout:0.3,dense:3:softmax",
                                        "flatten,dropout:0,dense:4:softmax" };
    static const char *const trainable[] = { "none", "head", "block5", "block3_pool", "block2_conv1", "all" };
    static const int size[][2] = { { 32, 32 }, { 97, 131 }, { 150, 150 } };
    int plans = 0;
    for (size_t a = 0; a < 3; a++)
        for (size_t z = 0; z < 3; z++)
            for (size_t b = 0; b < 4; b++) {
                struct vgg_arch arch = plans_arch(arch_name[a], size[z][0], size[z][1], NULL, head[b]);
                for (size_t t = 0; t < 6; t++)
                    for (int variant = 0; variant < (t ? 8 : 16); variant++) {
                        int low = t ? vgg_arch_trainable(&arch, trainable[t]) : arch.count;
                        struct vgg_plan_spec spec = { .arch = &arch,
                                                      .batch = variant & 1 ? 3 : 1,
                                                      .first = variant & 4 ? (low < arch.base ? low : arch.base) : 0,
                                                      .last = arch.count,
                                                      .loss = t || (variant & 1),
                                                      .trainable = low,
                                                      .keep_all = variant & 2 && variant < 8,
                                                      .again = plans % 3 == 0,
                                                      .precision =
                                                          variant & 8 ? VGG_PRECISION_INT8 : VGG_PRECISION_FP32,
                                                      .halves = plans % 3 == 0,
                                                      .optimizer = (enum vgg_optimizer)(plans % 4),
                                                      .hyper = { .momentum = plans & 4 ? 0.9f : 0.0f } };
                        char where[160];
                        snprintf(where, sizeof where, "%s %dx%d %s, %s trains, variant %d", arch_name[a], size[z][0],
                                 size[z][1], head[b], trainable[t], variant);
                        struct vgg_plan *plan = plans_build(&spec);
                        cr_assert_eq(plan->backward > 0, t > 0, "%s", where);
                        simulate(&spec, plan, where);
                        cr_assert_eq(made_again(plan), spec.again && !spec.keep_all && can_be_made_again(&arch, low),
                                     "%s", where);
                        vgg_plan_destroy(plan);
                        plans++;
                    }
            }
    printf("%d plans simulated\n", plans);
}

Test(plan, features_of_every_layer)
{
    struct vgg_arch arch = plans_arch("vgg16", 97, 131, NULL, NULL);
    for (int last = 1; last <= arch.count; last++)
        for (int variant = 0; variant < 12; variant++) {
            struct vgg_plan_spec spec = { .arch = &arch,
                                          .batch = variant & 1 ? 5 : 1,
                                          .first = variant & 2 ? last - 1 : 0,
                                          .last = last,
                                          .pooling = (enum vgg_pooling)(variant / 4),
                                          .trainable = arch.count };
            struct vgg_plan *plan = plans_build(&spec);
            const struct vgg_layer *layer = &arch.layer[last - 1];
            bool pooled = spec.pooling != VGG_POOLING_NONE;
            cr_expect(plan->output.n == spec.batch && plan->output.c == layer->c);
            cr_expect(plan->output.h == (pooled ? 1 : layer->h) && plan->output.w == (pooled ? 1 : layer->w));
            cr_expect_eq(plan->backward + plan->update, 0u);
            simulate(&spec, plan, layer->name);
            vgg_plan_destroy(plan);
        }
}

/* From the output of any layer down to any below it. Dropout is off, before and after. */
Test(plan, gradients_between_any_two_layers)
{
    static const char *const head[] = { NULL, "flatten,dense:6:relu,dropout:0.5,dense:3:softmax",
                                        "gmp,dense:1:sigmoid" };
    for (size_t h = 0; h < 3; h++) {
        struct vgg_arch arch = plans_arch("vgg13", 33, 47, NULL, head[h]);
        for (int last = 2; last <= arch.count; last++) {
            for (int low = 1; low < last; low++) {
                char where[80];
                struct vgg_plan_spec spec = { .arch = &arch,
                                              .batch = 1 + low % 2,
                                              .first = low > 2 && last % 3 == 0 ? low - 2 : 0,
                                              .last = last,
                                              .trainable = arch.count,
                                              .keep_all = (low + last) % 4 == 0,
                                              .again = last % 2,
                                              .halves = (low + last) % 3 == 0,
                                              .gradient = low };
                snprintf(where, sizeof where, "head %zu, from layer %d down to %d", h, last - 1, low);
                struct vgg_plan *plan = plans_build(&spec);
                const struct vgg_layer *from = &arch.layer[last - 1], *to = &arch.layer[low - 1];
                simulate(&spec, plan, where);
                cr_expect_eq(made_again(plan), 0, "%s", where);
                cr_expect_eq(plan->update, 0u, "%s", where);
                cr_expect(plan->seed.n == spec.batch && plan->seed.h == from->h && plan->seed.c == from->c, "%s",
                          where);
                cr_expect(plan->slope.n == spec.batch && plan->slope.h == to->h && plan->slope.w == to->w &&
                              plan->slope.c == to->c,
                          "%s", where);
                for (size_t i = 0; i < plan->forward + plan->backward; i++) {
                    enum vgg_op_kind kind = plan->op[i].kind;
                    cr_expect(kind != VGG_OP_DROPOUT && kind != VGG_OP_DROPOUT_BWD, "%s", where);
                    cr_expect(kind != VGG_OP_CONV_BWD_WEIGHT && kind != VGG_OP_DENSE_BWD_WEIGHT, "%s", where);
                }
                vgg_plan_destroy(plan);
            }
        }
    }
}

/* ---- sizes ---- */

/* The largest input and output of one layer together, with each layer's output on its own. */
static size_t two_largest_neighbours(const struct vgg_arch *arch, int batch)
{
    size_t most = 0, below = (size_t)arch->h * (size_t)arch->w * 3;
    for (int i = 0; i < arch->count; i++) {
        size_t here = (size_t)arch->layer[i].h * (size_t)arch->layer[i].w * (size_t)arch->layer[i].c;
        if (below + here > most) most = below + here;
        below = here;
    }
    return most * (size_t)batch * sizeof(float);
}

Test(plan, extraction_needs_little_more_than_two_buffers)
{
    for (int batch = 1; batch <= 8; batch += 7) {
        struct vgg_arch arch = plans_arch("vgg16", 224, 224, NULL, NULL);
        struct vgg_plan_spec spec = { .arch = &arch, .batch = batch, .last = arch.count, .trainable = arch.count };
        struct vgg_plan *plan = plans_build(&spec);
        size_t fused = 0;
        for (size_t i = 0; i < plan->forward; i++) {
            size_t both = vgg_view_size(&plan->op[i].x) + vgg_view_size(&plan->op[i].y);
            if (both > fused) fused = both;
        }
        double ratio = (double)plan->arena_size[VGG_ARENA_ACT] / (double)fused;
        cr_expect_leq(ratio, 1.05, "%.3f times the two largest neighbours", ratio);
        cr_expect_leq(plan->arena_size[VGG_ARENA_ACT], two_largest_neighbours(&arch, batch));
        cr_expect_eq(plan->forward, 13u, "each convolution with its pool is one operation");
        cr_expect_eq(plan->arena_size[VGG_ARENA_GRAD], 0u);
        cr_expect_eq(plan->arena_size[VGG_ARENA_MOMENT], 0u);
        vgg_plan_destroy(plan);
    }
}

/* The most that a step of VGG16 holds, 8 images at 224x224: what is kept for the backward stretch; without the output
 * of the first convolution, the second one's gradient and that output, made again. */
Test(plan, a_step_holds_little_more_than_it_must)
{
    struct vgg_arch arch = plans_arch("vgg16", 224, 224, NULL, "gap,dense:10:softmax");
    struct vgg_plan_spec spec = { .arch = &arch, .batch = 8, .last = arch.count, .loss = true };
    struct vgg_plan *plan = plans_build(&spec);
    size_t map = (size_t)8 * 224 * 224 * 64 * sizeof(float), image = (size_t)8 * 224 * 224 * 3 * sizeof(float);
    size_t kept = plan->arena_size[VGG_ARENA_ACT], views = image;
    for (size_t i = 0; i < plan->forward; i++)
        views += vgg_view_size(&plan->op[i].y) + vgg_view_size(&plan->op[i].arg);
    cr_expect_lt((double)kept, 1.02 * (double)views);
    vgg_plan_destroy(plan);
    spec.again = true;
    plan = plans_build(&spec);
    cr_expect_lt((double)plan->arena_size[VGG_ARENA_ACT], 1.02 * (double)(2 * map + image));
    int made = 0;
    for (size_t i = plan->forward; i < plan->forward + plan->backward; i++)
        made += plan->op[i].kind == VGG_OP_CONV && plan->op[i].layer == 0;
    cr_expect_eq(made, 1);
    vgg_plan_destroy(plan);
}

/* 2 * 15,346,630,656 multiplications and additions: sum of 9 h w c_in c_out over the 13 convolutions. */
Test(plan, operations_of_vgg16)
{
    struct vgg_arch arch = plans_arch("vgg16", 224, 224, NULL, NULL);
    struct vgg_plan_spec spec = {
        .arch = &arch, .batch = 2, .last = arch.count, .trainable = arch.count, .keep_all = true
    };
    struct vgg_plan *plan = plans_build(&spec);
    double flops = 0;
    for (size_t i = 0; i < plan->forward; i++)
        if (plan->op[i].kind == VGG_OP_CONV) flops += vgg_op_flops(&plan->op[i]);
    cr_expect_eq(flops, 2 * 30693261312.0, "%.0f", flops);
    cr_expect_eq(plan->forward, 18u, "nothing is fused across layers when all outputs are kept");
    vgg_plan_destroy(plan);
}

Test(plan, gradients_only_for_what_trains)
{
    struct vgg_arch arch = plans_arch("vgg16", 150, 150, NULL, "flatten,dense:256:relu,dense:1:sigmoid");
    static const struct {
        const char *what;
        size_t count;
    } want[] = { { "head", 2097665 }, { "block5", 2097665 + 3 * 2359808 }, { "all", 16812353 } };
    static const struct {
        enum vgg_optimizer optimizer;
        float momentum;
        size_t moments;
    } optimizer[] = { { VGG_OPTIMIZER_SGD, 0, 0 },
                      { VGG_OPTIMIZER_SGD, 0.9f, 1 },
                      { VGG_OPTIMIZER_RMSPROP, 0, 1 },
                      { VGG_OPTIMIZER_ADAM, 0, 2 },
                      { VGG_OPTIMIZER_ADAMW, 0, 2 } };
    for (size_t i = 0; i < 3; i++)
        for (size_t o = 0; o < 5; o++) {
            struct vgg_plan_spec spec = { .arch = &arch,
                                          .batch = 2,
                                          .last = arch.count,
                                          .loss = true,
                                          .trainable = vgg_arch_trainable(&arch, want[i].what),
                                          .optimizer = optimizer[o].optimizer,
                                          .hyper = { .momentum = optimizer[o].momentum } };
            struct vgg_plan *plan = plans_build(&spec);
            size_t gradients = plan->arena_size[VGG_ARENA_GRAD], exact = want[i].count * sizeof(float);
            cr_expect(gradients >= exact && gradients < exact + 64 * VGG_VIEW_ALIGN, "%s: %zu bytes for %zu",
                      want[i].what, gradients, exact);
            cr_expect_eq(plan->arena_size[VGG_ARENA_MOMENT], optimizer[o].moments * gradients, "%s, optimiser %zu",
                         want[i].what, o);
            cr_expect_eq(vgg_view_size(&plan->grads), gradients);
            cr_expect_eq(plan->params.c, plan->grads.c);
            cr_expect_eq(plan->params.offset + vgg_view_size(&plan->params), arch.param_size);
            /* Below the first layer that trains nothing runs backward: that layer has no gradient of its input. */
            int low = spec.trainable;
            for (size_t k = plan->forward; k < plan->forward + plan->backward; k++) {
                const struct vgg_op *op = &plan->op[k];
                cr_expect_geq(op->layer, low);
                bool data = op->kind == VGG_OP_CONV_BWD_DATA || op->kind == VGG_OP_DENSE_BWD_DATA;
                if (data) cr_expect_gt(op->layer, low + (i == 0), "%s: a gradient nobody needs", want[i].what);
            }
            vgg_plan_destroy(plan);
        }
}

Test(plan, features_as_input)
{
    struct vgg_arch arch = plans_arch("vgg16", 150, 150, NULL, "flatten,dense:256:relu,dropout:0.5,dense:1:sigmoid");
    struct vgg_plan_spec spec = {
        .arch = &arch, .batch = 20, .first = arch.base, .last = arch.count, .loss = true, .trainable = arch.base
    };
    struct vgg_plan *plan = plans_build(&spec);
    cr_expect(plan->input.n == 20 && plan->input.h == 4 && plan->input.w == 4 && plan->input.c == 512);
    for (size_t i = 0; i < plan->forward + plan->backward + plan->update; i++)
        cr_expect(plan->op[i].kind != VGG_OP_CONV && plan->op[i].kind != VGG_OP_CONV_BWD_WEIGHT);
    vgg_plan_destroy(plan);
}

/* ---- refusals ---- */

static int log_lines;

static void count_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level == VGG_LOG_ERROR && *line) log_lines++;
}

static void refuse(const struct vgg_plan_spec *spec, const char *what)
{
    struct vgg_plan *plan = (struct vgg_plan *)&log_lines;
    log_lines = 0;
    cr_expect_neq(vgg_plan_build(&plan, spec), VGG_OK, "%s", what);
    cr_expect_null(plan, "%s", what);
    cr_expect_eq(log_lines, 1, "%s: %d lines", what, log_lines);
}

Test(plan, bad_requests)
{
    vgg_log_set(count_line, NULL, VGG_LOG_ERROR);
    struct vgg_arch base = plans_arch("vgg16", 224, 224, NULL, NULL);
    struct vgg_arch full = plans_arch("vgg16", 224, 224, NULL, "flatten,dense:3:softmax");
    struct vgg_arch linear = plans_arch("vgg16", 224, 224, NULL, "flatten,dense:3");
    struct vgg_arch huge = plans_arch("vgg16", 224, 224, NULL, "flatten,dense:1048576:relu,dense:2:softmax");
    struct vgg_plan_spec good = { .arch = &full, .batch = 1, .last = full.count, .loss = true }, bad;
    bad = good, bad.batch = 0, refuse(&bad, "no images");
    bad = good, bad.batch = -1, refuse(&bad, "fewer than no images");
    bad = good, bad.batch = 669, refuse(&bad, "more than 2^31 values"); /* of 224 x 224 x 64 an image */
    bad.batch = 668;
    vgg_plan_destroy(plans_build(&bad));
    bad = good, bad.first = -1, refuse(&bad, "negative first");
    bad = good, bad.first = full.count, refuse(&bad, "nothing to run");
    bad = good, bad.last = full.count + 1, refuse(&bad, "a layer too many");
    bad = good, bad.last = full.count - 1, refuse(&bad, "loss before the last layer");
    bad = good, bad.first = full.base, refuse(&bad, "training below the first layer");
    bad = good, bad.arch = &base, bad.last = base.count, refuse(&bad, "loss without a head");
    bad = good, bad.arch = &linear, bad.last = linear.count, refuse(&bad, "loss of linear outputs");
    bad = good, bad.arch = &huge, bad.last = huge.count, refuse(&bad, "2.6e10 parameters");
}
