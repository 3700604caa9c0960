/* jpeg_head.h: what a JPEG file's markers say, without decoding it. */
#ifndef CORE_IMAGE_JPEG_HEAD_H
#define CORE_IMAGE_JPEG_HEAD_H

#include "core/image/image.h"

struct vgg_jpeg_head {
    int height, width, components; /* 0: there is no frame header */
    bool arithmetic, adobe; /* coded arithmetically; has Adobe's marker, which tells the colours of four components */
    bool overfull;          /* a Huffman table of impossible size */
    int scans;
};
/* Walks from segment to segment as a decoder does, over the coded data of scans too. */
void vgg_jpeg_head(struct vgg_jpeg_head *head, const uint8_t *file, size_t size);
/* Scans that an image of so many pixels may have. Each costs a pass over all blocks, however few bytes it has; encoders
 * write about ten. */
int vgg_jpeg_scan_limit(int64_t pixels);
/* Extents and scans, or the line that says what is wrong with them. */
enum vgg_status vgg_jpeg_check(const struct vgg_jpeg_head *head, const char *path, char why[VGG_IMAGE_WHY]);

#endif
