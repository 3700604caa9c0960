/* stb_easy_font.h: the letters behind caption.c, kept to one file. */
#ifndef CORE_IMAGE_STB_EASY_FONT_H
#define CORE_IMAGE_STB_EASY_FONT_H

/* Width of one line of ASCII, in pixels. */
int vgg_stb_easy_font_width(const char *text);
/* Calls `fill` for every rectangle that the text is made of: left, top, width, height in pixels from its upper left
 * corner. At most 511 letters. */
void vgg_stb_easy_font_draw(const char *text, void (*fill)(void *user, int x, int y, int w, int h), void *user);

#endif
