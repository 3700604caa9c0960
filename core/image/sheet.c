#include "core/image/sheet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/image/caption.h"
#include "core/image/colour.h"
#include "core/image/picture.h"
#include "core/image/resize.h"

enum { TILE = 96, GAP = 6, COLUMNS = 8, CHANNELS = 3, GROUND = 24, LABEL = VGG_CAPTION_HEIGHT };

struct vgg_sheet {
    struct vgg_image canvas;
    enum vgg_colours colours;
    int channels;                /* tiles of a band */
    int height, width;           /* of a map */
    int tile_height, tile_width; /* as drawn */
    int lines, columns;          /* of tiles in a band */
    int band, photo;             /* height of a band without its gap; width of its image */
    size_t rows, used;
    uint8_t *tile;               /* one map in colours, before it gets its size */
    struct vgg_sheet_rank *rank; /* room to sort all channels */
    int rank_room;
};

struct vgg_sheet_rank {
    double mean;
    int channel;
};

enum vgg_status vgg_sheet_create(struct vgg_sheet **out, size_t rows, int channels, int height, int width,
                                 enum vgg_colours colours)
{
    *out = NULL;
    int columns = channels < COLUMNS ? channels : COLUMNS, lines = (channels + columns - 1) / columns;
    int scale = height < TILE ? (TILE + height / 2) / height : 1, tile_height = height < TILE ? height * scale : TILE;
    double wide = (double)width * tile_height / height;
    int tile_width = wide < 1 ? 1 : wide > 8 * TILE ? 8 * TILE : (int)lround(wide);
    int band = lines * (tile_height + LABEL + GAP) - GAP, photo = (int)lround((double)band * tile_width / tile_height);
    double pixels = (double)(band + 2 * GAP) * (double)rows * ((double)columns * (tile_width + GAP) + photo + 3 * GAP);
    if (pixels > VGG_IMAGE_MAX_PIXELS) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%zu images with %d channels do not fit into one picture; take fewer", rows,
                        channels);
    }
    struct vgg_sheet *sheet = vgg_mem_calloc(1, sizeof *sheet);
    if (!sheet) return vgg_fail_memory("a sheet", sizeof *sheet);
    *sheet = (struct vgg_sheet) {
        .canvas = { .height = (int)rows * (band + 2 * GAP) + 2 * GAP,
                    .width = columns * (tile_width + GAP) + photo + 5 * GAP },
        .colours = colours,
        .channels = channels,
        .height = height,
        .width = width,
        .tile_height = tile_height,
        .tile_width = tile_width,
        .lines = lines,
        .columns = columns,
        .band = band,
        .photo = photo,
        .rows = rows,
    };
    size_t size = (size_t)sheet->canvas.height * (size_t)sheet->canvas.width * CHANNELS;
    sheet->canvas.rgb = vgg_mem_calloc(size, 1);
    sheet->tile = vgg_mem_calloc((size_t)height * (size_t)width, CHANNELS);
    if (!sheet->canvas.rgb || !sheet->tile) {
        vgg_sheet_destroy(sheet);
        return vgg_fail_memory("a sheet", size);
    }
    memset(sheet->canvas.rgb, GROUND, size);
    *out = sheet;
    return VGG_OK;
}

void vgg_sheet_destroy(struct vgg_sheet *sheet)
{
    if (!sheet) return;
    vgg_image_finish(&sheet->canvas);
    free(sheet->tile);
    free(sheet->rank);
    free(sheet);
}

/* Copies a picture onto the canvas. */
static void place(struct vgg_sheet *sheet, const struct vgg_image *image, int top, int left)
{
    size_t pitch = (size_t)sheet->canvas.width * CHANNELS, length = (size_t)image->width * CHANNELS;
    uint8_t *to = sheet->canvas.rgb + (size_t)top * pitch + (size_t)left * CHANNELS;
    for (int y = 0; y < image->height; y++, to += pitch)
        memcpy(to, image->rgb + (size_t)y * length, length);
}

/* One channel, from 0 to its largest value, at its size. */
static enum vgg_status draw_tile(struct vgg_sheet *sheet, const float *maps, int count, int channel, int top, int left)
{
    size_t places = (size_t)sheet->height * (size_t)sheet->width;
    struct vgg_image small = { sheet->height, sheet->width, sheet->tile, 0, 0, false }, tile;
    float largest = 0;
    for (size_t i = 0; i < places; i++)
        largest = fmaxf(largest, maps[i * (size_t)count + (size_t)channel]);
    for (size_t i = 0; i < places; i++) {
        float value = maps[i * (size_t)count + (size_t)channel];
        vgg_colour_map(sheet->tile + i * CHANNELS, largest > 0 ? (double)(value / largest) : 0, sheet->colours);
    }
    struct vgg_resize_window window;
    vgg_resize_window(&window, small.height, small.width, sheet->tile_height, sheet->tile_width, VGG_CROP_NONE);
    size_t size = (size_t)sheet->tile_height * (size_t)sheet->tile_width * CHANNELS;
    tile = (struct vgg_image) { sheet->tile_height, sheet->tile_width, vgg_mem_calloc(size, 1), 0, 0, false };
    enum vgg_resize filter = sheet->height < TILE ? VGG_RESIZE_NEAREST : VGG_RESIZE_LANCZOS;
    enum vgg_status status =
        tile.rgb ? vgg_resize_rgb(tile.rgb, &window, small.rgb, small.height, small.width, filter) : VGG_ERR_MEMORY;
    if (status == VGG_OK) place(sheet, &tile, top, left);
    vgg_image_finish(&tile);
    return status == VGG_OK ? VGG_OK : vgg_fail_memory("a tile", size);
}

static int compare(const void *a, const void *b)
{
    const struct vgg_sheet_rank *x = a, *y = b;
    if (x->mean != y->mean) return x->mean < y->mean ? 1 : -1;
    return (x->channel > y->channel) - (x->channel < y->channel);
}

/* Means of all channels, sorted. */
static enum vgg_status rank(struct vgg_sheet *sheet, const float *maps, int count)
{
    if (count > sheet->rank_room) {
        free(sheet->rank);
        sheet->rank = vgg_mem_calloc((size_t)count, sizeof *sheet->rank);
        sheet->rank_room = sheet->rank ? count : 0;
        if (!sheet->rank) return vgg_fail_memory("a sheet", (size_t)count * sizeof *sheet->rank);
    }
    for (int k = 0; k < count; k++)
        sheet->rank[k] = (struct vgg_sheet_rank) { 0, k };
    for (size_t i = 0; i < (size_t)sheet->height * (size_t)sheet->width; i++) {
        for (int k = 0; k < count; k++)
            sheet->rank[k].mean += (double)maps[i * (size_t)count + (size_t)k];
    }
    qsort(sheet->rank, (size_t)count, sizeof *sheet->rank, compare);
    return VGG_OK;
}

enum vgg_status vgg_sheet_add(struct vgg_sheet *sheet, const struct vgg_image *image, const float *maps, int count,
                              int *strongest)
{
    enum vgg_status status = VGG_OK;
    struct vgg_image photo = { 0 };
    if (sheet->used == sheet->rows) CHECK(vgg_fail(VGG_ERR_ARGUMENT, "a sheet of %zu images is full", sheet->rows));
    int top = (int)sheet->used * (sheet->band + 2 * GAP) + 2 * GAP, left = 4 * GAP + sheet->photo;
    CHECK(rank(sheet, maps, count));
    CHECK(vgg_picture_scale(&photo, image, sheet->band, sheet->photo));
    place(sheet, &photo, top, 2 * GAP);
    for (int k = 0; k < sheet->channels; k++) {
        char number[16];
        int y = top + k / sheet->columns * (sheet->tile_height + LABEL + GAP);
        int x = left + k % sheet->columns * (sheet->tile_width + GAP);
        strongest[k] = sheet->rank[k].channel;
        CHECK(draw_tile(sheet, maps, count, strongest[k], y, x));
        snprintf(number, sizeof number, "%d", strongest[k]);
        vgg_caption_draw(&sheet->canvas, number, y + sheet->tile_height + 2, x, sheet->tile_width, 1);
    }
    sheet->used++;
fail:
    vgg_image_finish(&photo);
    return status;
}

enum vgg_status vgg_sheet_write(struct vgg_sheet *sheet, const char *path, const char *title)
{
    struct vgg_image used = sheet->canvas;
    used.height = (int)sheet->used * (sheet->band + 2 * GAP) + 2 * GAP;
    return vgg_picture_write(path, &used, title);
}
