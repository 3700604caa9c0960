#include "core/op/op.h"

#include <limits.h>
#include <stdio.h>

#include "core/base/mem.h"

static const char *const names[VGG_OP_KIND_COUNT] = {
    [VGG_OP_ZERO] = "ZERO",
    [VGG_OP_ADD] = "ADD",
    [VGG_OP_CONV] = "CONV",
    [VGG_OP_CONV_BWD_DATA] = "CONV_BWD_DATA",
    [VGG_OP_CONV_BWD_WEIGHT] = "CONV_BWD_WEIGHT",
    [VGG_OP_POOL2] = "POOL2",
    [VGG_OP_POOL2_BWD] = "POOL2_BWD",
    [VGG_OP_DENSE] = "DENSE",
    [VGG_OP_DENSE_BWD_DATA] = "DENSE_BWD_DATA",
    [VGG_OP_DENSE_BWD_WEIGHT] = "DENSE_BWD_WEIGHT",
    [VGG_OP_AVGPOOL] = "AVGPOOL",
    [VGG_OP_AVGPOOL_BWD] = "AVGPOOL_BWD",
    [VGG_OP_GMAXPOOL] = "GMAXPOOL",
    [VGG_OP_GMAXPOOL_BWD] = "GMAXPOOL_BWD",
    [VGG_OP_DROPOUT] = "DROPOUT",
    [VGG_OP_DROPOUT_BWD] = "DROPOUT_BWD",
    [VGG_OP_SOFTMAX] = "SOFTMAX",
    [VGG_OP_SIGMOID] = "SIGMOID",
    [VGG_OP_SOFTMAX_XENT] = "SOFTMAX_XENT",
    [VGG_OP_SIGMOID_XENT] = "SIGMOID_XENT",
    [VGG_OP_FMA] = "FMA",
    [VGG_OP_SGD] = "SGD",
    [VGG_OP_RMSPROP] = "RMSPROP",
    [VGG_OP_ADAM] = "ADAM",
    [VGG_OP_ADAMW] = "ADAMW",
};

const char *vgg_op_name(enum vgg_op_kind kind)
{
    return names[kind];
}

size_t vgg_view_count(const struct vgg_view *view)
{
    return vgg_mem_mul(vgg_mem_mul((size_t)view->n, (size_t)view->h), vgg_mem_mul((size_t)view->w, (size_t)view->c));
}

size_t vgg_view_size(const struct vgg_view *view)
{
    return vgg_mem_mul(vgg_view_count(view), view->type == VGG_F32 ? sizeof(float) : sizeof(uint8_t));
}

/* ---- the shape rules ---- */

static bool present(const struct vgg_view *v)
{
    return v->n != 0;
}

static bool is(const struct vgg_view *v, int n, int h, int w, int c)
{
    return v->type == VGG_F32 && v->n == n && v->h == h && v->w == w && v->c == c;
}

static bool same(const struct vgg_view *a, const struct vgg_view *b)
{
    return is(a, b->n, b->h, b->w, b->c);
}

static bool inside(const struct vgg_view *v, const size_t arena_size[VGG_ARENA_COUNT])
{
    if (!present(v)) return true;
    if (v->n < 0 || v->h <= 0 || v->w <= 0 || v->c <= 0 || (unsigned)v->arena >= VGG_ARENA_COUNT) return false;
    size_t size = vgg_view_size(v);
    return v->offset % VGG_VIEW_ALIGN == 0 && size <= arena_size[v->arena] && v->offset <= arena_size[v->arena] - size;
}

/* Each returns NULL or the rule that does not hold. */
static const char *check_pool_output(const struct vgg_view *y, const struct vgg_view *arg, const struct vgg_view *x)
{
    if (!is(y, x->n, x->h / 2, x->w / 2, x->c)) return "y must be x halved in height and width";
    if (present(arg) && (arg->type != VGG_U8 || arg->n != y->n || arg->h != y->h || arg->w != y->w || arg->c != y->c)) {
        return "arg must be bytes in the shape of y";
    }
    return NULL;
}

static const char *check_conv(const struct vgg_op *op)
{
    if (op->w.n != 3 || op->w.h != 3 || op->w.w != op->x.c) return "w must be 3 x 3 x channels of x x channels of y";
    if (!is(&op->b, 1, 1, 1, op->w.c)) return "b must have one value an output channel";
    if (op->flags & VGG_OP_POOL) {
        struct vgg_view full = op->x;
        full.c = op->w.c;
        return check_pool_output(&op->y, &op->arg, &full);
    }
    if (present(&op->arg)) return "arg needs VGG_OP_POOL";
    return is(&op->y, op->x.n, op->x.h, op->x.w, op->w.c) ? NULL : "y must be n h w of x with channels of w";
}

static const char *check_mask(const struct vgg_op *op, const struct vgg_view *mask, const struct vgg_view *like)
{
    return !(op->flags & VGG_OP_RELU) || same(mask, like) ? NULL : "the tensor that masks must have the shape masked";
}

static const char *check_conv_bwd_data(const struct vgg_op *op)
{
    if (op->w.n != 3 || op->w.h != 3 || op->w.w != op->dx.c || op->w.c != op->dy.c)
        return "w must be 3 x 3 x dx.c x dy.c";
    if (!is(&op->dx, op->dy.n, op->dy.h, op->dy.w, op->w.w)) return "dx must be n h w of dy";
    return check_mask(op, &op->x, &op->dx);
}

static const char *check_conv_bwd_weight(const struct vgg_op *op)
{
    if (!is(&op->dw, 3, 3, op->x.c, op->dy.c)) return "dw must be 3 x 3 x x.c x dy.c";
    if (!is(&op->db, 1, 1, 1, op->dy.c)) return "db must have one value a channel of dy";
    return is(&op->x, op->dy.n, op->dy.h, op->dy.w, op->x.c) ? NULL : "x and dy must agree in n, h, w";
}

static const char *check_dense(const struct vgg_op *op, const struct vgg_view *x, const struct vgg_view *w,
                               const struct vgg_view *b, const struct vgg_view *y)
{
    struct vgg_view row = *x;
    row.n = 1;
    if (x->type != VGG_F32 || !is(w, 1, 1, (int)vgg_view_count(&row), y->c)) return "w must be (h w c of x, units)";
    if (b && !is(b, 1, 1, 1, y->c)) return "b must have one value a unit";
    if (!is(y, x->n, 1, 1, y->c)) return "y must be (n of x, units)";
    return op->kind == VGG_OP_DENSE_BWD_DATA ? check_mask(op, &op->x, &op->dx) : NULL;
}

static const char *check_global(const struct vgg_view *x, const struct vgg_view *y)
{
    return x->type == VGG_F32 && is(y, x->n, 1, 1, x->c) ? NULL : "the pooled side must be (n, 1, 1, c) of the other";
}

static const char *check_global_bwd(const struct vgg_op *op)
{
    bool needs_x = op->kind == VGG_OP_GMAXPOOL_BWD || (op->flags & VGG_OP_RELU);
    if (needs_x && !same(&op->x, &op->dx)) return "x must have the shape of dx";
    return check_global(&op->dx, &op->dy);
}

static const char *check_loss(const struct vgg_op *op)
{
    if (op->kind == VGG_OP_SIGMOID_XENT && op->x.c != 1) return "x must have one channel";
    if (op->x.h != 1 || op->x.w != 1) return "x must be (n, 1, 1, c)";
    if (!is(&op->t, op->x.n, 1, 1, 1) || !is(&op->loss, op->x.n, 1, 1, 1))
        return "t and loss must have one value an image";
    if (present(&op->sw) && !is(&op->sw, op->x.n, 1, 1, 1)) return "sw must have one value an image";
    if (present(&op->dx) && !same(&op->dx, &op->x)) return "dx must have the shape of x";
    return same(&op->y, &op->x) ? NULL : "y must have the shape of x";
}

static const char *check_update(const struct vgg_op *op)
{
    bool adam = op->kind == VGG_OP_ADAM || op->kind == VGG_OP_ADAMW;
    bool needs_v = adam || op->kind == VGG_OP_RMSPROP;
    bool needs_m = adam || (op->kind == VGG_OP_SGD && op->hyper.momentum != 0.0f);
    if (!is(&op->w, 1, 1, 1, op->w.c) || !same(&op->dw, &op->w)) return "w and dw must be flat and of one count";
    if (needs_m && !same(&op->m, &op->w)) return "m must have the shape of w";
    if (needs_v && !same(&op->v, &op->w)) return "v must have the shape of w";
    return NULL;
}

static const char *check_kind(const struct vgg_op *op)
{
    switch (op->kind) {
    case VGG_OP_ZERO: return present(&op->y) ? NULL : "y is missing";
    case VGG_OP_ADD:
        return is(&op->y, 1, 1, 1, op->y.c) && same(&op->x, &op->y) ? NULL : "x and y must be flat and of one count";
    case VGG_OP_CONV: return check_conv(op);
    case VGG_OP_CONV_BWD_DATA: return check_conv_bwd_data(op);
    case VGG_OP_CONV_BWD_WEIGHT: return check_conv_bwd_weight(op);
    case VGG_OP_POOL2: return check_pool_output(&op->y, &op->arg, &op->x);
    case VGG_OP_POOL2_BWD:
        if (!present(&op->arg)) return "arg is missing";
        return check_mask(op, &op->y, &op->dy) ? check_mask(op, &op->y, &op->dy)
                                               : check_pool_output(&op->dy, &op->arg, &op->dx);
    case VGG_OP_DENSE: return check_dense(op, &op->x, &op->w, &op->b, &op->y);
    case VGG_OP_DENSE_BWD_DATA: return check_dense(op, &op->dx, &op->w, NULL, &op->dy);
    case VGG_OP_DENSE_BWD_WEIGHT: return check_dense(op, &op->x, &op->dw, &op->db, &op->dy);
    case VGG_OP_AVGPOOL:
    case VGG_OP_GMAXPOOL: return check_global(&op->x, &op->y);
    case VGG_OP_AVGPOOL_BWD:
    case VGG_OP_GMAXPOOL_BWD: return check_global_bwd(op);
    case VGG_OP_DROPOUT:
    case VGG_OP_DROPOUT_BWD:
        if (!(op->rate >= 0.0f && op->rate < 1.0f)) return "rate must be in [0, 1)";
        return op->kind == VGG_OP_DROPOUT ? (same(&op->y, &op->x) ? NULL : "y must have the shape of x")
                                          : (same(&op->dx, &op->dy) ? NULL : "dx must have the shape of dy");
    case VGG_OP_SOFTMAX:
    case VGG_OP_SIGMOID: return same(&op->y, &op->x) ? NULL : "y must have the shape of x";
    case VGG_OP_SOFTMAX_XENT:
    case VGG_OP_SIGMOID_XENT: return check_loss(op);
    case VGG_OP_FMA:
        return op->rounds < 1 ? "rounds must be 1 or more" : same(&op->y, &op->x) ? NULL : "y must have the shape of x";
    case VGG_OP_SGD:
    case VGG_OP_RMSPROP:
    case VGG_OP_ADAM:
    case VGG_OP_ADAMW: return check_update(op);
    case VGG_OP_KIND_COUNT: break;
    }
    return "no such operation";
}

const struct vgg_view *vgg_op_view(const struct vgg_op *op, enum vgg_op_view view)
{
    const struct vgg_view *const all[VGG_OP_VIEW_COUNT] = {
        [VGG_OP_X] = &op->x,     [VGG_OP_W] = &op->w,   [VGG_OP_B] = &op->b,   [VGG_OP_Y] = &op->y,
        [VGG_OP_ARG] = &op->arg, [VGG_OP_DX] = &op->dx, [VGG_OP_DW] = &op->dw, [VGG_OP_DB] = &op->db,
        [VGG_OP_DY] = &op->dy,   [VGG_OP_T] = &op->t,   [VGG_OP_SW] = &op->sw, [VGG_OP_LOSS] = &op->loss,
        [VGG_OP_M] = &op->m,     [VGG_OP_V] = &op->v,
    };
    return all[view];
}

enum vgg_op_role vgg_op_role(const struct vgg_op *op, enum vgg_op_view view)
{
    if (!present(vgg_op_view(op, view))) return VGG_OP_ABSENT;
    bool update = op->kind >= VGG_OP_SGD, unpool = op->kind == VGG_OP_POOL2_BWD;
    bool masked =
        op->kind == VGG_OP_CONV_BWD_DATA || op->kind == VGG_OP_DENSE_BWD_DATA || op->kind == VGG_OP_AVGPOOL_BWD;
    if (!(op->flags & VGG_OP_RELU) && ((masked && view == VGG_OP_X) || (unpool && view == VGG_OP_Y))) {
        return VGG_OP_ABSENT; /* a plan may name the mask where none is wanted */
    }
    switch (view) {
    case VGG_OP_W:
    case VGG_OP_M:
    case VGG_OP_V: return update ? VGG_OP_UPDATES : VGG_OP_READS;
    case VGG_OP_DW:
    case VGG_OP_DB: return update ? VGG_OP_READS : VGG_OP_UPDATES;
    case VGG_OP_Y:
    case VGG_OP_ARG: return unpool ? VGG_OP_READS : op->kind == VGG_OP_ADD ? VGG_OP_UPDATES : VGG_OP_WRITES;
    case VGG_OP_DX:
    case VGG_OP_LOSS: return VGG_OP_WRITES;
    default: return VGG_OP_READS;
    }
}

double vgg_op_bytes(const struct vgg_op *op)
{
    double bytes = 0;
    for (int i = 0; i < VGG_OP_VIEW_COUNT; i++) {
        enum vgg_op_role role = vgg_op_role(op, (enum vgg_op_view)i);
        double times = role == VGG_OP_ABSENT ? 0 : role == VGG_OP_UPDATES ? 2 : 1;
        bytes += times * (double)vgg_view_size(vgg_op_view(op, (enum vgg_op_view)i));
    }
    return bytes;
}

/* The views that an operation of this kind cannot do without are checked by shape; absent ones have n = 0 and fail. */
bool vgg_op_check(const struct vgg_op *op, const size_t arena_size[VGG_ARENA_COUNT], const char **why)
{
    *why = check_kind(op);
    for (int i = 0; !*why && i < VGG_OP_VIEW_COUNT; i++) {
        const struct vgg_view *view = vgg_op_view(op, (enum vgg_op_view)i);
        if (!inside(view, arena_size)) *why = "a tensor is empty, misaligned or outside its arena";
        if (view->type != VGG_F32 && i != VGG_OP_ARG) *why = "only arg may hold bytes";
    }
    return !*why;
}

double vgg_op_flops(const struct vgg_op *op)
{
    const struct vgg_view *x = &op->x, *dx = &op->dx, *dy = &op->dy;
    switch (op->kind) {
    case VGG_OP_CONV: return 2.0 * 9.0 * (double)vgg_view_count(x) * op->w.c;
    case VGG_OP_CONV_BWD_DATA: return 2.0 * 9.0 * (double)vgg_view_count(dx) * dy->c;
    case VGG_OP_CONV_BWD_WEIGHT: return 2.0 * 9.0 * (double)vgg_view_count(x) * dy->c;
    case VGG_OP_DENSE: return 2.0 * (double)vgg_view_count(x) * op->y.c;
    case VGG_OP_DENSE_BWD_DATA: return 2.0 * (double)vgg_view_count(dx) * dy->c;
    case VGG_OP_DENSE_BWD_WEIGHT: return 2.0 * (double)vgg_view_count(x) * dy->c;
    case VGG_OP_POOL2:
    case VGG_OP_AVGPOOL:
    case VGG_OP_GMAXPOOL: return (double)vgg_view_count(x);
    case VGG_OP_FMA: return 2.0 * op->rounds * (double)vgg_view_count(x);
    case VGG_OP_SGD:
    case VGG_OP_RMSPROP:
    case VGG_OP_ADAM:
    case VGG_OP_ADAMW: return 8.0 * (double)vgg_view_count(&op->w);
    default: return (double)vgg_view_count(present(&op->y) ? &op->y : dx);
    }
}

int vgg_op_print(char *text, size_t size, const struct vgg_op *op)
{
    static const char *const view_names[] = { "x", "w", "dy", "y", "dx", "dw" };
    const struct vgg_view *const views[] = { &op->x, &op->w, &op->dy, &op->y, &op->dx, &op->dw };
    int used = snprintf(text, size, "%s%s%s%s", names[op->kind], op->flags & VGG_OP_RELU ? "+relu" : "",
                        op->flags & VGG_OP_POOL ? "+pool" : "", op->flags & VGG_OP_NESTEROV ? "+nesterov" : "");
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        const struct vgg_view *v = views[i];
        if (!present(v)) continue;
        size_t at = (size_t)used < size ? (size_t)used : size;
        used += snprintf(text + at, size - at, " %s %dx%dx%dx%d", view_names[i], v->n, v->h, v->w, v->c);
    }
    return used;
}
