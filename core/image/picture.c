#include "core/image/picture.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/image/resize.h"
#include "core/image/stb_image_write.h"

enum { CHANNELS = 3, QUALITY = 88, PNG_HEADER = 8 + 25 /* signature and IHDR */ };

static enum vgg_status encode(uint8_t **out, size_t *size, const struct vgg_image *image, bool jpeg)
{
    int h = image->height, w = image->width;
    *out = NULL, *size = 0;
    if (h < 1 || w < 1 || (int64_t)h * w > VGG_IMAGE_MAX_PIXELS) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "a picture of %d x %d pixels: must have 1 to %d million", w, h,
                        VGG_IMAGE_MAX_PIXELS / 1000000);
    }
    *out = jpeg ? vgg_stb_image_write_jpeg(size, image->rgb, h, w, QUALITY)
                : vgg_stb_image_write_png(size, image->rgb, h, w);
    return *out ? VGG_OK : vgg_fail_memory("a picture", (size_t)h * (size_t)w * CHANNELS);
}

enum vgg_status vgg_picture_png(uint8_t **out, size_t *size, const struct vgg_image *image)
{
    return encode(out, size, image, false);
}

enum vgg_status vgg_picture_jpeg(uint8_t **out, size_t *size, const struct vgg_image *image)
{
    return encode(out, size, image, true);
}

/* Big-endian, as PNG has it. */
static void put_be32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* An iTXt chunk by malloc: length, type, keyword, no compression, no language, no translated keyword, text, checksum.
 * Source: Portable Network Graphics Specification, 2nd edition, 11.3.4.5. NULL without memory. */
static uint8_t *title_chunk(size_t *size, const char *title)
{
    static const char head[] = "iTXtTitle\0\0\0\0"; /* with the end of the last empty string */
    size_t length = sizeof head - 4 + strlen(title);
    uint8_t *chunk = vgg_mem_calloc(length + 12, 1);
    if (!chunk) return NULL;
    put_be32(chunk, (uint32_t)length);
    memcpy(chunk + 4, head, sizeof head);
    memcpy(chunk + 4 + sizeof head, title, strlen(title));
    put_be32(chunk + 8 + length, (uint32_t)crc32(0, chunk + 4, (uInt)(length + 4)));
    *size = length + 12;
    return chunk;
}

enum vgg_status vgg_picture_write(const char *path, const struct vgg_image *image, const char *title)
{
    enum vgg_status status = VGG_OK;
    struct vgg_file *file = NULL;
    uint8_t *png = NULL, *chunk = NULL;
    size_t size, chunk_size = 0;
    CHECK(vgg_picture_png(&png, &size, image));
    if (title && !(chunk = title_chunk(&chunk_size, title))) CHECK(vgg_fail_memory("a title", strlen(title)));
    CHECK(vgg_file_create(&file, path));
    CHECK(vgg_file_write(file, png, PNG_HEADER));
    if (chunk) CHECK(vgg_file_write(file, chunk, chunk_size));
    CHECK(vgg_file_write(file, png + PNG_HEADER, size - PNG_HEADER));
    status = vgg_file_commit(file);
    file = NULL;
fail:
    vgg_file_abort(file);
    free(chunk);
    free(png);
    return status;
}

enum vgg_status vgg_picture_scale(struct vgg_image *out, const struct vgg_image *image, int height, int width)
{
    struct vgg_resize_window window;
    size_t size = (size_t)height * (size_t)width * CHANNELS;
    *out = (struct vgg_image) { height, width, vgg_mem_calloc(size, 1), 0, 0, false };
    vgg_resize_window(&window, image->height, image->width, height, width, VGG_CROP_NONE);
    if (out->rgb &&
        vgg_resize_rgb(out->rgb, &window, image->rgb, image->height, image->width, VGG_RESIZE_LANCZOS) == VGG_OK) {
        return VGG_OK;
    }
    vgg_image_finish(out);
    return vgg_fail_memory("resizing a picture", size);
}

/* round(length * side / longest), at least 1. */
static int shrunk(int length, int longest, int side)
{
    int64_t rounded = ((int64_t)length * side + longest / 2) / longest;
    return rounded > 1 ? (int)rounded : 1;
}

enum vgg_status vgg_picture_shrink(struct vgg_image *out, const struct vgg_image *image, int side)
{
    int h = image->height, w = image->width, longest = h > w ? h : w;
    if (longest <= side) side = longest;
    return vgg_picture_scale(out, image, shrunk(h, longest, side), shrunk(w, longest, side));
}
