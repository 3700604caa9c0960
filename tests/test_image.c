/* Decoding: every format, depth and orientation, what is refused, and damaged files. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "core/image/image.h"

enum { WIDTH = 32, HEIGHT = 24 };

/* The picture that make_images.py wrote in all formats. */
static int smooth(int y, int x, int channel)
{
    return channel == 0 ? x * 6 + y : channel == 1 ? y * 8 + x : 255 - x * 3 - y * 3;
}

static int palette(int y, int x, int channel)
{
    int i = smooth(y, x, 0) / 16;
    return channel == 0 ? i * 16 : channel == 1 ? 255 - i * 16 : i;
}

static int grey(int y, int x, int channel)
{
    (void)channel;
    return smooth(y, x, 0);
}

static int checker(int y, int x, int channel)
{
    (void)channel;
    return (y + x) % 2 * 255;
}

/* Checks that a file decodes to a picture within `tolerance` levels. */
static void expect(const char *name, int (*picture)(int, int, int), int tolerance)
{
    char why[VGG_IMAGE_WHY] = "", path[256];
    struct vgg_image image;
    snprintf(path, sizeof path, "images/%s", name);
    cr_assert_eq(vgg_image_read(&image, path, why), VGG_OK, "%s", why);
    cr_assert_eq(image.height, HEIGHT, "%s", name);
    cr_assert_eq(image.width, WIDTH, "%s", name);
    for (int i = 0; i < HEIGHT * WIDTH * 3; i++) {
        int wanted = picture(i / 3 / WIDTH, i / 3 % WIDTH, i % 3);
        cr_assert_leq(abs(image.rgb[i] - wanted), tolerance, "%s: %d instead of %d at %d", name, image.rgb[i], wanted,
                      i);
    }
    vgg_image_finish(&image);
}

Test(image, lossless_formats)
{
    expect("rgb.png", smooth, 0);
    expect("rgb.bmp", smooth, 0);
    expect("rgba.png", smooth, 0);
    expect("rgb16.png", smooth, 0);
    expect("grey.png", grey, 0);
    expect("grey.bmp", grey, 0);
    expect("grey-alpha.png", grey, 0);
    expect("grey16.png", grey, 0);
    expect("palette.png", palette, 0);
    expect("bit.png", checker, 0);
}

Test(image, jpeg)
{
    expect("rgb.jpg", smooth, 4);
    expect("progressive.jpg", smooth, 4);
    expect("grey.jpg", grey, 3);
    expect("subsampled.jpg", smooth, 12);
    expect("cmyk.jpg", smooth, 6);
}

Test(image, exif_orientation)
{
    for (int i = 1; i <= 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "exif%d.jpg", i);
        expect(name, smooth, 5);
    }
    expect("exif6.png", smooth, 0);
}

/* ---- refusals ---- */

static void log_nothing(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

/* Writes a file into the temporary folder and reads it; the line must name the file and contain `text`. */
static void refuse_bytes(const char *name, const void *bytes, size_t size, enum vgg_status wanted, const char *text)
{
    char path[64], why[VGG_IMAGE_WHY] = "";
    struct vgg_image image;
    snprintf(path, sizeof path, "/tmp/vgg-test-%d-%s", (int)getpid(), name);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
    enum vgg_status status = vgg_image_read(&image, path, why);
    unlink(path);
    cr_assert_eq(status, wanted, "%s: status %d: %s", name, status, why);
    cr_assert_null(image.rgb);
    cr_assert_not_null(strstr(why, path), "%s", why);
    cr_assert_not_null(strstr(why, text), "%s", why);
    cr_assert_null(strchr(why, '\n'));
}

static void put_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static size_t png_head(uint8_t *file, uint32_t width, uint32_t height)
{
    static const uint8_t head[33] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\0\x08\x02\0\0\0";
    memcpy(file, head, sizeof head);
    put_be32(file + 16, width);
    put_be32(file + 20, height);
    return sizeof head;
}

static size_t jpeg_head(uint8_t *file, unsigned width, unsigned height)
{
    static const uint8_t head[] = "\xFF\xD8\xFF\xC0\0\x11\x08\0\0\0\0\x03\x01\x11\0\x02\x11\0\x03\x11";
    memcpy(file, head, sizeof head);
    file[7] = (uint8_t)(height >> 8), file[8] = (uint8_t)height;
    file[9] = (uint8_t)(width >> 8), file[10] = (uint8_t)width;
    return sizeof head;
}

Test(image, refuses_what_is_no_image)
{
    char why[VGG_IMAGE_WHY] = "";
    struct vgg_image image;
    cr_assert_eq(vgg_image_read(&image, "images/text.jpg", why), VGG_ERR_FORMAT);
    cr_assert_str_eq(why, "images/text.jpg: is not a JPEG, PNG, BMP, GIF, WebP or TIFF image; "
                          "convert or remove it");
    cr_assert_eq(vgg_image_read(&image, "images/absent.png", why), VGG_ERR_IO);
    cr_assert_not_null(strstr(why, "images/absent.png: cannot be opened"));
    cr_assert_eq(vgg_image_read(&image, "images", why), VGG_ERR_IO);
    refuse_bytes("empty.jpg", "", 0, VGG_ERR_FORMAT, "is empty");
    refuse_bytes("gif.jpg", "GIF89a..\1\0........", 19, VGG_ERR_FORMAT, "cannot be decoded");
}

Test(image, refuses_absurd_sizes)
{
    uint8_t file[64];
    refuse_bytes("large.png", file, png_head(file, 60000, 60000), VGG_ERR_UNSUPPORTED, "too large (60000 x 60000");
    refuse_bytes("large.jpg", file, jpeg_head(file, 60000, 60000), VGG_ERR_UNSUPPORTED, "too large (60000 x 60000");
    refuse_bytes("wide.png", file, png_head(file, 32769, 1), VGG_ERR_UNSUPPORTED, "too large");
    refuse_bytes("pixels.png", file, png_head(file, 10001, 10000), VGG_ERR_UNSUPPORTED, "too large");
    refuse_bytes("none.png", file, png_head(file, 0, 0), VGG_ERR_FORMAT, "");
    refuse_bytes("none.jpg", file, jpeg_head(file, 0, 0), VGG_ERR_FORMAT, "");
    refuse_bytes("huge.png", file, png_head(file, 0xFFFFFFFFu, 0xFFFFFFFFu), VGG_ERR_FORMAT, "");
    uint8_t bmp[54] = "BM";
    bmp[10] = 54, bmp[14] = 40, bmp[26] = 1, bmp[28] = 24;
    refuse_bytes("none.bmp", bmp, sizeof bmp, VGG_ERR_FORMAT, "no pixels");
    bmp[18] = 0x60, bmp[19] = 0xEA, bmp[22] = 0x60, bmp[23] = 0xEA;
    refuse_bytes("large.bmp", bmp, sizeof bmp, VGG_ERR_UNSUPPORTED, "too large (60000 x 60000");
}

/* 16 * 255 codes, for which stb_image's own table has no room, before and behind the frame header. */
Test(image, refuses_overfull_huffman_tables)
{
    uint8_t file[128] = { 0xFF, 0xD8, 0xFF, 0xC4, 0, 19, 0 };
    memset(file + 7, 0xFF, 16);
    refuse_bytes("dht.jpg", file, 64, VGG_ERR_FORMAT, "is damaged");
    size_t size = jpeg_head(file, 8, 8);
    static const uint8_t table[7] = { 0xFF, 0xC4, 0xFF, 0xF0, 0 };
    memcpy(file + size - 1, table, 5);
    memset(file + size + 4, 0xFF, 16);
    refuse_bytes("dht.jpg", file, sizeof file, VGG_ERR_FORMAT, "cannot be decoded");
}

/* ---- damaged files ---- */

static size_t read_whole(uint8_t *file, size_t room, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "images/%s", name);
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    size_t size = fread(file, 1, room, f);
    fclose(f);
    return size;
}

static const char *const samples[] = { "rgb.jpg",   "progressive.jpg", "subsampled.jpg", "cmyk.jpg",
                                       "exif6.jpg", "exif6.png",       "rgb16.png",      "palette.png",
                                       "rgb.bmp",   "grey.bmp",        "bit.png" };
enum { SAMPLES = sizeof samples / sizeof *samples };

static enum vgg_status read_bytes(const char *path, const uint8_t *bytes, size_t size)
{
    char why[VGG_IMAGE_WHY] = "";
    struct vgg_image image;
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    fwrite(bytes, 1, size, f);
    fclose(f);
    enum vgg_status status = vgg_image_read(&image, path, why);
    cr_assert((status == VGG_OK) == (image.rgb != NULL));
    cr_assert(status == VGG_OK || strstr(why, path), "%s", why);
    vgg_image_finish(&image);
    return status;
}

/* A file that lacks its end is refused wherever it was cut; only what follows the pixels (padding, checksum) may lack.
 */
Test(image, truncated_files)
{
    uint8_t file[8192];
    char path[64];
    snprintf(path, sizeof path, "/tmp/vgg-test-%d-cut", (int)getpid());
    for (int s = 0; s < SAMPLES; s++) {
        size_t size = read_whole(file, sizeof file, samples[s]);
        size_t unended = strstr(samples[s], ".png") ? size - 12 : size; /* IEND alone may lack, too */
        for (size_t n = 1; n < size; n += n < 100 ? 1 : 17) {
            if (n == unended) continue;
            enum vgg_status status = read_bytes(path, file, n);
            cr_assert(status == VGG_ERR_FORMAT || status == VGG_ERR_UNSUPPORTED, "%s cut to %zu of %zu bytes: %d",
                      samples[s], n, size, status);
        }
        cr_assert_eq(read_bytes(path, file, size), VGG_OK);
    }
    unlink(path);
}

/* Under ASan and UBSan this is a small fuzzer: any answer will do, but no crash and no leak. */
Test(image, mutated_files)
{
    uint8_t file[8192], copy[8192];
    char path[64];
    snprintf(path, sizeof path, "/tmp/vgg-test-%d-mutated", (int)getpid());
    for (size_t s = 0; s < SAMPLES; s++) {
        size_t size = read_whole(file, sizeof file, samples[s]);
        for (uint64_t round = 0; round < 300; round++) {
            memcpy(copy, file, size);
            uint32_t changes = 1 + vgg_rng_below(s + 1, VGG_RNG_INIT, round, 0, 8);
            for (uint32_t i = 0; i < changes; i++)
                copy[vgg_rng_below(s + 1, VGG_RNG_INIT, round, 2 * i + 1, (uint32_t)size)] =
                    (uint8_t)vgg_rng_u32(s + 1, VGG_RNG_INIT, round, 2 * i + 2);
            read_bytes(path, copy, size);
        }
    }
    unlink(path);
}

/* ---- preprocessing and the public function ---- */

Test(image, preprocessing)
{
    struct vgg_image_options options = { .height = HEIGHT, .width = WIDTH };
    float x[HEIGHT * WIDTH * 3];
    int y0 = 7, x0 = 11, at = (y0 * WIDTH + x0) * 3;
    double r = smooth(y0, x0, 0), g = smooth(y0, x0, 1), b = smooth(y0, x0, 2);
    const double wanted[5][3] = {
        { b - 103.939, g - 116.779, r - 123.68 },
        { b - 103.939, g - 116.779, r - 123.68 },
        { (r / 255 - 0.485) / 0.229, (g / 255 - 0.456) / 0.224, (b / 255 - 0.406) / 0.225 },
        { r / 255, g / 255, b / 255 },
        { r, g, b },
    };
    for (int mode = VGG_PREPROCESS_DEFAULT; mode <= VGG_PREPROCESS_NONE; mode++) {
        options.preprocess = (enum vgg_preprocess)mode;
        cr_assert_eq(vgg_image_load(x, "images/rgb.png", &options), VGG_OK);
        for (int i = 0; i < 3; i++)
            cr_assert_float_eq(x[at + i], wanted[mode][i], 2e-5, "mode %d channel %d: %g, not %g", mode, i,
                               (double)x[at + i], wanted[mode][i]);
    }
}

Test(image, wrong_options)
{
    float x[3];
    vgg_log_set(log_nothing, NULL, VGG_LOG_ERROR);
    struct vgg_image_options options = { .height = 0, .width = 1 };
    cr_assert_eq(vgg_image_load(x, "images/rgb.png", &options), VGG_ERR_ARGUMENT);
    options = (struct vgg_image_options) { .height = 1, .width = 1, .preprocess = (enum vgg_preprocess)17 };
    cr_assert_eq(vgg_image_load(x, "images/rgb.png", &options), VGG_ERR_ARGUMENT);
    options = (struct vgg_image_options) { .height = 1, .width = 1 };
    cr_assert_eq(vgg_image_load(x, "images/text.jpg", &options), VGG_ERR_FORMAT);
}
