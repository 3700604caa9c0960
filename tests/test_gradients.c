/* Every operation with a backward against central differences in double of formulas written here, on every backend
 * found: tiny and odd shapes, with the ReLU below and the pool above. Also the forward values themselves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/base/rng.h"
#include "tests/harness.h"

static const double STEP = 1e-5;  /* of the differences */
static const double BOUND = 2e-5; /* of an array's scale: fp32 sums of up to a few hundred terms */

enum kind { CONV, DENSE, POOL, MEAN, MAXIMUM, DROPOUT, SOFTMAX, SIGMOID };

/* y = kind(below ? relu(x) : x), then ReLU and 2x2 pool if `fused`; objective: sum of r y, or of the scaled losses. */
struct problem {
    enum kind kind;
    int n, h, w, c, units;
    bool below, fused;
    size_t x_count, w_count, y_count;
    double *x, *kernel, *bias, *r;
    const double *weight, *target; /* of each image */
    float rate;
    struct vgg_step step;
};

/* ---- the formulas, in double ---- */

static double relu(double v)
{
    return v > 0 ? v : 0;
}

static double conv_at(const struct problem *p, const double *x, int n, int y, int xx, int o)
{
    double sum = p->bias[o];
    for (int r = -1; r <= 1; r++)
        for (int s = -1; s <= 1; s++) {
            if (y + r < 0 || y + r >= p->h || xx + s < 0 || xx + s >= p->w) continue;
            for (int i = 0; i < p->c; i++)
                sum += x[((n * p->h + y + r) * p->w + xx + s) * p->c + i] *
                       p->kernel[(((r + 1) * 3 + s + 1) * p->c + i) * p->units + o];
        }
    return sum;
}

static double dense_at(const struct problem *p, const double *x, int n, int o)
{
    int in = p->h * p->w * p->c;
    double sum = p->bias[o];
    for (int i = 0; i < in; i++)
        sum += x[n * in + i] * p->kernel[i * p->units + o];
    return sum;
}

static double pool_at(const double *x, int h, int w, int c, int n, int y, int xx, int ch)
{
    double most = -INFINITY;
    for (int k = 0; k < 4; k++)
        most = fmax(most, x[((n * h + 2 * y + k / 2) * w + 2 * xx + k % 2) * c + ch]);
    return most;
}

static double loss_at(const struct problem *p, const double *x, int n)
{
    const double *row = x + n * p->c;
    if (p->kind == SIGMOID) return p->weight[n] * (fmax(row[0], 0) - row[0] * p->target[n] + log1p(exp(-fabs(row[0]))));
    double sum = 0;
    for (int k = 0; k < p->c; k++)
        sum += exp(row[k]);
    return p->weight[n] * (log(sum) - row[(int)p->target[n]]);
}

/* y has p->y_count elements. Returns the objective. */
static double forward(const struct problem *p, double *y)
{
    double *x = malloc(p->x_count * sizeof *x), *full = NULL, objective = 0;
    for (size_t i = 0; i < p->x_count; i++)
        x[i] = p->below ? relu(p->x[i]) : p->x[i];
    size_t at = 0;
    switch (p->kind) {
    case CONV:
        full = malloc((size_t)(p->n * p->h * p->w * p->units) * sizeof *full);
        for (int n = 0; n < p->n; n++)
            for (int r = 0; r < p->h; r++)
                for (int s = 0; s < p->w; s++)
                    for (int o = 0; o < p->units; o++, at++)
                        full[at] = p->fused ? relu(conv_at(p, x, n, r, s, o)) : conv_at(p, x, n, r, s, o);
        if (!p->fused) memcpy(y, full, at * sizeof *y);
        at = 0;
        for (int n = 0; n < p->n && p->fused; n++)
            for (int r = 0; r < p->h / 2; r++)
                for (int s = 0; s < p->w / 2; s++)
                    for (int o = 0; o < p->units; o++)
                        y[at++] = pool_at(full, p->h, p->w, p->units, n, r, s, o);
        break;
    case DENSE:
        for (int n = 0; n < p->n; n++)
            for (int o = 0; o < p->units; o++)
                y[at++] = dense_at(p, x, n, o);
        break;
    case POOL:
        for (int n = 0; n < p->n; n++)
            for (int r = 0; r < p->h / 2; r++)
                for (int s = 0; s < p->w / 2; s++)
                    for (int k = 0; k < p->c; k++)
                        y[at++] = pool_at(x, p->h, p->w, p->c, n, r, s, k);
        break;
    case MEAN:
    case MAXIMUM:
        for (int n = 0; n < p->n; n++)
            for (int k = 0; k < p->c; k++) {
                double sum = 0, most = -INFINITY;
                for (int i = 0; i < p->h * p->w; i++) {
                    sum += x[(n * p->h * p->w + i) * p->c + k];
                    most = fmax(most, x[(n * p->h * p->w + i) * p->c + k]);
                }
                y[at++] = p->kind == MEAN ? sum / (p->h * p->w) : most;
            }
        break;
    case DROPOUT:
        for (size_t i = 0; i < p->x_count; i++) {
            uint64_t index = p->step.first * (uint64_t)(p->h * p->w * p->c) + i;
            y[i] = vgg_rng_keep(p->step.seed, p->step.step, 5, index, p->rate) ? x[i] / (1.0 - (double)p->rate) : 0;
        }
        break;
    case SOFTMAX:
    case SIGMOID:
        for (int n = 0; n < p->n; n++)
            objective += p->step.loss_scale * loss_at(p, x, n);
        for (size_t i = 0; i < p->x_count; i++) {
            double sum = 0;
            for (int k = 0; k < p->c; k++)
                sum += exp(x[i / (size_t)p->c * (size_t)p->c + (size_t)k] - x[i]);
            y[i] = p->kind == SIGMOID ? 1 / (1 + exp(-x[i])) : 1 / sum;
        }
        free(x);
        return objective;
    }
    for (size_t i = 0; i < p->y_count; i++)
        objective += p->r[i] * y[i];
    free(x);
    free(full);
    return objective;
}

static double *differences(const struct problem *p, double *values, size_t count)
{
    double *gradient = malloc(count * sizeof *gradient), *y = malloc((p->y_count + 1) * sizeof *y);
    for (size_t i = 0; i < count; i++) {
        double was = values[i];
        values[i] = was + STEP;
        double up = forward(p, y);
        values[i] = was - STEP;
        double down = forward(p, y);
        values[i] = was;
        gradient[i] = (up - down) / (2 * STEP);
    }
    free(y);
    return gradient;
}

/* ---- the backend's answer ---- */

static double *random_values(size_t count, uint32_t stream)
{
    double *values = malloc((count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        double v = harness_uniform(stream, (uint32_t)i);
        values[i] = (float)(v + copysign(0.05, v)); /* no kink of a ReLU nearby; exact as fp32 */
    }
    return values;
}

static void put(struct harness *h, const struct vgg_view *view, const double *values, bool through_relu)
{
    size_t count = vgg_view_count(view);
    float *narrow = malloc(count * sizeof *narrow);
    for (size_t i = 0; i < count; i++)
        narrow[i] = (float)(through_relu ? relu(values[i]) : values[i]);
    harness_put(h, view, narrow);
    free(narrow);
}

/* `start` was in the view before the operations accumulated into it. */
static void compare(struct harness *h, const struct vgg_view *view, const double *want, double start, const char *what,
                    const struct problem *p)
{
    double *got = harness_fetch_double(h, view), scale = fabs(start);
    size_t count = vgg_view_count(view);
    for (size_t i = 0; i < count; i++)
        scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        cr_assert(fabs(got[i] - start - want[i]) <= BOUND * scale,
                  "%s: kind %d, %dx%dx%dx%d -> %d, below %d, fused %d: %s[%zu] is %.9g, not %.9g", h->name, p->kind,
                  p->n, p->h, p->w, p->c, p->units, p->below, p->fused, what, i, got[i] - start, want[i]);
    free(got);
}

struct answer {
    struct vgg_view x, w, b, y, dx, dw, db;
};

static void fill(struct harness *h, const struct vgg_view *view, double value)
{
    size_t count = vgg_view_count(view);
    double *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    put(h, view, values, false);
    free(values);
}

static const double DW_START = 0.5, DB_START = -0.25;

/* Runs the forward and backward operations of the problem. */
static struct answer run(struct harness *h, const struct problem *p)
{
    struct answer a = { 0 };
    struct vgg_op op[4];
    size_t ops = 0;
    unsigned mask = p->below ? VGG_OP_RELU : 0;
    bool pooled = p->kind == POOL || p->fused, dense = p->kind == DENSE;
    bool global = p->kind == MEAN || p->kind == MAXIMUM, loss = p->kind == SOFTMAX || p->kind == SIGMOID;
    int c = p->units ? p->units : p->c, yh = pooled ? p->h / 2 : p->h, yw = pooled ? p->w / 2 : p->w;
    if (dense || global) yh = yw = 1;
    a.x = harness_view(h, VGG_ARENA_ACT, p->n, p->h, p->w, p->c);
    a.y = harness_view(h, VGG_ARENA_ACT, p->n, yh, yw, c);
    a.dx = harness_view(h, VGG_ARENA_ACT, p->n, p->h, p->w, p->c);
    struct vgg_view dy = harness_view(h, VGG_ARENA_ACT, p->n, yh, yw, c), full = dy, arg = { 0 };
    struct vgg_view t = { 0 }, sw = { 0 }, losses = { 0 };
    if (pooled) arg = harness_view_u8(h, p->n, yh, yw, c);
    if (p->fused) full = harness_view(h, VGG_ARENA_ACT, p->n, p->h, p->w, c);
    if (p->units) {
        a.w = dense ? harness_view(h, VGG_ARENA_PARAM, 1, 1, p->h * p->w * p->c, c)
                    : harness_view(h, VGG_ARENA_PARAM, 3, 3, p->c, c);
        a.b = harness_view(h, VGG_ARENA_PARAM, 1, 1, 1, c);
        a.dw = harness_view(h, VGG_ARENA_GRAD, a.w.n, a.w.h, a.w.w, a.w.c);
        a.db = harness_view(h, VGG_ARENA_GRAD, 1, 1, 1, c);
    }
    if (loss) {
        t = harness_view(h, VGG_ARENA_ACT, p->n, 1, 1, 1);
        sw = harness_view(h, VGG_ARENA_ACT, p->n, 1, 1, 1);
        losses = harness_view(h, VGG_ARENA_ACT, p->n, 1, 1, 1);
    }
    harness_allocate(h);
    put(h, &a.x, p->x, p->below);
    if (!loss) put(h, &dy, p->r, false);
    if (p->units) {
        put(h, &a.w, p->kernel, false);
        put(h, &a.b, p->bias, false);
        fill(h, &a.dw, DW_START);
        fill(h, &a.db, DB_START);
    }
    switch (p->kind) {
    case CONV:
        op[ops++] = (struct vgg_op) { .kind = VGG_OP_CONV,
                                      .flags = p->fused ? VGG_OP_RELU | VGG_OP_POOL : 0,
                                      .x = a.x,
                                      .w = a.w,
                                      .b = a.b,
                                      .y = a.y,
                                      .arg = arg };
        if (p->fused)
            op[ops++] = (struct vgg_op) {
                .kind = VGG_OP_POOL2_BWD, .flags = VGG_OP_RELU, .y = a.y, .arg = arg, .dx = full, .dy = dy
            };
        op[ops++] = (struct vgg_op) { .kind = VGG_OP_CONV_BWD_WEIGHT, .x = a.x, .dy = full, .dw = a.dw, .db = a.db };
        op[ops++] =
            (struct vgg_op) { .kind = VGG_OP_CONV_BWD_DATA, .flags = mask, .x = a.x, .dy = full, .w = a.w, .dx = a.dx };
        break;
    case DENSE:
        op[ops++] = (struct vgg_op) { .kind = VGG_OP_DENSE, .x = a.x, .w = a.w, .b = a.b, .y = a.y };
        op[ops++] = (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_WEIGHT, .x = a.x, .dy = dy, .dw = a.dw, .db = a.db };
        op[ops++] =
            (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_DATA, .flags = mask, .x = a.x, .dy = dy, .w = a.w, .dx = a.dx };
        break;
    case POOL:
        op[ops++] = (struct vgg_op) { .kind = VGG_OP_POOL2, .x = a.x, .y = a.y, .arg = arg };
        op[ops++] =
            (struct vgg_op) { .kind = VGG_OP_POOL2_BWD, .flags = mask, .y = a.y, .arg = arg, .dx = a.dx, .dy = dy };
        break;
    case MEAN:
    case MAXIMUM: {
        bool mean = p->kind == MEAN;
        op[ops++] = (struct vgg_op) { .kind = mean ? VGG_OP_AVGPOOL : VGG_OP_GMAXPOOL, .x = a.x, .y = a.y };
        op[ops++] = (struct vgg_op) {
            .kind = mean ? VGG_OP_AVGPOOL_BWD : VGG_OP_GMAXPOOL_BWD, .flags = mask, .x = a.x, .dx = a.dx, .dy = dy
        };
        break;
    }
    case DROPOUT:
        op[ops++] = (struct vgg_op) { .kind = VGG_OP_DROPOUT, .layer = 5, .rate = p->rate, .x = a.x, .y = a.y };
        op[ops++] = (struct vgg_op) { .kind = VGG_OP_DROPOUT_BWD, .layer = 5, .rate = p->rate, .dx = a.dx, .dy = dy };
        break;
    case SOFTMAX:
    case SIGMOID:
        put(h, &t, p->target, false);
        put(h, &sw, p->weight, false);
        op[ops++] = (struct vgg_op) { .kind = p->kind == SOFTMAX ? VGG_OP_SOFTMAX_XENT : VGG_OP_SIGMOID_XENT,
                                      .x = a.x,
                                      .y = a.y,
                                      .dx = a.dx,
                                      .t = t,
                                      .sw = sw,
                                      .loss = losses };
        break;
    }
    harness_run(h, op, ops, &p->step);
    if (loss) {
        double *want = malloc((size_t)p->n * sizeof *want);
        for (int n = 0; n < p->n; n++)
            want[n] = loss_at(p, p->x, n);
        compare(h, &losses, want, 0, "loss", p);
        free(want);
    }
    return a;
}

static void check(struct problem p)
{
    bool pooled = p.kind == POOL || p.fused, global = p.kind == MEAN || p.kind == MAXIMUM;
    p.x_count = (size_t)(p.n * p.h * p.w * p.c);
    p.y_count = (size_t)(p.n * (p.units ? p.units : p.c));
    if (p.kind != DENSE && !global) p.y_count *= (size_t)(pooled ? (p.h / 2) * (p.w / 2) : p.h * p.w);
    p.w_count = (size_t)((p.kind == DENSE ? p.h * p.w : 9) * p.c * p.units);
    p.x = random_values(p.x_count, 1);
    p.kernel = random_values(p.w_count, 2);
    p.bias = random_values((size_t)p.units, 3);
    p.r = random_values(p.y_count, 4);
    double *y = malloc((p.y_count + 1) * sizeof *y);
    forward(&p, y);
    double *dx = differences(&p, p.x, p.x_count);
    double *dw = differences(&p, p.kernel, p.w_count), *db = differences(&p, p.bias, (size_t)p.units);
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++) {
        struct harness h;
        harness_open(&h, &target[t]);
        struct answer a = run(&h, &p);
        compare(&h, &a.y, y, 0, "y", &p);
        compare(&h, &a.dx, dx, 0, "dx", &p);
        if (p.units) {
            compare(&h, &a.dw, dw, DW_START, "dw", &p);
            compare(&h, &a.db, db, DB_START, "db", &p);
        }
        harness_close(&h);
    }
    free(p.x);
    free(p.kernel);
    free(p.bias);
    free(p.r);
    free(y);
    free(dx);
    free(dw);
    free(db);
}

/* n h w c units */
static const int shapes[][5] = { { 1, 1, 1, 1, 1 }, { 1, 2, 2, 1, 1 },   { 2, 3, 5, 2, 3 },  { 1, 7, 4, 3, 9 },
                                 { 3, 2, 2, 5, 2 }, { 1, 5, 6, 17, 13 }, { 2, 9, 3, 8, 16 }, { 1, 4, 11, 3, 33 } };

static void check_shapes(struct problem p, bool units)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        p.n = shapes[i][0], p.h = shapes[i][1], p.w = shapes[i][2], p.c = shapes[i][3];
        p.units = units ? shapes[i][4] : 0;
        bool pooled = p.kind == POOL || p.fused;
        if (pooled && (p.h < 2 || p.w < 2)) continue;
        check(p);
    }
}

Test(gradients, convolution)
{
    check_shapes((struct problem) { .kind = CONV }, true);
    check_shapes((struct problem) { .kind = CONV, .below = true }, true);
}

Test(gradients, convolution_with_relu_and_pool)
{
    check_shapes((struct problem) { .kind = CONV, .fused = true }, true);
    check_shapes((struct problem) { .kind = CONV, .fused = true, .below = true }, true);
}

Test(gradients, dense)
{
    check_shapes((struct problem) { .kind = DENSE }, true);
    check_shapes((struct problem) { .kind = DENSE, .below = true }, true);
}

Test(gradients, max_pool)
{
    check_shapes((struct problem) { .kind = POOL }, false);
    check_shapes((struct problem) { .kind = POOL, .below = true }, false);
}

Test(gradients, global_pooling)
{
    check_shapes((struct problem) { .kind = MEAN }, false);
    check_shapes((struct problem) { .kind = MEAN, .below = true }, false);
    check_shapes((struct problem) { .kind = MAXIMUM }, false);
    check_shapes((struct problem) { .kind = MAXIMUM, .below = true }, false);
}

Test(gradients, dropout)
{
    struct vgg_step step = { .seed = 0xFEDCBA9876543210, .step = 77, .first = 3 };
    check_shapes((struct problem) { .kind = DROPOUT, .rate = 0.5f, .step = step }, false);
    check_shapes((struct problem) { .kind = DROPOUT, .rate = 0.1f, .step = step }, false);
    check_shapes((struct problem) { .kind = DROPOUT, .rate = 0.0f, .step = step }, false);
}

Test(gradients, losses)
{
    static const double weight[] = { 1, 0.5, 2, 0, 1.25, 3, 1, 1, 0.75 };
    static const double sigmoid_target[] = { 1, 0, 0, 1, 1, 0, 1, 0, 1 },
                        softmax_target[] = { 1, 0, 4, 2, 3, 3, 1, 0, 4 };
    struct problem p = { .n = 9, .h = 1, .w = 1, .weight = weight, .step = { .loss_scale = 0.125f } };
    p.kind = SIGMOID, p.c = 1, p.target = sigmoid_target;
    check(p);
    p.kind = SOFTMAX, p.c = 5, p.target = softmax_target;
    check(p);
    p.c = 37;
    check(p);
}

/* Conventions that differences cannot see: equal values send the gradient to the first in row order, and nothing passes
 * a ReLU at 0. */
Test(gradients, ties_and_zeros)
{
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++)
        for (int zero = 0; zero < 2; zero++) {
            struct harness h;
            harness_open(&h, &target[t]);
            struct vgg_view x = harness_view(&h, VGG_ARENA_ACT, 1, 4, 6, 3);
            struct vgg_view y = harness_view(&h, VGG_ARENA_ACT, 1, 2, 3, 3), arg = harness_view_u8(&h, 1, 2, 3, 3);
            struct vgg_view dy = harness_view(&h, VGG_ARENA_ACT, 1, 2, 3, 3),
                            dx = harness_view(&h, VGG_ARENA_ACT, 1, 4, 6, 3);
            struct vgg_view most = harness_view(&h, VGG_ARENA_ACT, 1, 1, 1, 3),
                            dm = harness_view(&h, VGG_ARENA_ACT, 1, 1, 1, 3);
            struct vgg_view all = harness_view(&h, VGG_ARENA_ACT, 1, 4, 6, 3);
            struct vgg_op op[] = {
                { .kind = VGG_OP_POOL2, .x = x, .y = y, .arg = arg },
                { .kind = VGG_OP_POOL2_BWD, .flags = VGG_OP_RELU, .y = y, .arg = arg, .dx = dx, .dy = dy },
                { .kind = VGG_OP_GMAXPOOL, .x = x, .y = most },
                { .kind = VGG_OP_GMAXPOOL_BWD, .flags = VGG_OP_RELU, .x = x, .dx = all, .dy = dm }
            };
            harness_allocate(&h);
            fill(&h, &x, zero ? 0 : 3);
            fill(&h, &dy, 2);
            fill(&h, &dm, 2);
            harness_run(&h, op, 4, &(struct vgg_step) { 0 });
            float *pooled = harness_fetch(&h, &dx), *global = harness_fetch(&h, &all);
            for (int i = 0; i < 4 * 6 * 3; i++) {
                int row = i / 18, column = i / 3 % 6;
                bool first = !zero && row % 2 == 0 && column % 2 == 0;
                cr_assert_eq(pooled[i], first ? 2.0f : 0.0f, "%s: pool, element %d", target[t].name, i);
                cr_assert_eq(global[i], !zero && i < 3 ? 2.0f : 0.0f, "%s: global, element %d", target[t].name, i);
            }
            free(pooled);
            free(global);
            harness_close(&h);
        }
}
