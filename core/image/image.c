#include "core/image/image.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/image/augment.h"
#include "core/image/colour.h"
#include "core/image/resize.h"

enum { CHANNELS = 3 };

void vgg_image_preprocess(float *x, size_t pixels, enum vgg_preprocess preprocess)
{
    switch (preprocess) {
    case VGG_PREPROCESS_DEFAULT:
    case VGG_PREPROCESS_CAFFE:
        for (size_t i = 0; i < pixels; i++, x += CHANNELS) {
            float r = x[0], g = x[1], b = x[2];
            x[0] = b - 103.939f, x[1] = g - 116.779f, x[2] = r - 123.68f;
        }
        break;
    case VGG_PREPROCESS_TORCH:
        for (size_t i = 0; i < pixels; i++, x += CHANNELS) {
            x[0] = (x[0] / 255.0f - 0.485f) / 0.229f;
            x[1] = (x[1] / 255.0f - 0.456f) / 0.224f;
            x[2] = (x[2] / 255.0f - 0.406f) / 0.225f;
        }
        break;
    case VGG_PREPROCESS_RESCALE:
        for (size_t i = 0; i < pixels * CHANNELS; i++)
            x[i] /= 255.0f;
        break;
    case VGG_PREPROCESS_NONE: break;
    }
}

enum vgg_status vgg_image_check_options(const struct vgg_image_options *o)
{
    if (o->height < 1 || o->width < 1 || o->height > VGG_IMAGE_MAX_SIDE || o->width > VGG_IMAGE_MAX_SIDE)
        return vgg_fail(VGG_ERR_ARGUMENT, "image size %d x %d: each side must be 1 to %d pixels", o->height, o->width,
                        VGG_IMAGE_MAX_SIDE);
    if ((unsigned)o->preprocess > VGG_PREPROCESS_NONE || (unsigned)o->resize > VGG_RESIZE_LANCZOS ||
        (unsigned)o->crop > VGG_CROP_CENTER || (unsigned)o->decode > VGG_DECODE_FAST)
        return vgg_fail(VGG_ERR_ARGUMENT, "image options: unknown preprocessing, resizing, cropping or decoding");
    return VGG_OK;
}

/* Resizing of either kind of pixels to floats 0..255. */
static enum vgg_status resize(float *x, const struct vgg_image_pixels *p, const struct vgg_image_options *options)
{
    struct vgg_resize_window window;
    struct vgg_image_options resolved = *options, *o = &resolved;
    vgg_image_resolve(o);
    bool reduced = p->full_height > 0;
    vgg_resize_window(&window, reduced ? p->full_height : p->height, reduced ? p->full_width : p->width, o->height,
                      o->width, o->crop);
    enum vgg_resize filter = o->resize;
    size_t count = (size_t)o->height * (size_t)o->width * CHANNELS;
    for (size_t i = 0; p->fitted && i < count; i++)
        x[i] = p->rgb[i];
    if (p->fitted) return VGG_OK;
    bool same = window.full_height == p->height && window.full_width == p->width;
    if (p->values && (same || filter == VGG_RESIZE_NEAREST))
        return vgg_resize_nearest(x, &window, p->values, p->height, p->width, CHANNELS * sizeof *p->values);
    size_t quantised = p->values ? (size_t)p->height * (size_t)p->width * CHANNELS : 0;
    uint8_t *bytes = malloc(count + quantised);
    if (!bytes) return VGG_ERR_MEMORY;
    for (size_t i = 0; i < quantised; i++)
        bytes[count + i] = vgg_colour_byte(p->values[i]);
    enum vgg_status status =
        vgg_resize_rgb(bytes, &window, p->values ? bytes + count : p->rgb, p->height, p->width, filter);
    for (size_t i = 0; i < count; i++)
        x[i] = bytes[i];
    free(bytes);
    return status;
}

enum vgg_status vgg_image_fit(float *x, const struct vgg_image_pixels *pixels, const struct vgg_image_options *options,
                              const double *map, char why[VGG_IMAGE_WHY])
{
    size_t count = (size_t)options->height * (size_t)options->width;
    float *upright = map ? malloc(count * CHANNELS * sizeof *upright) : NULL;
    enum vgg_status status = map && !upright ? VGG_ERR_MEMORY : resize(map ? upright : x, pixels, options);
    if (status == VGG_OK) {
        if (map) vgg_augment_apply(x, upright, options->height, options->width, map);
        vgg_image_preprocess(x, count, options->preprocess);
    } else {
        status = vgg_image_why(why, status, "%s: out of memory for resizing", pixels->name);
    }
    free(upright);
    return status;
}

enum vgg_status vgg_image_load(float *x, const char *path, const struct vgg_image_options *options)
{
    char why[VGG_IMAGE_WHY];
    struct vgg_image image;
    enum vgg_status status = vgg_image_check_options(options);
    if (status != VGG_OK) return status;
    status = vgg_image_read_fitted(&image, path, options, why);
    if (status == VGG_OK) {
        struct vgg_image_pixels pixels = {
            image.height, image.width, image.rgb, NULL, path, image.full_height, image.full_width, image.fitted,
        };
        status = vgg_image_fit(x, &pixels, options, NULL, why);
        vgg_image_finish(&image);
    }
    return status == VGG_OK ? VGG_OK : vgg_fail(status, "%s", why);
}
