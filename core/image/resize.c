#include "core/image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/image/rows.h"
#include "core/image/taps.h"

enum { CHANNELS = 3 };

/* Half of a length, halves to even, as Python's round. */
static int half_to_even(int n)
{
    int half = n / 2;
    return n % 2 && half % 2 ? half + 1 : half;
}

void vgg_resize_window(struct vgg_resize_window *window, int src_height, int src_width, int height, int width,
                       enum vgg_crop crop)
{
    *window = (struct vgg_resize_window) { height, width, 0, 0, height, width };
    if (crop != VGG_CROP_CENTER) return;
    int64_t cover_height = lround(height * 256.0 / 224.0), cover_width = lround(width * 256.0 / 224.0);
    if (cover_height * src_width >= cover_width * src_height) {
        window->full_height = (int)cover_height;
        window->full_width = (int)(cover_height * src_width / src_height);
    } else {
        window->full_width = (int)cover_width;
        window->full_height = (int)(cover_width * src_height / src_width);
    }
    window->top = half_to_even(window->full_height - height);
    window->left = half_to_even(window->full_width - width);
}

enum vgg_status vgg_resize_nearest(void *dst, const struct vgg_resize_window *window, const void *src, int src_height,
                                   int src_width, size_t size)
{
    size_t height = (size_t)window->height, width = (size_t)window->width;
    int *rows = vgg_mem_calloc(height + width, sizeof *rows);
    if (!rows) return VGG_ERR_MEMORY;
    int *columns = rows + height;
    vgg_taps_nearest(rows, src_height, window->full_height, window->top, window->height);
    vgg_taps_nearest(columns, src_width, window->full_width, window->left, window->width);
    uint8_t *out = dst;
    for (size_t y = 0; y < height; y++) {
        const uint8_t *row = (const uint8_t *)src + (size_t)rows[y] * (size_t)src_width * size;
        for (size_t x = 0; x < width; x++, out += size)
            memcpy(out, row + (size_t)columns[x] * size, size);
    }
    free(rows);
    return VGG_OK;
}

enum vgg_status vgg_resize_rgb(uint8_t *dst, const struct vgg_resize_window *window, const uint8_t *src, int src_height,
                               int src_width, enum vgg_resize filter)
{
    enum { UPRIGHT = 1 };
    struct vgg_rows *rows;
    enum vgg_status status = vgg_rows_begin(&rows, dst, window, src_height, src_width, UPRIGHT, filter);
    for (int y = 0; y < src_height && rows; y++)
        vgg_rows_push(rows, src + (size_t)y * (size_t)src_width * CHANNELS);
    vgg_rows_end(rows);
    return status;
}
