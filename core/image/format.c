#include "core/image/format.h"

#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"

/* .jfif, .jpe and .jfi are JPEG by other names. */
const char vgg_image_suffixes[] = ".jpg .jpeg .jfif .jpe .jfi .png .bmp .gif .webp .tif .tiff";

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

/* ISO base media files tell their kind by brands: four letters each, the major one at 8, others from 16 on. */
static enum vgg_format of_brands(const uint8_t *head, size_t size)
{
    static const struct {
        char brand[5];
        enum vgg_format format;
    } brands[] = {
        { "avif", VGG_FORMAT_AVIF }, { "avis", VGG_FORMAT_AVIF }, { "heic", VGG_FORMAT_HEIC },
        { "heix", VGG_FORMAT_HEIC }, { "hevc", VGG_FORMAT_HEIC }, { "heim", VGG_FORMAT_HEIC },
        { "heis", VGG_FORMAT_HEIC },
    };
    size_t box = (size_t)vgg_bytes_big(head, 4);
    for (size_t at = 8; at + 4 <= size && at + 4 <= box; at += at == 8 ? 8 : 4) {
        for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
            if (memcmp(head + at, brands[i].brand, 4) == 0) return brands[i].format;
    }
    return VGG_FORMAT_NONE;
}

enum vgg_format vgg_format_of(const uint8_t *head, size_t size)
{
    static const struct {
        size_t length;
        const char *bytes;
        enum vgg_format format;
    } signatures[] = {
        { 3, "\xFF\xD8\xFF", VGG_FORMAT_JPEG },
        { 8, "\x89PNG\r\n\x1A\n", VGG_FORMAT_PNG },
        { 2, "BM", VGG_FORMAT_BMP },
        { 6, "GIF87a", VGG_FORMAT_GIF },
        { 6, "GIF89a", VGG_FORMAT_GIF },
        { 4, "II*\0", VGG_FORMAT_TIFF },
        { 4, "MM\0*", VGG_FORMAT_TIFF },
        { 4, "II+\0", VGG_FORMAT_TIFF },
        { 4, "MM\0+", VGG_FORMAT_TIFF },
        { 12, "\0\0\0\x0CJXL \r\n\x87\n", VGG_FORMAT_JPEG_XL },
        { 2, "\xFF\x0A", VGG_FORMAT_JPEG_XL },
        { 12, "\0\0\0\x0CjP  \r\n\x87\n", VGG_FORMAT_JPEG_2000 },
        { 4, "\xFF\x4F\xFF\x51", VGG_FORMAT_JPEG_2000 },
        { 4, "8BPS", VGG_FORMAT_PHOTOSHOP },
        { 3, "P5\n", VGG_FORMAT_PNM },
        { 3, "P6\n", VGG_FORMAT_PNM },
        { 4, "\0\0\1\0", VGG_FORMAT_ICO },
    };
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        if (size >= signatures[i].length && memcmp(head, signatures[i].bytes, signatures[i].length) == 0)
            return signatures[i].format;
    }
    if (size >= 12 && memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WEBP", 4) == 0) return VGG_FORMAT_WEBP;
    if (size >= 12 && memcmp(head + 4, "ftyp", 4) == 0) return of_brands(head, size);
    return VGG_FORMAT_NONE;
}

const char *vgg_format_name(enum vgg_format format)
{
    static const char *const names[] = {
        [VGG_FORMAT_NONE] = "no image",
        [VGG_FORMAT_JPEG] = "JPEG",
        [VGG_FORMAT_PNG] = "PNG",
        [VGG_FORMAT_BMP] = "BMP",
        [VGG_FORMAT_GIF] = "GIF",
        [VGG_FORMAT_WEBP] = "WebP",
        [VGG_FORMAT_TIFF] = "TIFF",
        [VGG_FORMAT_HEIC] = "HEIC",
        [VGG_FORMAT_AVIF] = "AVIF",
        [VGG_FORMAT_JPEG_XL] = "JPEG XL",
        [VGG_FORMAT_JPEG_2000] = "JPEG 2000",
        [VGG_FORMAT_PHOTOSHOP] = "Photoshop",
        [VGG_FORMAT_PNM] = "PPM",
        [VGG_FORMAT_ICO] = "ICO",
    };
    return names[format];
}
