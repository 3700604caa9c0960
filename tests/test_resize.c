/* Resizing against Pillow's own results (images/resize.bin, images/crop.bin, made by make_images.py). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/image/image.h"
#include "core/image/resize.h"

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

static int largest_difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    int largest = 0;
    for (size_t i = 0; i < count; i++) {
        int difference = abs(a[i] - b[i]);
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
}

/* Bilinear without being asked when cropping, nearest otherwise. */
Test(resize, defaults)
{
    uint8_t src[37 * 29 * 3], bytes[15 * 15 * 3];
    float x[15 * 15 * 3];
    char why[VGG_IMAGE_WHY];
    busy(src, 37, 29);
    struct vgg_image_pixels pixels = { 37, 29, src, NULL, "test", 0, 0 };
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
