#include "core/image/caption.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/image/stb_easy_font.h"

enum { CHANNELS = 3, TEXT = 512, GROUND = 24, INK = 225, LETTERS_ACROSS = 64, LETTER_WIDTH = 6, PAD = 3 };
static const char DOTS[] = "...";

/* The text in ASCII: what is beyond it, and what moves the pen, becomes one question mark a letter. */
static void to_ascii(char out[TEXT], const char *text)
{
    size_t n = 0;
    for (; *text && n + sizeof DOTS < TEXT; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x80 && c < 0xc0) continue; /* goes on with a letter */
        out[n++] = (char)(c < ' ' || c > '~' ? '?' : c);
    }
    out[n] = '\0';
}

/* Shortens the text until it fits into `width` pixels at scale 1. */
static void fit(char text[TEXT], int width)
{
    for (size_t n = strlen(text); vgg_stb_easy_font_width(text) > width; n--) {
        if (n == 0) {
            text[0] = '\0';
            return;
        }
        memcpy(text + n - 1, DOTS, sizeof DOTS);
    }
}

struct canvas {
    struct vgg_image *image;
    int top, left, scale;
};

static int clamp(int v, int most)
{
    return v < 0 ? 0 : v > most ? most : v;
}

static void fill(void *user, int x, int y, int w, int h)
{
    const struct canvas *c = user;
    int x0 = clamp(c->left + x * c->scale, c->image->width), x1 = clamp(c->left + (x + w) * c->scale, c->image->width);
    int y0 = clamp(c->top + y * c->scale, c->image->height), y1 = clamp(c->top + (y + h) * c->scale, c->image->height);
    for (int row = y0; row < y1; row++) {
        size_t first = ((size_t)row * (size_t)c->image->width + (size_t)x0) * CHANNELS;
        memset(c->image->rgb + first, INK, (size_t)(x1 - x0) * CHANNELS);
    }
}

void vgg_caption_draw(struct vgg_image *image, const char *text, int top, int left, int width, int scale)
{
    char ascii[TEXT];
    struct canvas canvas = { image, top, left, scale };
    to_ascii(ascii, text);
    fit(ascii, width / scale);
    vgg_stb_easy_font_draw(ascii, fill, &canvas);
}

enum vgg_status vgg_caption_append(struct vgg_image *image, const char *text)
{
    int scale = image->width / (LETTERS_ACROSS * LETTER_WIDTH) + 1, pad = PAD * scale;
    int strip = VGG_CAPTION_HEIGHT * scale + 2 * pad;
    size_t size = (size_t)image->height * (size_t)image->width * CHANNELS;
    size_t more = (size_t)strip * (size_t)image->width * CHANNELS;
    uint8_t *rgb = realloc(image->rgb, size + more);
    if (!rgb) return vgg_fail_memory("a picture with a caption", size + more);
    memset(rgb + size, GROUND, more);
    image->rgb = rgb;
    image->height += strip;
    vgg_caption_draw(image, text, image->height - strip + pad, pad, image->width - 2 * pad, scale);
    return VGG_OK;
}
