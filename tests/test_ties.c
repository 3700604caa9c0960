/* Equal maxima send the gradient to the first in row order, and nothing passes a ReLU at 0: on every backend found, in
 * windows of every pattern, where no two gradients are the same. */
#include <math.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "tests/harness.h"

enum { N = 3, H = 7, W = 11, C = 97, PH = H / 2, PW = W / 2, PATTERNS = 15 };

struct map {
    float at[N][H][W][C];
};

struct pooled {
    float at[N][PH][PW][C];
};

struct global {
    float at[N][C];
};

/* The pixels of window number i that hold its maximum are the bits of 1 + i % 15; the others are negative. The maximum
 * of every seventh is 0, or -0, which is equal. Each
 * image has larger ones than that before it. The odd last row and column stay below all maxima but one. */
static void fill_map(struct map *x)
{
    for (int n = 0; n < N; n++)
        for (int r = 0; r < H; r++)
            for (int s = 0; s < W; s++)
                for (int k = 0; k < C; k++) {
                    int window = ((n * PH + r / 2) * PW + s / 2) * C + k, place = 2 * (r % 2) + s % 2;
                    bool tied = (1 + window % PATTERNS) >> place & 1, inside = r < 2 * PH && s < 2 * PW;
                    float most = window % 7 ? (float)((1 + window / 3 % 4) * (1 + n)) : place == 2 ? -0.0f : 0.0f;
                    x->at[n][r][s][k] = inside && tied ? most : -0.25f * (float)(1 + place);
                }
    x->at[1][H - 1][W - 1][3] = 99;
}

/* The first pixel in row order of those as large as the largest of h x w ones from (r, s) on. */
static void first_of_largest(int *row, int *column, const struct map *x, int n, int r, int s, int h, int w, int k)
{
    float most = -INFINITY;
    for (int i = 0; i < h * w; i++)
        most = fmaxf(most, x->at[n][r + i / w][s + i % w][k]);
    int i = 0;
    while (x->at[n][r + i / w][s + i % w][k] != most)
        i++;
    *row = r + i / w, *column = s + i % w;
}

static void expect_pooled(struct map *dx, struct pooled *y, const struct map *x, const struct pooled *dy, bool relu)
{
    int row, column;
    *dx = (struct map) { 0 };
    for (int n = 0; n < N; n++)
        for (int i = 0; i < PH * PW; i++)
            for (int k = 0; k < C; k++) {
                first_of_largest(&row, &column, x, n, 2 * (i / PW), 2 * (i % PW), 2, 2, k);
                float most = x->at[n][row][column][k];
                y->at[n][i / PW][i % PW][k] = most;
                if (relu && most <= 0) continue;
                dx->at[n][row][column][k] = dy->at[n][i / PW][i % PW][k];
            }
}

static void expect_global(struct map *dx, struct global *y, const struct map *x, const struct global *dy, bool relu)
{
    int row, column;
    *dx = (struct map) { 0 };
    for (int n = 0; n < N; n++)
        for (int k = 0; k < C; k++) {
            first_of_largest(&row, &column, x, n, 0, 0, H, W, k);
            y->at[n][k] = x->at[n][row][column][k];
            if (!relu || x->at[n][row][column][k] > 0) dx->at[n][row][column][k] = dy->at[n][k];
        }
}

/* The first channels of an array of C to a view. */
static void put(struct harness *h, const struct vgg_view *view, const float *values)
{
    size_t count = vgg_view_count(view), c = (size_t)view->c;
    float *narrow = malloc(count * sizeof *narrow);
    for (size_t i = 0; i < count; i++)
        narrow[i] = values[i / c * C + i % c];
    harness_put(h, view, narrow);
    free(narrow);
}

static void compare(struct harness *h, const struct vgg_view *view, const float *values, const char *what, bool relu)
{
    size_t count = vgg_view_count(view), c = (size_t)view->c;
    float *got = harness_fetch(h, view);
    for (size_t i = 0; i < count; i++) {
        float w = values[i / c * C + i % c];
        cr_assert_eq(got[i], w, "%s: %s of %zu channels, relu %d: pixel %zu, channel %zu is %g, not %g", h->name, what,
                     c, relu, i / c, i % c, (double)got[i], (double)w);
    }
    free(got);
}

static void check(const struct harness_target *target, int c, bool relu)
{
    static struct map x, want;
    static struct pooled dy, y_want;
    static struct global dm, most_want;
    struct harness h;
    fill_map(&x);
    for (int i = 0; i < N * PH * PW * C; i++)
        (&dy.at[0][0][0][0])[i] = (float)(1 + i);
    for (int i = 0; i < N * C; i++)
        (&dm.at[0][0])[i] = (float)(-1 - i);
    harness_open(&h, target);
    struct vgg_view vx = harness_view(&h, VGG_ARENA_ACT, N, H, W, c), y = harness_view(&h, VGG_ARENA_ACT, N, PH, PW, c),
                    arg = harness_view_u8(&h, N, PH, PW, c), vdy = harness_view(&h, VGG_ARENA_ACT, N, PH, PW, c),
                    dx = harness_view(&h, VGG_ARENA_ACT, N, H, W, c),
                    most = harness_view(&h, VGG_ARENA_ACT, N, 1, 1, c),
                    vdm = harness_view(&h, VGG_ARENA_ACT, N, 1, 1, c),
                    all = harness_view(&h, VGG_ARENA_ACT, N, H, W, c);
    unsigned mask = relu ? VGG_OP_RELU : 0;
    struct vgg_op op[] = {
        { .kind = VGG_OP_POOL2, .x = vx, .y = y, .arg = arg },
        { .kind = VGG_OP_POOL2_BWD, .flags = mask, .y = y, .arg = arg, .dx = dx, .dy = vdy },
        { .kind = VGG_OP_GMAXPOOL, .x = vx, .y = most },
        { .kind = VGG_OP_GMAXPOOL_BWD, .flags = mask, .x = vx, .dx = all, .dy = vdm },
    };
    harness_allocate(&h);
    put(&h, &vx, &x.at[0][0][0][0]);
    put(&h, &vdy, &dy.at[0][0][0][0]);
    put(&h, &vdm, &dm.at[0][0]);
    harness_run(&h, op, 4, &(struct vgg_step) { 0 });
    expect_pooled(&want, &y_want, &x, &dy, relu);
    compare(&h, &dx, &want.at[0][0][0][0], "gradient of pool", relu);
    compare(&h, &y, &y_want.at[0][0][0][0], "pool", relu);
    expect_global(&want, &most_want, &x, &dm, relu);
    compare(&h, &all, &want.at[0][0][0][0], "gradient of global pool", relu);
    compare(&h, &most, &most_want.at[0][0], "global pool", relu);
    harness_close(&h);
}

/* 16 channels are whole vectors, 12 halves of one, 19 none; 97 are more than the CPU pools globally at once. */
Test(ties, first_in_row_order_of_every_pattern)
{
    static const int channels[] = { 97, 19, 16, 12 };
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++)
        for (int i = 0; i < 4; i++)
            for (int relu = 0; relu < 2; relu++)
                check(&target[t], channels[i], relu);
}

/* The same of a convolution that pools: the kernel passes its input on, so that the ties are exact. */
static void check_fused(const struct harness_target *target, bool relu)
{
    static struct map x, want;
    static struct pooled dy, y_want;
    static float w[3][3][C][C], b[C];
    struct harness h;
    fill_map(&x);
    for (int i = 0; i < N * PH * PW * C; i++)
        (&dy.at[0][0][0][0])[i] = (float)(1 + i);
    for (int k = 0; k < C; k++)
        w[1][1][k][k] = 1;
    harness_open(&h, target);
    struct vgg_view vx = harness_view(&h, VGG_ARENA_ACT, N, H, W, C), y = harness_view(&h, VGG_ARENA_ACT, N, PH, PW, C),
                    arg = harness_view_u8(&h, N, PH, PW, C), vdy = harness_view(&h, VGG_ARENA_ACT, N, PH, PW, C),
                    dx = harness_view(&h, VGG_ARENA_ACT, N, H, W, C),
                    vw = harness_view(&h, VGG_ARENA_PARAM, 3, 3, C, C),
                    vb = harness_view(&h, VGG_ARENA_PARAM, 1, 1, 1, C);
    unsigned mask = relu ? VGG_OP_RELU : 0;
    struct vgg_op op[] = {
        { .kind = VGG_OP_CONV, .flags = VGG_OP_POOL | mask, .x = vx, .w = vw, .b = vb, .y = y, .arg = arg },
        { .kind = VGG_OP_POOL2_BWD, .flags = mask, .y = y, .arg = arg, .dx = dx, .dy = vdy },
    };
    harness_allocate(&h);
    put(&h, &vx, &x.at[0][0][0][0]);
    put(&h, &vdy, &dy.at[0][0][0][0]);
    harness_put(&h, &vw, w);
    harness_put(&h, &vb, b);
    harness_run(&h, op, 2, &(struct vgg_step) { 0 });
    expect_pooled(&want, &y_want, &x, &dy, relu);
    compare(&h, &dx, &want.at[0][0][0][0], "convolution and pool", relu);
    harness_close(&h);
}

Test(ties, of_a_convolution_that_pools)
{
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++)
        for (int relu = 0; relu < 2; relu++)
            if (!target[t].winograd) check_fused(&target[t], relu);
}
