/* The affine map against NumPy (images/augment.bin, made by make_images.py), and the drawing of its numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/image/augment.h"
#include "core/image/vary.h"

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
        struct vgg_augment_draw draw = { v[0], v[1], v[2], v[3], v[4], v[5], head[2] & 1, head[2] >> 1 };
        vgg_augment_map(map, &draw, head[0], head[1]);
        vgg_augment_apply(dst, src, head[0], head[1], map);
        for (size_t i = 0; i < count; i++)
            cr_assert_float_eq(dst[i], wanted[i], 2e-4, "case %d, %zu: %g, not %g", cases, i, (double)dst[i],
                               (double)wanted[i]);
    }
    fclose(f);
    cr_assert_eq(cases, 16);
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
    struct vgg_augment_options options = {
        .rotate = 40, .shift_height = 0.2f, .shift_width = 0.1f, .shear = 0.3f, .zoom = 0.25f, .flip = true
    };
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

/* The same changes for ever: a training that goes on by --resume must see the images that it would have seen. Source of
 * the numbers: Philox4x32-10 by Python's whole numbers, seed 7, pass 3. */
Test(augment, draws_are_these_numbers)
{
    static const struct {
        uint64_t index;
        double u[8];
    } known[] = {
        { 0,
          { -0.8209173679351807, -0.4751816987991333, -0.8291828632354736, -0.7611162662506104, -0.6637923717498779,
            0.45654797554016113, -0.7127712965011597, 0.1989433765411377 } },
        { 5,
          { -0.024553418159484863, -0.2818533182144165, 0.7086330652236938, 0.737289547920227, -0.12473917007446289,
            0.5383402109146118, -0.22205328941345215, -0.3244941234588623 } },
    };
    for (size_t i = 0; i < 2; i++) {
        const double *u = known[i].u;
        struct vgg_augment_options options = { .rotate = 32,
                                               .shift_height = 0.5f,
                                               .shift_width = 0.25f,
                                               .shear = 8,
                                               .zoom = 0.125f,
                                               .flip = true,
                                               .vflip = true };
        struct vgg_augment_draw d;
        vgg_augment_draw(&d, &options, 7, 3, known[i].index);
        cr_expect(d.rotate == 32 * u[0] && d.shift_height == 0.5 * u[1] && d.shift_width == 0.25 * u[2]);
        cr_expect(d.shear == 8 * u[3] && d.zoom_height == 1 + 0.125 * u[4] && d.zoom_width == 1 + 0.125 * u[5]);
        cr_expect(d.flip == (u[6] < 0) && d.vflip == (u[7] < 0));
        options.flip = options.vflip = false;
        vgg_augment_draw(&d, &options, 7, 3, known[i].index);
        cr_expect(!d.flip && !d.vflip);
    }
}

/* Nothing beside the image is read, nor counts: not even behind its last row and column. */
Test(augment, stays_inside)
{
    enum { H = 3, W = 5, GUARD = 4 * W * 3 };
    float src[GUARD + H * W * 3 + GUARD], dst[H * W * 3 + 1];
    static const double maps[][6] = {
        { 1, 0, 0, 0, 1, 0 },   { 1, 0, 0.5, 0, 1, 0.5 },  { 1, 0, -9, 0, 1, -9 },         { 1, 0, 9, 0, 1, 9 },
        { 3, 0, -2, 0, 3, -4 }, { 0, 0.5, 0, 0.75, 0, 0 }, { 0.999999, 0, 0, 0, 1, 1e-9 },
    };
    for (size_t i = 0; i < sizeof src / sizeof *src; i++)
        src[i] = NAN;
    for (int i = 0; i < H * W * 3; i++)
        src[GUARD + i] = (float)(i * i % 101);
    for (size_t m = 0; m < sizeof maps / sizeof *maps; m++) {
        dst[H * W * 3] = 77;
        vgg_augment_apply(dst, src + GUARD, H, W, maps[m]);
        for (int i = 0; i < H * W * 3; i++)
            cr_assert(dst[i] >= 0 && dst[i] <= 100, "map %zu, %d: %g", m, i, (double)dst[i]);
        cr_assert_eq(dst[H * W * 3], 77.0f);
    }
}

/* Each alone. */
Test(augment, any_of_all)
{
    static const struct vgg_augment_options moves[] = {
        { .rotate = 1 },  { .shift_height = 0.1f }, { .shift_width = 0.1f }, { .shear = 1 },
        { .zoom = 0.1f }, { .flip = true },         { .vflip = true },
    };
    static const struct vgg_augment_options others[] = {
        { .crop = 0.5f },
        { .brightness = 0.1f },
        { .contrast = 0.1f },
        { .saturation = 0.1f },
    };
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        cr_expect(vgg_augment_moves(&moves[i]) && vgg_augment_any(&moves[i]), "%zu", i);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect(!vgg_augment_moves(&others[i]) && vgg_augment_any(&others[i]), "%zu", i);
}

Test(augment, any)
{
    cr_assert_not(vgg_augment_any(NULL));
    cr_assert_not(vgg_augment_any(&(struct vgg_augment_options) { 0 }));
    cr_assert(vgg_augment_any(&(struct vgg_augment_options) { .flip = true }));
    cr_assert(vgg_augment_any(&(struct vgg_augment_options) { .zoom = 0.1f }));
    cr_assert(vgg_augment_any(&(struct vgg_augment_options) { .crop = 1 }));
    cr_assert(vgg_augment_any(&(struct vgg_augment_options) { .saturation = 0.1f }));
    cr_assert_not(vgg_augment_moves(&(struct vgg_augment_options) { .contrast = 0.1f, .crop = 0.5f }));
    cr_assert(vgg_augment_moves(&(struct vgg_augment_options) { .vflip = true }));
}

/* ---- colours and crops ---- */

Test(augment, colours_like_torchvision)
{
    float x[MAX_FLOATS], wanted[MAX_FLOATS];
    FILE *f = fopen("images/colours.bin", "rb");
    cr_assert_not_null(f);
    int32_t head[2], cases = 0;
    for (; fread(head, sizeof *head, 2, f) == 2; cases++) {
        float factors[3];
        size_t count = (size_t)head[0] * (size_t)head[1] * 3;
        cr_assert_eq(fread(factors, sizeof *factors, 3, f), 3);
        cr_assert_eq(fread(wanted, sizeof *wanted, count, f), count);
        busy(x, head[0], head[1]);
        vgg_vary_colours(x, count / 3, factors);
        for (size_t i = 0; i < count; i++)
            cr_assert_float_eq(x[i], wanted[i], 2e-4, "case %d, %zu: %g, not %g", cases, i, (double)x[i],
                               (double)wanted[i]);
    }
    fclose(f);
    cr_assert_eq(cases, 18);
}

Test(augment, factors_have_their_ranges)
{
    const struct vgg_augment_options options = { .brightness = 0.2f, .contrast = 0.7f, .saturation = 1 };
    const double range[3] = { 0.2, 0.7, 1 };
    double low[3] = { 9, 9, 9 }, high[3] = { -9, -9, -9 };
    float first[3], other[3];
    for (uint64_t i = 0; i < 4000; i++) {
        float factors[3];
        vgg_vary_draw(factors, &options, 7, 3, i);
        for (int k = 0; k < 3; k++)
            low[k] = fmin(low[k], (double)factors[k] - 1), high[k] = fmax(high[k], (double)factors[k] - 1);
    }
    for (int k = 0; k < 3; k++) {
        cr_assert(low[k] >= -range[k] * (1 + 1e-6) && high[k] <= range[k] * (1 + 1e-6));
        cr_assert(low[k] < -0.98 * range[k] && high[k] > 0.98 * range[k]);
    }
    vgg_vary_draw(first, &options, 7, 3, 1);
    vgg_vary_draw(other, &options, 7, 4, 1);
    cr_assert_neq(first[0], other[0]);
    vgg_vary_draw(other, &(struct vgg_augment_options) { 0 }, 7, 3, 1);
    cr_assert(other[0] == 1 && other[1] == 1 && other[2] == 1);
}

/* torchvision's RandomResizedCrop.get_params line by line, on numbers 3 .. 24 of the image's 32. */
static bool get_params(int out[4], double scale, int height, int width, uint64_t seed, uint64_t pass, uint64_t index)
{
    double ratio[2] = { 3. / 4., 4. / 3. }, area = height * width, u[25];
    uint32_t bits[25];
    for (uint64_t k = 0; k < 25; k++) {
        bits[k] = vgg_rng_u32(seed, VGG_RNG_VARY, pass, index * 32 + k);
        u[k] = (double)(bits[k] >> 8) / 16777216;
    }
    for (int t = 0; t < 10; t++) {
        double target_area = area * (scale + (1 - scale) * u[3 + 2 * t]);
        double aspect_ratio = exp(log(ratio[0]) + (log(ratio[1]) - log(ratio[0])) * u[4 + 2 * t]);
        int w = (int)lrint(sqrt(target_area * aspect_ratio)), h = (int)lrint(sqrt(target_area / aspect_ratio));
        if (0 < w && w <= width && 0 < h && h <= height) {
            out[0] = (int)((uint64_t)bits[23] * (uint64_t)(height - h + 1) >> 32);
            out[1] = (int)((uint64_t)bits[24] * (uint64_t)(width - w + 1) >> 32);
            out[2] = h, out[3] = w;
            return true;
        }
    }
    double in_ratio = (double)width / height;
    int w = width, h = height;
    if (in_ratio < ratio[0])
        h = (int)lrint(w / ratio[0]);
    else if (in_ratio > ratio[1])
        w = (int)lrint(h * ratio[1]);
    out[0] = (height - h) / 2, out[1] = (width - w) / 2, out[2] = h, out[3] = w;
    return false;
}

Test(augment, crops_like_torchvision)
{
    static const int sizes[][2] = { { 60, 80 }, { 33, 32 }, { 1, 1 }, { 9, 120 }, { 97, 4 }, { 500, 333 } };
    int tries = 0, fallbacks = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (uint64_t i = 0; i < 300; i++) {
            struct vgg_vary_window w;
            int want[4];
            float scale = i % 3 ? 0.08f : 0.9f;
            vgg_vary_window(&w, scale, sizes[s][0], sizes[s][1], 5, i % 7, i);
            bool found = get_params(want, (double)scale, sizes[s][0], sizes[s][1], 5, i % 7, i);
            tries += found, fallbacks += !found;
            cr_assert(w.top == want[0] && w.left == want[1] && w.height == want[2] && w.width == want[3],
                      "%d x %d, %d: %d %d %d %d, not %d %d %d %d", sizes[s][0], sizes[s][1], (int)i, w.top, w.left,
                      w.height, w.width, want[0], want[1], want[2], want[3]);
            cr_assert(w.top >= 0 && w.top + w.height <= sizes[s][0] && w.left >= 0 && w.left + w.width <= sizes[s][1]);
        }
    }
    cr_assert(tries > 300 && fallbacks > 100, "%d and %d", tries, fallbacks);
}

/* The same as fitting the part alone; then colours, then preprocessing. Bytes and floats. */
Test(augment, all_in_their_order)
{
    enum { H = 29, W = 31, OUT = 16 };
    float busy_pixels[H * W * 3], part[H * W * 3], want[OUT * OUT * 3], got[OUT * OUT * 3], factors[3];
    uint8_t bytes[H * W * 3];
    char why[VGG_IMAGE_WHY];
    const struct vgg_augment_options augment = {
        .crop = 0.2f, .brightness = 0.3f, .contrast = 0.4f, .saturation = 0.5f
    };
    const struct vgg_image_options images = { .height = OUT,
                                              .width = OUT,
                                              .preprocess = VGG_PREPROCESS_TORCH,
                                              .resize = VGG_RESIZE_NEAREST,
                                              .crop = VGG_CROP_CENTER };
    busy(busy_pixels, H, W);
    for (size_t i = 0; i < H * W * 3; i++)
        bytes[i] = (uint8_t)busy_pixels[i];
    for (uint64_t index = 0; index < 20; index++) {
        struct vgg_vary_window w;
        vgg_vary_window(&w, augment.crop, H, W, 9, 2, index);
        for (int y = 0; y < w.height; y++)
            memcpy(part + y * w.width * 3, busy_pixels + ((w.top + y) * W + w.left) * 3,
                   sizeof(float[3]) * (size_t)w.width);
        struct vgg_image_options plain = images;
        plain.preprocess = VGG_PREPROCESS_NONE;
        plain.crop = VGG_CROP_NONE;
        struct vgg_image_pixels pixels = { w.height, w.width, NULL, part, "part", 0, 0, false };
        cr_assert_eq(vgg_image_fit(want, &pixels, &plain, NULL, why), VGG_OK);
        vgg_vary_draw(factors, &augment, 9, 2, index);
        vgg_vary_colours(want, OUT * OUT, factors);
        vgg_image_preprocess(want, OUT * OUT, VGG_PREPROCESS_TORCH);
        for (int floats = 0; floats < 2; floats++) {
            pixels =
                (struct vgg_image_pixels) { H, W,    floats ? NULL : bytes, floats ? busy_pixels : NULL, "whole", 0,
                                            0, false };
            cr_assert_eq(vgg_vary_fit(got, &pixels, &images, &augment, 9, 2, index, why), VGG_OK);
            cr_assert_arr_eq(got, want, sizeof want, "image %d, floats %d", (int)index, floats);
        }
    }
}

/* Without a crop the whole image is moved; with a crop of all of it, windows of its area are tried. */
Test(augment, a_crop_only_where_one_is_asked_for)
{
    enum { H = 29, W = 31, OUT = 16 };
    float pixels[H * W * 3], want[OUT * OUT * 3], got[OUT * OUT * 3];
    char why[VGG_IMAGE_WHY];
    const struct vgg_image_options images = { .height = OUT,
                                              .width = OUT,
                                              .preprocess = VGG_PREPROCESS_NONE,
                                              .resize = VGG_RESIZE_BILINEAR,
                                              .crop = VGG_CROP_CENTER };
    struct vgg_augment_options augment = { .rotate = 20, .vflip = true };
    busy(pixels, H, W);
    const struct vgg_image_pixels whole = { H, W, NULL, pixels, "whole", 0, 0, false };
    for (uint64_t index = 0; index < 6; index++) {
        struct vgg_augment_draw draw;
        double map[6];
        vgg_augment_draw(&draw, &augment, 4, 1, index);
        vgg_augment_map(map, &draw, OUT, OUT);
        cr_assert_eq(vgg_image_fit(want, &whole, &images, map, why), VGG_OK);
        cr_assert_eq(vgg_vary_fit(got, &whole, &images, &augment, 4, 1, index, why), VGG_OK);
        cr_assert_arr_eq(got, want, sizeof want, "image %d", (int)index);
        augment.crop = 1;
        cr_assert_eq(vgg_vary_fit(got, &whole, &images, &augment, 4, 1, index, why), VGG_OK);
        cr_assert_neq(memcmp(got, want, sizeof want), 0, "image %d", (int)index); /* stretched, not its middle */
        augment.crop = 0;
    }
}
