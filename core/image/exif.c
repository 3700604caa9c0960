#include "core/image/exif.h"

#include <string.h>

#include "core/base/bytes.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY = 12 };

static uint32_t number(const uint8_t *at, int bytes, bool big)
{
    return (uint32_t)(big ? vgg_bytes_big(at, bytes) : vgg_bytes_little(at, bytes));
}

/* The orientation in a TIFF structure. */
static int tiff_orientation(const uint8_t *tiff, size_t size)
{
    if (size < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0)) return 1;
    bool big = tiff[0] == 'M';
    size_t at = number(tiff + 4, 4, big);
    if (at > size - 2) return 1;
    size_t entries = number(tiff + at, 2, big);
    at += 2;
    for (size_t i = 0; i < entries && at + ENTRY <= size; i++, at += ENTRY) {
        if (number(tiff + at, 2, big) != TAG_ORIENTATION) continue;
        uint32_t type = number(tiff + at + 2, 2, big);
        if (type != TYPE_SHORT && type != TYPE_LONG) return 1;
        uint32_t value = number(tiff + at + 8, type == TYPE_SHORT ? 2 : 4, big);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

static int jpeg_orientation(const uint8_t *file, size_t size)
{
    size_t at = 2;
    while (at + 4 <= size && file[at] == 0xFF) {
        uint8_t marker = file[at + 1];
        if (marker == 0xFF) { /* a fill byte */
            at++;
            continue;
        }
        if (marker == 0xDA || marker == 0xD9) break;
        size_t length = number(file + at + 2, 2, true);
        if (length < 2 || at + 2 + length > size) break;
        const uint8_t *body = file + at + 4;
        if (marker == 0xE1 && length >= 8 && memcmp(body, "Exif\0\0", 6) == 0)
            return tiff_orientation(body + 6, length - 8);
        at += 2 + length;
    }
    return 1;
}

static int png_orientation(const uint8_t *file, size_t size)
{
    size_t at = 8;
    while (at + 12 <= size) {
        size_t length = number(file + at, 4, true);
        if (length > size - at - 12) break;
        if (memcmp(file + at + 4, "eXIf", 4) == 0) return tiff_orientation(file + at + 8, length);
        at += 12 + length;
    }
    return 1;
}

static int webp_orientation(const uint8_t *file, size_t size)
{
    size_t at = 12;
    while (at + 8 <= size) {
        size_t length = number(file + at + 4, 4, false), prefix = 0;
        if (length > size - at - 8) break;
        const uint8_t *body = file + at + 8;
        if (memcmp(file + at, "EXIF", 4) == 0) {
            if (length >= 6 && memcmp(body, "Exif\0\0", 6) == 0) prefix = 6; /* as some write it */
            return tiff_orientation(body + prefix, length - prefix);
        }
        at += 8 + length + (length & 1);
    }
    return 1;
}

int vgg_exif_orientation(const uint8_t *file, size_t size)
{
    if (size >= 4 && file[0] == 0xFF && file[1] == 0xD8) return jpeg_orientation(file, size);
    if (size >= 8 && memcmp(file, "\x89PNG", 4) == 0) return png_orientation(file, size);
    if (size >= 12 && memcmp(file, "RIFF", 4) == 0) return webp_orientation(file, size);
    return tiff_orientation(file, size);
}

/* Source: CIPA DC-008 (Exif 2.32), tag 0x0112: which edges of the upright image the first row and column are. */
void vgg_exif_turn(struct vgg_exif_turn *turn, int orientation)
{
    static const struct vgg_exif_turn turns[] = {
        { false, false, false }, { false, true, false }, { true, true, false }, { true, false, false },
        { false, false, true },  { true, false, true },  { true, true, true },  { false, true, true },
    };
    *turn = turns[orientation - 1];
}

void vgg_exif_apply(uint8_t *dst, const uint8_t *src, int height, int width, int orientation)
{
    struct vgg_exif_turn turn;
    vgg_exif_turn(&turn, orientation);
    int out_height = turn.axes ? width : height, out_width = turn.axes ? height : width;
    for (int y = 0; y < out_height; y++) {
        for (int x = 0; x < out_width; x++) {
            int row = turn.axes ? x : y, column = turn.axes ? y : x;
            if (turn.mirror_row) row = height - 1 - row;
            if (turn.mirror_column) column = width - 1 - column;
            memcpy(dst + ((size_t)y * (size_t)out_width + (size_t)x) * 3,
                   src + ((size_t)row * (size_t)width + (size_t)column) * 3, 3);
        }
    }
}
