#include "core/image/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/image/augment.h"
#include "core/image/colour.h"
#include "core/image/exif.h"
#include "core/image/resize.h"
#include "core/image/stb_image.h"

enum { CHANNELS = 3, MAX_FILE = 1 << 30 };

enum vgg_status vgg_image_why(char why[VGG_IMAGE_WHY], enum vgg_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VGG_IMAGE_WHY, format, args);
    va_end(args);
    return status;
}

/* .jfif, .jpe and .jfi are JPEG by other names. */
const char vgg_image_suffixes[] = ".jpg .jpeg .jfif .jpe .jfi .png .bmp";

bool vgg_image_is_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    size_t n = dot ? strlen(dot) : 0;
    for (const char *word = vgg_image_suffixes; n > 1 && dot > path && dot[-1] != '/';) {
        size_t length = strcspn(word, " ");
        if (length == n && strncasecmp(word, dot, n) == 0) return true;
        if (!word[length]) break;
        word += length + 1;
    }
    return false;
}

/* A whole file by malloc. It is read, not mapped: a mapping of a file that shrinks meanwhile would kill the process. */
static enum vgg_status read_file(uint8_t **out, size_t *size, const char *path, char *why)
{
    *out = NULL, *size = 0;
    int fd = vgg_os_open(path);
    if (fd < 0) return vgg_image_why(why, VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    enum vgg_status status = VGG_OK;
    struct vgg_os_info info;
    if (!vgg_os_look_open(&info, fd) || info.kind != VGG_OS_FILE) {
        status = vgg_image_why(why, VGG_ERR_IO, "%s: is not a regular file", path);
    } else if (info.size == 0) {
        status = vgg_image_why(why, VGG_ERR_FORMAT, "%s: is empty, not an image", path);
    } else if (info.size > MAX_FILE) {
        status = vgg_image_why(why, VGG_ERR_FORMAT, "%s: is larger than 1 GiB, too large for an image", path);
    } else if (!(*out = malloc((size_t)info.size))) {
        status = vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its %lld bytes", path, (long long)info.size);
    }
    while (status == VGG_OK && *size < (size_t)info.size) {
        ptrdiff_t n = vgg_os_read(fd, *out + *size, (size_t)info.size - *size);
        if (n < 0) status = vgg_image_why(why, VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (n <= 0) break;
        *size += (size_t)n;
    }
    vgg_os_close(fd);
    if (status != VGG_OK) free(*out), *out = NULL;
    return status;
}

static bool is_image(const uint8_t *file, size_t size)
{
    return (size > 3 && memcmp(file, "\xFF\xD8\xFF", 3) == 0) ||
           (size > 8 && memcmp(file, "\x89PNG\r\n\x1A\n", 8) == 0) || (size > 2 && memcmp(file, "BM", 2) == 0);
}

static enum vgg_status turn_upright(struct vgg_image *image, int orientation)
{
    if (orientation == 1) return VGG_OK;
    uint8_t *upright = malloc((size_t)image->height * (size_t)image->width * CHANNELS);
    if (!upright) return VGG_ERR_MEMORY;
    vgg_exif_apply(upright, image->rgb, image->height, image->width, orientation);
    free(image->rgb);
    image->rgb = upright;
    if (orientation >= 5) {
        int height = image->height;
        image->height = image->width, image->width = height;
    }
    return VGG_OK;
}

/* The extents that the header states. A PNG's are read here: stb_image refuses large ones without telling them. */
static bool read_extents(struct vgg_image *image, const uint8_t *file, size_t size)
{
    if (file[0] != 0x89 || size < 24) return vgg_stb_image_info(&image->height, &image->width, file, size);
    const uint8_t *at = file + 16; /* behind the signature, length and name of IHDR */
    image->width = (int)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
    image->height = (int)((uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7]);
    return true;
}

static enum vgg_status decode(struct vgg_image *image, const uint8_t *file, size_t size, const char *path, char *why)
{
    if (!is_image(file, size))
        return vgg_image_why(why, VGG_ERR_FORMAT, "%s: is not a JPEG, PNG or BMP image; convert or remove it", path);
    const char *reason;
    if (!read_extents(image, file, size)) return vgg_image_why(why, VGG_ERR_FORMAT, "%s: is damaged", path);
    if (image->height < 1 || image->width < 1)
        return vgg_image_why(why, VGG_ERR_FORMAT, "%s: has no pixels (%d x %d)", path, image->width, image->height);
    if (image->height > VGG_IMAGE_MAX_SIDE || image->width > VGG_IMAGE_MAX_SIDE ||
        (int64_t)image->height * image->width > VGG_IMAGE_MAX_PIXELS)
        return vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                             "%s: is too large (%d x %d; at most %d a side and %d million pixels); scale it down", path,
                             image->width, image->height, VGG_IMAGE_MAX_SIDE, VGG_IMAGE_MAX_PIXELS / 1000000);
    image->rgb = vgg_stb_image_decode(&image->height, &image->width, file, size, &reason);
    if (!image->rgb) return vgg_image_why(why, VGG_ERR_FORMAT, "%s: cannot be decoded: %s", path, reason);
    if (turn_upright(image, vgg_exif_orientation(file, size)) != VGG_OK)
        return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", path);
    return VGG_OK;
}

enum vgg_status vgg_image_read(struct vgg_image *image, const char *path, char why[VGG_IMAGE_WHY])
{
    uint8_t *file = NULL;
    size_t size = 0;
    *image = (struct vgg_image) { 0 };
    enum vgg_status status = read_file(&file, &size, path, why);
    if (status == VGG_OK) status = decode(image, file, size, path, why);
    free(file);
    if (status != VGG_OK) vgg_image_finish(image);
    return status;
}

void vgg_image_finish(struct vgg_image *image)
{
    free(image->rgb);
    *image = (struct vgg_image) { 0 };
}

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
        (unsigned)o->crop > VGG_CROP_CENTER)
        return vgg_fail(VGG_ERR_ARGUMENT, "image options: unknown preprocessing, resizing or cropping");
    return VGG_OK;
}

void vgg_image_resolve(struct vgg_image_options *o)
{
    if (o->crop == VGG_CROP_DEFAULT) o->crop = VGG_CROP_NONE;
    if (o->resize == VGG_RESIZE_DEFAULT)
        o->resize = o->crop == VGG_CROP_CENTER ? VGG_RESIZE_BILINEAR : VGG_RESIZE_NEAREST;
}

/* Resizing of either kind of pixels to floats 0..255. */
static enum vgg_status resize(float *x, const struct vgg_image_pixels *p, const struct vgg_image_options *options)
{
    struct vgg_resize_window window;
    struct vgg_image_options resolved = *options, *o = &resolved;
    vgg_image_resolve(o);
    vgg_resize_window(&window, p->height, p->width, o->height, o->width, o->crop);
    enum vgg_resize filter = o->resize;
    bool same = window.full_height == p->height && window.full_width == p->width;
    if (p->values && (same || filter == VGG_RESIZE_NEAREST))
        return vgg_resize_nearest(x, &window, p->values, p->height, p->width, CHANNELS * sizeof *p->values);
    size_t count = (size_t)o->height * (size_t)o->width * CHANNELS;
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
    status = vgg_image_read(&image, path, why);
    if (status == VGG_OK) {
        struct vgg_image_pixels pixels = { image.height, image.width, image.rgb, NULL, path };
        status = vgg_image_fit(x, &pixels, options, NULL, why);
        vgg_image_finish(&image);
    }
    return status == VGG_OK ? VGG_OK : vgg_fail(status, "%s", why);
}
