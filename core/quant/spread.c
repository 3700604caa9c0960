#include "core/quant/spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 255, STEPS = 256 };

static const uint32_t mantissa_bits = 11, first_bin = (uint32_t)(127 + VGG_SPREAD_LOWEST) << 11;

bool vgg_spread_add(struct vgg_spread *spread, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        if (!isfinite(x[i])) return false;
        if (!(x[i] > 0.0f)) continue;
        if (x[i] > spread->most) spread->most = x[i];
        memcpy(&bits, &x[i], sizeof bits);
        uint32_t bin = bits >> (23 - mantissa_bits);
        bin = bin > first_bin ? bin - first_bin : 0;
        if (bin >= VGG_SPREAD_OCTAVES * VGG_SPREAD_BINS) bin = VGG_SPREAD_OCTAVES * VGG_SPREAD_BINS - 1;
        spread->bin[bin]++;
    }
    return true;
}

/* The middle of a bin. */
static double value_of(size_t bin)
{
    double mantissa = 1.0 + ((double)(bin % VGG_SPREAD_BINS) + 0.5) / VGG_SPREAD_BINS;
    return ldexp(mantissa, (int)(bin / VGG_SPREAD_BINS) + VGG_SPREAD_LOWEST);
}

/* Of `x` values each, the squared error of whole numbers up to LEVELS times `step`; gives up above `most`. */
static double error_of(const struct vgg_spread *spread, size_t top, double step, double most)
{
    double error = 0;
    for (size_t i = top + 1; i-- && error < most;) {
        if (!spread->bin[i]) continue;
        double v = value_of(i), d = fmin(LEVELS, rint(v / step)) * step - v;
        error += (double)spread->bin[i] * d * d;
    }
    return error;
}

float vgg_spread_step(const struct vgg_spread *spread)
{
    static const double ratio = 0x1.f50765b6e4540p-1; /* 2^(-1/32) */
    size_t top = VGG_SPREAD_OCTAVES * VGG_SPREAD_BINS;
    double best = INFINITY, step = (double)spread->most / LEVELS;
    float found = 1.0f;
    while (top && !spread->bin[top - 1])
        top--;
    if (!top) return found;
    for (int k = 0; k < STEPS; k++, step *= ratio) {
        double error = error_of(spread, top - 1, step, best);
        if (error < best) best = error, found = (float)step;
    }
    return found;
}

/* ---- taps ---- */

/* Rows of B^T: a difference or a sum of two of four. */
static const int row_a[4] = { 0, 1, 2, 1 }, row_b[4] = { 2, 2, 1, 3 }, sign_b[4] = { -1, 1, -1, -1 };

static void add_tile(struct vgg_taps *taps, const int d[4][4])
{
    for (int i = 0; i < 4; i++) {
        int e[4];
        for (int j = 0; j < 4; j++)
            e[j] = d[row_a[i]][j] + sign_b[i] * d[row_b[i]][j];
        for (int j = 0; j < 4; j++)
            taps->magnitude[4 * i + j][abs(e[row_a[j]] + sign_b[j] * e[row_b[j]])]++;
    }
}

void vgg_taps_add(struct vgg_taps *taps, const uint8_t *x, int h, int w, int c, int every, int at_y, int at_x)
{
    for (int y = 2 * at_y; y < h; y += 2 * every) {
        for (int at = 2 * at_x; at < w; at += 2 * every) {
            for (int k = 0; k < c; k++) {
                int d[4][4] = { { 0 } };
                for (int i = 0; i < 16; i++) {
                    int row = y - 1 + i / 4, column = at - 1 + i % 4;
                    if (row < 0 || row >= h || column < 0 || column >= w) continue;
                    d[i / 4][i % 4] = x[((size_t)row * (size_t)w + (size_t)column) * (size_t)c + (size_t)k];
                }
                add_tile(taps, (const int(*)[4])d);
            }
        }
    }
}

float vgg_taps_clip(const struct vgg_taps *taps, int tap)
{
    const uint64_t *magnitude = taps->magnitude[tap];
    int limit = tap == VGG_QUANT_PLUS ? 255 : 127, top = VGG_SPREAD_MAGNITUDES - 1;
    double best = INFINITY;
    int found = limit;
    while (top > limit && !magnitude[top])
        top--;
    for (int clip = top; clip >= limit; clip--) {
        double error = 0, scale = (double)limit / clip;
        for (int v = 0; v <= top && error < best; v++) {
            if (!magnitude[v]) continue;
            double d = fmin(limit, rint(v * scale)) / scale - v;
            error += (double)magnitude[v] * d * d;
        }
        if (error < best) best = error, found = clip;
    }
    return (float)found;
}
