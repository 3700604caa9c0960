/* A NaN in each place of a window of 2x2 pixels, on every backend, level and kind of convolution: the maximum is NaN
 * there, and nowhere else that no NaN reaches. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/variant.h"
#include "harness.h"

#include <criterion/criterion.h>

TestSuite(pool_nan, .timeout = 240);

/* Calls `test` with each way of computing that there is. */
static void with_each(void (*test)(const struct harness_target *target))
{
    static const char *const convs[] = { "direct", "winograd" };
    struct vgg_variants variants;
    const struct vgg_engine_options options = { .backend = getenv("VGG16_TEST_BACKEND") };
    cr_assert_eq(vgg_variants_init(&variants, &options), VGG_OK);
    for (size_t i = 0; i < variants.count; i++) {
        const struct vgg_variant *variant = &variants.item[i];
        bool cpu = !strcmp(variant->device->backend, "cpu");
        for (int k = 0; k < (cpu ? 2 : 1); k++) {
            struct harness_target target = { .winograd = !cpu || k == 1 };
            snprintf(target.backend, sizeof target.backend, "%s", variant->device->backend);
            snprintf(target.device, sizeof target.device, "%d", variant->own);
            snprintf(target.isa, sizeof target.isa, "%s", cpu ? variant->isa : "auto");
            snprintf(target.conv, sizeof target.conv, "%s", cpu ? convs[k] : "auto");
            snprintf(target.name, sizeof target.name, "%s %s %s", variant->device->name, target.isa, target.conv);
            test(&target);
        }
    }
    vgg_variants_finish(&variants);
}

/* Is there a NaN in this window of this channel, and in which place? */
static bool planted(int image, int y, int x, int c, int *place)
{
    uint32_t number = (uint32_t)(((image * 7 + y) * 11 + x) * 131 + c) * 2654435761u;
    *place = (int)(number >> 30);
    return (number >> 20) % 3 == 0;
}

/* 2x2 pools, the odd last row and column dropped, and the maximum of a map. */
static void pools(const struct harness_target *target)
{
    static const struct {
        int n, h, w, c;
    } shapes[] = { { 2, 6, 9, 5 }, { 1, 7, 10, 64 }, { 3, 4, 4, 36 } };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int n = shapes[s].n, h = shapes[s].h, w = shapes[s].w, c = shapes[s].c;
        struct harness harness;
        harness_open(&harness, target);
        struct vgg_op op[2] = { { .kind = VGG_OP_POOL2 }, { .kind = VGG_OP_GMAXPOOL } };
        op[0].x = op[1].x = harness_view(&harness, VGG_ARENA_ACT, n, h, w, c);
        op[0].y = harness_view(&harness, VGG_ARENA_ACT, n, h / 2, w / 2, c);
        if (s % 2) op[0].arg = harness_view_u8(&harness, n, h / 2, w / 2, c);
        op[1].y = harness_view(&harness, VGG_ARENA_ACT, n, 1, 1, c);
        harness_allocate(&harness);
        size_t count = vgg_view_count(&op[0].x);
        float *x = malloc(count * sizeof *x);
        bool *whole = calloc((size_t)(n * c), sizeof *whole);
        harness_fill(x, count, 5, 3);
        int place;
        for (int i = 0; i < n; i++)
            for (int a = 0; a < h / 2; a++)
                for (int b = 0; b < w / 2; b++)
                    for (int k = 0; k < c; k++) {
                        /* Every other channel of maps has one at most, that of its last window. */
                        bool here = planted(i, a, b, k, &place) && (k % 2 || (a == h / 2 - 1 && b == w / 2 - 1));
                        if (!here) continue;
                        x[((i * h + 2 * a + place / 2) * w + 2 * b + place % 2) * c + k] = NAN;
                        whole[i * c + k] = true;
                    }
        harness_put(&harness, &op[0].x, x);
        harness_run(&harness, op, 2, &(struct vgg_step) { .loss_scale = 1 });
        float *y = harness_fetch(&harness, &op[0].y), *most = harness_fetch(&harness, &op[1].y);
        for (int i = 0; i < n; i++)
            for (int a = 0; a < h / 2; a++)
                for (int b = 0; b < w / 2; b++)
                    for (int k = 0; k < c; k++) {
                        bool none = planted(i, a, b, k, &place) && (k % 2 || (a == h / 2 - 1 && b == w / 2 - 1));
                        cr_assert_eq(!isnan(y[((i * (h / 2) + a) * (w / 2) + b) * c + k]), !none,
                                     "%s: window %d %d %d, channel %d, place %d", target->name, i, a, b, k, place);
                    }
        for (int i = 0; i < n * c; i++)
            cr_assert_eq(!isnan(most[i]), !whole[i], "%s: maximum %d of maps", target->name, i);
        free(most);
        free(y);
        free(whole);
        free(x);
        harness_close(&harness);
    }
}

Test(pool_nan, pools)
{
    with_each(pools);
}

/* The four pixels around a corner where tiles meet, in turn: of the windows around each one is reached in its first,
 * its second, its third or its last pixel alone, and so in one tile of those around, which sees the corner alone. */
static void convolutions(const struct harness_target *target)
{
    static const struct {
        int h, w, in, out;
        bool relu, arg;
    } shapes[] = { { 12, 14, 3, 64, true, true },
                   { 12, 14, 16, 24, true, true },
                   { 20, 20, 96, 96, true, false },
                   { 20, 22, 96, 72, false, true },
                   { 12, 10, 5, 7, false, false } };
    bool plain = !strcmp(target->isa, "scalar");
    for (size_t s = 0; s < (plain ? 1 : sizeof shapes / sizeof *shapes); s++) {
        const int h = shapes[s].h, w = shapes[s].w, in = shapes[s].in, out = shapes[s].out;
        struct harness harness;
        harness_open(&harness, target);
        struct vgg_op op = { .kind = VGG_OP_CONV, .flags = VGG_OP_POOL | (shapes[s].relu ? VGG_OP_RELU : 0u) };
        op.x = harness_view(&harness, VGG_ARENA_ACT, 4, h, w, in);
        op.y = harness_view(&harness, VGG_ARENA_ACT, 4, h / 2, w / 2, out);
        if (shapes[s].arg) op.arg = harness_view_u8(&harness, 4, h / 2, w / 2, out);
        op.w = harness_view(&harness, VGG_ARENA_PARAM, 3, 3, in, out);
        op.b = harness_view(&harness, VGG_ARENA_PARAM, 1, 1, 1, out);
        harness_allocate(&harness);
        size_t count = vgg_view_count(&op.x), weights = vgg_view_count(&op.w);
        float *x = malloc(count * sizeof *x), *weight = malloc(weights * sizeof *weight);
        harness_fill(x, count, 6, 1);
        harness_fill(weight, weights, 7, 0.1);
        const int corner_y = h / 8 * 4 + 3, corner_x = w / 8 * 4 + 3; /* of tiles of 4x4 pixels */
        for (int i = 0; i < 4; i++)
            x[((i * h + corner_y + i / 2) * w + corner_x + i % 2) * in + in / 2] = NAN;
        harness_put(&harness, &op.x, x);
        harness_put(&harness, &op.w, weight);
        harness_put(&harness, &op.b, weight);
        harness_run(&harness, &op, 1, &(struct vgg_step) { .loss_scale = 1 });
        float *y = harness_fetch(&harness, &op.y);
        for (int i = 0; i < 4 * (h / 2) * (w / 2); i++) {
            int image = i / (w / 2) / (h / 2), row = i / (w / 2) % (h / 2), column = i % (w / 2);
            int ny = corner_y + image / 2, nx = corner_x + image % 2;
            bool reached =
                2 * row + 1 >= ny - 1 && 2 * row <= ny + 1 && 2 * column + 1 >= nx - 1 && 2 * column <= nx + 1;
            bool far = abs(2 * row - ny) > 12 || abs(2 * column - nx) > 12; /* no tile of Winograd's has both */
            for (int k = 0; k < out; k++) {
                bool none = isnan(y[i * out + k]);
                cr_assert(none || !reached, "%s: image %d, window %d %d, channel %d of %d", target->name, image, row,
                          column, k, out);
                cr_assert(!none || reached || (target->winograd && !far), "%s: image %d, window %d %d, channel %d",
                          target->name, image, row, column, k);
            }
        }
        free(y);
        free(weight);
        free(x);
        harness_close(&harness);
    }
}

Test(pool_nan, convolutions)
{
    with_each(convolutions);
}
