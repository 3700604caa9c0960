/* Pillow filters the upright rows first, then columns, and rounds to bytes between the two. Where rows are stored as
 * rows, each is filtered as it comes, and what the columns need of the last ones waits in a ring. Where the stored rows
 * are upright columns, the ring holds whole rows, and each sum of them is filtered along its length. */
#include "core/image/rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/image/exif.h"
#include "core/image/taps.h"

enum { CHANNELS = 3, SUMS = 2048 /* numbers that stay in the nearest cache */ };

struct vgg_rows {
    uint8_t *dst;
    int width; /* of dst */
    struct vgg_exif_turn turn;
    struct vgg_taps along, over; /* along a stored row; over several of them. Both in stored order */
    int y, done;                 /* rows that came, outputs of `over` that are complete */
    size_t length;               /* bytes of a row in the ring */
    int from;                    /* the first stored column that it holds, where it is not yet filtered */
    uint8_t *ring;               /* over.size rows; row y is the one y % over.size */
    uint8_t *line;               /* a sum of rows, and what is filtered of it */
};

static uint8_t to_byte(int32_t sum)
{
    int32_t value = sum >> VGG_TAPS_FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* dst[outputs][3] from src, whose first pixel is number `from`. Two channels are summed in the halves of one number:
 * the lower sum's sign is what the upper one lacks. */
static void filter_along(uint8_t *dst, const uint8_t *src, const struct vgg_taps *taps, int from)
{
    const int64_t half = 1 << (VGG_TAPS_FRACTION_BITS - 1);
    for (int i = 0; i < taps->outputs; i++, dst += CHANNELS) {
        const int32_t *weight = taps->weight + (size_t)i * (size_t)taps->size;
        const uint8_t *at = src + (size_t)(taps->first[i] - from) * CHANNELS;
        if (taps->size == 1) {
            memcpy(dst, at, CHANNELS);
            continue;
        }
        int32_t r = (int32_t)half;
        int64_t pair = half * (((int64_t)1 << 32) + 1);
        for (int k = 0; k < taps->count[i]; k++, at += CHANNELS) {
            r += weight[k] * at[0];
            pair += weight[k] * ((int64_t)at[1] << 32 | at[2]);
        }
        int32_t b = (int32_t)(uint32_t)pair, g = (int32_t)((pair - b) >> 32);
        dst[0] = to_byte(r), dst[1] = to_byte(g), dst[2] = to_byte(b);
    }
}

/* dst = output i of `over`: the weighted sum of rows in the ring. */
static void sum_rows(uint8_t *dst, const struct vgg_rows *rows, int i)
{
    const struct vgg_taps *over = &rows->over;
    const int32_t *weight = over->weight + (size_t)i * (size_t)over->size;
    int32_t sum[SUMS];
    if (over->size == 1) {
        memcpy(dst, rows->ring, rows->length);
        return;
    }
    for (size_t begin = 0; begin < rows->length; begin += SUMS) {
        size_t n = rows->length - begin < SUMS ? rows->length - begin : SUMS;
        for (size_t j = 0; j < n; j++)
            sum[j] = 1 << (VGG_TAPS_FRACTION_BITS - 1);
        for (int k = 0; k < over->count[i]; k++) {
            const uint8_t *row = rows->ring + (size_t)((over->first[i] + k) % over->size) * rows->length + begin;
            for (size_t j = 0; j < n; j++)
                sum[j] += weight[k] * row[j];
        }
        for (size_t j = 0; j < n; j++)
            dst[begin + j] = to_byte(sum[j]);
    }
}

/* Output i of `over` into its row or column of dst. */
static void put(struct vgg_rows *rows, int i)
{
    int outputs = rows->along.outputs, place = rows->turn.mirror_row ? rows->over.outputs - 1 - i : i;
    const uint8_t *line = rows->line;
    sum_rows(rows->line, rows, i);
    if (rows->turn.axes) {
        line = rows->line + rows->length;
        filter_along(rows->line + rows->length, rows->line, &rows->along, rows->from);
    }
    for (int k = 0; k < outputs; k++, line += CHANNELS) {
        int other = rows->turn.mirror_column ? outputs - 1 - k : k;
        int y = rows->turn.axes ? other : place, x = rows->turn.axes ? place : other;
        memcpy(rows->dst + ((size_t)y * (size_t)rows->width + (size_t)x) * CHANNELS, line, CHANNELS);
    }
}

void vgg_rows_push(struct vgg_rows *rows, const uint8_t *row)
{
    const struct vgg_taps *over = &rows->over;
    int y = rows->y++;
    if (rows->done == over->outputs || y < over->first[rows->done]) return;
    uint8_t *to = rows->ring + (size_t)(y % over->size) * rows->length;
    if (rows->turn.axes) {
        memcpy(to, row + (size_t)rows->from * CHANNELS, rows->length);
    } else {
        filter_along(to, row, &rows->along, 0);
    }
    while (rows->done < over->outputs && over->first[rows->done] + over->count[rows->done] == y + 1)
        put(rows, rows->done++);
}

enum vgg_status vgg_rows_begin(struct vgg_rows **out, uint8_t *dst, const struct vgg_resize_window *w, int src_height,
                               int src_width, int orientation, enum vgg_resize filter)
{
    enum vgg_status status = VGG_OK;
    struct vgg_rows *rows = vgg_mem_calloc(1, sizeof *rows);
    *out = NULL;
    if (!rows) return VGG_ERR_MEMORY;
    rows->dst = dst, rows->width = w->width;
    vgg_exif_turn(&rows->turn, orientation);
    bool axes = rows->turn.axes;
    struct vgg_taps *down = axes ? &rows->along : &rows->over, *across = axes ? &rows->over : &rows->along;
    CHECK(vgg_taps_init(down, axes ? src_width : src_height, w->full_height, w->top, w->height, filter));
    CHECK(vgg_taps_init(across, axes ? src_height : src_width, w->full_width, w->left, w->width, filter));
    if (rows->turn.mirror_row) vgg_taps_mirror(&rows->over, src_height);
    if (rows->turn.mirror_column) vgg_taps_mirror(&rows->along, src_width);
    const struct vgg_taps *along = &rows->along;
    size_t made = (size_t)along->outputs * CHANNELS;
    rows->from = axes ? along->first[0] : 0;
    rows->length = made;
    if (axes) {
        int last = along->outputs - 1;
        rows->length = (size_t)(along->first[last] + along->count[last] - rows->from) * CHANNELS;
    }
    rows->ring = vgg_mem_calloc((size_t)rows->over.size, rows->length);
    rows->line = vgg_mem_calloc(1, rows->length + made);
    if (!rows->ring || !rows->line) CHECK(VGG_ERR_MEMORY);
    *out = rows;
    rows = NULL;
fail:
    vgg_rows_end(rows);
    return status;
}

void vgg_rows_end(struct vgg_rows *rows)
{
    if (!rows) return;
    vgg_taps_finish(&rows->along);
    vgg_taps_finish(&rows->over);
    free(rows->ring);
    free(rows->line);
    free(rows);
}
