/* stb_image.h: what stb_image decodes, kept to one file. */
#ifndef CORE_IMAGE_STB_IMAGE_H
#define CORE_IMAGE_STB_IMAGE_H

#include "core/image/decoder.h"

/* Name and version, as in "stb_image 2.27". */
extern const char vgg_stb_image_name[];

/* Decoders as decoder.h says. A file that ends before its image does is refused, and one whose data expands to more
 * than its pixels, before it does. jpeg  Huffman coded; CMYK as Adobe marks it. Chroma is upsampled, and colours
 * converted, a little otherwise than by libjpeg, by some levels; bytes between the coded data and the end are refused
 *   png   Apple's, too, and files without IEND
 *   gif   the first frame
 *   bmp   rows from the top and run-length coding, too */
enum vgg_status vgg_stb_image_jpeg(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY]);
enum vgg_status vgg_stb_image_png(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY]);
enum vgg_status vgg_stb_image_gif(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY]);
enum vgg_status vgg_stb_image_bmp(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY]);

#endif
