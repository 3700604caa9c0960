#include "core/stb_image.h"

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

bool vgg_stb_image_info(int *height, int *width, const uint8_t *file, size_t size)
{
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
