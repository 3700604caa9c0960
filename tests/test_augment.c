/* The affine map against NumPy (images/augment.bin, made by make_images.py), and the drawing of its numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/image/augment.h"

enum { MAX_FLOATS = 32 * 32 * 3 };

static void busy(float *rgb, int height, int width)
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, rgb += 3) {
            uint64_t noise = ((uint64_t)y * 7919 + (uint64_t)x * 104729 + 1) * 2654435761u % 4294967296u;
            int dy2 = 2 * y - height, dx2 = 2 * x - width;
            rgb[0] = (float)((noise >> 17) % 256);
            rgb[1] = (x / 5 + y / 7) % 2 == 0 ? 230 : 20;
            rgb[2] = dx2 * dx2 + dy2 * dy2 < 4 * 70 ? 255 : 0;
        }
    }
}

Test(augment, like_keras)
{
    float src[MAX_FLOATS], wanted[MAX_FLOATS], dst[MAX_FLOATS];
    FILE *f = fopen("images/augment.bin", "rb");
    cr_assert_not_null(f);
    int32_t head[3], cases = 0;
    for (; fread(head, sizeof *head, 3, f) == 3; cases++) {
        double v[6], map[6];
        size_t count = (size_t)head[0] * (size_t)head[1] * 3;
        cr_assert_eq(fread(v, sizeof *v, 6, f), 6);
        cr_assert_eq(fread(wanted, sizeof *wanted, count, f), count);
        busy(src, head[0], head[1]);
        struct vgg_augment_draw draw = { v[0], v[1], v[2], v[3], v[4], v[5], head[2] != 0 };
        vgg_augment_map(map, &draw, head[0], head[1]);
        vgg_augment_apply(dst, src, head[0], head[1], map);
        for (size_t i = 0; i < count; i++)
            cr_assert_float_eq(dst[i], wanted[i], 2e-4, "case %d, %zu: %g, not %g", cases, i, (double)dst[i],
                               (double)wanted[i]);
    }
    fclose(f);
    cr_assert_eq(cases, 12);
}

Test(augment, identity_is_exact)
{
    float src[MAX_FLOATS], dst[MAX_FLOATS];
    double map[6];
    busy(src, 31, 32);
    struct vgg_augment_draw draw = { .zoom_height = 1, .zoom_width = 1 };
    vgg_augment_map(map, &draw, 31, 32);
    vgg_augment_apply(dst, src, 31, 32, map);
    cr_assert_arr_eq(dst, src, 31 * 32 * 3 * sizeof *src);
}

Test(augment, ranges_and_reproducibility)
{
    struct vgg_augment_options options = { 40, 0.2f, 0.1f, 0.3f, 0.25f, true };
    double low[6] = { 1e9, 1e9, 1e9, 1e9, 1e9, 1e9 }, high[6] = { -1e9, -1e9, -1e9, -1e9, -1e9, -1e9 };
    const double limit[6] = { 40, 0.2, 0.1, 0.3, 0.25, 0.25 };
    int flips = 0, draws = 4000;
    for (int i = 0; i < draws; i++) {
        struct vgg_augment_draw d, again;
        vgg_augment_draw(&d, &options, 7, 3, (uint64_t)i);
        vgg_augment_draw(&again, &options, 7, 3, (uint64_t)i);
        const double v[6] = { d.rotate, d.shift_height, d.shift_width, d.shear, d.zoom_height - 1, d.zoom_width - 1 };
        const double w[6] = { again.rotate, again.shift_height,    again.shift_width,
                              again.shear,  again.zoom_height - 1, again.zoom_width - 1 };
        cr_assert_arr_eq(v, w, sizeof v);
        cr_assert_eq(d.flip, again.flip);
        for (int k = 0; k < 6; k++)
            low[k] = fmin(low[k], v[k]), high[k] = fmax(high[k], v[k]);
        flips += d.flip;
    }
    for (int k = 0; k < 6; k++) {
        cr_assert(low[k] >= -limit[k] * (1 + 1e-6) && high[k] <= limit[k] * (1 + 1e-6));
        cr_assert(low[k] < -0.98 * limit[k] && high[k] > 0.98 * limit[k]);
    }
    cr_assert(abs(flips - draws / 2) < 200, "%d flips", flips);
    struct vgg_augment_draw a, b;
    vgg_augment_draw(&a, &options, 7, 3, 1);
    vgg_augment_draw(&b, &options, 7, 4, 1);
    cr_assert_neq(a.rotate, b.rotate);
    vgg_augment_draw(&b, &options, 8, 3, 1);
    cr_assert_neq(a.rotate, b.rotate);
}

Test(augment, any)
{
    cr_assert_not(vgg_augment_any(NULL));
    cr_assert_not(vgg_augment_any(&(struct vgg_augment_options) { 0 }));
    cr_assert(vgg_augment_any(&(struct vgg_augment_options) { .flip = true }));
    cr_assert(vgg_augment_any(&(struct vgg_augment_options) { .zoom = 0.1f }));
}
