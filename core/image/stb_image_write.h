/* stb_image_write.h: the encoder behind picture.c, kept to one file. */
#ifndef CORE_IMAGE_STB_IMAGE_WRITE_H
#define CORE_IMAGE_STB_IMAGE_WRITE_H

#include <stddef.h>
#include <stdint.h>

/* height * width * 3 RGB bytes as a PNG file in memory, by malloc; lossless. NULL without memory. */
uint8_t *vgg_stb_image_write_png(size_t *size, const uint8_t *rgb, int height, int width);
/* The same as a JPEG file; quality 1 to 100, colours at half the resolution up to 90. */
uint8_t *vgg_stb_image_write_jpeg(size_t *size, const uint8_t *rgb, int height, int width, int quality);

#endif
