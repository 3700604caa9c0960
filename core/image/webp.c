/* WebP by libwebp: still images, and the first frame of animations. */
#include <stdio.h>
#include <string.h>

#include <webp/decode.h>

#include "core/base/bytes.h"
#include "core/base/library.h"
#include "core/base/os_thread.h"
#include "core/image/decoder.h"

static struct {
    int (*version)(void);
    VP8StatusCode (*features)(const uint8_t *, size_t, WebPBitstreamFeatures *, int);
    int (*init)(WebPDecoderConfig *, int);
    VP8StatusCode (*decode)(const uint8_t *, size_t, WebPDecoderConfig *);
    char name[32];
} webp;

static void open_library(void)
{
    const struct vgg_library_entry entries[] = {
        { "WebPGetDecoderVersion", &webp.version },
        { "WebPGetFeaturesInternal", &webp.features },
        { "WebPInitDecoderConfigInternal", &webp.init },
        { "WebPDecode", &webp.decode },
    };
    if (!vgg_library_open(VGG16_WEBP, entries, sizeof entries / sizeof *entries)) return;
    int version = webp.version();
    snprintf(webp.name, sizeof webp.name, "libwebp %d.%d.%d", version >> 16, version >> 8 & 255, version & 255);
}

const char *vgg_webp_name(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    return webp.name[0] ? webp.name : NULL;
}

static enum vgg_status refuse(VP8StatusCode code, const struct vgg_image_file *file, char *why)
{
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", file->path);
    return vgg_image_why(why, VGG_ERR_FORMAT, "%s: cannot be decoded: %s", file->path,
                         code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED ? "the file is cut short"
                         : code == VP8_STATUS_UNSUPPORTED_FEATURE ? "it has a feature that libwebp does not know"
                                                                  : "its data is damaged");
}

/* The data of the first frame of an animation: what follows the 16 bytes of an ANMF chunk's own. */
static bool find_frame(const uint8_t **frame, size_t *size, const struct vgg_image_file *file)
{
    for (size_t at = 12; at + 8 <= file->size;) {
        size_t length = (size_t)vgg_bytes_little(file->bytes + at + 4, 4);
        if (length > file->size - at - 8) return false;
        if (length >= 16 && memcmp(file->bytes + at, "ANMF", 4) == 0) {
            *frame = file->bytes + at + 8, *size = length;
            return true;
        }
        at += 8 + length + (length & 1);
    }
    return false;
}

/* Decodes into the image from pixel (top, left) on. */
static enum vgg_status decode(struct vgg_image *image, int top, int left, const uint8_t *bytes, size_t size,
                              const struct vgg_image_file *file, char *why)
{
    WebPDecoderConfig config;
    VP8StatusCode code = VP8_STATUS_INVALID_PARAM;
    if (webp.init(&config, WEBP_DECODER_ABI_VERSION))
        code = webp.features(bytes, size, &config.input, WEBP_DECODER_ABI_VERSION);
    if (code != VP8_STATUS_OK) return refuse(code, file, why);
    if (config.input.width > image->width - left || config.input.height > image->height - top)
        return refuse(VP8_STATUS_BITSTREAM_ERROR, file, why);
    size_t pitch = (size_t)image->width * 3, begin = (size_t)top * pitch + (size_t)left * 3;
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer) { image->rgb + begin, (int)pitch, (size_t)image->height * pitch - begin };
    code = webp.decode(bytes, size, &config);
    return code == VP8_STATUS_OK ? VGG_OK : refuse(code, file, why);
}

enum vgg_status vgg_webp_decode(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY])
{
    WebPBitstreamFeatures features;
    VP8StatusCode code = webp.features(file->bytes, file->size, &features, WEBP_DECODER_ABI_VERSION);
    if (code != VP8_STATUS_OK) return refuse(code, file, why);
    enum vgg_status status = vgg_image_allocate(image, features.height, features.width, file->path, why);
    if (status != VGG_OK) return status;
    if (!features.has_animation) return decode(image, 0, 0, file->bytes, file->size, file, why);
    const uint8_t *frame;
    size_t size;
    if (!find_frame(&frame, &size, file)) return refuse(VP8_STATUS_NOT_ENOUGH_DATA, file, why);
    size_t left = (size_t)vgg_bytes_little(frame, 3) * 2, top = (size_t)vgg_bytes_little(frame + 3, 3) * 2;
    if (left >= (size_t)image->width || top >= (size_t)image->height)
        return refuse(VP8_STATUS_BITSTREAM_ERROR, file, why);
    memset(image->rgb, 0, (size_t)image->height * (size_t)image->width * 3); /* the canvas around the frame */
    return decode(image, (int)top, (int)left, frame + 16, size - 16, file, why);
}
