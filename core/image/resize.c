#include "core/image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

enum { FRACTION_BITS = 22, CHANNELS = 3 };

static int minimum(int a, int b)
{
    return a < b ? a : b;
}

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

/* from[i] for 0 <= i < count: the source of output first + i. The positions are summed step by step, because Pillow
 * does so and its rounding decides ties. */
static void nearest_positions(size_t *from, int src, int full, int first, int count)
{
    double step = (double)src / full, at = step * 0.5;
    for (int i = 0; i < first + count; i++, at += step) {
        if (i >= first) from[i - first] = (size_t)minimum((int)at, src - 1);
    }
}

enum vgg_status vgg_resize_nearest(void *dst, const struct vgg_resize_window *window, const void *src, int src_height,
                                   int src_width, size_t size)
{
    size_t height = (size_t)window->height, width = (size_t)window->width;
    size_t *rows = vgg_mem_calloc(height + width, sizeof *rows);
    if (!rows) return VGG_ERR_MEMORY;
    size_t *columns = rows + height;
    nearest_positions(rows, src_height, window->full_height, window->top, window->height);
    nearest_positions(columns, src_width, window->full_width, window->left, window->width);
    uint8_t *out = dst;
    for (size_t y = 0; y < height; y++) {
        const uint8_t *row = (const uint8_t *)src + rows[y] * (size_t)src_width * size;
        for (size_t x = 0; x < width; x++, out += size)
            memcpy(out, row + columns[x] * size, size);
    }
    free(rows);
    return VGG_OK;
}

/* Fixed-point filter taps: output i sums source first[i] .. first[i] + count[i] - 1 with weights weight[i * size ...].
 */
struct taps {
    int size;
    int *first, *count;
    int32_t *weight;
};

static double filter_bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double sinc(double x)
{
    return x == 0.0 ? 1.0 : sin(x * M_PI) / (x * M_PI);
}

static double filter_lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

static void taps_finish(struct taps *taps)
{
    free(taps->first);
    free(taps->weight);
}

/* Taps of outputs first .. first + count - 1 of a side scaled from src to full pixels. */
static enum vgg_status taps_init(struct taps *taps, int src, int full, int first, int count, enum vgg_resize filter)
{
    double (*shape)(double) = filter == VGG_RESIZE_LANCZOS ? filter_lanczos : filter_bilinear;
    double scale = (double)src / full, stretch = scale > 1.0 ? scale : 1.0;
    double support = (filter == VGG_RESIZE_LANCZOS ? 3.0 : 1.0) * stretch;
    taps->size = (int)ceil(support) * 2 + 1;
    taps->first = vgg_mem_calloc((size_t)count, 2 * sizeof *taps->first);
    taps->weight = vgg_mem_calloc((size_t)count, (size_t)taps->size * sizeof *taps->weight);
    double *exact = vgg_mem_calloc((size_t)taps->size, sizeof *exact);
    if (!taps->first || !taps->weight || !exact) {
        free(exact);
        return VGG_ERR_MEMORY;
    }
    taps->count = taps->first + count;
    for (int i = 0; i < count; i++) {
        double centre = (first + i + 0.5) * scale, sum = 0.0;
        int begin = (int)(centre - support + 0.5), end = minimum((int)(centre + support + 0.5), src);
        if (begin < 0) begin = 0;
        int n = end - begin;
        for (int k = 0; k < n; k++)
            sum += exact[k] = shape((begin + k - centre + 0.5) / stretch);
        taps->first[i] = begin;
        taps->count[i] = n;
        int32_t *weight = taps->weight + (size_t)i * (size_t)taps->size;
        for (int k = 0; k < n; k++)
            weight[k] = (int32_t)lround(exact[k] / sum * (1 << FRACTION_BITS));
    }
    free(exact);
    return VGG_OK;
}

static uint8_t to_byte(int32_t sum)
{
    int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row: dst[count][3] from src[...][3]. */
static void filter_row(uint8_t *dst, const uint8_t *src, const struct taps *taps, int count)
{
    for (int i = 0; i < count; i++, dst += CHANNELS) {
        const int32_t *weight = taps->weight + (size_t)i * (size_t)taps->size;
        const uint8_t *from = src + (size_t)taps->first[i] * CHANNELS;
        int32_t r = 1 << (FRACTION_BITS - 1), g = r, b = r;
        for (int k = 0; k < taps->count[i]; k++, from += CHANNELS) {
            r += weight[k] * from[0];
            g += weight[k] * from[1];
            b += weight[k] * from[2];
        }
        dst[0] = to_byte(r), dst[1] = to_byte(g), dst[2] = to_byte(b);
    }
}

/* One row of `length` bytes as the weighted sum of `count` rows; sum has room for `length` numbers. */
static void filter_column(uint8_t *dst, const uint8_t *src, const int32_t *weight, int count, size_t length,
                          int32_t *sum)
{
    for (size_t i = 0; i < length; i++)
        sum[i] = 1 << (FRACTION_BITS - 1);
    for (int k = 0; k < count; k++, src += length) {
        for (size_t i = 0; i < length; i++)
            sum[i] += weight[k] * src[i];
    }
    for (size_t i = 0; i < length; i++)
        dst[i] = to_byte(sum[i]);
}

/* Both passes. The rows between them are those that the window's lines need, already cut to its columns. */
static enum vgg_status filter_image(uint8_t *dst, const struct vgg_resize_window *window, const uint8_t *src,
                                    int src_height, int src_width, enum vgg_resize filter)
{
    enum vgg_status status = VGG_OK;
    struct taps across = { 0 }, down = { 0 };
    uint8_t *between = NULL;
    int32_t *sum = NULL;
    bool filter_across = src_width != window->full_width, filter_down = src_height != window->full_height;
    size_t length = (size_t)window->width * CHANNELS, pitch = (size_t)src_width * CHANNELS;
    int first = window->top, rows = window->height;
    if (filter_across) CHECK(taps_init(&across, src_width, window->full_width, window->left, window->width, filter));
    if (filter_down) {
        CHECK(taps_init(&down, src_height, window->full_height, window->top, window->height, filter));
        first = down.first[0];
        rows = down.first[window->height - 1] + down.count[window->height - 1] - first;
    }
    between = filter_down ? vgg_mem_calloc((size_t)rows, length) : dst;
    sum = vgg_mem_calloc(length, sizeof *sum);
    if (!between || !sum) CHECK(VGG_ERR_MEMORY);
    for (int y = 0; y < rows; y++) {
        const uint8_t *from = src + (size_t)(first + y) * pitch;
        uint8_t *to = between + (size_t)y * length;
        if (filter_across) {
            filter_row(to, from, &across, window->width);
        } else {
            memcpy(to, from + (size_t)window->left * CHANNELS, length);
        }
    }
    for (int y = 0; filter_down && y < window->height; y++)
        filter_column(dst + (size_t)y * length, between + (size_t)(down.first[y] - first) * length,
                      down.weight + (size_t)y * (size_t)down.size, down.count[y], length, sum);
fail:
    free(sum);
    if (between != dst) free(between);
    taps_finish(&across);
    taps_finish(&down);
    return status;
}

enum vgg_status vgg_resize_rgb(uint8_t *dst, const struct vgg_resize_window *window, const uint8_t *src, int src_height,
                               int src_width, enum vgg_resize filter)
{
    if (filter == VGG_RESIZE_BILINEAR || filter == VGG_RESIZE_LANCZOS)
        return filter_image(dst, window, src, src_height, src_width, filter);
    return vgg_resize_nearest(dst, window, src, src_height, src_width, CHANNELS);
}
