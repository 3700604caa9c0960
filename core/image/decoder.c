#include "core/image/decoder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/os.h"
#include "core/base/text.h"
#include "core/image/resize.h"

enum vgg_status vgg_image_why(char why[VGG_IMAGE_WHY], enum vgg_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VGG_IMAGE_WHY, format, args);
    va_end(args);
    vgg_text_tame(why); /* one line, whatever a file is called */
    return status;
}

void vgg_image_resolve(struct vgg_image_options *o)
{
    if (o->crop == VGG_CROP_DEFAULT) o->crop = VGG_CROP_NONE;
    if (o->decode == VGG_DECODE_DEFAULT) o->decode = VGG_DECODE_EXACT;
    if (o->resize == VGG_RESIZE_DEFAULT)
        o->resize = o->crop == VGG_CROP_CENTER ? VGG_RESIZE_BILINEAR : VGG_RESIZE_NEAREST;
}

int vgg_image_reduction(const struct vgg_image_file *file, int height, int width)
{
    const struct vgg_image_options *fit = file->fit;
    struct vgg_resize_window window;
    int by = 8, h = file->orientation >= 5 ? width : height, w = file->orientation >= 5 ? height : width;
    if (!fit || fit->decode != VGG_DECODE_FAST) return 1;
    vgg_resize_window(&window, h, w, fit->height, fit->width, fit->crop);
    while (by > 1 && (h < (int64_t)window.full_height * by || w < (int64_t)window.full_width * by))
        by /= 2;
    return by;
}

enum vgg_status vgg_image_check_extents(int64_t height, int64_t width, const char *path, char why[VGG_IMAGE_WHY])
{
    if (height < 1 || width < 1)
        return vgg_image_why(why, VGG_ERR_FORMAT, "%s: has no pixels (%lld x %lld)", path, (long long)width,
                             (long long)height);
    if (height > VGG_IMAGE_MAX_SIDE || width > VGG_IMAGE_MAX_SIDE || height * width > VGG_IMAGE_MAX_PIXELS)
        return vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                             "%s: is too large (%lld x %lld; at most %d a side and %d million pixels); scale it down",
                             path, (long long)width, (long long)height, VGG_IMAGE_MAX_SIDE,
                             VGG_IMAGE_MAX_PIXELS / 1000000);
    return VGG_OK;
}

/* MOST_FREELY: what a file of any size may take; above, MOST_GROWTH for each of its bytes. */
enum vgg_status vgg_image_check_memory(int64_t height, int64_t width, int64_t wanted, const struct vgg_image_file *file,
                                       char why[VGG_IMAGE_WHY])
{
    enum { MOST_FREELY = 448 << 20, MOST_GROWTH = 448 };
    if (wanted <= MOST_FREELY || (uint64_t)wanted / MOST_GROWTH <= file->size) return VGG_OK;
    return vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                         "%s: is too large: %lld x %lld pixels in a file of %zu bytes; save it smaller", file->path,
                         (long long)width, (long long)height, file->size);
}

enum vgg_status vgg_image_allocate(struct vgg_image *image, int64_t height, int64_t width, const char *path,
                                   char why[VGG_IMAGE_WHY])
{
    enum vgg_status status = vgg_image_check_extents(height, width, path, why);
    if (status != VGG_OK) return status;
    image->height = (int)height, image->width = (int)width;
    image->rgb = malloc((size_t)height * (size_t)width * 3);
    if (!image->rgb) return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", path);
    /* Else a sixth of the time that a large photo takes goes into its thousands of pages. */
    vgg_os_prefer_huge(image->rgb, (size_t)height * (size_t)width * 3);
    return VGG_OK;
}

void vgg_image_from_inks(uint8_t *rgb, const uint8_t *cmyk, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++, rgb += 3, cmyk += 4) {
        int white = 255 - cmyk[3];
        for (int c = 0; c < 3; c++) {
            int ink = cmyk[c] * white + 128;
            int value = white - (((ink >> 8) + ink) >> 8);
            rgb[c] = (uint8_t)(value > 0 ? value : 0);
        }
    }
}
