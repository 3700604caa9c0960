#include "core/image/bmp.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

enum { FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40, RLE8 = 1, RLE4 = 2, COLOURS = 256 };

static uint32_t number(const uint8_t *at, int bytes)
{
    return (uint32_t)vgg_bytes_little(at, bytes);
}

bool vgg_bmp_extents(int64_t *height, int64_t *width, const uint8_t *file, size_t size)
{
    if (size < FILE_HEADER + CORE_HEADER) return false;
    const uint8_t *header = file + FILE_HEADER;
    if (number(header, 4) == CORE_HEADER) {
        *width = number(header + 4, 2), *height = number(header + 6, 2);
        return true;
    }
    if (size < FILE_HEADER + INFO_HEADER) return false;
    *width = (int32_t)number(header + 4, 4);
    *height = (int32_t)number(header + 8, 4);
    if (*height < 0) *height = -*height;
    return true;
}

static uint32_t coding_of(const uint8_t *file, size_t size)
{
    if (size < FILE_HEADER + INFO_HEADER || number(file + FILE_HEADER, 4) < INFO_HEADER) return 0;
    return number(file + FILE_HEADER + 16, 4);
}

bool vgg_bmp_is_coded(const uint8_t *file, size_t size)
{
    uint32_t coding = coding_of(file, size);
    return coding == RLE8 || coding == RLE4;
}

struct runs {
    const uint8_t *at, *end;
    uint8_t *pixels;
    size_t pitch, height, width;
    size_t y, x; /* y counts as rows are stored */
    bool half;   /* RLE4: two pixels a byte */
};

static void put(struct runs *r, uint8_t index)
{
    if (r->y < r->height && r->x < r->width) r->pixels[r->y * r->pitch + r->x] = index;
    r->x++;
}

/* The escape after a zero: a count of pixels that stand one by one. */
static bool copy(struct runs *r, size_t count)
{
    size_t bytes = r->half ? (count + 1) / 2 : count;
    if ((size_t)(r->end - r->at) < bytes) return false;
    for (size_t i = 0; i < count; i++)
        put(r, (uint8_t)(r->half ? r->at[i / 2] >> (i % 2 ? 0 : 4) & 15 : r->at[i]));
    bytes += bytes & 1;
    r->at += (size_t)(r->end - r->at) < bytes ? (size_t)(r->end - r->at) : bytes;
    return true;
}

/* False: the data ends before the picture does. */
static bool expand(struct runs *r)
{
    while (r->end - r->at >= 2) {
        uint8_t count = r->at[0], value = r->at[1];
        r->at += 2;
        if (count) {
            for (int i = 0; i < count; i++)
                put(r, (uint8_t)(r->half ? value >> (i % 2 ? 0 : 4) & 15 : value));
        } else if (value == 0) {
            r->y++, r->x = 0;
        } else if (value == 1) {
            return true;
        } else if (value == 2) {
            if (r->end - r->at < 2) return false;
            r->x += r->at[0], r->y += r->at[1];
            r->at += 2;
        } else if (!copy(r, value)) {
            return false;
        }
        if (r->y >= r->height) return true;
    }
    return r->y + 1 == r->height && r->x >= r->width;
}

uint8_t *vgg_bmp_expand(size_t *out_size, bool *damaged, const uint8_t *file, size_t size)
{
    int64_t height, width;
    const uint8_t *header = file + FILE_HEADER;
    *damaged = true;
    if (!vgg_bmp_extents(&height, &width, file, size)) return NULL;
    size_t header_size = number(header, 4), colours = number(header + 32, 4), data = number(file + 10, 4);
    bool half = coding_of(file, size) == RLE4;
    if (colours == 0 || colours > COLOURS) colours = half ? 16 : COLOURS;
    if (header_size > size - FILE_HEADER || colours * 4 > size - FILE_HEADER - header_size || data >= size) return NULL;
    size_t pitch = ((size_t)width + 3) / 4 * 4, begin = FILE_HEADER + INFO_HEADER + COLOURS * 4;
    *damaged = false;
    *out_size = begin + pitch * (size_t)height;
    uint8_t *out = calloc(1, *out_size);
    if (!out) return NULL;
    static const uint8_t start[FILE_HEADER + INFO_HEADER] = {
        'B', 'M', [10] = 54, [11] = 4, [14] = 40, [26] = 1, [28] = 8
    };
    memcpy(out, start, sizeof start);
    memcpy(out + FILE_HEADER + 4, header + 4, 8);
    memcpy(out + FILE_HEADER + INFO_HEADER, header + header_size, colours * 4);
    struct runs runs = { file + data, file + size, out + begin, pitch, (size_t)height, (size_t)width, 0, 0, half };
    if (expand(&runs)) return out;
    *damaged = true;
    free(out);
    return NULL;
}
