/* png_head.h: what a PNG file's chunks say, without decoding it. */
#ifndef CORE_IMAGE_PNG_HEAD_H
#define CORE_IMAGE_PNG_HEAD_H

#include "core/vgg16.h"

struct vgg_png_head {
    int64_t height, width; /* 0: no header */
    bool headed;
    bool unended; /* the file is whole but for IEND */
};
void vgg_png_head(struct vgg_png_head *head, const uint8_t *file, size_t size);

#endif
