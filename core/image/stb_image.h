/* stb_image.h: the decoder behind image.c, kept to one file. */
#ifndef CORE_IMAGE_STB_IMAGE_H
#define CORE_IMAGE_STB_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Name and version, as in "stb_image 2.27". */
extern const char vgg_stb_image_name[];

/* Extents of an image file in memory, without decoding it; false: it is damaged. JPEG files must be asked before they
 * are decoded: this also finds what stb_image itself would not survive. */
bool vgg_stb_image_info(int *height, int *width, const uint8_t *file, size_t size);
/* height * width * 3 RGB bytes by malloc: grey is repeated, alpha dropped, 16-bit samples lose their low byte, CMYK is
 * converted. NULL with *reason set; a file that ends before its image does is refused too. */
uint8_t *vgg_stb_image_decode(int *height, int *width, const uint8_t *file, size_t size, const char **reason);

#endif
