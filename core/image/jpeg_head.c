#include "core/image/jpeg_head.h"

#include <string.h>

#include "core/image/decoder.h"

/* SCAN_PIXELS: what all scans together may walk; 20 scans of the largest image. */
enum { MAX_SCANS = 500 };
static const int64_t SCAN_PIXELS = (int64_t)20 * VGG_IMAGE_MAX_PIXELS;

/* Are the Huffman tables of a DHT segment's body of possible size? stb_image 2.27 writes beyond its own for more than
 * 256 codes (fixed in 2.28). */
static bool check_huffman(const uint8_t *body, size_t size)
{
    while (size > 0) {
        size_t codes = 0;
        for (size_t i = 1; i <= 16 && i < size; i++)
            codes += body[i];
        if (size < 17 || codes > 256 || 17 + codes > size) return false;
        body += 17 + codes, size -= 17 + codes;
    }
    return true;
}

/* Does the marker begin a frame? C4, C8 and CC mean other things. */
static bool is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

static void take_segment(struct vgg_jpeg_head *head, uint8_t marker, const uint8_t *body, size_t size)
{
    if (is_frame(marker) && size >= 6 && !head->components) {
        head->height = body[1] << 8 | body[2];
        head->width = body[3] << 8 | body[4];
        head->components = body[5];
        head->arithmetic = marker > 0xC8;
    } else if (marker == 0xC4) {
        head->overfull = head->overfull || !check_huffman(body, size);
    } else if (marker == 0xDA) {
        head->scans++;
    } else if (marker == 0xEE && size >= 5 && memcmp(body, "Adobe", 5) == 0) {
        head->adobe = true;
    }
}

void vgg_jpeg_head(struct vgg_jpeg_head *head, const uint8_t *file, size_t size)
{
    *head = (struct vgg_jpeg_head) { 0 };
    for (size_t at = 2; at + 4 <= size;) {
        const uint8_t *next = memchr(file + at, 0xFF, size - at - 3);
        if (!next) break;
        at = (size_t)(next - file);
        uint8_t marker = file[at + 1];
        /* Padding, coded data, restart markers, and what else has no length. */
        if (marker == 0xFF || marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
            at += marker == 0xFF ? 1 : 2;
            continue;
        }
        if (marker == 0xD9) break;
        size_t length = (size_t)file[at + 2] << 8 | file[at + 3];
        if (length < 2) break; /* the decoder stops there too */
        if (length > size - at - 2) {
            head->overfull = head->overfull || marker == 0xC4;
            break;
        }
        take_segment(head, marker, file + at + 4, length - 2);
        at += 2 + length;
    }
}

int vgg_jpeg_scan_limit(int64_t pixels)
{
    int64_t scans = pixels > 0 ? SCAN_PIXELS / pixels : MAX_SCANS;
    return scans < MAX_SCANS ? (int)scans : MAX_SCANS;
}

enum vgg_status vgg_jpeg_check(const struct vgg_jpeg_head *head, const char *path, char why[VGG_IMAGE_WHY])
{
    if (head->overfull)
        return vgg_image_why(why, VGG_ERR_FORMAT, "%s: is damaged: a Huffman table of it is impossible", path);
    if (!head->components) return vgg_image_why(why, VGG_ERR_FORMAT, "%s: is damaged: it has no frame header", path);
    enum vgg_status status = vgg_image_check_extents(head->height, head->width, path, why);
    int limit = vgg_jpeg_scan_limit((int64_t)head->height * head->width);
    if (status == VGG_OK && head->scans > limit)
        status = vgg_image_why(why, VGG_ERR_UNSUPPORTED,
                               "%s: has %d scans, where %d are decoded at most for its %d x %d pixels; save it anew",
                               path, head->scans, limit, head->width, head->height);
    return status;
}
