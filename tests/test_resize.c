/* Resizing against Pillow's own results (images/resize.bin, images/crop.bin, made by make_images.py). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/image/exif.h"
#include "core/image/image.h"
#include "core/image/resize.h"
#include "core/image/rows.h"
#include "core/image/taps.h"

enum { MAX_BYTES = 64 * 64 * 3 };

/* The picture `busy` of make_images.py. */
static void busy(uint8_t *rgb, int height, int width)
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, rgb += 3) {
            uint64_t noise = ((uint64_t)y * 7919 + (uint64_t)x * 104729 + 1) * 2654435761u % 4294967296u;
            int dy2 = 2 * y - height, dx2 = 2 * x - width;
            rgb[0] = (uint8_t)(noise >> 17);
            rgb[1] = (x / 5 + y / 7) % 2 == 0 ? 230 : 20;
            rgb[2] = dx2 * dx2 + dy2 * dy2 < 4 * 70 ? 255 : 0;
        }
    }
}

static int differ; /* bytes that do, of all that were compared */

static int largest_difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    int largest = 0;
    for (size_t i = 0; i < count; i++) {
        int difference = abs(a[i] - b[i]);
        differ += difference != 0;
        if (difference > largest) largest = difference;
    }
    return largest;
}

Test(resize, like_pillow)
{
    uint8_t src[29 * 37 * 3], wanted[MAX_BYTES], dst[MAX_BYTES];
    busy(src, 29, 37);
    FILE *f = fopen("images/resize.bin", "rb");
    cr_assert_not_null(f);
    int32_t head[3], cases = 0;
    for (; fread(head, sizeof *head, 3, f) == 3; cases++) {
        size_t size = (size_t)head[1] * (size_t)head[2] * 3;
        cr_assert_eq(fread(wanted, 1, size, f), size);
        struct vgg_resize_window window;
        vgg_resize_window(&window, 29, 37, head[1], head[2], VGG_CROP_NONE);
        cr_assert_eq(vgg_resize_rgb(dst, &window, src, 29, 37, (enum vgg_resize)head[0]), VGG_OK);
        int difference = largest_difference(dst, wanted, size);
        cr_assert_leq(difference, head[0] == VGG_RESIZE_NEAREST ? 0 : 1, "filter %d to %d x %d: %d levels", head[0],
                      head[1], head[2], difference);
    }
    fclose(f);
    cr_assert_eq(cases, 21);
    cr_assert_leq(differ, 0, "%d bytes differ", differ);
}

/* torchvision's numbers: the short side is round(256/224 S), the long one cut down, the offsets rounded half to even.
 */
Test(resize, windows)
{
    static const int cases[][8] = {
        { 480, 640, 224, 224, 256, 341, 16, 58 }, { 640, 480, 224, 224, 341, 256, 58, 16 },
        { 100, 333, 32, 32, 37, 123, 2, 46 },     { 333, 100, 32, 32, 123, 37, 46, 2 },
        { 50, 50, 50, 50, 57, 57, 4, 4 },         { 37, 29, 15, 15, 21, 17, 3, 1 },
        { 29, 37, 224, 224, 256, 326, 16, 51 },   { 500, 375, 299, 299, 456, 342, 78, 22 },
        { 10, 1000, 64, 64, 73, 7300, 4, 3618 },  { 77, 53, 33, 33, 55, 38, 11, 2 },
        { 100, 50, 32, 64, 146, 73, 57, 4 },      { 50, 100, 64, 32, 73, 146, 4, 57 },
        { 1000, 700, 97, 131, 214, 150, 58, 10 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *c = cases[i];
        struct vgg_resize_window w;
        vgg_resize_window(&w, c[0], c[1], c[2], c[3], VGG_CROP_CENTER);
        cr_expect(w.full_height == c[4] && w.full_width == c[5] && w.top == c[6] && w.left == c[7],
                  "%d x %d to %d x %d: %d x %d at %d, %d", c[0], c[1], c[2], c[3], w.full_height, w.full_width, w.top,
                  w.left);
        cr_expect(w.height == c[2] && w.width == c[3]);
        vgg_resize_window(&w, c[0], c[1], c[2], c[3], VGG_CROP_NONE);
        cr_expect(w.full_height == c[2] && w.full_width == c[3] && w.top == 0 && w.left == 0);
    }
}

/* One colour stays what it is, whatever is made of it; nothing beside the image is read, or written. */
Test(resize, one_colour)
{
    enum { GUARD = 3 * 64 };
    static const int sizes[][4] = {
        { 5, 7, 11, 3 }, { 11, 3, 5, 7 }, { 1, 1, 9, 9 },  { 40, 1, 3, 3 },
        { 1, 40, 3, 3 }, { 6, 6, 6, 13 }, { 6, 6, 13, 6 },
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int *s = sizes[i];
        size_t from = (size_t)s[0] * (size_t)s[1] * 3, to = (size_t)s[2] * (size_t)s[3] * 3;
        uint8_t src[GUARD + 40 * 40 * 3 + GUARD], dst[MAX_BYTES + 1];
        for (size_t k = 0; k < sizeof src; k++) /* guards of another colour */
            src[k] = (uint8_t)(k < GUARD || k >= GUARD + from ? 255 - 77 * (k % 3) : 40 + 77 * (k % 3));
        for (int filter = VGG_RESIZE_NEAREST; filter <= VGG_RESIZE_LANCZOS; filter++) {
            struct vgg_resize_window w = { s[2], s[3], 0, 0, s[2], s[3] };
            dst[to] = 99;
            cr_assert_eq(vgg_resize_rgb(dst, &w, src + GUARD, s[0], s[1], (enum vgg_resize)filter), VGG_OK);
            for (size_t k = 0; k < to; k++)
                cr_assert_eq(dst[k], 40 + 77 * (k % 3), "%d x %d to %d x %d, filter %d", s[0], s[1], s[2], s[3],
                             filter);
            cr_assert_eq(dst[to], 99);
        }
    }
}

/* Of pixels of any size; the source of each by its formula. */
Test(resize, nearest_of_any_size)
{
    enum { H = 7, W = 5, TO_H = 9, TO_W = 3, SIZE = 12 };
    uint8_t src[H * W * SIZE], dst[TO_H * TO_W * SIZE];
    for (size_t i = 0; i < sizeof src; i++)
        src[i] = (uint8_t)(i * i + 3 * i);
    struct vgg_resize_window w = { TO_H, TO_W, 0, 0, TO_H, TO_W };
    cr_assert_eq(vgg_resize_nearest(dst, &w, src, H, W, SIZE), VGG_OK);
    for (int y = 0; y < TO_H; y++) {
        for (int x = 0; x < TO_W; x++) {
            int row = (2 * y + 1) * H / (2 * TO_H), column = (2 * x + 1) * W / (2 * TO_W);
            cr_expect_arr_eq(dst + (y * TO_W + x) * SIZE, src + (row * W + column) * SIZE, SIZE, "%d, %d", y, x);
        }
    }
}

Test(resize, centre_crop_like_torchvision)
{
    uint8_t src[MAX_BYTES], wanted[MAX_BYTES], dst[MAX_BYTES];
    FILE *f = fopen("images/crop.bin", "rb");
    cr_assert_not_null(f);
    int32_t head[3], cases = 0;
    for (; fread(head, sizeof *head, 3, f) == 3; cases++) {
        size_t size = (size_t)head[2] * (size_t)head[2] * 3;
        cr_assert_eq(fread(wanted, 1, size, f), size);
        busy(src, head[0], head[1]);
        struct vgg_resize_window window;
        vgg_resize_window(&window, head[0], head[1], head[2], head[2], VGG_CROP_CENTER);
        cr_assert_eq(vgg_resize_rgb(dst, &window, src, head[0], head[1], VGG_RESIZE_BILINEAR), VGG_OK);
        int difference = largest_difference(dst, wanted, size);
        cr_assert_leq(difference, 1, "%d x %d to %d: %d levels", head[0], head[1], head[2], difference);
    }
    fclose(f);
    cr_assert_eq(cases, 4);
    cr_assert_leq(differ, 0, "%d bytes differ", differ);
}

/* Bilinear without being asked when cropping, nearest otherwise. */
Test(resize, defaults)
{
    uint8_t src[37 * 29 * 3], bytes[15 * 15 * 3];
    float x[15 * 15 * 3];
    char why[VGG_IMAGE_WHY];
    busy(src, 37, 29);
    struct vgg_image_pixels pixels = { 37, 29, src, NULL, "test", 0, 0, false };
    for (int crop = VGG_CROP_DEFAULT; crop <= VGG_CROP_CENTER; crop++) {
        struct vgg_image_options options = {
            15, 15, VGG_PREPROCESS_NONE, VGG_RESIZE_DEFAULT, (enum vgg_crop)crop, VGG_DECODE_DEFAULT, false
        };
        struct vgg_resize_window window;
        vgg_resize_window(&window, 37, 29, 15, 15, options.crop);
        enum vgg_resize filter = crop == VGG_CROP_CENTER ? VGG_RESIZE_BILINEAR : VGG_RESIZE_NEAREST;
        cr_assert_eq(vgg_resize_rgb(bytes, &window, src, 37, 29, filter), VGG_OK);
        cr_assert_eq(vgg_image_fit(x, &pixels, &options, NULL, why), VGG_OK);
        for (size_t i = 0; i < sizeof bytes; i++)
            cr_assert_float_eq(x[i], bytes[i], 0.0);
    }
}

/* Any target is covered, also one whose shape is not the image's, and extreme images stay cheap. */
Test(resize, crop_of_any_shape)
{
    static const int shapes[][4] = {
        { 100, 50, 32, 64 }, { 50, 100, 64, 32 }, { 1, 3000, 33, 35 }, { 3000, 1, 20, 40 }
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        struct vgg_resize_window w;
        vgg_resize_window(&w, s[0], s[1], s[2], s[3], VGG_CROP_CENTER);
        cr_assert(w.top >= 0 && w.left >= 0 && w.top + s[2] <= w.full_height && w.left + s[3] <= w.full_width);
        uint8_t *src = calloc((size_t)s[0] * (size_t)s[1], 3), *dst = malloc((size_t)s[2] * (size_t)s[3] * 3);
        for (int filter = VGG_RESIZE_NEAREST; filter <= VGG_RESIZE_LANCZOS; filter++)
            cr_assert_eq(vgg_resize_rgb(dst, &w, src, s[0], s[1], (enum vgg_resize)filter), VGG_OK);
        free(src);
        free(dst);
    }
}

/* A part of the scaled image is what cutting it out afterwards would give. */
Test(resize, window_is_a_cut)
{
    uint8_t src[29 * 37 * 3], whole[40 * 20 * 3], part[9 * 7 * 3];
    busy(src, 29, 37);
    for (int filter = VGG_RESIZE_NEAREST; filter <= VGG_RESIZE_LANCZOS; filter++) {
        struct vgg_resize_window all = { 40, 20, 0, 0, 40, 20 }, cut = { 40, 20, 13, 6, 9, 7 };
        cr_assert_eq(vgg_resize_rgb(whole, &all, src, 29, 37, (enum vgg_resize)filter), VGG_OK);
        cr_assert_eq(vgg_resize_rgb(part, &cut, src, 29, 37, (enum vgg_resize)filter), VGG_OK);
        for (int y = 0; y < 9; y++)
            cr_assert_arr_eq(part + y * 7 * 3, whole + ((y + 13) * 20 + 6) * 3, 7 * 3);
    }
}

/* Rows that are fitted as they come give the bytes of the whole image, turned upright and resized: a crop of it, too.
 */
Test(resize, rows_as_they_come)
{
    enum { H = 29, W = 37 };
    static const int fulls[][2] = { { 13, 11 }, { H, W }, { W, H }, { 70, 17 }, { 5, 61 } };
    uint8_t src[H * W * 3], upright[H * W * 3], wanted[70 * 61 * 3], dst[70 * 61 * 3 + 1];
    busy(src, H, W);
    for (int orientation = 1; orientation <= 8; orientation++) {
        int height = orientation >= 5 ? W : H, width = orientation >= 5 ? H : W;
        vgg_exif_apply(upright, src, H, W, orientation);
        for (size_t i = 0; i < sizeof fulls / sizeof *fulls * 2; i++) {
            const int *full = fulls[i / 2];
            struct vgg_resize_window w = { full[0], full[1], 0, 0, full[0], full[1] };
            if (i % 2) w.top = 1, w.left = 2, w.height -= 4, w.width -= 5; /* the middle is another pixel */
            size_t size = (size_t)w.height * (size_t)w.width * 3;
            for (int filter = VGG_RESIZE_NEAREST; filter <= VGG_RESIZE_LANCZOS; filter++) {
                struct vgg_rows *rows;
                cr_assert_eq(vgg_resize_rgb(wanted, &w, upright, height, width, (enum vgg_resize)filter), VGG_OK);
                cr_assert_eq(vgg_rows_begin(&rows, dst, &w, H, W, orientation, (enum vgg_resize)filter), VGG_OK);
                dst[size] = 99;
                for (int y = 0; y < H; y++) {
                    uint8_t row[W * 3]; /* which is overwritten by the next */
                    memcpy(row, src + (size_t)y * W * 3, sizeof row);
                    vgg_rows_push(rows, row);
                    memset(row, 7, sizeof row);
                }
                vgg_rows_end(rows);
                cr_assert_arr_eq(dst, wanted, size, "orientation %d, %d x %d, filter %d", orientation, w.full_height,
                                 w.full_width, filter);
                cr_assert_eq(dst[size], 99);
            }
        }
    }
}

static int64_t sum_of(const struct vgg_taps *taps, int column, const uint8_t *row, int channel)
{
    int64_t sum = 1 << (VGG_TAPS_FRACTION_BITS - 1);
    for (int k = 0; k < taps->count[column]; k++)
        sum += (int64_t)taps->weight[column * taps->size + k] * row[(taps->first[column] + k) * 3 + channel];
    return sum;
}

/* One sum of each row is led to within 32 units of where the next byte begins, nearer than float tells apart; the
 * others are of greys, or of black and white, whose Lanczos sums go below 0 and above 255. */
Test(resize, sums_are_exact)
{
    enum { H = 126, W = 101, OUT = 7, ONE = 1 << VGG_TAPS_FRACTION_BITS, NEAR = 32 };
    const struct vgg_resize_window w = { H, OUT, 0, 0, H, OUT };
    uint8_t src[H * W * 3], dst[H * OUT * 3];
    uint32_t seed = 5;
    for (int filter = VGG_RESIZE_BILINEAR; filter <= VGG_RESIZE_LANCZOS; filter++) {
        struct vgg_taps taps;
        cr_assert_eq(vgg_taps_init(&taps, W, OUT, 0, OUT, (enum vgg_resize)filter), VGG_OK);
        for (int i = 0; i < H * W * 3; i++) {
            seed = seed * 1664525u + 1013904223u;
            src[i] = i % 3 ? (uint8_t)(seed >> 24) : seed >> 31 ? 255 : 0;
        }
        int led = 0;
        for (int y = 0; y < H; y++) {
            int column = y % OUT, channel = 1 + y / OUT % 2;
            uint8_t *row = src + y * W * 3;
            int64_t sum = sum_of(&taps, column, row, channel);
            for (int step = 0; step < 200000 && (sum + NEAR) % ONE >= 2 * NEAR; step++) {
                seed = seed * 1664525u + 1013904223u;
                int k = (int)(seed >> 8) % taps.count[column], byte = (int)(seed >> 24);
                uint8_t *at = row + (taps.first[column] + k) * 3 + channel;
                sum += (int64_t)taps.weight[column * taps.size + k] * (byte - *at);
                *at = (uint8_t)byte;
            }
            led += (sum + NEAR) % ONE < 2 * NEAR;
        }
        cr_assert_gt(led, H / 2, "filter %d: %d rows", filter, led);
        cr_assert_eq(vgg_resize_rgb(dst, &w, src, H, W, (enum vgg_resize)filter), VGG_OK);
        for (int i = 0; i < H * OUT * 3; i++) {
            int64_t sum = sum_of(&taps, i / 3 % OUT, src + i / 3 / OUT * W * 3, i % 3), byte = sum < 0 ? 0 : sum / ONE;
            cr_assert_eq(dst[i], byte > 255 ? 255 : byte, "filter %d, number %d", filter, i);
        }
        vgg_taps_finish(&taps);
    }
}
