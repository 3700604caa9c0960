#include "core/image/stb_image.h"

#include <stdlib.h>
#include <string.h>

#include "core/image/bmp.h"
#include "core/image/png_head.h"

/* The most bytes that stb_image may let a buffer grow to: it would expand a compressed stream to any length. What it
 * asked for and did not get it tells by other names, or not at all. */
static _Thread_local struct {
    size_t most;
    bool refused, lacked;
} growth;

static void *take(size_t size)
{
    void *memory = malloc(size);
    if (!memory) growth.lacked = true;
    return memory;
}

static void *grow(void *memory, size_t size)
{
    if (size > growth.most) {
        growth.refused = true;
        return NULL;
    }
    void *grown = realloc(memory, size);
    if (!grown) growth.lacked = true;
    return grown;
}

/* The one place where stb_image (github.com/nothings/stb, public domain) is compiled: static, so that a program with
 * its own copy can link this library. It comes from a system folder, so that all its warnings but one stay with it. */
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_NO_STDIO
#define STBI_MALLOC take
#define STBI_FREE free
#define STBI_REALLOC grow
#include <stb_image.h>

const char vgg_stb_image_name[] = "stb_image " VGG16_STB_IMAGE_VERSION;

/* What stb_image reads: up to three stretches of bytes. It takes missing bytes for zeros and may finish a cut image in
 * grey: reading through callbacks tells. */
struct source {
    struct stretch {
        const uint8_t *at;
        size_t size;
    } part[3];
    int now;
    bool beyond; /* bytes after the end were asked for */
};

/* The next stretch, NULL at the end. */
static struct stretch *left_of(struct source *source)
{
    while (source->now < 3 && source->part[source->now].size == 0)
        source->now++;
    return source->now < 3 ? &source->part[source->now] : NULL;
}

static int source_read(void *user, char *data, int size)
{
    struct source *source = user;
    size_t done = 0;
    for (struct stretch *left; done < (size_t)size && (left = left_of(source));) {
        size_t n = (size_t)size - done < left->size ? (size_t)size - done : left->size;
        memcpy(data + done, left->at, n);
        left->at += n, left->size -= n, done += n;
    }
    if (done == 0) source->beyond = true;
    return (int)done;
}

static void source_skip(void *user, int n)
{
    struct source *source = user;
    size_t more = (size_t)n;
    for (struct stretch *left; more && (left = left_of(source));) {
        size_t step = more < left->size ? more : left->size;
        left->at += step, left->size -= step, more -= step;
    }
    if (more) source->beyond = true;
}

static int source_eof(void *user)
{
    return left_of(user) == NULL;
}

/* Decodes `source` into an image of the extents that were checked. */
static enum vgg_status decode(struct vgg_image *image, struct source *source, const struct vgg_image_file *file,
                              int64_t height, int64_t width, char *why)
{
    static const stbi_io_callbacks io = { source_read, source_skip, source_eof };
    const char *reason = NULL;
    int channels;
    enum vgg_status status = vgg_image_check_extents(height, width, file->path, why);
    if (status != VGG_OK) return status;
    /* Samples of 16 bits, with alpha and the filters' bytes; twice, for interlacing, and because buffers double. */
    growth.most = 2 * ((size_t)width * (size_t)height * 8 + (size_t)height + file->size) + 65536;
    growth.refused = growth.lacked = false;
    stbi_convert_iphone_png_to_rgb_thread(1);
    image->rgb = stbi_load_from_callbacks(&io, source, &image->width, &image->height, &channels, 3);
    if (!image->rgb && growth.lacked)
        return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", file->path);
    if (source->beyond) {
        reason = "the file is cut short";
    } else if (growth.refused) {
        reason = "its data is longer than its pixels";
    } else if (!image->rgb) {
        reason = stbi_failure_reason();
    } else if (image->width != width || image->height != height) {
        reason = "its extents contradict each other";
    }
    return reason ? vgg_image_why(why, VGG_ERR_FORMAT, "%s: cannot be decoded: %s", file->path, reason) : VGG_OK;
}

static enum vgg_status is_damaged(const struct vgg_image_file *file, char *why)
{
    return vgg_image_why(why, VGG_ERR_FORMAT, "%s: is damaged", file->path);
}

enum vgg_status vgg_stb_image_jpeg(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY])
{
    struct source source = { .part = { { file->bytes, file->size } } };
    const struct vgg_jpeg_head *head = &file->jpeg;
    enum vgg_status status = vgg_jpeg_check(head, file->path, why);
    if (status != VGG_OK) return status;
    if (head->arithmetic || (head->components == 4 && !head->adobe))
        return vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                             "%s: is %s, which only libjpeg reads; install it or convert the image", file->path,
                             head->arithmetic ? "coded arithmetically" : "CMYK without Adobe's mark");
    return decode(image, &source, file, head->height, head->width, why);
}

enum vgg_status vgg_stb_image_png(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY])
{
    static const uint8_t end[] = { 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82 };
    struct vgg_png_head head;
    vgg_png_head(&head, file->bytes, file->size);
    if (!head.headed) return is_damaged(file, why);
    struct source source = { .part = { { file->bytes, file->size }, { end, head.unended ? sizeof end : 0 } } };
    return decode(image, &source, file, head.height, head.width, why);
}

/* Where a GIF says that the first frame has a transparent colour: the flags of its graphic control. 0: nowhere. */
static size_t find_transparency(const uint8_t *gif, size_t size)
{
    size_t at = 13 + (gif[10] & 0x80 ? (size_t)3 << ((gif[10] & 7) + 1) : 0);
    while (at + 8 <= size && gif[at] == 0x21) {
        if (gif[at + 1] == 0xF9) return at + 3;
        for (at += 2; at < size && gif[at]; at += 1 + (size_t)gif[at])
            continue;
        at++;
    }
    return 0;
}

enum vgg_status vgg_stb_image_gif(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY])
{
    const uint8_t *gif = file->bytes;
    if (file->size < 14) return is_damaged(file, why);
    struct source source = { .part = { { gif, file->size } } };
    int64_t width = gif[6] | gif[7] << 8, height = gif[8] | gif[9] << 8;
    /* Alpha is dropped: a transparent pixel has the colour that the palette gives it, as Pillow has it. */
    size_t at = find_transparency(gif, file->size);
    uint8_t flags = at ? gif[at] & 0xFE : 0;
    if (at) source = (struct source) { .part = { { gif, at }, { &flags, 1 }, { gif + at + 1, file->size - at - 1 } } };
    return decode(image, &source, file, height, width, why);
}

enum vgg_status vgg_stb_image_bmp(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY])
{
    struct source source = { .part = { { file->bytes, file->size } } };
    int64_t height, width;
    if (!vgg_bmp_extents(&height, &width, file->bytes, file->size)) return is_damaged(file, why);
    enum vgg_status status = vgg_image_check_extents(height, width, file->path, why);
    if (status != VGG_OK) return status;
    if (!vgg_bmp_is_coded(file->bytes, file->size)) return decode(image, &source, file, height, width, why);
    bool damaged;
    uint8_t *expanded = vgg_bmp_expand(&source.part[0].size, &damaged, file->bytes, file->size);
    if (!expanded && damaged) return is_damaged(file, why);
    if (!expanded) return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", file->path);
    source.part[0].at = expanded;
    status = decode(image, &source, file, height, width, why);
    free(expanded);
    return status;
}
