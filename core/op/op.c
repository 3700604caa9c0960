#include "core/op/op.h"

#include <limits.h>
#include <stdio.h>

#include "core/base/mem.h"

size_t vgg_view_count(const struct vgg_view *view)
{
    return vgg_mem_mul(vgg_mem_mul((size_t)view->n, (size_t)view->h), vgg_mem_mul((size_t)view->w, (size_t)view->c));
}

size_t vgg_type_size(enum vgg_type type)
{
    static const size_t size[] = { [VGG_F32] = sizeof(float), [VGG_U8] = 1, [VGG_F16] = 2 };
    return size[type];
}

size_t vgg_view_size(const struct vgg_view *view)
{
    return vgg_mem_mul(vgg_view_count(view), vgg_type_size(view->type));
}

/* ---- views ---- */

static const struct {
    const char *name;
    size_t offset;
} views[VGG_OP_VIEW_COUNT] = {
    [VGG_OP_X] = { "x", offsetof(struct vgg_op, x) },          [VGG_OP_W] = { "w", offsetof(struct vgg_op, w) },
    [VGG_OP_B] = { "b", offsetof(struct vgg_op, b) },          [VGG_OP_Y] = { "y", offsetof(struct vgg_op, y) },
    [VGG_OP_ARG] = { "arg", offsetof(struct vgg_op, arg) },    [VGG_OP_Q] = { "q", offsetof(struct vgg_op, q) },
    [VGG_OP_DX] = { "dx", offsetof(struct vgg_op, dx) },       [VGG_OP_DW] = { "dw", offsetof(struct vgg_op, dw) },
    [VGG_OP_DB] = { "db", offsetof(struct vgg_op, db) },       [VGG_OP_DY] = { "dy", offsetof(struct vgg_op, dy) },
    [VGG_OP_T] = { "t", offsetof(struct vgg_op, t) },          [VGG_OP_SW] = { "sw", offsetof(struct vgg_op, sw) },
    [VGG_OP_LOSS] = { "loss", offsetof(struct vgg_op, loss) }, [VGG_OP_M] = { "m", offsetof(struct vgg_op, m) },
    [VGG_OP_V] = { "v", offsetof(struct vgg_op, v) },
};

const char *vgg_op_view_name(enum vgg_op_view view)
{
    return views[view].name;
}

const struct vgg_view *vgg_op_view(const struct vgg_op *op, enum vgg_op_view view)
{
    return (const struct vgg_view *)(const void *)((const char *)op + views[view].offset);
}

/* ---- the shape rules ---- */

static bool present(const struct vgg_view *v)
{
    return v->n != 0;
}

static bool shaped(const struct vgg_view *v, int n, int h, int w, int c)
{
    return v->n == n && v->h == h && v->w == w && v->c == c;
}

static bool is(const struct vgg_view *v, int n, int h, int w, int c)
{
    return v->type == VGG_F32 && shaped(v, n, h, w, c);
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

/* Each of these returns NULL or the rule that does not hold. */
static const char *check_pool_output(const struct vgg_view *y, const struct vgg_view *arg, const struct vgg_view *x)
{
    if (!shaped(y, x->n, x->h / 2, x->w / 2, x->c)) return "y must be x halved in height and width";
    if (present(arg) && (arg->type != VGG_U8 || !shaped(arg, y->n, y->h, y->w, y->c)))
        return "arg must be bytes in the shape of y";
    return NULL;
}

/* `terms`: products in a sum. */
static const char *check_quantised(const struct vgg_op *op, size_t terms)
{
    if (!present(&op->q)) return op->x.type != VGG_U8 && op->y.type != VGG_U8 ? NULL : "x and y of bytes need q";
    if (!is(&op->q, 1, 1, 1, VGG_QUANT_COUNT)) return "q must have VGG_QUANT_COUNT values";
    if (op->x.type == VGG_F32 && op->y.type == VGG_F32) return "q needs x or y of bytes";
    if (op->y.type == VGG_U8 && !(op->flags & VGG_OP_RELU)) return "y of bytes needs VGG_OP_RELU";
    if (op->x.type == VGG_U8 && terms > VGG_QUANT_TERMS) return "x of bytes has more than 65536 products in a sum";
    return present(&op->arg) ? "arg and q exclude each other" : NULL;
}

static const char *check_zero(const struct vgg_op *op)
{
    return present(&op->y) ? NULL : "y is missing";
}

static const char *check_add(const struct vgg_op *op)
{
    return is(&op->y, 1, 1, 1, op->y.c) && same(&op->x, &op->y) ? NULL : "x and y must be flat and of one count";
}

static const char *check_conv(const struct vgg_op *op)
{
    if (op->w.n != 3 || op->w.h != 3 || op->w.w != op->x.c) return "w must be 3 x 3 x channels of x x channels of y";
    if (!is(&op->b, 1, 1, 1, op->w.c)) return "b must have one value an output channel";
    const char *why = check_quantised(op, 9 * (size_t)op->x.c);
    if (why) return why;
    if (op->flags & VGG_OP_POOL) {
        struct vgg_view full = op->x;
        full.c = op->w.c;
        return check_pool_output(&op->y, &op->arg, &full);
    }
    if (present(&op->arg)) return "arg needs VGG_OP_POOL";
    return shaped(&op->y, op->x.n, op->x.h, op->x.w, op->w.c) ? NULL : "y must be n h w of x with channels of w";
}

static const char *check_mask(const struct vgg_op *op, const struct vgg_view *mask, const struct vgg_view *like)
{
    bool fits = mask->type == like->type && shaped(mask, like->n, like->h, like->w, like->c);
    return !(op->flags & VGG_OP_RELU) || fits ? NULL : "the tensor that masks must have the shape and type masked";
}

static const char *check_conv_bwd_data(const struct vgg_op *op)
{
    if (op->w.n != 3 || op->w.h != 3 || op->w.w != op->dx.c || op->w.c != op->dy.c)
        return "w must be 3 x 3 x dx.c x dy.c";
    if (!shaped(&op->dx, op->dy.n, op->dy.h, op->dy.w, op->w.w)) return "dx must be n h w of dy";
    return check_mask(op, &op->x, &op->dx);
}

static const char *check_conv_bwd_weight(const struct vgg_op *op)
{
    if (!is(&op->dw, 3, 3, op->x.c, op->dy.c)) return "dw must be 3 x 3 x x.c x dy.c";
    if (!is(&op->db, 1, 1, 1, op->dy.c)) return "db must have one value a channel of dy";
    return shaped(&op->x, op->dy.n, op->dy.h, op->dy.w, op->x.c) ? NULL : "x and dy must agree in n, h, w";
}

static const char *check_pool(const struct vgg_op *op)
{
    return check_pool_output(&op->y, &op->arg, &op->x);
}

static const char *check_pool_bwd(const struct vgg_op *op)
{
    if (!present(&op->arg)) return "arg is missing";
    const char *why = check_mask(op, &op->y, &op->dy);
    return why ? why : check_pool_output(&op->dy, &op->arg, &op->dx);
}

/* x times the kernel w is y; b may be NULL. */
static const char *check_product(const struct vgg_view *x, const struct vgg_view *w, const struct vgg_view *b,
                                 const struct vgg_view *y)
{
    struct vgg_view row = *x;
    row.n = 1;
    if (!is(w, 1, 1, (int)vgg_view_count(&row), y->c)) return "w must be (h w c of x, units)";
    if (b && !is(b, 1, 1, 1, y->c)) return "b must have one value a unit";
    return shaped(y, x->n, 1, 1, y->c) ? NULL : "y must be (n of x, units)";
}

static const char *check_dense(const struct vgg_op *op)
{
    const char *why = check_product(&op->x, &op->w, &op->b, &op->y);
    if (!why && present(&op->q) && op->x.type == VGG_F32) why = "a dense layer with q needs x of bytes";
    return why ? why : check_quantised(op, (size_t)op->w.w);
}

static const char *check_dense_bwd_data(const struct vgg_op *op)
{
    const char *why = check_product(&op->dx, &op->w, NULL, &op->dy);
    return why ? why : check_mask(op, &op->x, &op->dx);
}

static const char *check_dense_bwd_weight(const struct vgg_op *op)
{
    return check_product(&op->x, &op->dw, &op->db, &op->dy);
}

static const char *check_pooled(const struct vgg_view *x, const struct vgg_view *y)
{
    return x->type == VGG_F32 && is(y, x->n, 1, 1, x->c) ? NULL : "the pooled side must be (n, 1, 1, c) of the other";
}

static const char *check_global(const struct vgg_op *op)
{
    return check_pooled(&op->x, &op->y);
}

static const char *check_gmaxpool_bwd(const struct vgg_op *op)
{
    return same(&op->x, &op->dx) ? check_pooled(&op->dx, &op->dy) : "x must have the shape of dx";
}

static const char *check_avgpool_bwd(const struct vgg_op *op)
{
    return op->flags & VGG_OP_RELU ? check_gmaxpool_bwd(op) : check_pooled(&op->dx, &op->dy);
}

static const char *check_map(const struct vgg_op *op)
{
    return same(&op->y, &op->x) ? NULL : "y must have the shape of x";
}

static const char *check_rate(const struct vgg_op *op)
{
    return op->rate >= 0.0f && op->rate < 1.0f ? NULL : "rate must be in [0, 1)";
}

static const char *check_dropout(const struct vgg_op *op)
{
    const char *why = check_rate(op);
    return why ? why : check_map(op);
}

static const char *check_dropout_bwd(const struct vgg_op *op)
{
    const char *why = check_rate(op);
    return why || same(&op->dx, &op->dy) ? why : "dx must have the shape of dy";
}

static const char *check_clip(const struct vgg_op *op)
{
    if (!(op->limit > 0.0f)) return "limit must be above 0";
    return is(&op->dw, 1, 1, 1, op->dw.c) ? NULL : "dw must be flat";
}

static const char *check_unscale(const struct vgg_op *op)
{
    if (!is(&op->y, 1, 1, 1, 1)) return "y must be one value";
    return is(&op->dw, 1, 1, 1, op->dw.c) ? NULL : "dw must be flat";
}

static const char *check_fma(const struct vgg_op *op)
{
    return op->rounds < 1 ? "rounds must be 1 or more" : check_map(op);
}

static const char *check_loss(const struct vgg_op *op)
{
    if (!(op->smoothing >= 0.0f && op->smoothing < 1.0f)) return "smoothing must be in [0, 1)";
    if (op->smoothing != 0.0f && op->kind == VGG_OP_SIGMOID_XENT) return "of a sigmoid's loss the targets are smoothed";
    if (op->x.h != 1 || op->x.w != 1) return "x must be (n, 1, 1, c)";
    if (!is(&op->t, op->x.n, 1, 1, 1) || !is(&op->loss, op->x.n, 1, 1, 1))
        return "t and loss must have one value an image";
    if (present(&op->sw) && !is(&op->sw, op->x.n, 1, 1, 1)) return "sw must have one value an image";
    if (present(&op->dx) && !same(&op->dx, &op->x)) return "dx must have the shape of x";
    return check_map(op);
}

static const char *check_loss_of_one(const struct vgg_op *op)
{
    return op->x.c == 1 ? check_loss(op) : "x must have one channel";
}

static const char *check_update(const struct vgg_op *op)
{
    if (!is(&op->w, 1, 1, 1, op->w.c) || !same(&op->dw, &op->w)) return "w and dw must be flat and of one count";
    if (vgg_op_keeps(op, VGG_OP_M) && !same(&op->m, &op->w)) return "m must have the shape of w";
    if (vgg_op_keeps(op, VGG_OP_V) && !same(&op->v, &op->w)) return "v must have the shape of w";
    return NULL;
}

static const char *check_unknown(const struct vgg_op *op)
{
    (void)op;
    return "no such operation";
}

/* ---- the operations ---- */

/* Sets of views. */
enum {
    X = 1 << VGG_OP_X,
    W = 1 << VGG_OP_W,
    B = 1 << VGG_OP_B,
    Y = 1 << VGG_OP_Y,
    ARG = 1 << VGG_OP_ARG,
    Q = 1 << VGG_OP_Q,
    DX = 1 << VGG_OP_DX,
    DW = 1 << VGG_OP_DW,
    DB = 1 << VGG_OP_DB,
    DY = 1 << VGG_OP_DY,
    T = 1 << VGG_OP_T,
    SW = 1 << VGG_OP_SW,
    LOSS = 1 << VGG_OP_LOSS,
    M = 1 << VGG_OP_M,
    V = 1 << VGG_OP_V,
};

/* All that is known of a kind. */
struct row {
    const char *name;
    const char *(*check)(const struct vgg_op *op); /* its shape rule */
    unsigned reads, writes, updates;               /* sets of views */
    unsigned mask;                                 /* read with VGG_OP_RELU alone */
    unsigned optional;                             /* those of the above that need not be there */
    unsigned halves;                               /* those that may be of VGG_F16 */
    /* Its count of operations: `each` for every value of the view in `of`, times the channels of that in `by` (0:
     * none). */
    struct {
        double each;
        unsigned of, by;
    } flops;
};

static const struct row rows[] = {
    [VGG_OP_ZERO] = { "ZERO", check_zero, .writes = Y, .flops = { 1, Y, 0 } },
    [VGG_OP_ADD] = { "ADD", check_add, .reads = X, .updates = Y, .flops = { 1, Y, 0 } },
    [VGG_OP_CONV] = { "CONV", check_conv, .reads = X | W | B | Q, .writes = Y | ARG, .optional = ARG | Q,
                      .halves = X | Y, .flops = { 18, X, W } },
    [VGG_OP_CONV_BWD_DATA] = { "CONV_BWD_DATA", check_conv_bwd_data, .reads = DY | W, .mask = X, .writes = DX,
                               .halves = X | DX | DY, .flops = { 18, DX, DY } },
    [VGG_OP_CONV_BWD_WEIGHT] = { "CONV_BWD_WEIGHT", check_conv_bwd_weight, .reads = DY | X, .updates = DW | DB,
                                 .halves = X | DY, .flops = { 18, X, DY } },
    [VGG_OP_POOL2] = { "POOL2", check_pool, .reads = X, .writes = Y | ARG, .optional = ARG, .flops = { 1, X, 0 } },
    [VGG_OP_POOL2_BWD] = { "POOL2_BWD", check_pool_bwd, .reads = DY | ARG, .mask = Y, .writes = DX,
                           .halves = Y | DX | DY, .flops = { 1, DY, 0 } },
    [VGG_OP_DENSE] = { "DENSE", check_dense, .reads = X | W | B | Q, .writes = Y, .optional = Q, .flops = { 2, X, Y } },
    [VGG_OP_DENSE_BWD_DATA] = { "DENSE_BWD_DATA", check_dense_bwd_data, .reads = DY | W, .mask = X, .writes = DX,
                                .flops = { 2, DX, DY } },
    [VGG_OP_DENSE_BWD_WEIGHT] = { "DENSE_BWD_WEIGHT", check_dense_bwd_weight, .reads = DY | X, .updates = DW | DB,
                                  .flops = { 2, X, DY } },
    [VGG_OP_AVGPOOL] = { "AVGPOOL", check_global, .reads = X, .writes = Y, .flops = { 1, X, 0 } },
    [VGG_OP_AVGPOOL_BWD] = { "AVGPOOL_BWD", check_avgpool_bwd, .reads = DY, .mask = X, .writes = DX,
                             .flops = { 1, DX, 0 } },
    [VGG_OP_GMAXPOOL] = { "GMAXPOOL", check_global, .reads = X, .writes = Y, .flops = { 1, X, 0 } },
    [VGG_OP_GMAXPOOL_BWD] = { "GMAXPOOL_BWD", check_gmaxpool_bwd, .reads = DY | X, .writes = DX,
                              .flops = { 1, DX, 0 } },
    [VGG_OP_DROPOUT] = { "DROPOUT", check_dropout, .reads = X, .writes = Y, .flops = { 1, Y, 0 } },
    [VGG_OP_DROPOUT_BWD] = { "DROPOUT_BWD", check_dropout_bwd, .reads = DY, .writes = DX, .flops = { 1, DX, 0 } },
    [VGG_OP_SOFTMAX] = { "SOFTMAX", check_map, .reads = X, .writes = Y, .flops = { 1, Y, 0 } },
    [VGG_OP_SIGMOID] = { "SIGMOID", check_map, .reads = X, .writes = Y, .flops = { 1, Y, 0 } },
    [VGG_OP_SOFTMAX_XENT] = { "SOFTMAX_XENT", check_loss, .reads = X | T | SW, .writes = Y | LOSS | DX,
                              .optional = SW | DX, .flops = { 1, Y, 0 } },
    [VGG_OP_SIGMOID_XENT] = { "SIGMOID_XENT", check_loss_of_one, .reads = X | T | SW, .writes = Y | LOSS | DX,
                              .optional = SW | DX, .flops = { 1, Y, 0 } },
    [VGG_OP_FMA] = { "FMA", check_fma, .reads = X, .writes = Y, .flops = { 2, X, 0 } },
    [VGG_OP_CLIP] = { "CLIP", check_clip, .updates = DW, .flops = { 3, DW, 0 } },
    [VGG_OP_UNSCALE] = { "UNSCALE", check_unscale, .writes = Y, .updates = DW, .flops = { 2, DW, 0 } },
    [VGG_OP_SGD] = { "SGD", check_update, .reads = DW, .updates = W | M, .optional = M, .flops = { 8, W, 0 } },
    [VGG_OP_RMSPROP] = { "RMSPROP", check_update, .reads = DW, .updates = W | V, .flops = { 8, W, 0 } },
    [VGG_OP_ADAM] = { "ADAM", check_update, .reads = DW, .updates = W | M | V, .flops = { 8, W, 0 } },
    [VGG_OP_ADAMW] = { "ADAMW", check_update, .reads = DW, .updates = W | M | V, .flops = { 8, W, 0 } },
    [VGG_OP_KIND_COUNT] = { .name = "UNKNOWN", .check = check_unknown },
};

/* The view in a set of one. */
static const struct vgg_view *only(const struct vgg_op *op, unsigned set)
{
    int view = 0;
    while (set >> view > 1)
        view++;
    return vgg_op_view(op, (enum vgg_op_view)view);
}

static const struct row *row_of(enum vgg_op_kind kind)
{
    return &rows[(unsigned)kind < VGG_OP_KIND_COUNT ? kind : VGG_OP_KIND_COUNT];
}

const char *vgg_op_name(enum vgg_op_kind kind)
{
    return row_of(kind)->name;
}

enum vgg_op_role vgg_op_role(const struct vgg_op *op, enum vgg_op_view view)
{
    const struct row *row = row_of(op->kind);
    unsigned bit = 1u << view;
    if (!present(vgg_op_view(op, view))) return VGG_OP_ABSENT;
    if (row->writes & bit) return VGG_OP_WRITES;
    if (row->updates & bit) return VGG_OP_UPDATES;
    return (row->reads | (op->flags & VGG_OP_RELU ? row->mask : 0)) & bit ? VGG_OP_READS : VGG_OP_ABSENT;
}

bool vgg_op_changes(const struct vgg_op *op, enum vgg_op_view view)
{
    enum vgg_op_role role = vgg_op_role(op, view);
    return role == VGG_OP_WRITES || role == VGG_OP_UPDATES;
}

bool vgg_op_has_halves(const struct vgg_op *op)
{
    for (int i = 0; i < VGG_OP_VIEW_COUNT; i++)
        if (vgg_op_view(op, (enum vgg_op_view)i)->type == VGG_F16) return true;
    return false;
}

bool vgg_op_keeps(const struct vgg_op *op, enum vgg_op_view moment)
{
    bool known = row_of(op->kind)->updates & 1u << moment;
    return known && (op->kind != VGG_OP_SGD || op->hyper.momentum != 0.0f);
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

double vgg_op_flops(const struct vgg_op *op)
{
    const struct row *row = row_of(op->kind);
    double flops = row->flops.each * (double)vgg_view_count(only(op, row->flops.of));
    if (row->flops.by) flops *= only(op, row->flops.by)->c;
    return op->kind == VGG_OP_FMA ? flops * op->rounds : flops;
}

/* NULL, or why a view cannot be of its type: bytes stand for places of maxima and activations of quantised layers. */
static const char *check_type(const struct vgg_op *op, enum vgg_op_view view)
{
    const struct vgg_view *v = vgg_op_view(op, view);
    bool quantised = vgg_op_role(op, VGG_OP_Q) == VGG_OP_READS;
    bool bytes = view == VGG_OP_ARG || (quantised && (view == VGG_OP_X || view == VGG_OP_Y));
    switch (v->type) {
    case VGG_F32: return NULL;
    case VGG_U8: return bytes ? NULL : "bytes where floats belong";
    case VGG_F16:
        if (quantised || !(row_of(op->kind)->halves >> view & 1)) return "halves where floats belong";
        return v->c % 16 == 0 ? NULL : "halves need channels in sixteens";
    }
    return "no such type";
}

bool vgg_op_check(const struct vgg_op *op, const size_t arena_size[VGG_ARENA_COUNT], const char **why)
{
    const struct row *row = row_of(op->kind);
    unsigned needed = (row->reads | row->writes | row->updates) & ~row->optional;
    *why = row->check(op);
    for (int i = 0; !*why && i < VGG_OP_VIEW_COUNT; i++) {
        const struct vgg_view *view = vgg_op_view(op, (enum vgg_op_view)i);
        if (!present(view) && needed >> i & 1) *why = "a tensor is missing";
        const char *type = check_type(op, (enum vgg_op_view)i);
        if (type)
            *why = type;
        else if (!inside(view, arena_size))
            *why = "a tensor is empty, misaligned or outside its arena";
    }
    return !*why;
}

int vgg_op_print(char *text, size_t size, const struct vgg_op *op)
{
    static const enum vgg_op_view shown[] = { VGG_OP_X, VGG_OP_W, VGG_OP_DY, VGG_OP_Y, VGG_OP_DX, VGG_OP_DW };
    int used = snprintf(text, size, "%s%s%s%s", vgg_op_name(op->kind), op->flags & VGG_OP_RELU ? "+relu" : "",
                        op->flags & VGG_OP_POOL ? "+pool" : "", op->flags & VGG_OP_NESTEROV ? "+nesterov" : "");
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const struct vgg_view *v = vgg_op_view(op, shown[i]);
        if (!present(v)) continue;
        size_t at = (size_t)used < size ? (size_t)used : size;
        used += snprintf(text + at, size - at, " %s %dx%dx%dx%d%s", views[shown[i]].name, v->n, v->h, v->w, v->c,
                         v->type == VGG_U8    ? " u8"
                         : v->type == VGG_F16 ? " f16"
                                              : "");
    }
    return used;
}
