/* bmp.h: what stb_image leaves to do in BMP files. */
#ifndef CORE_IMAGE_BMP_H
#define CORE_IMAGE_BMP_H

#include "core/image/decoder.h"

/* The extents that the header states; rows from the top have a negative height there, a positive one here. */
bool vgg_bmp_extents(int64_t *height, int64_t *width, const uint8_t *file, size_t size);
/* Is the file run-length coded (RLE8, RLE4)? */
bool vgg_bmp_is_coded(const uint8_t *file, size_t size);
/* The same picture as a file of 8 bits a pixel without coding, by malloc; pixels that the runs leave out have colour 0,
 * as in Pillow. The extents must have been checked. NULL: out of memory, or *damaged. */
uint8_t *vgg_bmp_expand(size_t *out_size, bool *damaged, const uint8_t *file, size_t size);

#endif
