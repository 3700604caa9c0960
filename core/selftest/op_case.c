#include "core/selftest/op_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

/* ---- placing views ---- */

struct vgg_view vgg_op_case_place(struct vgg_op_case *test, enum vgg_arena arena, enum vgg_type type, int n, int h,
                                  int w, int c)
{
    size_t *size = &test->arena_size[arena];
    if (!*size) *size = VGG_VIEW_ALIGN;
    struct vgg_view view = { .offset = *size, .arena = arena, .type = type, .n = n, .h = h, .w = w, .c = c };
    size_t end = *size + vgg_view_size(&view) + VGG_VIEW_ALIGN;
    *size = vgg_mem_round_up(end, VGG_VIEW_ALIGN);
    return view;
}

static struct vgg_view act(struct vgg_op_case *test, int n, int h, int w, int c)
{
    return vgg_op_case_place(test, VGG_ARENA_ACT, VGG_F32, n, h, w, c);
}

static struct vgg_view flat(struct vgg_op_case *test, enum vgg_arena arena, int count)
{
    return vgg_op_case_place(test, arena, VGG_F32, 1, 1, 1, count);
}

static const struct vgg_step first_step = { .seed = 1, .loss_scale = 0.25f, .unscale = 0.7f, .learning_rate = 0.01f };

enum vgg_status vgg_op_case_list_add(struct vgg_op_case_list *list, struct vgg_op_case *test, const char *note)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64, size = vgg_mem_mul(capacity, sizeof *list->item);
        struct vgg_op_case *item = realloc(list->item, size);
        if (!item) return vgg_fail_memory("the list of operations to test", size);
        list->item = item;
        list->capacity = capacity;
    }
    if (test->step.loss_scale == 0) test->step = first_step;
    int used = vgg_op_print(test->text, sizeof test->text, &test->op);
    if (used > 0 && (size_t)used < sizeof test->text && note[0])
        snprintf(test->text + used, sizeof test->text - (size_t)used, " %s", note);
    list->item[list->count++] = *test;
    return VGG_OK;
}

/* ---- convolution and dense layers ---- */

struct conv_shape {
    int n, h, w, in, out;
    bool large;
};

static const struct conv_shape conv_shapes[] = {
    { 1, 1, 1, 1, 1, false },     { 1, 1, 9, 2, 3, false },      { 1, 2, 3, 3, 5, false },
    { 2, 5, 7, 3, 64, false },    { 1, 4, 4, 8, 8, false },      { 2, 7, 6, 16, 24, false },
    { 1, 13, 11, 5, 7, false },   { 3, 6, 10, 24, 40, false },   { 1, 9, 17, 64, 64, false },
    { 1, 3, 3, 264, 136, false }, { 1, 32, 32, 3, 64, true },    { 1, 28, 28, 64, 128, true },
    { 2, 14, 14, 256, 64, true }, { 1, 14, 14, 512, 512, true },
};

static enum vgg_status add_conv(struct vgg_op_case_list *list, const struct conv_shape *s, unsigned flags, bool arg)
{
    bool pool = flags & VGG_OP_POOL;
    if (pool && (s->h < 2 || s->w < 2)) return VGG_OK;
    struct vgg_op_case test = { .op = { .kind = VGG_OP_CONV, .flags = flags }, .large = s->large };
    int h = pool ? s->h / 2 : s->h, w = pool ? s->w / 2 : s->w;
    test.op.x = act(&test, s->n, s->h, s->w, s->in);
    test.op.w = vgg_op_case_place(&test, VGG_ARENA_PARAM, VGG_F32, 3, 3, s->in, s->out);
    test.op.b = flat(&test, VGG_ARENA_PARAM, s->out);
    test.op.y = act(&test, s->n, h, w, s->out);
    if (arg) test.op.arg = vgg_op_case_place(&test, VGG_ARENA_ACT, VGG_U8, s->n, h, w, s->out);
    return vgg_op_case_list_add(list, &test, arg ? "arg" : "");
}

static enum vgg_status add_conv_bwd(struct vgg_op_case_list *list, const struct conv_shape *s, unsigned flags)
{
    enum vgg_status status;
    struct vgg_op_case data = { .op = { .kind = VGG_OP_CONV_BWD_DATA, .flags = flags }, .large = s->large };
    data.op.dx = act(&data, s->n, s->h, s->w, s->in);
    data.op.dy = act(&data, s->n, s->h, s->w, s->out);
    data.op.w = vgg_op_case_place(&data, VGG_ARENA_PARAM, VGG_F32, 3, 3, s->in, s->out);
    if (flags & VGG_OP_RELU) data.op.x = act(&data, s->n, s->h, s->w, s->in);
    CHECK(vgg_op_case_list_add(list, &data, ""));
    if (flags) {
        data.op.x = data.op.dx;
        return vgg_op_case_list_add(list, &data, "in place");
    }
    struct vgg_op_case weight = { .op = { .kind = VGG_OP_CONV_BWD_WEIGHT }, .large = s->large };
    weight.op.x = act(&weight, s->n, s->h, s->w, s->in);
    weight.op.dy = act(&weight, s->n, s->h, s->w, s->out);
    weight.op.dw = vgg_op_case_place(&weight, VGG_ARENA_GRAD, VGG_F32, 3, 3, s->in, s->out);
    weight.op.db = flat(&weight, VGG_ARENA_GRAD, s->out);
    CHECK(vgg_op_case_list_add(list, &weight, ""));
fail:
    return status;
}

/* ---- quantised layers ---- */

/* Channels in 64s, which vector levels are made for, and others; maps of more tiles than a block has. */
static const struct conv_shape quantised_shapes[] = {
    { 1, 1, 1, 64, 32, false },   { 1, 2, 3, 3, 5, false },      { 2, 5, 7, 64, 96, false },
    { 1, 13, 11, 70, 7, false },  { 3, 6, 10, 128, 64, false },  { 1, 9, 17, 64, 64, false },
    { 1, 57, 31, 64, 64, false }, { 1, 3, 3, 320, 160, false },  { 1, 28, 28, 64, 128, true },
    { 2, 14, 14, 256, 64, true }, { 1, 14, 14, 512, 512, true }, { 2, 39, 33, 256, 32, true },
};

static const struct conv_shape quantised_first[] = {
    { 1, 2, 3, 1, 5, false },  { 2, 5, 7, 3, 64, false },  { 1, 9, 33, 3, 128, false },
    { 1, 7, 6, 4, 72, false }, { 1, 32, 32, 3, 64, true },
};

static const struct conv_shape quantised_dense[] = {
    { 1, 1, 1, 1, 1, false },     { 3, 1, 1, 64, 32, false },    { 2, 2, 3, 8, 16, false },
    { 6, 1, 1, 130, 33, false },  { 17, 3, 3, 64, 96, false },   { 33, 1, 1, 57, 64, false },
    { 20, 4, 4, 512, 256, true }, { 1, 1, 1, 4096, 1000, true },
};

/* A convolution of bytes is there twice, the second time direct. */
static enum vgg_status add_quantised(struct vgg_op_case_list *list, enum vgg_op_kind kind, const struct conv_shape *s,
                                     unsigned flags, enum vgg_type x, enum vgg_type y)
{
    enum vgg_status status;
    bool conv = kind == VGG_OP_CONV, pool = flags & VGG_OP_POOL;
    int h = !conv ? 1 : pool ? s->h / 2 : s->h, w = !conv ? 1 : pool ? s->w / 2 : s->w;
    if (!h || !w) return VGG_OK;
    struct vgg_op_case test = { .op = { .kind = kind, .flags = flags }, .large = s->large };
    test.op.x = vgg_op_case_place(&test, VGG_ARENA_ACT, x, s->n, s->h, s->w, s->in);
    test.op.w = conv ? vgg_op_case_place(&test, VGG_ARENA_PARAM, VGG_F32, 3, 3, s->in, s->out)
                     : vgg_op_case_place(&test, VGG_ARENA_PARAM, VGG_F32, 1, 1, s->h * s->w * s->in, s->out);
    test.op.b = flat(&test, VGG_ARENA_PARAM, s->out);
    test.op.q = flat(&test, VGG_ARENA_PARAM, VGG_QUANT_COUNT);
    test.op.y = vgg_op_case_place(&test, VGG_ARENA_ACT, y, s->n, h, w, s->out);
    CHECK(vgg_op_case_list_add(list, &test, ""));
    if (!conv || x != VGG_U8) return VGG_OK;
    test.direct = true;
    CHECK(vgg_op_case_list_add(list, &test, "direct"));
fail:
    return status;
}

static enum vgg_status add_all_quantised(struct vgg_op_case_list *list)
{
    enum vgg_status status = VGG_OK;
    for (size_t i = 0; i < sizeof quantised_shapes / sizeof *quantised_shapes; i++) {
        const struct conv_shape *s = &quantised_shapes[i];
        CHECK(add_quantised(list, VGG_OP_CONV, s, VGG_OP_RELU, VGG_U8, VGG_U8));
        CHECK(add_quantised(list, VGG_OP_CONV, s, VGG_OP_RELU | VGG_OP_POOL, VGG_U8, VGG_U8));
        CHECK(add_quantised(list, VGG_OP_CONV, s, i % 2 ? VGG_OP_RELU : 0, VGG_U8, VGG_F32));
        CHECK(add_quantised(list, VGG_OP_CONV, s, VGG_OP_POOL | (i % 2 ? 0 : VGG_OP_RELU), VGG_U8, VGG_F32));
    }
    for (size_t i = 0; i < sizeof quantised_first / sizeof *quantised_first; i++) {
        CHECK(add_quantised(list, VGG_OP_CONV, &quantised_first[i], VGG_OP_RELU, VGG_F32, VGG_U8));
        CHECK(add_quantised(list, VGG_OP_CONV, &quantised_first[i], VGG_OP_RELU | VGG_OP_POOL, VGG_F32, VGG_U8));
    }
    for (size_t i = 0; i < sizeof quantised_dense / sizeof *quantised_dense; i++) {
        CHECK(add_quantised(list, VGG_OP_DENSE, &quantised_dense[i], VGG_OP_RELU, VGG_U8, VGG_U8));
        CHECK(add_quantised(list, VGG_OP_DENSE, &quantised_dense[i], i % 2 ? VGG_OP_RELU : 0, VGG_U8, VGG_F32));
    }
fail:
    return status;
}

/* The smallest map that Winograd's algorithm takes on every backend: what a network runs of it. And kernels large
 * enough for devices of CPU type to take them in pieces. */
static enum vgg_status add_winograd(struct vgg_op_case_list *list)
{
    static const struct conv_shape shapes[] = { { 2, 20, 20, 96, 96, false }, { 1, 16, 25, 456, 72, false } };
    enum vgg_status status = VGG_OK;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (i == 0) CHECK(add_conv(list, &shapes[i], VGG_OP_RELU, false));
        CHECK(add_conv(list, &shapes[i], VGG_OP_RELU | VGG_OP_POOL, true));
        CHECK(add_conv_bwd(list, &shapes[i], 0));
        if (i == 0) CHECK(add_conv_bwd(list, &shapes[i], VGG_OP_RELU));
    }
fail:
    return status;
}

static enum vgg_status add_convs(struct vgg_op_case_list *list)
{
    enum vgg_status status = VGG_OK;
    for (size_t i = 0; i < sizeof conv_shapes / sizeof *conv_shapes; i++) {
        const struct conv_shape *s = &conv_shapes[i];
        if (!s->large) {
            CHECK(add_conv(list, s, 0, false));
            CHECK(add_conv(list, s, VGG_OP_POOL, false));
            CHECK(add_conv(list, s, VGG_OP_POOL, true));
            CHECK(add_conv(list, s, VGG_OP_RELU | VGG_OP_POOL, false));
            CHECK(add_conv_bwd(list, s, 0));
        }
        CHECK(add_conv(list, s, VGG_OP_RELU, false));
        CHECK(add_conv(list, s, VGG_OP_RELU | VGG_OP_POOL, true));
        CHECK(add_conv_bwd(list, s, s->large && i % 2 ? 0 : VGG_OP_RELU));
        if (s->large && i % 2 == 0) CHECK(add_conv_bwd(list, s, 0));
    }
    CHECK(add_winograd(list));
fail:
    return status;
}

static const struct conv_shape dense_shapes[] = {
    { 1, 1, 1, 1, 1, false },    { 3, 1, 1, 5, 7, false },     { 2, 2, 3, 8, 16, false },
    { 6, 1, 1, 130, 33, false }, { 7, 7, 7, 32, 1, false },    { 17, 1, 1, 256, 24, false },
    { 1, 1, 1, 264, 72, false }, { 1, 1, 1, 77, 131, false },  { 3, 1, 1, 96, 40, false },
    { 8, 1, 1, 64, 48, false },  { 8, 3, 3, 7, 65, false },    { 33, 1, 1, 136, 56, false },
    { 33, 1, 1, 57, 31, false }, { 20, 4, 4, 512, 256, true }, { 1, 1, 1, 4096, 1000, true },
    { 4, 7, 7, 512, 10, true },
};

static enum vgg_status add_dense(struct vgg_op_case_list *list, const struct conv_shape *s, unsigned flags)
{
    enum vgg_status status;
    int in = s->h * s->w * s->in;
    struct vgg_op_case test = { .op = { .kind = VGG_OP_DENSE, .flags = flags }, .large = s->large };
    test.op.x = act(&test, s->n, s->h, s->w, s->in);
    test.op.w = vgg_op_case_place(&test, VGG_ARENA_PARAM, VGG_F32, 1, 1, in, s->out);
    test.op.b = flat(&test, VGG_ARENA_PARAM, s->out);
    test.op.y = act(&test, s->n, 1, 1, s->out);
    CHECK(vgg_op_case_list_add(list, &test, ""));
    struct vgg_op_case data = { .op = { .kind = VGG_OP_DENSE_BWD_DATA, .flags = flags }, .large = s->large };
    data.op.dx = act(&data, s->n, s->h, s->w, s->in);
    data.op.dy = act(&data, s->n, 1, 1, s->out);
    data.op.w = vgg_op_case_place(&data, VGG_ARENA_PARAM, VGG_F32, 1, 1, in, s->out);
    if (flags) data.op.x = act(&data, s->n, s->h, s->w, s->in);
    CHECK(vgg_op_case_list_add(list, &data, ""));
    if (flags) return VGG_OK;
    struct vgg_op_case weight = { .op = { .kind = VGG_OP_DENSE_BWD_WEIGHT }, .large = s->large };
    weight.op.x = act(&weight, s->n, s->h, s->w, s->in);
    weight.op.dy = act(&weight, s->n, 1, 1, s->out);
    weight.op.dw = vgg_op_case_place(&weight, VGG_ARENA_GRAD, VGG_F32, 1, 1, in, s->out);
    weight.op.db = flat(&weight, VGG_ARENA_GRAD, s->out);
    CHECK(vgg_op_case_list_add(list, &weight, ""));
fail:
    return status;
}

/* ---- pooling ---- */

static const struct conv_shape pool_shapes[] = {
    { 1, 2, 2, 1, 0, false },   { 2, 5, 7, 3, 0, false },  { 1, 3, 2, 8, 0, false },    { 2, 4, 6, 20, 0, false },
    { 3, 9, 13, 64, 0, false }, { 1, 7, 7, 72, 0, false }, { 1, 28, 28, 256, 0, true },
};

static enum vgg_status add_pool(struct vgg_op_case_list *list, const struct conv_shape *s, bool second)
{
    enum vgg_status status;
    struct vgg_op_case test = { .op = { .kind = VGG_OP_POOL2 }, .large = s->large };
    test.op.x = act(&test, s->n, s->h, s->w, s->in);
    test.op.y = act(&test, s->n, s->h / 2, s->w / 2, s->in);
    if (second) test.op.arg = vgg_op_case_place(&test, VGG_ARENA_ACT, VGG_U8, s->n, s->h / 2, s->w / 2, s->in);
    CHECK(vgg_op_case_list_add(list, &test, second ? "arg" : ""));
    struct vgg_op_case bwd = { .op = { .kind = VGG_OP_POOL2_BWD, .flags = second ? VGG_OP_RELU : 0 } };
    bwd.large = s->large;
    bwd.op.dx = act(&bwd, s->n, s->h, s->w, s->in);
    bwd.op.dy = act(&bwd, s->n, s->h / 2, s->w / 2, s->in);
    bwd.op.arg = vgg_op_case_place(&bwd, VGG_ARENA_ACT, VGG_U8, s->n, s->h / 2, s->w / 2, s->in);
    if (second) bwd.op.y = act(&bwd, s->n, s->h / 2, s->w / 2, s->in);
    CHECK(vgg_op_case_list_add(list, &bwd, ""));
fail:
    return status;
}

static enum vgg_status add_global(struct vgg_op_case_list *list, const struct conv_shape *s, unsigned flags)
{
    static const enum vgg_op_kind kinds[] = { VGG_OP_AVGPOOL, VGG_OP_GMAXPOOL, VGG_OP_AVGPOOL_BWD,
                                              VGG_OP_GMAXPOOL_BWD };
    enum vgg_status status = VGG_OK;
    for (size_t i = flags ? 2 : 0; i < 4; i++) {
        struct vgg_op_case test = { .op = { .kind = kinds[i], .flags = flags }, .large = s->large };
        struct vgg_op *op = &test.op;
        if (i < 2 || flags || op->kind == VGG_OP_GMAXPOOL_BWD) op->x = act(&test, s->n, s->h, s->w, s->in);
        if (i < 2)
            op->y = act(&test, s->n, 1, 1, s->in);
        else
            op->dx = act(&test, s->n, s->h, s->w, s->in), op->dy = act(&test, s->n, 1, 1, s->in);
        CHECK(vgg_op_case_list_add(list, &test, ""));
    }
fail:
    return status;
}

/* ---- dropout, activations, losses ---- */

struct row_shape {
    int n, c;
    bool large;
};

static const struct row_shape row_shapes[] = { { 1, 1, false },  { 3, 2, false },   { 5, 10, false },
                                               { 4, 37, false }, { 2, 264, false }, { 20, 1000, true } };

static enum vgg_status add_dropout(struct vgg_op_case_list *list, const struct row_shape *s, float rate, bool in_place)
{
    enum vgg_status status = VGG_OK;
    char note[64];
    for (int backward = 0; backward < 2; backward++) {
        struct vgg_op_case test = { .large = s->large };
        test.op = (struct vgg_op) { .kind = backward ? VGG_OP_DROPOUT_BWD : VGG_OP_DROPOUT, .layer = 21, .rate = rate };
        test.step = (struct vgg_step) { .seed = 0x123456789ABCDEFu, .step = (uint64_t)s->c << 30, .first = 13 };
        test.step.loss_scale = 1;
        struct vgg_view *from = backward ? &test.op.dy : &test.op.x, *to = backward ? &test.op.dx : &test.op.y;
        *from = act(&test, s->n, 1, 1, s->c);
        *to = in_place ? *from : act(&test, s->n, 1, 1, s->c);
        snprintf(note, sizeof note, "rate %g%s", (double)rate, in_place ? " in place" : "");
        CHECK(vgg_op_case_list_add(list, &test, note));
    }
fail:
    return status;
}

static enum vgg_status add_activation(struct vgg_op_case_list *list, const struct row_shape *s, bool in_place)
{
    enum vgg_status status = VGG_OK;
    for (int i = 0; i < 2; i++) {
        struct vgg_op_case test = { .op = { .kind = i ? VGG_OP_SIGMOID : VGG_OP_SOFTMAX }, .large = s->large };
        test.op.x = act(&test, s->n, 1, 1, s->c);
        test.op.y = in_place ? test.op.x : act(&test, s->n, 1, 1, s->c);
        CHECK(vgg_op_case_list_add(list, &test, in_place ? "in place" : ""));
    }
fail:
    return status;
}

/* Softmax over c classes, or the sigmoid for c = 1. */
static enum vgg_status add_loss(struct vgg_op_case_list *list, const struct row_shape *s, enum vgg_op_kind kind,
                                bool optional, float smoothing)
{
    struct vgg_op_case test = { .op = { .kind = kind, .smoothing = smoothing }, .large = s->large };
    int c = kind == VGG_OP_SIGMOID_XENT ? 1 : s->c, n = kind == VGG_OP_SIGMOID_XENT ? s->c : s->n;
    test.op.x = act(&test, n, 1, 1, c);
    test.op.y = act(&test, n, 1, 1, c);
    test.op.t = act(&test, n, 1, 1, 1);
    test.op.loss = act(&test, n, 1, 1, 1);
    if (optional) test.op.sw = act(&test, n, 1, 1, 1);
    if (optional) test.op.dx = act(&test, n, 1, 1, c);
    char note[32] = "";
    if (optional) snprintf(note, sizeof note, "weighted");
    if (smoothing != 0) snprintf(note, sizeof note, "smoothing %g%s", (double)smoothing, optional ? " weighted" : "");
    return vgg_op_case_list_add(list, &test, note);
}

/* ---- updates, zeroing and the peak ---- */

struct update_variant {
    enum vgg_op_kind kind;
    unsigned flags;
    float momentum, weight_decay;
    uint64_t step;
    float rate;
};

static const struct update_variant update_variants[] = {
    { VGG_OP_SGD, 0, 0, 0, 0, 0 },
    { VGG_OP_SGD, 0, 0.9f, 1e-2f, 3, 0 },
    { VGG_OP_SGD, VGG_OP_NESTEROV, 0.9f, 0, 0, 0 },
    { VGG_OP_RMSPROP, 0, 0, 0, 0, 0 },
    { VGG_OP_RMSPROP, 0, 0, 1e-2f, 9, 0 },
    { VGG_OP_ADAM, 0, 0, 0, 0, 0 },
    { VGG_OP_ADAM, 0, 0, 1e-2f, 99, 0 },
    { VGG_OP_ADAMW, 0, 0, 1e-2f, 0, 0 },
    { VGG_OP_ADAMW, 0, 0, 1e-2f, 5000, 0 },
    { VGG_OP_SGD, 0, 0.9f, 1e-2f, 3, 0.7f },
    { VGG_OP_RMSPROP, 0, 0, 1e-2f, 9, 0.7f },
    { VGG_OP_ADAMW, 0, 0, 1e-2f, 7, 0.7f },
};

static enum vgg_status add_update(struct vgg_op_case_list *list, const struct update_variant *variant, int count)
{
    struct vgg_op_case test = { .op = { .kind = variant->kind, .flags = variant->flags }, .large = count > 50000 };
    test.op.hyper =
        (struct vgg_hyper) { variant->momentum, 0.9f, 0.9f, 0.999f, 1e-7f, variant->weight_decay, variant->rate };
    test.step = first_step;
    test.step.step = variant->step;
    test.op.w = flat(&test, VGG_ARENA_PARAM, count);
    test.op.dw = flat(&test, VGG_ARENA_GRAD, count);
    if (vgg_op_keeps(&test.op, VGG_OP_M)) test.op.m = flat(&test, VGG_ARENA_MOMENT, count);
    if (vgg_op_keeps(&test.op, VGG_OP_V)) test.op.v = flat(&test, VGG_ARENA_MOMENT, count);
    char note[96];
    snprintf(note, sizeof note, "%d momentum %g decay %g rate %g step %llu", count, (double)variant->momentum,
             (double)variant->weight_decay, (double)variant->rate, (unsigned long long)variant->step);
    return vgg_op_case_list_add(list, &test, note);
}

static enum vgg_status add_clip(struct vgg_op_case_list *list, int count, float limit)
{
    struct vgg_op_case test = { .op = { .kind = VGG_OP_CLIP, .limit = limit }, .large = count > 50000 };
    test.op.dw = flat(&test, VGG_ARENA_GRAD, count);
    char note[32];
    snprintf(note, sizeof note, "limit %g", (double)limit);
    return vgg_op_case_list_add(list, &test, note);
}

/* infinite: the number of a value, from 1, that is; 0: all are finite. */
static enum vgg_status add_unscale(struct vgg_op_case_list *list, int count, int infinite)
{
    struct vgg_op_case test = { .op = { .kind = VGG_OP_UNSCALE }, .large = count > 50000 };
    test.op.y = act(&test, 1, 1, 1, 1);
    test.op.dw = flat(&test, VGG_ARENA_GRAD, count);
    test.infinite = (size_t)infinite;
    char note[48] = "all finite";
    if (infinite) snprintf(note, sizeof note, "value %d of %d infinite", infinite, count);
    return vgg_op_case_list_add(list, &test, note);
}

static enum vgg_status add_zero(struct vgg_op_case_list *list, enum vgg_arena arena, int count)
{
    struct vgg_op_case test = { .op = { .kind = VGG_OP_ZERO }, .large = count > 50000 };
    test.op.y = flat(&test, arena, count);
    return vgg_op_case_list_add(list, &test, "");
}

static enum vgg_status add_add(struct vgg_op_case_list *list, int count)
{
    struct vgg_op_case test = { .op = { .kind = VGG_OP_ADD }, .large = count > 50000 };
    test.op.x = flat(&test, VGG_ARENA_SUM, count);
    test.op.y = flat(&test, VGG_ARENA_GRAD, count);
    return vgg_op_case_list_add(list, &test, "");
}

static enum vgg_status add_fma(struct vgg_op_case_list *list, int count, int rounds)
{
    struct vgg_op_case test = { .op = { .kind = VGG_OP_FMA, .rounds = rounds }, .large = count > 50000 };
    test.op.x = act(&test, 1, 1, 1, count);
    test.op.y = rounds % 2 ? act(&test, 1, 1, 1, count) : test.op.x;
    char note[32];
    snprintf(note, sizeof note, "%d rounds", rounds);
    return vgg_op_case_list_add(list, &test, note);
}

enum vgg_status vgg_op_case_list_init(struct vgg_op_case_list *list)
{
    enum vgg_status status;
    *list = (struct vgg_op_case_list) { 0 };
    CHECK(add_convs(list));
    for (size_t i = 0; i < sizeof dense_shapes / sizeof *dense_shapes; i++) {
        CHECK(add_dense(list, &dense_shapes[i], 0));
        CHECK(add_dense(list, &dense_shapes[i], VGG_OP_RELU));
    }
    CHECK(add_all_quantised(list));
    for (size_t i = 0; i < sizeof pool_shapes / sizeof *pool_shapes; i++) {
        CHECK(add_pool(list, &pool_shapes[i], false));
        CHECK(add_pool(list, &pool_shapes[i], true));
        CHECK(add_global(list, &pool_shapes[i], 0));
        CHECK(add_global(list, &pool_shapes[i], VGG_OP_RELU));
    }
    for (size_t i = 0; i < sizeof row_shapes / sizeof *row_shapes; i++) {
        const struct row_shape *s = &row_shapes[i];
        CHECK(add_dropout(list, s, 0.5f, i % 2));
        CHECK(add_dropout(list, s, i % 3 ? 0.2f : 0, !(i % 2)));
        CHECK(add_activation(list, s, i % 2));
        for (int optional = 0; optional < 2; optional++) {
            CHECK(add_loss(list, s, VGG_OP_SOFTMAX_XENT, optional, 0.0f));
            CHECK(add_loss(list, s, VGG_OP_SIGMOID_XENT, optional, 0.0f));
            CHECK(add_loss(list, s, VGG_OP_SOFTMAX_XENT, optional, i % 2 ? 0.1f : 0.7f));
        }
    }
    static const int counts[] = { 1, 7, 64, 1003, 100003 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (size_t j = 0; j < sizeof update_variants / sizeof *update_variants; j++)
            CHECK(add_update(list, &update_variants[j], counts[i]));
        CHECK(add_zero(list, VGG_ARENA_GRAD, counts[i]));
        CHECK(add_zero(list, VGG_ARENA_ACT, counts[i]));
        CHECK(add_add(list, counts[i]));
        CHECK(add_clip(list, counts[i], 0.3f));
        CHECK(add_clip(list, counts[i], 1e4f));
        CHECK(add_unscale(list, counts[i], 0));
        CHECK(add_unscale(list, counts[i], counts[i] / 3 + 1));
        CHECK(add_unscale(list, counts[i], counts[i]));
        CHECK(add_fma(list, counts[i], 1 + (int)i));
    }
    return VGG_OK;
fail:
    vgg_op_case_list_finish(list);
    return status;
}

enum vgg_status vgg_op_case_list_wild(struct vgg_op_case_list *list)
{
    enum { EACH = 3 }; /* every third of a kind */
    enum vgg_status status = VGG_OK;
    size_t count = list->count, seen[VGG_OP_KIND_COUNT] = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct vgg_op_case test = list->item[i];
        if (test.large || test.op.kind == VGG_OP_ZERO || seen[test.op.kind]++ % EACH != EACH - 1) continue;
        test.wild = true;
        CHECK(vgg_op_case_list_add(list, &test, "wild"));
    }
fail:
    return status;
}

void vgg_op_case_list_finish(struct vgg_op_case_list *list)
{
    free(list->item);
    *list = (struct vgg_op_case_list) { 0 };
}
