/* Operations: the checker refuses what is wrong with one, whichever view it is in; each kind has its row. */
#include <string.h>

#include "core/op/op.h"
#include "plans.h"

static void refuse_type(const struct vgg_op *op, const char *what)
{
    static const size_t size[VGG_ARENA_COUNT] = { 1 << 24, 1 << 24, 1 << 24, 1 << 24, 1 << 24 };
    const char *why = NULL;
    cr_expect_not(vgg_op_check(op, size, &why), "%s", what);
    cr_expect(why && *why, "%s", what);
}

/* Halves stand in activations of convolutions alone, by sixteens, and mask what is of halves. */
Test(op_check, checker_finds_halves_out_of_place)
{
    static const size_t size[VGG_ARENA_COUNT] = { 1 << 24, 1 << 24, 1 << 24, 1 << 24, 1 << 24 };
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
    cr_expect(vgg_op_check(&conv, size, &why) && vgg_op_check(&data, size, &why) && vgg_op_check(&pool, size, &why));
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
    cr_expect(vgg_op_check(&op, size, &why));
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
