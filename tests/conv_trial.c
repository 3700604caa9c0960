#include "conv_trial.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/engine/device.h"
#include "cpu/cpu_bf16.h"
#include "cpu/cpu_kernels.h"
#include "emulated.h"

enum { GUARD = 512, MAX_VIEWS = 8, EMULATED_PRODUCTS = 4 << 20 };

static struct vgg_view place(struct trial *t, enum vgg_arena arena, enum vgg_type type, int n, int h, int w, int c)
{
    struct vgg_view view = { .arena = arena, .type = type, .n = n, .h = h, .w = w, .c = c };
    view.offset = (t->size[arena] + GUARD + VGG_VIEW_ALIGN - 1) / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN;
    t->size[arena] = view.offset + vgg_view_size(&view) + GUARD;
    return view;
}

void *trial_at(const struct trial *t, const struct vgg_view *view)
{
    return view->n ? t->memory[view->arena] + view->offset : NULL;
}

/* Everything is poisoned with NaN patterns; fill() then gives the inputs values. */
static void trial_allocate(struct trial *t)
{
    for (int a = 0; a < VGG_ARENA_COUNT; a++) {
        t->memory[a] = t->size[a] ? malloc(t->size[a]) : NULL;
        if (t->memory[a]) memset(t->memory[a], 0xFF, t->size[a]);
    }
}

static void trial_free(struct trial *t)
{
    for (int a = 0; a < VGG_ARENA_COUNT; a++)
        free(t->memory[a]);
}

static void fill(struct trial *t, const struct vgg_view *view, enum trial_data data)
{
    float *to = trial_at(t, view);
    for (size_t i = 0; to && i < vgg_view_count(view); i++) {
        uint32_t r = vgg_rng_u32(t->seed, VGG_RNG_INIT, view->offset, i);
        to[i] = (float)(r >> 8) * 0x1p-23f - 1;
        if (data == TRIAL_WHOLE) to[i] = (float)((int)(r >> 8) % 3 - 1);
        if (data == TRIAL_EXTREMES && r % 61 < 5) to[i] = (const float[]) { 0, -0.0f, 1e15f, -1e15f, 1e-18f }[r % 61];
    }
}

static void halve(struct trial *t, const struct vgg_view *view)
{
    float *at = trial_at(t, view);
    for (size_t i = 0; at && i < vgg_view_count(view); i++)
        at[i] = cpu_bf16_value(cpu_bf16(at[i]));
}

/* Runs t with `threads` threads; out: new arenas after the run. */
static void trial_run(struct trial *out, const struct trial *t, const char *isa, const char *conv, int threads)
{
    struct vgg_engine_options options = { .backend = "cpu", .isa = isa, .threads = threads };
    *(strcmp(conv, "bf16") == 0 ? &options.precision : &options.conv) = conv;
    struct vgg_backend *backend;
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    struct vgg_list list = { .op = &t->op, .count = 1 };
    struct vgg_step step = { .loss_scale = 1 };
    *out = *t;
    for (int a = 0; a < VGG_ARENA_COUNT; a++) {
        if (!t->size[a]) continue;
        cr_assert_eq(vgg_buf_create(backend, &list.arena[a], t->size[a]), VGG_OK);
        if (t->op.w.n && a == VGG_ARENA_PARAM) { /* other weights first: what was packed from them must not stay */
            cr_assert_eq(vgg_buf_upload(list.arena[a], 0, t->memory[VGG_ARENA_ACT],
                                        t->size[a] < t->size[VGG_ARENA_ACT] ? t->size[a] : t->size[VGG_ARENA_ACT]),
                         VGG_OK);
        }
    }
    if (t->op.w.n) cr_assert_eq(vgg_backend_run(backend, &list, &step), VGG_OK);
    for (int a = 0; a < VGG_ARENA_COUNT; a++)
        if (t->size[a]) cr_assert_eq(vgg_buf_upload(list.arena[a], 0, t->memory[a], t->size[a]), VGG_OK);
    cr_assert_eq(vgg_backend_run(backend, &list, &step), VGG_OK);
    for (int a = 0; a < VGG_ARENA_COUNT; a++) {
        out->memory[a] = t->size[a] ? malloc(t->size[a]) : NULL;
        if (t->size[a]) cr_assert_eq(vgg_buf_download(list.arena[a], 0, out->memory[a], t->size[a]), VGG_OK);
        vgg_buf_destroy(list.arena[a]);
    }
    vgg_backend_close(backend);
}

/* All bytes outside the views that the operation writes are as they were. */
static void guards_check(const struct trial *out, const struct trial *t, const char *what)
{
    const struct vgg_op *op = &t->op;
    const struct vgg_view *written[] = { &op->y, &op->arg, &op->dx, &op->dw, &op->db };
    for (int a = 0; a < VGG_ARENA_COUNT; a++)
        for (size_t i = 0; i < t->size[a]; i++) {
            bool mine = false;
            for (size_t v = 0; v < sizeof written / sizeof *written; v++)
                mine |= written[v]->n && written[v]->arena == (enum vgg_arena)a && i >= written[v]->offset &&
                        i < written[v]->offset + vgg_view_size(written[v]);
            if (!mine) cr_assert_eq(out->memory[a][i], t->memory[a][i], "%s: byte %zu of arena %d", what, i, a);
        }
}

/* A sum in double with the sum of its terms' magnitudes. */
struct sum {
    double value, scale;
    int terms;
};

static void add(struct sum *s, double a, double b)
{
    s->value += a * b;
    s->scale += fabs(a * b);
    s->terms++;
}

/* (n + 3) 2^-24 of the magnitudes: n terms, bias, the order of the sum; denormals count as zero. */
static double bound_of(const struct sum *s)
{
    return (s->terms + 3) * 0x1p-24 * s->scale + 1e-37;
}

/* The bound that the trial gives element o, else the one of a plain sum. */
static double allowed(const struct trial *t, size_t o, const struct sum *s)
{
    return t->bound ? t->bound[o] + 1e-37 : bound_of(s);
}

/* One output of a convolution without ReLU. turned: the gradient of the input. */
static struct sum conv_sum(const float *x, const float *w, const float *b, int h, int wd, int cin, int cout, int i,
                           int y, int x0, int k, bool turned)
{
    struct sum s = { 0 };
    for (int ty = -1; ty <= 1; ty++)
        for (int tx = -1; tx <= 1; tx++) {
            if (y + ty < 0 || y + ty >= h || x0 + tx < 0 || x0 + tx >= wd) continue;
            const float *pixel =
                x + (((size_t)i * (size_t)h + (size_t)(y + ty)) * (size_t)wd + (size_t)(x0 + tx)) * (size_t)cin;
            int tap = (ty + 1) * 3 + tx + 1;
            for (int c = 0; c < cin; c++)
                add(&s, pixel[c],
                    turned ? w[((8 - tap) * cout + k) * cin + c]
                           : w[((size_t)tap * (size_t)cin + (size_t)c) * (size_t)cout + (size_t)k]);
        }
    if (b) add(&s, b[k], 1);
    return s;
}

static double relu(double v)
{
    return 0 > v ? 0 : v;
}

static void forward_check(const struct trial *t, const struct trial *out, const char *what)
{
    const struct vgg_op *op = &t->op;
    bool pool = op->flags & VGG_OP_POOL;
    const float *y = trial_at(out, &op->y);
    const uint8_t *arg = trial_at(out, &op->arg);
    for (size_t o = 0; o < vgg_view_count(&op->y); o++) {
        int k = (int)(o % (size_t)op->y.c), px = (int)(o / (size_t)op->y.c % (size_t)op->y.w);
        int py = (int)(o / (size_t)op->y.c / (size_t)op->y.w % (size_t)op->y.h);
        int i = (int)(o / (size_t)op->y.c / (size_t)op->y.w / (size_t)op->y.h);
        double best = -INFINITY, bound = 0, value[4] = { 0 };
        int first = 0;
        for (int q = 0; q < (pool ? 4 : 1); q++) {
            struct sum s =
                conv_sum(trial_at(t, &op->x), trial_at(t, &op->w), trial_at(t, &op->b), op->x.h, op->x.w, op->x.c,
                         op->w.c, i, pool ? 2 * py + q / 2 : py, pool ? 2 * px + q % 2 : px, k, false);
            value[q] = op->flags & VGG_OP_RELU ? relu(s.value) : s.value;
            if (value[q] > best) best = value[q], first = q;
            size_t pixel = ((size_t)i * (size_t)op->x.h + (size_t)(pool ? 2 * py + q / 2 : py)) * (size_t)op->x.w;
            pixel += (size_t)(pool ? 2 * px + q % 2 : px);
            bound = fmax(bound, allowed(t, pixel * (size_t)op->w.c + (size_t)k, &s));
        }
        cr_assert(fabs(y[o] - best) <= bound, "%s: y[%zu] = %g, not %g within %g", what, o, y[o], best, bound);
        if (!arg) continue;
        cr_assert(arg[o] < 4 && value[arg[o]] >= best - 2 * bound, "%s: arg[%zu] = %d, not %d", what, o, arg[o], first);
        if (t->exact) cr_assert_eq(arg[o], first, "%s: arg[%zu] = %d, first maximum at %d", what, o, arg[o], first);
    }
}

static void data_check(const struct trial *t, const struct trial *out, const char *what)
{
    const struct vgg_op *op = &t->op;
    const float *dx = trial_at(out, &op->dx), *x = trial_at(t, &op->x);
    for (size_t o = 0; o < vgg_view_count(&op->dx); o++) {
        size_t pixel = o / (size_t)op->dx.c;
        struct sum s = conv_sum(trial_at(t, &op->dy), trial_at(t, &op->w), NULL, op->dy.h, op->dy.w, op->dy.c, op->dx.c,
                                (int)(pixel / (size_t)op->dx.w / (size_t)op->dx.h),
                                (int)(pixel / (size_t)op->dx.w % (size_t)op->dx.h), (int)(pixel % (size_t)op->dx.w),
                                (int)(o % (size_t)op->dx.c), true);
        double value = !x || x[o] > 0 ? s.value : 0;
        cr_assert(fabs(dx[o] - value) <= allowed(t, o, &s), "%s: dx[%zu] = %g, not %g within %g", what, o, dx[o], value,
                  allowed(t, o, &s));
    }
}

static void weight_check(const struct trial *t, const struct trial *out, const char *what)
{
    const struct vgg_op *op = &t->op;
    int h = op->x.h, w = op->x.w, cin = op->x.c, cout = op->dy.c;
    const float *x = trial_at(t, &op->x), *dy = trial_at(t, &op->dy), *dw = trial_at(out, &op->dw),
                *db = trial_at(out, &op->db);
    const float *dw0 = trial_at(t, &op->dw), *db0 = trial_at(t, &op->db);
    for (int tap = 0; tap < 9; tap++)
        for (int c = 0; c < cin; c++)
            for (int k = 0; k < cout; k++) {
                size_t o = ((size_t)tap * (size_t)cin + (size_t)c) * (size_t)cout + (size_t)k;
                struct sum s = { 0 };
                for (int p = 0; p < op->x.n * h * w; p++) {
                    int px = p % w + tap % 3 - 1, py = p / w % h + tap / 3 - 1;
                    if (px < 0 || px >= w || py < 0 || py >= h) continue;
                    size_t q = (size_t)(p + (tap / 3 - 1) * w + tap % 3 - 1);
                    add(&s, x[q * (size_t)cin + (size_t)c], dy[(size_t)p * (size_t)cout + (size_t)k]);
                }
                add(&s, dw0[o], 1);
                cr_assert(fabs(dw[o] - s.value) <= allowed(t, o, &s), "%s: dw[%zu] = %g, not %g within %g", what, o,
                          dw[o], s.value, allowed(t, o, &s));
            }
    for (int k = 0; db && k < cout; k++) {
        struct sum s = { 0 };
        for (int p = 0; p < op->x.n * h * w; p++)
            add(&s, dy[(size_t)p * (size_t)cout + (size_t)k], 1);
        add(&s, db0[k], 1);
        cr_assert(fabs(db[k] - s.value) <= bound_of(&s), "%s: db[%d] = %g, not %g", what, k, db[k], s.value);
    }
}

static struct sum dense_sum(const struct trial *t, const struct vgg_op *op, size_t row, size_t column, bool data)
{
    struct sum s = { 0 };
    size_t in = (size_t)op->w.w, out = (size_t)op->w.c;
    const float *w = trial_at(t, &op->w);
    if (data) {
        const float *dy = trial_at(t, &op->dy);
        for (size_t j = 0; j < out; j++)
            add(&s, dy[row * out + j], w[column * out + j]);
    } else {
        const float *x = trial_at(t, &op->x);
        for (size_t j = 0; j < in; j++)
            add(&s, x[row * in + j], w[j * out + column]);
        add(&s, ((const float *)trial_at(t, &op->b))[column], 1);
    }
    return s;
}

static void dense_check(const struct trial *t, const struct trial *o, const char *what)
{
    const struct vgg_op *op = &t->op;
    const float *y = trial_at(o, &op->y), *dx = trial_at(o, &op->dx), *dw = trial_at(o, &op->dw),
                *x = trial_at(t, &op->x), *dy = trial_at(t, &op->dy);
    for (size_t i = 0; y && i < vgg_view_count(&op->y); i++) {
        struct sum s = dense_sum(t, op, i / (size_t)op->w.c, i % (size_t)op->w.c, false);
        double value = op->flags & VGG_OP_RELU ? relu(s.value) : s.value;
        cr_assert(fabs(y[i] - value) <= bound_of(&s), "%s: y[%zu] = %g, not %g", what, i, y[i], value);
    }
    for (size_t i = 0; dx && i < vgg_view_count(&op->dx); i++) {
        struct sum s = dense_sum(t, op, i / (size_t)op->w.w, i % (size_t)op->w.w, true);
        double value = !x || x[i] > 0 ? s.value : 0;
        cr_assert(fabs(dx[i] - value) <= bound_of(&s), "%s: dx[%zu] = %g, not %g", what, i, dx[i], value);
    }
    for (size_t i = 0; dw && i < vgg_view_count(&op->dw); i++) {
        size_t in = (size_t)op->dw.w, out = (size_t)op->dw.c;
        struct sum s = { 0 };
        for (size_t r = 0; r < (size_t)op->dy.n; r++)
            add(&s, x[r * in + i / out], dy[r * out + i % out]);
        add(&s, ((const float *)trial_at(t, &op->dw))[i], 1);
        cr_assert(fabs(dw[i] - s.value) <= bound_of(&s), "%s: dw[%zu] = %g, not %g", what, i, dw[i], s.value);
    }
    const float *db = trial_at(o, &op->db);
    for (size_t k = 0; db && k < (size_t)op->db.c; k++) {
        struct sum s = { 0 };
        for (size_t r = 0; r < (size_t)op->dy.n; r++)
            add(&s, dy[r * (size_t)op->dw.c + k], 1);
        add(&s, ((const float *)trial_at(t, &op->db))[k], 1);
        cr_assert(fabs(db[k] - s.value) <= bound_of(&s), "%s: db[%zu] = %g, not %g", what, k, db[k], s.value);
    }
}

void trial_check(enum vgg_op_kind kind, unsigned flags, bool arg, struct trial_shape s, enum trial_data data,
                 const char *isa, const char *conv, void (*bound)(struct trial *t))
{
    if (EMULATED && (int64_t)s.n * s.h * s.w * s.cin * s.cout * 9 > EMULATED_PRODUCTS) return;
    struct trial t = { .op = { .kind = kind, .flags = flags },
                       .seed = 2 * (uint64_t)(s.n + s.h + s.cin + s.cout) + (data == TRIAL_WHOLE),
                       .exact = data == TRIAL_WHOLE };
    struct vgg_op *op = &t.op;
    bool dense = kind >= VGG_OP_DENSE, pool = flags & VGG_OP_POOL, mask = flags & VGG_OP_RELU;
    struct vgg_view w = dense ? place(&t, VGG_ARENA_PARAM, VGG_F32, 1, 1, s.cin, s.cout)
                              : place(&t, VGG_ARENA_PARAM, VGG_F32, 3, 3, s.cin, s.cout);
    struct vgg_view b = place(&t, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, s.cout);
    struct vgg_view x = place(&t, VGG_ARENA_ACT, VGG_F32, s.n, s.h, s.w, s.cin);
    struct vgg_view y = place(&t, VGG_ARENA_ACT, VGG_F32, s.n, pool ? s.h / 2 : s.h, pool ? s.w / 2 : s.w, s.cout);
    switch (kind) {
    case VGG_OP_CONV:
    case VGG_OP_DENSE:
        op->x = x, op->w = w, op->b = b, op->y = y;
        if (arg) op->arg = place(&t, VGG_ARENA_ACT, VGG_U8, y.n, y.h, y.w, y.c);
        break;
    case VGG_OP_CONV_BWD_DATA:
    case VGG_OP_DENSE_BWD_DATA:
        op->dy = y, op->w = w, op->dx = place(&t, VGG_ARENA_ACT, VGG_F32, s.n, s.h, s.w, s.cin);
        if (mask) op->x = x;
        break;
    default:
        op->x = x, op->dy = y, op->dw = w, op->db = b;
        op->dw.arena = op->db.arena = VGG_ARENA_GRAD;
        t.size[VGG_ARENA_GRAD] = t.size[VGG_ARENA_PARAM];
        break;
    }
    trial_allocate(&t);
    const struct vgg_view *inputs[] = { &op->x, &op->w, &op->b, &op->dy, &op->dw, &op->db };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        fill(&t, inputs[i], data);
    if (strcmp(conv, "bf16") == 0) {
        halve(&t, &op->x);
        halve(&t, &op->w);
    }
    if (bound) bound(&t);
    char what[128];
    snprintf(what, sizeof what, "%s %s %s flags %u data %d, %dx%dx%dx%d to %d", isa, conv, vgg_op_name(kind), flags,
             (int)data, s.n, s.h, s.w, s.cin, s.cout);
    struct trial out, again;
    trial_run(&out, &t, isa, conv, 2);
    if (dense)
        dense_check(&t, &out, what);
    else if (kind == VGG_OP_CONV)
        forward_check(&t, &out, what);
    else if (kind == VGG_OP_CONV_BWD_DATA)
        data_check(&t, &out, what);
    else
        weight_check(&t, &out, what);
    guards_check(&out, &t, what);
    for (int threads = 1; threads <= (EMULATED ? 3 : 7); threads += 2) {
        trial_run(&again, &t, isa, conv, threads);
        for (int a = 0; a < VGG_ARENA_COUNT; a++)
            if (t.size[a])
                cr_assert_eq(memcmp(again.memory[a], out.memory[a], t.size[a]), 0, "%s: %d threads differ from 2", what,
                             threads);
        trial_free(&again);
    }
    trial_free(&out);
    free(t.bound);
    trial_free(&t);
}

static const char *const levels[] = { "avx2", "avx512", "neon" };

void trial_levels(void (*check)(const char *isa))
{
    const enum cpu_isa isa[] = { CPU_ISA_AVX2, CPU_ISA_AVX512, CPU_ISA_NEON };
    int found = 0;
    for (size_t i = 0; i < sizeof isa / sizeof *isa; i++)
        if (cpu_isa_found(isa[i])) found++, check(levels[i]);
    if (!found) cr_skip_test("no ISA level above plain C on this machine");
}
