/* Pillow filters the upright rows first, then columns, and rounds to bytes between the two. Where rows are stored as
 * rows, each is filtered as it comes, and what the columns need of the last ones waits in a ring. Where the stored rows
 * are upright columns, the ring holds whole rows, and each sum of them is filtered along its length. */
#include "core/image/rows.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/image/exif.h"
#include "core/image/taps.h"

enum {
    CHANNELS = 3,
    GROUP = 4 * CHANNELS, /* numbers summed side by side: whole vectors and whole pixels */
    SUMS = 2048           /* numbers that stay in the nearest cache */
};

struct vgg_rows {
    uint8_t *dst;
    int width; /* of dst */
    struct vgg_exif_turn turn;
    struct vgg_taps along, over; /* along a stored row; over several of them. Both in stored order */
    int y, done;                 /* rows that came, outputs of `over` that are complete */
    size_t length;               /* bytes of a row in the ring */
    int from;                    /* the first stored column that is filtered: where a ring of whole rows begins */
    size_t span;                 /* numbers of a row that are filtered */
    uint8_t *ring;               /* over.size rows; row y is the one y % over.size */
    uint8_t *line;               /* a sum of rows, and what is filtered of it */
    float *value;                /* what is filtered; zeros after it */
    float *weight;               /* of `along`, for each channel, zeros up to `step` numbers an output */
    size_t step;
    float error; /* of a sum of values times weights */
};

static uint8_t to_byte(int32_t sum)
{
    int32_t value = sum >> VGG_TAPS_FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* The sum for one channel of a pixel. */
static uint8_t sum_exactly(const uint8_t *src, const int32_t *weight, int count)
{
    int32_t sum = 1 << (VGG_TAPS_FRACTION_BITS - 1);
    for (int k = 0; k < count; k++)
        sum += weight[k] * src[(size_t)k * CHANNELS];
    return to_byte(sum);
}

/* dst[outputs][3] from src, whose first pixel is number rows->from. Sums in float, which compilers vectorise on every
 * processor, give the byte wherever the exact sum, less than rows->error away, rounds down to the same one. */
static void filter_along(uint8_t *dst, const uint8_t *src, const struct vgg_rows *rows)
{
    const struct vgg_taps *along = &rows->along;
    const float error = rows->error;
    float *value = rows->value;
    for (size_t j = 0; along->size > 1 && j < rows->span; j++)
        value[j] = src[j];
    for (int i = 0; i < along->outputs; i++, dst += CHANNELS) {
        const size_t at = (size_t)(along->first[i] - rows->from) * CHANNELS;
        if (along->size == 1) {
            memcpy(dst, src + at, CHANNELS);
            continue;
        }
        const float *weight = rows->weight + (size_t)i * rows->step;
        float sum[GROUP] = { 0.5f, 0.5f, 0.5f };
        for (size_t k = 0; k < rows->step; k += GROUP) {
            for (size_t j = 0; j < GROUP; j++)
                sum[j] += weight[k + j] * value[at + k + j];
        }
        for (size_t c = 0; c < CHANNELS; c++) {
            float all = sum[c] + sum[c + CHANNELS] + sum[c + 2 * CHANNELS] + sum[c + 3 * CHANNELS];
            int whole = (int)all;
            float rest = all - (float)whole;
            dst[c] = (uint8_t)(whole > UINT8_MAX ? UINT8_MAX : whole);
            if (rest <= error || rest >= 1.0f - error)
                dst[c] = sum_exactly(src + at + c, along->weight + (size_t)i * (size_t)along->size, along->count[i]);
        }
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
        filter_along(rows->line + rows->length, rows->line, rows);
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
        filter_along(to, row + (size_t)rows->from * CHANNELS, rows);
    }
    while (rows->done < over->outputs && over->first[rows->done] + over->count[rows->done] == y + 1)
        put(rows, rows->done++);
}

/* The weights in float. A product and the sums that it goes through are each rounded to 24 bits: together size + 4
 * times FLT_EPSILON of the magnitudes' sum at most, twice the first-order bound (Higham, Accuracy and Stability of
 * Numerical Algorithms, 2002, section 3.1). */
static enum vgg_status begin_floats(struct vgg_rows *rows)
{
    const struct vgg_taps *along = &rows->along;
    double largest = 0.0;
    if (along->size == 1) return VGG_OK;
    rows->step = ((size_t)along->size * CHANNELS + GROUP - 1) / GROUP * GROUP;
    rows->value = vgg_mem_calloc(rows->span + rows->step, sizeof *rows->value);
    rows->weight = vgg_mem_calloc((size_t)along->outputs * rows->step, sizeof *rows->weight);
    if (!rows->value || !rows->weight) return VGG_ERR_MEMORY;
    for (int i = 0; i < along->outputs; i++) {
        double sum = 0.5;
        for (int k = 0; k < along->count[i]; k++) {
            double weight = ldexp(along->weight[(size_t)i * (size_t)along->size + (size_t)k], -VGG_TAPS_FRACTION_BITS);
            sum += UINT8_MAX * fabs(weight);
            for (int c = 0; c < CHANNELS; c++)
                rows->weight[(size_t)i * rows->step + (size_t)(k * CHANNELS + c)] = (float)weight;
        }
        largest = fmax(largest, sum);
    }
    rows->error = (float)(largest * (along->size + 4) * (double)FLT_EPSILON);
    return VGG_OK;
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
    int last = along->outputs - 1;
    size_t made = (size_t)along->outputs * CHANNELS;
    rows->from = along->first[0];
    rows->span = (size_t)(along->first[last] + along->count[last] - rows->from) * CHANNELS;
    rows->length = axes ? rows->span : made;
    rows->ring = vgg_mem_calloc((size_t)rows->over.size, rows->length);
    rows->line = vgg_mem_calloc(1, rows->length + made);
    if (!rows->ring || !rows->line) CHECK(VGG_ERR_MEMORY);
    CHECK(begin_floats(rows));
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
    free(rows->value);
    free(rows->weight);
    free(rows);
}
