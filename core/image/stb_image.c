#include "core/image/stb_image.h"

#include <string.h>

/* The one place where stb_image (github.com/nothings/stb, public domain) is compiled: static, so that a program with
 * its own copy can link this library. It comes from a system folder, so that all its warnings but one stay with it. */
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_GIF
#include <stb_image.h>

const char vgg_stb_image_name[] = "stb_image " VGG16_STB_IMAGE_VERSION;

/* stb_image takes missing bytes for zeros and may finish a cut image in grey: reading through callbacks tells. */
struct source {
    const uint8_t *next;
    size_t left;
    bool beyond; /* bytes after the end were asked for */
};

static int source_read(void *user, char *data, int size)
{
    struct source *source = user;
    size_t n = (size_t)size < source->left ? (size_t)size : source->left;
    memcpy(data, source->next, n);
    source->next += n;
    source->left -= n;
    if (n == 0) source->beyond = true;
    return (int)n;
}

static void source_skip(void *user, int n)
{
    struct source *source = user;
    if ((size_t)n > source->left) source->beyond = true, n = (int)source->left;
    source->next += n;
    source->left -= (size_t)n;
}

static int source_eof(void *user)
{
    return ((const struct source *)user)->left == 0;
}

/* Are the Huffman tables of a DHT segment's body of sane size? stb_image 2.27 writes beyond its own for more than 256
 * codes (fixed in 2.28). */
static bool check_huffman(const uint8_t *body, size_t size)
{
    while (size > 0) {
        size_t codes = 0;
        for (size_t i = 1; i <= 16 && i < size; i++)
            codes += body[i];
        if (size < 17 || codes > 256 || 17 + codes > size) return false;
        body += 17 + codes, size -= 17 + codes;
    }
    return true;
}

/* Walks a JPEG file from segment to segment as the decoder does, over the coded data of scans too. */
static bool check_jpeg(const uint8_t *file, size_t size)
{
    for (size_t at = 2; at + 4 <= size;) {
        uint8_t marker = file[at + 1];
        if (file[at] != 0xFF || marker == 0xFF || marker == 0x00 || (marker >= 0xD0 && marker <= 0xD7)) {
            at++; /* padding, coded data, restart markers */
            continue;
        }
        if (marker == 0xD9) break;
        size_t length = (size_t)file[at + 2] << 8 | file[at + 3];
        if (length < 2) break; /* the decoder stops there too */
        if (length > size - at - 2) return marker != 0xC4;
        if (marker == 0xC4 && !check_huffman(file + at + 4, length - 2)) return false;
        at += 2 + length;
    }
    return true;
}

bool vgg_stb_image_info(int *height, int *width, const uint8_t *file, size_t size)
{
    if (size > 2 && file[0] == 0xFF && !check_jpeg(file, size)) return false;
    int channels;
    return stbi_info_from_memory(file, (int)size, width, height, &channels) != 0;
}

uint8_t *vgg_stb_image_decode(int *height, int *width, const uint8_t *file, size_t size, const char **reason)
{
    static const stbi_io_callbacks io = { source_read, source_skip, source_eof };
    struct source source = { file, size, false };
    int channels;
    *reason = NULL;
    uint8_t *rgb = stbi_load_from_callbacks(&io, &source, width, height, &channels, 3);
    if (source.beyond) {
        *reason = "the file is cut short";
        stbi_image_free(rgb);
        return NULL;
    }
    if (!rgb) *reason = stbi_failure_reason();
    return rgb;
}
