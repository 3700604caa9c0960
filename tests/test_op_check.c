/* Operations: the checker refuses what is wrong with one, whichever view it is in; each kind has its row. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/op/op.h"
#include "plans.h"

static const size_t roomy[VGG_ARENA_COUNT] = { 1 << 24, 1 << 24, 1 << 24, 1 << 24, 1 << 24 };

static void refuse_type(const struct vgg_op *op, const char *what)
{
    const char *why = NULL;
    cr_expect_not(vgg_op_check(op, roomy, &why), "%s", what);
    cr_expect(why && *why, "%s", what);
}

/* Halves stand in activations of convolutions alone, by sixteens, and mask what is of halves. */
Test(op_check, checker_finds_halves_out_of_place)
{
    const struct vgg_view map = { 0, VGG_ARENA_ACT, VGG_F16, 1, 4, 4, 16 }, kernel = { 0, 0, VGG_F32, 3, 3, 16, 16 },
                          one = { 0, 0, VGG_F32, 1, 1, 1, 16 };
    struct vgg_view small = map, bytes = map, floats = map;
    const char *why;
    small.h = small.w = 2;
    bytes = small, bytes.type = VGG_U8;
    floats.type = VGG_F32;
    const struct vgg_op conv = { .kind = VGG_OP_CONV, .x = map, .y = map, .w = kernel, .b = one };
    const struct vgg_op data = {
        .kind = VGG_OP_CONV_BWD_DATA, .flags = VGG_OP_RELU, .x = map, .dx = map, .dy = map, .w = kernel
    };
    const struct vgg_op pool = {
        .kind = VGG_OP_POOL2_BWD, .flags = VGG_OP_RELU, .y = small, .dy = small, .arg = bytes, .dx = map
    };
    struct vgg_op op;
    cr_expect(vgg_op_check(&conv, roomy, &why) && vgg_op_check(&data, roomy, &why) && vgg_op_check(&pool, roomy, &why));
    op = conv, op.w.type = VGG_F16, refuse_type(&op, "a kernel");
    op = conv, op.b.type = VGG_F16, refuse_type(&op, "a bias");
    op = conv, op.x.c = op.w.w = 8, refuse_type(&op, "eight channels");
    op = conv, op.x.type = (enum vgg_type)3, refuse_type(&op, "no type");
    op = conv, op.flags = VGG_OP_RELU, op.y.type = VGG_U8, refuse_type(&op, "bytes without scales");
    op.q = (struct vgg_view) { 0, 0, VGG_F32, 1, 1, 1, VGG_QUANT_COUNT }, refuse_type(&op, "halves with scales");
    op = data, op.x = floats, refuse_type(&op, "a mask of floats");
    op = data, op.dx = floats, refuse_type(&op, "a mask of halves");
    op = pool, op.y.type = VGG_F32, refuse_type(&op, "a pool's mask");
    op = pool, op.dx.type = VGG_F32;
    cr_expect(vgg_op_check(&op, roomy, &why));
    op = (struct vgg_op) { .kind = VGG_OP_POOL2, .x = map, .y = small }, refuse_type(&op, "a pool");
    op = (struct vgg_op) { .kind = VGG_OP_SIGMOID, .x = map, .y = map }, refuse_type(&op, "an activation");
    cr_expect_eq(vgg_view_size(&map), 512u);
}

/* What is wrong with an operation is found, whichever view it is in. */
Test(op_check, checker_finds_every_broken_view)
{
    struct vgg_arch arch = plans_arch("vgg11", 33, 47, NULL, "flatten,dense:6:relu,dropout:0.5,dense:3:softmax");
    struct vgg_arch pooled = plans_arch("vgg11", 64, 64, NULL, "gmp,dense:1:sigmoid");
    struct vgg_arch mean = plans_arch("vgg11", 64, 64, NULL, "gap,dense:2:softmax");
    const struct vgg_arch *archs[] = { &arch, &pooled, &mean };
    bool seen[VGG_OP_KIND_COUNT] = { false };
    for (int variant = 0; variant < 24; variant++) {
        const struct vgg_arch *a = archs[variant % 3];
        struct vgg_plan_spec spec = { .arch = a,
                                      .batch = 2,
                                      .last = a->count,
                                      .loss = variant < 21,
                                      .trainable = variant < 21 ? 0 : a->count,
                                      .keep_all = variant & 1,
                                      .optimizer = (enum vgg_optimizer)(variant / 2 % 4),
                                      .scaled = variant % 5 == 0,
                                      .hyper = { .momentum = 0.9f } };
        struct vgg_plan *plan = plans_build(&spec);
        for (size_t i = 0; i < plan->forward + plan->backward + plan->update; i++) {
            struct vgg_op op = plan->op[i];
            struct vgg_view *view[] = { &op.x,  &op.w,  &op.b, &op.y,  &op.arg,  &op.dx, &op.dw,
                                        &op.db, &op.dy, &op.t, &op.sw, &op.loss, &op.m,  &op.v };
            const char *why = NULL;
            seen[op.kind] = true;
            for (size_t v = 0; v < sizeof view / sizeof *view; v++) {
                if (view[v]->n == 0) continue;
                const char *name = vgg_op_name(op.kind);
                struct vgg_view was = *view[v];
                view[v]->offset += 4;
                cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: misaligned view %zu", name, v);
                *view[v] = was, view[v]->offset = plan->arena_size[was.arena];
                cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: view %zu outside", name, v);
                *view[v] = was, view[v]->offset = SIZE_MAX - VGG_VIEW_ALIGN + 1;
                cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: view %zu far outside", name, v);
                *view[v] = was, view[v]->arena = VGG_ARENA_COUNT;
                cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: view %zu in no arena", name, v);
                *view[v] = was, view[v]->h = -was.h;
                cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: view %zu negative", name, v);
                bool unused = (op.kind == VGG_OP_AVGPOOL_BWD || op.kind == VGG_OP_CONV_BWD_DATA ||
                               op.kind == VGG_OP_DENSE_BWD_DATA) &&
                              view[v] == &op.x && !(op.flags & VGG_OP_RELU);
                unused |= op.kind == VGG_OP_POOL2_BWD && view[v] == &op.y && !(op.flags & VGG_OP_RELU);
                if (op.kind != VGG_OP_ZERO && !unused) {
                    *view[v] = was, view[v]->type = was.type == VGG_U8 ? VGG_F32 : VGG_U8;
                    cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: type of view %zu", name, v);
                    *view[v] = was, view[v]->c++;
                    cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: channels of view %zu", name, v);
                    *view[v] = was, view[v]->n++;
                    cr_expect(!vgg_op_check(&op, plan->arena_size, &why), "%s: images of view %zu", name, v);
                }
                *view[v] = was;
            }
            cr_expect(vgg_op_check(&op, plan->arena_size, &why));
            char text[256];
            cr_expect_gt(vgg_op_print(text, sizeof text, &op), 0);
            cr_expect_eq(strstr(text, vgg_op_name(op.kind)), text);
        }
        vgg_plan_destroy(plan);
    }
    for (int kind = 0; kind < VGG_OP_KIND_COUNT; kind++)
        cr_expect(seen[kind] || kind == VGG_OP_ADD || kind == VGG_OP_SGD || kind == VGG_OP_FMA || kind == VGG_OP_CLIP,
                  "no plan held %s", vgg_op_name((enum vgg_op_kind)kind));
}

/* Each kind has its row: a name of its own, a rule, views that it changes, a count of operations. */
Test(op_check, every_kind_has_a_row)
{
    const struct vgg_view view = { .n = 1, .h = 1, .w = 1, .c = 1 };
    const size_t none[VGG_ARENA_COUNT] = { 0 };
    const char *why;
    for (int i = 0; i < VGG_OP_KIND_COUNT; i++) {
        struct vgg_op full = { .kind = (enum vgg_op_kind)i, .rounds = 1 }, bare = full;
        const char *name = vgg_op_name(full.kind);
        int read = 0, changed = 0;
        cr_assert(name, "kind %d", i);
        for (int k = 0; k <= VGG_OP_KIND_COUNT; k++)
            cr_expect_eq(strcmp(name, vgg_op_name((enum vgg_op_kind)k)) == 0, k == i, "%s", name);
        for (int v = 0; v < VGG_OP_VIEW_COUNT; v++) {
            *(struct vgg_view *)vgg_op_view(&full, (enum vgg_op_view)v) = view;
            read += vgg_op_role(&full, (enum vgg_op_view)v) == VGG_OP_READS;
            changed += vgg_op_changes(&full, (enum vgg_op_view)v);
            cr_expect_eq(vgg_op_role(&bare, (enum vgg_op_view)v), VGG_OP_ABSENT, "%s", name);
        }
        cr_expect(changed > 0 && (read > 0 || i == VGG_OP_ZERO || i == VGG_OP_CLIP || i == VGG_OP_UNSCALE),
                  "%s reads %d views and changes %d", name, read, changed);
        cr_expect_gt(vgg_op_flops(&full), 0, "%s", name);
        cr_expect(!vgg_op_check(&bare, none, &why) && strcmp(why, "no such operation") != 0, "%s", name);
    }
    struct vgg_op beyond = { .kind = VGG_OP_KIND_COUNT };
    cr_expect(!vgg_op_check(&beyond, none, &why));
    cr_expect_str_eq(why, "no such operation");
    cr_expect_eq(vgg_op_flops(&beyond), 0);
}

/* Adam keeps two moments, RMSprop the squares, SGD its momentum if it has any. */
Test(op_check, moments_of_each_update)
{
    static const struct {
        enum vgg_op_kind kind;
        float momentum;
        bool m, v;
    } rows[] = { { VGG_OP_SGD, 0, false, false },       { VGG_OP_SGD, 0.5f, true, false },
                 { VGG_OP_RMSPROP, 0.5f, false, true }, { VGG_OP_RMSPROP, 0, false, true },
                 { VGG_OP_ADAM, 0, true, true },        { VGG_OP_ADAMW, 0, true, true },
                 { VGG_OP_DENSE, 0.5f, false, false } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct vgg_op op = { .kind = rows[i].kind, .hyper.momentum = rows[i].momentum };
        cr_expect_eq(vgg_op_keeps(&op, VGG_OP_M), rows[i].m, "%s", vgg_op_name(op.kind));
        cr_expect_eq(vgg_op_keeps(&op, VGG_OP_V), rows[i].v, "%s", vgg_op_name(op.kind));
    }
}

/* ---- the rules of op.h, each kept and then just broken ---- */

static struct vgg_view shape(int n, int h, int w, int c)
{
    return (struct vgg_view) { 0, VGG_ARENA_ACT, VGG_F32, n, h, w, c };
}

static struct vgg_view bytes(int n, int h, int w, int c)
{
    return (struct vgg_view) { 0, VGG_ARENA_ACT, VGG_U8, n, h, w, c };
}

static struct vgg_view flat(int count)
{
    return shape(1, 1, 1, count);
}

static void accept(const struct vgg_op *op, const char *what)
{
    const char *why = "";
    cr_expect(vgg_op_check(op, roomy, &why), "%s of %s: %s", what, vgg_op_name(op->kind), why);
    cr_expect_null(why, "%s of %s", what, vgg_op_name(op->kind));
}

static void refuse(const struct vgg_op *op, const char *words)
{
    const char *why = NULL;
    cr_expect_not(vgg_op_check(op, roomy, &why), "%s: not \"%s\"", vgg_op_name(op->kind), words);
    cr_expect(why && strstr(why, words), "%s: \"%s\", not \"%s\"", vgg_op_name(op->kind), why ? why : "", words);
}

Test(op_check, rules_of_convolutions)
{
    const struct vgg_op conv = {
        .kind = VGG_OP_CONV, .x = shape(2, 5, 7, 3), .w = shape(3, 3, 3, 4), .b = flat(4), .y = shape(2, 5, 7, 4)
    };
    struct vgg_op op = conv;
    accept(&op, "the shape");
    op = conv, op.w.n = 2, refuse(&op, "3 x 3");
    op = conv, op.w.h = 5, refuse(&op, "3 x 3");
    op = conv, op.w.w = 4, refuse(&op, "channels of x");
    op = conv, op.b.c = 3, refuse(&op, "b must");
    op = conv, op.b.h = 2, refuse(&op, "b must");
    op = conv, op.b.n = 0, refuse(&op, "b must");
    op = conv, op.y.n = 1, refuse(&op, "y must be n h w");
    op = conv, op.y.h = 4, refuse(&op, "y must be n h w");
    op = conv, op.y.w = 6, refuse(&op, "y must be n h w");
    op = conv, op.arg = bytes(2, 5, 7, 4), refuse(&op, "arg needs VGG_OP_POOL");
    struct vgg_op pooled = conv;
    pooled.flags = VGG_OP_RELU | VGG_OP_POOL, pooled.y = shape(2, 2, 3, 4);
    accept(&pooled, "an odd row and column dropped");
    op = pooled, op.y.h = 3, refuse(&op, "halved");
    op = pooled, op.y.w = 4, refuse(&op, "halved");
    op = pooled, op.arg = bytes(2, 2, 3, 4), accept(&op, "places");
    op.arg.type = VGG_F32, refuse(&op, "arg must be bytes");
    op.arg = bytes(2, 3, 3, 4), refuse(&op, "arg must be bytes");
    op.arg = bytes(2, 2, 3, 3), refuse(&op, "arg must be bytes");

    const struct vgg_op data = {
        .kind = VGG_OP_CONV_BWD_DATA, .dy = shape(2, 5, 7, 4), .w = shape(3, 3, 3, 4), .dx = shape(2, 5, 7, 3)
    };
    op = data, accept(&op, "no mask");
    op = data, op.w.n = 1, refuse(&op, "w must");
    op = data, op.w.h = 1, refuse(&op, "w must");
    op = data, op.w.w = 4, refuse(&op, "w must");
    op = data, op.w.c = 3, refuse(&op, "w must");
    op = data, op.dx.n = 3, refuse(&op, "dx must");
    op = data, op.dx.h = 7, refuse(&op, "dx must");
    op = data, op.dx.w = 5, refuse(&op, "dx must");
    op = data, op.x = shape(1, 5, 7, 3), accept(&op, "a mask without use");
    op.flags = VGG_OP_RELU, refuse(&op, "masks");
    op = data, op.flags = VGG_OP_RELU, refuse(&op, "masks");
    op.x = op.dx, accept(&op, "a mask");

    const struct vgg_op weight = { .kind = VGG_OP_CONV_BWD_WEIGHT,
                                   .dy = shape(2, 5, 7, 4),
                                   .x = shape(2, 5, 7, 3),
                                   .dw = shape(3, 3, 3, 4),
                                   .db = flat(4) };
    op = weight, accept(&op, "the shape");
    op = weight, op.dw.n = 5, refuse(&op, "dw must");
    op = weight, op.dw.h = 1, refuse(&op, "dw must");
    op = weight, op.dw.w = 4, refuse(&op, "dw must");
    op = weight, op.db.c = 3, refuse(&op, "db must");
    op = weight, op.x.n = 1, refuse(&op, "agree");
    op = weight, op.x.h = 7, refuse(&op, "agree");
    op = weight, op.x.w = 5, refuse(&op, "agree");

    const struct vgg_op pool = {
        .kind = VGG_OP_POOL2_BWD, .dy = shape(2, 2, 3, 4), .arg = bytes(2, 2, 3, 4), .dx = shape(2, 5, 7, 4)
    };
    op = pool, accept(&op, "no mask");
    op = pool, op.arg.n = 0, refuse(&op, "arg is missing");
    op = pool, op.dx.h = 6, refuse(&op, "halved");
    op = pool, op.flags = VGG_OP_RELU, refuse(&op, "masks");
    op.y = op.dy, accept(&op, "a mask");
}

Test(op_check, rules_of_dense_layers_and_means)
{
    struct vgg_op op;
    const struct vgg_op dense = {
        .kind = VGG_OP_DENSE, .x = shape(3, 2, 3, 4), .w = shape(1, 1, 24, 5), .b = flat(5), .y = shape(3, 1, 1, 5)
    };
    op = dense, accept(&op, "a map read flat");
    op = dense, op.w.w = 72, refuse(&op, "w must");
    op = dense, op.w.h = 2, refuse(&op, "w must");
    op = dense, op.w.c = 4, refuse(&op, "w must");
    op = dense, op.b.c = 6, refuse(&op, "b must");
    op = dense, op.b.n = 0, refuse(&op, "b must");
    op = dense, op.y.n = 2, refuse(&op, "y must");
    op = dense, op.y.h = 5, refuse(&op, "y must");
    op = (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_DATA, .dx = dense.x, .w = dense.w, .dy = dense.y };
    accept(&op, "no mask, no bias");
    op.flags = VGG_OP_RELU, refuse(&op, "masks");
    op.x = op.dx, accept(&op, "a mask");
    op = (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_WEIGHT, .x = dense.x, .dw = dense.w, .db = dense.b, .dy = dense.y };
    accept(&op, "the shape");
    op.db.c = 4, refuse(&op, "b must");

    for (int max = 0; max < 2; max++) {
        op = (struct vgg_op) { .kind = max ? VGG_OP_GMAXPOOL : VGG_OP_AVGPOOL,
                               .x = shape(3, 2, 4, 5),
                               .y = shape(3, 1, 1, 5) };
        accept(&op, "a mean or maximum");
        op.y.h = 2, refuse(&op, "pooled side");
        op.y.h = 1, op.x.type = VGG_U8, refuse(&op, "pooled side");
        op = (struct vgg_op) { .kind = max ? VGG_OP_GMAXPOOL_BWD : VGG_OP_AVGPOOL_BWD,
                               .dx = shape(3, 2, 4, 5),
                               .x = shape(3, 2, 4, 5),
                               .dy = shape(3, 1, 1, 5) };
        accept(&op, "its gradient");
        op.dy.n = 2, refuse(&op, "pooled side");
        op.dy.n = 3, op.x.w = 3;
        if (max)
            refuse(&op, "x must");
        else
            accept(&op, "a mask without use");
        op.flags = VGG_OP_RELU, refuse(&op, "x must");
    }
    op = (struct vgg_op) { .kind = VGG_OP_ADD, .x = flat(7), .y = flat(7) };
    accept(&op, "flat ranges");
    op.x.c = 6, refuse(&op, "one count");
    op.x = op.y = shape(1, 1, 7, 1), refuse(&op, "flat");
}

Test(op_check, rules_of_numbers)
{
    struct vgg_op op = { .kind = VGG_OP_DROPOUT, .x = flat(6), .y = flat(6) };
    for (int back = 0; back < 2; back++) {
        op.rate = 0, accept(&op, "rate 0");
        op.rate = nextafterf(1, 0), accept(&op, "rate below 1");
        op.rate = 1, refuse(&op, "rate");
        op.rate = -FLT_MIN, refuse(&op, "rate");
        op.rate = NAN, refuse(&op, "rate");
        op = (struct vgg_op) { .kind = VGG_OP_DROPOUT_BWD, .dx = flat(6), .dy = flat(6) };
    }
    op.dy.c = 5, refuse(&op, "shape of dy");
    op = (struct vgg_op) { .kind = VGG_OP_CLIP, .dw = flat(6), .limit = FLT_MIN };
    accept(&op, "a small limit");
    op.limit = 0, refuse(&op, "limit");
    op.limit = NAN, refuse(&op, "limit");
    op.limit = 1, op.dw.w = 2, refuse(&op, "flat");
    op = (struct vgg_op) { .kind = VGG_OP_UNSCALE, .dw = flat(6), .y = flat(1) };
    accept(&op, "one value");
    op.y.c = 2, refuse(&op, "one value");
    op.y.c = 1, op.dw.n = 2, refuse(&op, "flat");
    op = (struct vgg_op) { .kind = VGG_OP_FMA, .x = flat(6), .y = flat(6), .rounds = 1 };
    accept(&op, "a round");
    op.rounds = 0, refuse(&op, "rounds");

    for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
        int c = sigmoid ? 1 : 4;
        const struct vgg_op loss = { .kind = sigmoid ? VGG_OP_SIGMOID_XENT : VGG_OP_SOFTMAX_XENT,
                                     .x = shape(3, 1, 1, c),
                                     .y = shape(3, 1, 1, c),
                                     .t = shape(3, 1, 1, 1),
                                     .loss = shape(3, 1, 1, 1) };
        op = loss, accept(&op, "a loss without weights and gradient");
        op = loss, op.dx = op.x, op.sw = op.t, accept(&op, "all of a loss");
        op.dx.n = 2, refuse(&op, "dx must");
        op.dx.n = 3, op.sw.n = 1, refuse(&op, "sw must");
        op = loss, op.t.n = 2, refuse(&op, "t and loss");
        op = loss, op.t.c = 2, refuse(&op, "t and loss");
        op = loss, op.loss.c = 2, refuse(&op, "t and loss");
        op = loss, op.x.h = op.y.h = 2, refuse(&op, "x must");
        op = loss, op.x.w = op.y.w = 2, refuse(&op, "x must");
        op = loss, op.y.n = 2, refuse(&op, "y must");
        op = loss, op.smoothing = -FLT_MIN, refuse(&op, "smoothing");
        op = loss, op.smoothing = 1, refuse(&op, "smoothing");
        op = loss, op.smoothing = NAN, refuse(&op, "smoothing");
        op = loss, op.smoothing = nextafterf(1, 0);
        if (sigmoid)
            refuse(&op, "targets are smoothed");
        else
            accept(&op, "much smoothing");
        op = loss, op.x.c = op.y.c = c + 1;
        if (sigmoid)
            refuse(&op, "one channel");
        else
            accept(&op, "a class more");
    }
}

Test(op_check, rules_of_updates)
{
    static const enum vgg_op_kind kinds[] = { VGG_OP_SGD, VGG_OP_RMSPROP, VGG_OP_ADAM, VGG_OP_ADAMW };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int momentum = 0; momentum < 2; momentum++) {
            struct vgg_op op,
                full = { .kind = kinds[i], .w = flat(9), .dw = flat(9), .hyper.momentum = (float)momentum };
            bool m = kinds[i] == VGG_OP_SGD ? momentum : kinds[i] != VGG_OP_RMSPROP, v = kinds[i] != VGG_OP_SGD;
            if (m) full.m = flat(9);
            if (v) full.v = flat(9);
            accept(&full, "its moments");
            op = full, op.dw.c = 8, refuse(&op, "one count");
            op = full, op.w.w = op.dw.w = 2, refuse(&op, "flat");
            if (m) op = full, op.m.c = 8, refuse(&op, "m must");
            if (m) op = full, op.m.n = 0, refuse(&op, "m must");
            if (v) op = full, op.v.c = 10, refuse(&op, "v must");
            if (v) op = full, op.v.n = 0, refuse(&op, "v must");
        }
    }
}

Test(op_check, rules_of_bytes)
{
    const struct vgg_op conv = { .kind = VGG_OP_CONV,
                                 .flags = VGG_OP_RELU,
                                 .x = bytes(1, 2, 3, 5),
                                 .w = shape(3, 3, 5, 4),
                                 .b = flat(4),
                                 .y = bytes(1, 2, 3, 4),
                                 .q = flat(VGG_QUANT_COUNT) };
    struct vgg_op op = conv;
    accept(&op, "bytes to bytes");
    op = conv, op.y.type = VGG_F32, op.flags = 0, accept(&op, "bytes to floats");
    op = conv, op.x.type = VGG_F32, accept(&op, "floats to bytes");
    op.y.type = VGG_F32, refuse(&op, "q needs x or y of bytes");
    op = conv, op.flags = 0, refuse(&op, "needs VGG_OP_RELU");
    op = conv, op.q.c--, refuse(&op, "q must have");
    op = conv, op.q.n = 0, refuse(&op, "x and y of bytes need q");
    op.x.type = VGG_F32, refuse(&op, "x and y of bytes need q");
    op.y.type = VGG_F32, op.x.type = VGG_U8, refuse(&op, "x and y of bytes need q");
    op = conv, op.w.type = VGG_U8, refuse(&op, "floats belong");
    op = conv, op.flags |= VGG_OP_POOL, op.y = bytes(1, 1, 1, 4), accept(&op, "a pool");
    op.arg = op.y, refuse(&op, "exclude");

    struct vgg_op dense = { .kind = VGG_OP_DENSE,
                            .x = bytes(2, 1, 2, VGG_QUANT_TERMS / 2),
                            .w = shape(1, 1, VGG_QUANT_TERMS, 2),
                            .b = flat(2),
                            .y = shape(2, 1, 1, 2),
                            .q = flat(VGG_QUANT_COUNT) };
    accept(&dense, "as many inputs as may be");
    op = dense, op.x.type = VGG_F32, refuse(&op, "needs x of bytes");
    op = dense, op.x = bytes(2, 1, 1, VGG_QUANT_TERMS + 1), op.w.w++, refuse(&op, "65536");
    op = conv, op.x = bytes(1, 1, 1, VGG_QUANT_TERMS / 9), op.w.w = op.x.c, op.w.c = op.y.c = op.b.c = 3;
    op.y.h = op.y.w = 1, accept(&op, "as many channels as may be");
    op.w.w = ++op.x.c, refuse(&op, "65536");
}

Test(op_check, views_end_with_their_arena)
{
    size_t size[VGG_ARENA_COUNT] = { 0 };
    const char *why;
    struct vgg_op op = { .kind = VGG_OP_SIGMOID, .x = shape(1, 2, 5, 7), .y = shape(1, 2, 5, 7) };
    op.x.offset = VGG_VIEW_ALIGN, op.y.offset = 3 * VGG_VIEW_ALIGN, op.y.arena = VGG_ARENA_SUM;
    size[VGG_ARENA_ACT] = VGG_VIEW_ALIGN + 280, size[VGG_ARENA_SUM] = 3 * VGG_VIEW_ALIGN + 280;
    cr_expect(vgg_op_check(&op, size, &why));
    size[VGG_ARENA_ACT]--;
    cr_expect_not(vgg_op_check(&op, size, &why));
    size[VGG_ARENA_ACT]++, size[VGG_ARENA_SUM]--;
    cr_expect_not(vgg_op_check(&op, size, &why));
    size[VGG_ARENA_SUM] = 279;
    cr_expect_not(vgg_op_check(&op, size, &why));
    for (int part = 0; part < 4; part++) {
        for (int value = -1; value < 1; value++) {
            op = (struct vgg_op) { .kind = VGG_OP_SIGMOID, .x = shape(1, 2, 5, 7) };
            int *extent[] = { &op.x.n, &op.x.h, &op.x.w, &op.x.c };
            *extent[part] = value, op.y = op.x;
            refuse(&op, part == 0 && value == 0 ? "missing" : "empty");
        }
    }
    op.x = op.y = shape(1, 2, 5, 7), op.y.arena = (enum vgg_arena) - 1, refuse(&op, "outside");
}

/* Multiplications and additions, and bytes moved, counted by hand. */
Test(op_check, what_an_operation_costs)
{
    struct vgg_op op = {
        .kind = VGG_OP_CONV, .x = shape(2, 5, 7, 3), .w = shape(3, 3, 3, 4), .b = flat(4), .y = shape(2, 5, 7, 4)
    };
    double outputs = 2 * 5 * 7 * 4, products = 3 * 3 * 3;
    cr_expect_eq(vgg_op_flops(&op), 2 * outputs * products);
    cr_expect_eq(vgg_op_bytes(&op), 4 * (210 + 108 + 4 + 280));
    op.flags = VGG_OP_POOL, op.y = shape(2, 2, 3, 4), op.arg = bytes(2, 2, 3, 4);
    cr_expect_eq(vgg_op_flops(&op), 2 * outputs * products);
    cr_expect_eq(vgg_op_bytes(&op), 4 * (210 + 108 + 4 + 48) + 48);
    op = (struct vgg_op) {
        .kind = VGG_OP_CONV_BWD_DATA, .dy = shape(2, 5, 7, 4), .w = shape(3, 3, 3, 4), .dx = shape(2, 5, 7, 3)
    };
    cr_expect_eq(vgg_op_flops(&op), 2 * outputs * products);
    op.x = op.dx;
    cr_expect_eq(vgg_op_bytes(&op), 4 * (280 + 108 + 210), "x is not read");
    op.flags = VGG_OP_RELU;
    cr_expect_eq(vgg_op_bytes(&op), 4 * (280 + 108 + 210 + 210));
    op = (struct vgg_op) { .kind = VGG_OP_CONV_BWD_WEIGHT,
                           .dy = shape(2, 5, 7, 4),
                           .x = shape(2, 5, 7, 3),
                           .dw = shape(3, 3, 3, 4),
                           .db = flat(4) };
    cr_expect_eq(vgg_op_flops(&op), 2 * outputs * products);
    cr_expect_eq(vgg_op_bytes(&op), 4 * (280 + 210 + 2 * 108 + 2 * 4), "sums are read and written");
    op = (struct vgg_op) {
        .kind = VGG_OP_DENSE, .x = shape(3, 2, 3, 4), .w = shape(1, 1, 24, 5), .b = flat(5), .y = shape(3, 1, 1, 5)
    };
    cr_expect_eq(vgg_op_flops(&op), 2 * 3 * 24 * 5);
    op = (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_DATA, .dx = op.x, .w = op.w, .dy = op.y };
    cr_expect_eq(vgg_op_flops(&op), 2 * 3 * 24 * 5);
    op = (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_WEIGHT, .x = op.dx, .dw = op.w, .db = flat(5), .dy = op.dy };
    cr_expect_eq(vgg_op_flops(&op), 2 * 3 * 24 * 5);
    op = (struct vgg_op) { .kind = VGG_OP_FMA, .x = flat(11), .y = flat(11), .rounds = 13 };
    cr_expect_eq(vgg_op_flops(&op), 2 * 11 * 13);
    op = (struct vgg_op) { .kind = VGG_OP_ADAM, .w = flat(9), .dw = flat(9), .m = flat(9), .v = flat(9) };
    cr_expect_eq(vgg_op_bytes(&op), 4 * (9 + 3 * 18));
    op = (struct vgg_op) { .kind = VGG_OP_SOFTMAX_XENT, .x = shape(3, 1, 1, 4), .y = shape(3, 1, 1, 4) };
    op.t = op.loss = shape(3, 1, 1, 1);
    cr_expect_eq(vgg_op_bytes(&op), 4 * (12 + 3 + 12 + 3));
    op.sw = op.t, op.dx = op.x;
    cr_expect_eq(vgg_op_bytes(&op), 4 * (12 + 3 + 3 + 12 + 3 + 12));
}

Test(op_check, a_line_says_what_it_is)
{
    char text[256], cut[32];
    struct vgg_op op = { .kind = VGG_OP_CONV,
                         .flags = VGG_OP_RELU | VGG_OP_POOL,
                         .x = shape(2, 5, 7, 32),
                         .w = shape(3, 3, 32, 16),
                         .b = flat(16),
                         .y = bytes(2, 2, 3, 16) };
    const char *line = "CONV+relu+pool x 2x5x7x32 f16 w 3x3x32x16 y 2x2x3x16 u8";
    op.x.type = VGG_F16;
    cr_expect_eq(vgg_op_print(text, sizeof text, &op), (int)strlen(line));
    cr_expect_str_eq(text, line);
    for (size_t size = 1; size <= sizeof cut; size++) {
        memset(cut, '#', sizeof cut);
        cr_expect_eq(vgg_op_print(cut, size, &op), (int)strlen(line));
        cr_expect_eq(strlen(cut), size - 1);
        cr_expect(strncmp(cut, line, size - 1) == 0 && (size == sizeof cut || cut[size] == '#'), "%zu", size);
    }
    op = (struct vgg_op) { .kind = VGG_OP_SGD, .flags = VGG_OP_NESTEROV, .w = flat(12), .dw = flat(12), .m = flat(12) };
    vgg_op_print(text, sizeof text, &op);
    cr_expect_str_eq(text, "SGD+nesterov w 1x1x1x12 dw 1x1x1x12");
    op = (struct vgg_op) { .kind = VGG_OP_DROPOUT_BWD, .dx = shape(1, 1, 2, 3), .dy = shape(1, 1, 2, 3) };
    vgg_op_print(text, sizeof text, &op);
    cr_expect_str_eq(text, "DROPOUT_BWD dy 1x1x2x3 dx 1x1x2x3");
}
