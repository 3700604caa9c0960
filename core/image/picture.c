#include "core/image/picture.h"

#include <stdlib.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/image/resize.h"
#include "core/image/stb_image_write.h"

enum { CHANNELS = 3, QUALITY = 88 };

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

enum vgg_status vgg_picture_write(const char *path, const struct vgg_image *image)
{
    enum vgg_status status = VGG_OK;
    struct vgg_file *file = NULL;
    uint8_t *png = NULL;
    size_t size;
    CHECK(vgg_picture_png(&png, &size, image));
    CHECK(vgg_file_create(&file, path));
    CHECK(vgg_file_write(file, png, size));
    status = vgg_file_commit(file);
    file = NULL;
fail:
    vgg_file_abort(file);
    free(png);
    return status;
}

enum vgg_status vgg_picture_scale(struct vgg_image *out, const struct vgg_image *image, int height, int width)
{
    struct vgg_resize_window window;
    size_t size = (size_t)height * (size_t)width * CHANNELS;
    *out = (struct vgg_image) { height, width, vgg_mem_calloc(size, 1) };
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
