/* format.h: which kind of image a file is. */
#ifndef CORE_IMAGE_FORMAT_H
#define CORE_IMAGE_FORMAT_H

#include "core/vgg16.h"

enum vgg_format {
    VGG_FORMAT_NONE, /* no image that is known here */
    VGG_FORMAT_JPEG,
    VGG_FORMAT_PNG,
    VGG_FORMAT_BMP,
    VGG_FORMAT_GIF,
    VGG_FORMAT_WEBP,
    VGG_FORMAT_TIFF,
    VGG_FORMAT_HEIC, /* from here on: known by name only */
    VGG_FORMAT_AVIF,
    VGG_FORMAT_JPEG_XL,
    VGG_FORMAT_JPEG_2000,
    VGG_FORMAT_PHOTOSHOP,
    VGG_FORMAT_PNM,
    VGG_FORMAT_ICO,
};

/* By what the file begins with; its name does not count. */
enum vgg_format vgg_format_of(const uint8_t *head, size_t size);
/* "JPEG", "HEIC"; NONE: "no image". */
const char *vgg_format_name(enum vgg_format format);

/* Has `path` an extension of the formats that are read? They are words of vgg_image_suffixes, with blanks between. */
extern const char vgg_image_suffixes[];
bool vgg_image_is_name(const char *path);

#endif
