/* The door: a file to upright pixels, by whichever decoder its first bytes ask for. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/os_thread.h"
#include "core/image/bmp.h"
#include "core/image/decoder.h"
#include "core/image/exif.h"
#include "core/image/format.h"
#include "core/image/png_head.h"
#include "core/image/stb_image.h"

enum { CHANNELS = 3, MAX_FILE = 1 << 30 };

typedef enum vgg_status decode_fn(struct vgg_image *image, const struct vgg_image_file *file, char *why);

/* What decodes a format, the best first. Where `decode` is NULL, the build has left the library out. */
static const struct decoder {
    enum vgg_format format;
    decode_fn *decode;
    const char *(*name)(void); /* opens a shared library; NULL: stb_image, which is always there */
    const char *library;       /* the file of a shared library */
} decoders[] = {
#ifdef VGG16_JPEG
    { VGG_FORMAT_JPEG, vgg_jpeg_decode, vgg_jpeg_name, VGG16_JPEG },
#endif
    { VGG_FORMAT_JPEG, vgg_stb_image_jpeg, NULL, NULL },
    { VGG_FORMAT_PNG, vgg_stb_image_png, NULL, NULL },
    { VGG_FORMAT_BMP, vgg_stb_image_bmp, NULL, NULL },
    { VGG_FORMAT_GIF, vgg_stb_image_gif, NULL, NULL },
#ifdef VGG16_WEBP
    { VGG_FORMAT_WEBP, vgg_webp_decode, vgg_webp_name, VGG16_WEBP },
#else
    { VGG_FORMAT_WEBP, NULL, NULL, "libwebp" },
#endif
#ifdef VGG16_TIFF
    { VGG_FORMAT_TIFF, vgg_tiff_decode, vgg_tiff_name, VGG16_TIFF },
#else
    { VGG_FORMAT_TIFF, NULL, NULL, "libtiff" },
#endif
};
enum { DECODERS = sizeof decoders / sizeof *decoders };

static bool works(const struct decoder *decoder)
{
    return decoder->decode && (!decoder->name || decoder->name());
}

/* Opens a file that may be an image; the caller closes. */
static enum vgg_status open_file(int *fd, size_t *size, const char *path, char *why)
{
    struct vgg_os_info info;
    *size = 0;
    *fd = vgg_os_open(path);
    if (*fd < 0) return vgg_image_why(why, VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    enum vgg_status status = VGG_OK;
    if (!vgg_os_look_open(&info, *fd) || info.kind != VGG_OS_FILE) {
        status = vgg_image_why(why, VGG_ERR_IO, "%s: is not a regular file", path);
    } else if (info.size == 0) {
        status = vgg_image_why(why, VGG_ERR_FORMAT, "%s: is empty, not an image", path);
    } else if (info.size > MAX_FILE) {
        status = vgg_image_why(why, VGG_ERR_FORMAT, "%s: is larger than 1 GiB, too large for an image", path);
    }
    *size = status == VGG_OK ? (size_t)info.size : 0;
    if (status != VGG_OK) vgg_os_close(*fd), *fd = -1;
    return status;
}

/* The first `most` bytes of a file by malloc, or all of them. It is read, not mapped: a mapping of a file that shrinks
 * meanwhile would kill the process. *whole: was that all? May be NULL. */
static enum vgg_status read_file(uint8_t **out, size_t *size, size_t most, bool *whole, const char *path, char *why)
{
    int fd;
    size_t wanted;
    *out = NULL, *size = 0;
    enum vgg_status status = open_file(&fd, &wanted, path, why);
    if (status != VGG_OK) return status;
    if (whole) *whole = wanted <= most;
    if (wanted > most) wanted = most;
    if (!(*out = malloc(wanted)))
        status = vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its %zu bytes", path, wanted);
    while (status == VGG_OK && *size < wanted) {
        ptrdiff_t n = vgg_os_read(fd, *out + *size, wanted - *size);
        if (n < 0) status = vgg_image_why(why, VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (n <= 0) break;
        *size += (size_t)n;
    }
    vgg_os_close(fd);
    if (status != VGG_OK) free(*out), *out = NULL;
    return status;
}

static enum vgg_status turn_upright(struct vgg_image *image, int orientation)
{
    if (orientation == 1) return VGG_OK;
    size_t size = (size_t)image->height * (size_t)image->width * CHANNELS;
    uint8_t *upright = malloc(size);
    if (!upright) return VGG_ERR_MEMORY;
    vgg_os_prefer_huge(upright, size);
    vgg_exif_apply(upright, image->rgb, image->height, image->width, orientation);
    free(image->rgb);
    image->rgb = upright;
    if (orientation >= 5) {
        int height = image->height;
        image->height = image->width, image->width = height;
        int full = image->full_height;
        image->full_height = image->full_width, image->full_width = full;
    }
    return VGG_OK;
}

/* The decoder of a format that works here, or the line that says what it lacks. */
static enum vgg_status find_decoder(decode_fn **decode, enum vgg_format format, const char *path, char *why)
{
    const struct decoder *absent = NULL;
    for (size_t i = 0; i < DECODERS; i++) {
        if (decoders[i].format != format) continue;
        *decode = decoders[i].decode;
        if (works(&decoders[i])) return VGG_OK;
        absent = &decoders[i];
    }
    const char *name = vgg_format_name(format);
    if (format == VGG_FORMAT_NONE)
        return vgg_image_why(why, VGG_ERR_FORMAT,
                             "%s: is not a JPEG, PNG, BMP, GIF, WebP or TIFF image; convert or remove it", path);
    if (!absent)
        return vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                             "%s: is %s %s image, which is not read here; convert it to JPEG or PNG", path,
                             strchr("AI", name[0]) ? "an" : "a", name);
    if (!absent->decode)
        return vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                             "%s: is a %s image, and this vgg16 was built without %s; convert it to JPEG or PNG", path,
                             name, absent->library);
    return vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                         "%s: is a %s image, and %s cannot be opened here; install it, or convert the image", path,
                         name, absent->library);
}

/* The extents that the beginning of a file states. False: it does not. jpeg: of a JPEG, all that its markers say. */
static bool find_extents(int64_t *height, int64_t *width, struct vgg_jpeg_head *jpeg, enum vgg_format format,
                         const uint8_t *bytes, size_t size)
{
    struct vgg_png_head png;
    switch (format) {
    case VGG_FORMAT_JPEG:
        vgg_jpeg_head(jpeg, bytes, size);
        *height = jpeg->height, *width = jpeg->width;
        return jpeg->components > 0;
    case VGG_FORMAT_PNG:
        vgg_png_head(&png, bytes, size);
        *height = png.height, *width = png.width;
        return png.headed;
    case VGG_FORMAT_BMP: return vgg_bmp_extents(height, width, bytes, size);
    case VGG_FORMAT_GIF:
        if (size < 10) return false;
        *width = (int64_t)vgg_bytes_little(bytes + 6, 2), *height = (int64_t)vgg_bytes_little(bytes + 8, 2);
        return true;
    default: return false;
    }
}

/* Bytes that decoding takes for a pixel, at most. */
static int64_t cost(const struct vgg_image_file *file, enum vgg_format format)
{
    bool narrow = file->size > 24 && memcmp(file->bytes + 12, "IHDR", 4) == 0 && file->bytes[24] <= 8;
    switch (format) {
    case VGG_FORMAT_PNG: return narrow ? 12 : 22;
    case VGG_FORMAT_JPEG: return 9;
    case VGG_FORMAT_GIF: return 13;
    default: return 4;
    }
}

/* vgg_image_check_memory, for what the beginning of the file states; else its decoder asks. Sets file->jpeg. */
static enum vgg_status check_memory(struct vgg_image_file *file, enum vgg_format format, char *why)
{
    int64_t height, width;
    if (!find_extents(&height, &width, &file->jpeg, format, file->bytes, file->size)) return VGG_OK;
    if (vgg_image_check_extents(height, width, file->path, why) != VGG_OK) return VGG_OK; /* its decoder says it */
    return vgg_image_check_memory(height, width, height * width * cost(file, format), file, why);
}

static enum vgg_status read_image(struct vgg_image *image, const char *path, const struct vgg_image_options *options,
                                  bool fitted, char *why)
{
    uint8_t *bytes = NULL;
    decode_fn *decode = NULL;
    struct vgg_image_file file = { .path = path, .fit = options, .fitted = fitted };
    *image = (struct vgg_image) { 0 };
    enum vgg_status status = read_file(&bytes, &file.size, MAX_FILE, NULL, path, why);
    file.bytes = bytes;
    enum vgg_format format = status == VGG_OK ? vgg_format_of(bytes, file.size) : VGG_FORMAT_NONE;
    if (status == VGG_OK) status = find_decoder(&decode, format, path, why);
    if (status == VGG_OK) status = check_memory(&file, format, why);
    if (status == VGG_OK) file.orientation = vgg_exif_orientation(bytes, file.size);
    if (status == VGG_OK) status = decode(image, &file, why);
    if (status == VGG_OK && !image->fitted && turn_upright(image, file.orientation) != VGG_OK)
        status = vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", path);
    free(bytes);
    if (status != VGG_OK) vgg_image_finish(image);
    return status;
}

enum vgg_status vgg_image_read(struct vgg_image *image, const char *path, char why[VGG_IMAGE_WHY])
{
    return read_image(image, path, NULL, false, why);
}

enum vgg_status vgg_image_read_for(struct vgg_image *image, const char *path, const struct vgg_image_options *options,
                                   char why[VGG_IMAGE_WHY])
{
    return read_image(image, path, options, false, why);
}

enum vgg_status vgg_image_read_fitted(struct vgg_image *image, const char *path,
                                      const struct vgg_image_options *options, char why[VGG_IMAGE_WHY])
{
    return read_image(image, path, options, true, why);
}

enum vgg_status vgg_image_probe(const char *path, char why[VGG_IMAGE_WHY])
{
    static const size_t most[] = { 4096, 1 << 18 }; /* most headers; those behind a thumbnail */
    enum vgg_status status = VGG_OK;
    bool told = false, whole = false;
    for (size_t i = 0; i < sizeof most / sizeof *most && status == VGG_OK && !told && !whole; i++) {
        uint8_t *bytes;
        size_t size;
        int64_t height, width;
        struct vgg_jpeg_head jpeg;
        decode_fn *decode;
        status = read_file(&bytes, &size, most[i], &whole, path, why);
        if (status != VGG_OK) break;
        enum vgg_format format = vgg_format_of(bytes, size);
        status = find_decoder(&decode, format, path, why);
        told = format != VGG_FORMAT_JPEG && format != VGG_FORMAT_PNG && format != VGG_FORMAT_BMP;
        if (status == VGG_OK && !told && find_extents(&height, &width, &jpeg, format, bytes, size)) {
            status = vgg_image_check_extents(height, width, path, why);
            told = true;
        } else if (status == VGG_OK && !told && whole) {
            status = vgg_image_why(why, VGG_ERR_FORMAT, "%s: is damaged: its header is missing", path);
        }
        free(bytes);
    }
    return status;
}

void vgg_image_finish(struct vgg_image *image)
{
    free(image->rgb);
    *image = (struct vgg_image) { 0 };
}

/* ---- which decoders there are ---- */

static char list[256];

static void say(const char *format, ...) VGG_PRINTF(1, 2);

static void say(const char *format, ...)
{
    size_t used = strlen(list);
    va_list args;
    va_start(args, format);
    vsnprintf(list + used, sizeof list - used, format, args);
    va_end(args);
}

static void write_list(void)
{
    char rest[64] = "", absent[64] = "";
    for (size_t i = 0; i < DECODERS; i++) {
        const struct decoder *d = &decoders[i];
        const char *format = vgg_format_name(d->format);
        if (i > 0 && decoders[i - 1].format == d->format && works(&decoders[i - 1])) continue;
        if (d->name && works(d)) {
            say("%s%s (%s)", list[0] ? ", " : "", d->name(), format);
        } else if (!d->name && d->decode) {
            size_t used = strlen(rest);
            snprintf(rest + used, sizeof rest - used, "%s%s", used ? ", " : "", format);
        } else if (i + 1 == DECODERS || decoders[i + 1].format != d->format) {
            size_t used = strlen(absent);
            snprintf(absent + used, sizeof absent - used, "%s%s", used ? ", " : "", format);
        }
    }
    say("%s%s (%s)%s%s", list[0] ? ", " : "", vgg_stb_image_name, rest, absent[0] ? "; without " : "", absent);
}

const char *vgg_image_decoders(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, write_list);
    return list;
}
