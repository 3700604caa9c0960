#include "core/image/stb_image_write.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* zlib compresses better than stb_image_write's own code and is part of the library anyway. The result of the last call
 * in this thread is remembered: stb_image_write 1.16 forgets it when memory runs out right after. */
static _Thread_local unsigned char *compressed;

static unsigned char *compress_rows(unsigned char *data, int size, int *out_size, int level)
{
    uLongf room = compressBound((uLong)size);
    compressed = malloc(room);
    if (compressed && compress2(compressed, &room, data, (uLong)size, level) != Z_OK) {
        free(compressed);
        compressed = NULL;
    }
    *out_size = (int)room;
    return compressed;
}

static unsigned int checksum(unsigned char *data, int size)
{
    return (unsigned int)crc32(0, data, (uInt)size);
}

/* The one place where stb_image_write (github.com/nothings/stb, public domain) is compiled: static, so that a program
 * with its own copy can link this library. It comes from a system folder, so that its warnings but one stay with it. */
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STBIW_ZLIB_COMPRESS compress_rows
#define STBIW_CRC32 checksum
#include <stb_image_write.h>

enum { CHANNELS = 3, FIRST_ROOM = 1 << 14 };

uint8_t *vgg_stb_image_write_png(size_t *size, const uint8_t *rgb, int height, int width)
{
    int length = 0;
    compressed = NULL;
    uint8_t *png = stbi_write_png_to_mem(rgb, 0, width, height, CHANNELS, &length);
    if (!png) free(compressed);
    *size = png ? (size_t)length : 0;
    return png;
}

/* A file that grows; data is NULL once memory has run out. */
struct sink {
    uint8_t *data;
    size_t size, room;
};

static void append(void *user, void *data, int size)
{
    struct sink *sink = user;
    size_t needed = sink->size + (size_t)size;
    if (sink->data && needed > sink->room) {
        size_t room = 2 * needed;
        uint8_t *grown = realloc(sink->data, room);
        if (!grown) free(sink->data);
        sink->data = grown;
        sink->room = room;
    }
    if (!sink->data) return;
    memcpy(sink->data + sink->size, data, (size_t)size);
    sink->size = needed;
}

uint8_t *vgg_stb_image_write_jpeg(size_t *size, const uint8_t *rgb, int height, int width, int quality)
{
    struct sink sink = { malloc(FIRST_ROOM), 0, FIRST_ROOM };
    *size = 0;
    if (!sink.data) return NULL;
    stbi_write_jpg_to_func(append, &sink, width, height, CHANNELS, rgb, quality);
    if (sink.data) *size = sink.size;
    return sink.data;
}
