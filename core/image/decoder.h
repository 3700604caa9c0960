/* decoder.h: the contract of what decodes one format, each in its file, behind the door of read.c. */
#ifndef CORE_IMAGE_DECODER_H
#define CORE_IMAGE_DECODER_H

#include "core/image/image.h"
#include "core/image/jpeg_head.h"

/* An image file in memory. */
struct vgg_image_file {
    const char *path; /* for messages */
    const uint8_t *bytes;
    size_t size;
    const struct vgg_image_options *fit; /* what it will be fitted to; NULL: it is wanted whole */
    bool fitted;                         /* it may be fitted at once, and turned upright */
    int orientation;                     /* 1..8: how the fitted image lies to the stored one */
    struct vgg_jpeg_head jpeg;           /* of a JPEG: looking for it costs a walk over all bytes */
};

/* Decoders give the pixels as they are stored, not turned upright, unless they fit them (image->fitted): grey is
 * repeated, alpha dropped, of 16-bit samples the high byte kept, CMYK converted. They check extents before they
 * allocate, write nothing to stderr, and on failure leave image->rgb to be freed by the caller. May be called from
 * several threads at once. Those of shared libraries need vgg_*_name to have succeeded: it opens the library and gives
 * name and version ("libwebp 1.2.4"), or NULL. */
enum vgg_status vgg_jpeg_decode(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY]);
enum vgg_status vgg_webp_decode(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY]);
enum vgg_status vgg_tiff_decode(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY]);
const char *vgg_jpeg_name(void);
const char *vgg_webp_name(void);
const char *vgg_tiff_name(void);

/* The number, 1, 2, 4 or 8, by which an image of these stored extents may be reduced for `file`. */
int vgg_image_reduction(const struct vgg_image_file *file, int height, int width);
/* Are these extents ones that are decoded? Else the line that says why not. */
enum vgg_status vgg_image_check_extents(int64_t height, int64_t width, const char *path, char why[VGG_IMAGE_WHY]);
/* May decoding take `wanted` bytes of memory for an image of these extents? A small file shall not ask for much. */
enum vgg_status vgg_image_check_memory(int64_t height, int64_t width, int64_t wanted, const struct vgg_image_file *file,
                                       char why[VGG_IMAGE_WHY]);
/* The check of extents, then image->rgb for these extents. */
enum vgg_status vgg_image_allocate(struct vgg_image *image, int64_t height, int64_t width, const char *path,
                                   char why[VGG_IMAGE_WHY]);

/* Colours that are stored as inks, 0 for none (Pillow's CMYK): rgb = (255 - k) - ink (255 - k) / 255, rounded. */
void vgg_image_from_inks(uint8_t *rgb, const uint8_t *cmyk, size_t pixels);

#endif
