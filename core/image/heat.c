#include "core/image/heat.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/image/colour.h"

enum { TAPS = 4, CHANNELS = 3, LEVELS = 1024 };

/* Where a row or column of the image stands in the map: four neighbours with weights; outside: not on the map. */
struct place {
    int at[TAPS];
    double weight[TAPS];
    bool outside;
};

/* Places of `count` pixels of a side that is scaled to `full`, of which [start, start + length) is the map's. */
static void find_places(struct place *place, int count, int full, int start, int length, int cells)
{
    for (int i = 0; i < count; i++) {
        double position = (i + 0.5) * full / count - start;
        double x = position * cells / length - 0.5, whole = floor(x), t = x - whole;
        struct place *p = &place[i];
        p->outside = position < 0 || position >= length;
        p->weight[0] = ((2 - t) * t - 1) * t / 2;
        p->weight[1] = ((3 * t - 5) * t * t + 2) / 2;
        p->weight[2] = ((4 - 3 * t) * t + 1) * t / 2;
        p->weight[3] = (t - 1) * t * t / 2;
        for (int k = 0; k < TAPS; k++)
            p->at[k] = (int)fmin(fmax(whole + k - 1, 0), cells - 1);
    }
}

/* What one value does to a pixel. */
struct ink {
    uint8_t rgb[CHANNELS];
    double opacity;
};

static void mix_inks(struct ink *ink, const struct vgg_heat *heat)
{
    for (int i = 0; i < LEVELS; i++) {
        double value = i / (double)(LEVELS - 1);
        vgg_colour_map(ink[i].rgb, value, heat->colours);
        ink[i].opacity = (double)heat->alpha * sqrt(value) * value * (3 - 2 * value);
    }
}

static void paint_row(uint8_t *rgb, const double *row, const struct place *columns, int count, double scale,
                      const struct ink *inks)
{
    for (int x = 0; x < count; x++, rgb += CHANNELS) {
        const struct place *p = &columns[x];
        double sum = 0;
        for (int k = 0; k < TAPS; k++)
            sum += p->weight[k] * row[p->at[k]];
        const struct ink *ink = &inks[lround(fmin(fmax(sum * scale, 0), 1) * (LEVELS - 1))];
        for (int c = 0; c < CHANNELS; c++) {
            double value = p->outside ? 0.4 * rgb[c] : rgb[c] + ink->opacity * (ink->rgb[c] - rgb[c]);
            rgb[c] = (uint8_t)lround(value);
        }
    }
}

enum vgg_status vgg_heat_apply(struct vgg_image *image, const struct vgg_heat *heat)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_resize_window *window = &heat->window;
    size_t height = (size_t)image->height, width = (size_t)image->width, cells = (size_t)heat->width;
    struct place *rows = vgg_mem_calloc(height + width, sizeof *rows);
    double *row = vgg_mem_calloc(cells, sizeof *row), largest = 0;
    struct ink *inks = vgg_mem_calloc(LEVELS, sizeof *inks);
    if (!rows || !row || !inks) CHECK(vgg_fail_memory("a picture of heat", (height + width) * sizeof *rows));
    struct place *columns = rows + height;
    find_places(rows, image->height, window->full_height, window->top, window->height, heat->height);
    find_places(columns, image->width, window->full_width, window->left, window->width, heat->width);
    mix_inks(inks, heat);
    /* Not by fmax: gcc 12 fails to vectorise that for aarch64. */
    for (size_t i = 0; i < (size_t)heat->height * cells; i++)
        if ((double)heat->map[i] > largest) largest = (double)heat->map[i];
    for (size_t y = 0; y < height; y++) {
        for (size_t i = 0; i < cells; i++) {
            row[i] = 0;
            for (int k = 0; k < TAPS; k++)
                row[i] += rows[y].weight[k] * (double)heat->map[(size_t)rows[y].at[k] * cells + i];
        }
        paint_row(image->rgb + y * width * CHANNELS, row, columns, image->width, largest > 0 ? 1 / largest : 0, inks);
    }
fail:
    free(rows);
    free(row);
    free(inks);
    return status;
}
