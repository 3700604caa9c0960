/* Image files through the program's door, and what looks at their heads without decoding them. */
#include <stdlib.h>
#include <string.h>

#include "core/image/exif.h"
#include "core/image/image.h"
#include "core/image/jpeg_head.h"
#include "core/image/png_head.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_PIXELS = 1 << 22 };
static volatile unsigned seen; /* so that no compiler leaves the reading of pixels out */

/* Does a head promise more than can be searched quickly? Large images have their own tests. */
static bool is_large(const uint8_t *bytes, size_t size)
{
    struct vgg_jpeg_head jpeg = { 0 };
    struct vgg_png_head png = { 0 };
    enum vgg_format format = vgg_format_of(bytes, size);
    vgg_format_name(format);
    vgg_jpeg_head(&jpeg, bytes, size);
    vgg_png_head(&png, bytes, size);
    int orientation = vgg_exif_orientation(bytes, size);
    fuzz_assert(orientation >= 1 && orientation <= 8, "an orientation that there is not");
    if (format == VGG_FORMAT_JPEG) return (int64_t)jpeg.height * jpeg.width > MOST_PIXELS;
    return format == VGG_FORMAT_PNG && png.width > 0 && png.height > MOST_PIXELS / png.width;
}

/* A refusal has a reason of one line, which is not logged. */
static void told(enum vgg_status status, const char *why)
{
    fuzz_told(VGG_OK);
    if (status == VGG_OK) return;
    fuzz_assert(*why, "an image is refused without a reason");
    fuzz_line(why, "a reason of more than one line");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file("x", bytes, size);
    char why[VGG_IMAGE_WHY] = "";
    struct vgg_image image = { 0 };
    const struct vgg_image_options fast = { .height = 32, .width = 32, .decode = VGG_DECODE_FAST };
    if (is_large(bytes, size)) return 0;
    fuzz_listen();
    told(vgg_image_probe(path, why), why);
    for (int i = 0; i < 2; i++) {
        enum vgg_status status = i ? vgg_image_read_for(&image, path, &fast, why) : vgg_image_read(&image, path, why);
        told(status, why);
        if (status != VGG_OK) continue;
        fuzz_assert(image.height > 0 && image.width > 0 && image.rgb, "an image without pixels");
        unsigned sum = 0; /* each byte is there */
        for (size_t k = 0; k < (size_t)image.height * (size_t)image.width * 3; k++)
            sum += image.rgb[k];
        seen = sum;
        vgg_image_finish(&image);
    }
    return 0;
}
