#include "core/image/stb_easy_font.h"

#include <string.h>

/* The one place where stb_easy_font (github.com/nothings/stb, public domain) is compiled. It takes text and gives
 * vertices through pointers that are not const and not typed. */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_easy_font.h>

struct vertex {
    float x, y, z;
    unsigned char colour[4];
};

enum { QUADS_OF_A_LETTER = 24 }; /* no letter of the font has more strokes */

int vgg_stb_easy_font_width(const char *text)
{
    return stb_easy_font_width((char *)text);
}

void vgg_stb_easy_font_draw(const char *text, void (*fill)(void *user, int x, int y, int w, int h), void *user)
{
    float x = 0;
    for (; *text; text++) {
        struct vertex quads[4 * QUADS_OF_A_LETTER];
        char letter[2] = { *text, '\0' };
        int count = stb_easy_font_print(x, 0, letter, NULL, quads, sizeof quads);
        for (int i = 0; i < count; i++) {
            const struct vertex *q = quads + 4 * i; /* its corners, clockwise from the upper left */
            fill(user, (int)q[0].x, (int)q[0].y, (int)(q[2].x - q[0].x), (int)(q[2].y - q[0].y));
        }
        x += (float)stb_easy_font_width(letter);
    }
}
