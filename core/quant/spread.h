/* spread.h: how values spread, counted, and the scales of whole numbers that lose least of them. */
#ifndef CORE_QUANT_SPREAD_H
#define CORE_QUANT_SPREAD_H

#include "core/op/op.h"

/* Values above 0 by their size: 64 octaves from 2^-30 on in 2048 bins each. Counts, so that neither the order nor the
 * number of calls shows in the result. */
enum { VGG_SPREAD_OCTAVES = 64, VGG_SPREAD_BINS = 2048, VGG_SPREAD_LOWEST = -30 };

struct vgg_spread {
    float most; /* the largest value */
    uint64_t bin[VGG_SPREAD_OCTAVES * VGG_SPREAD_BINS];
};

/* Counts `count` values; those of 0 and less are none, as after a ReLU. False: one is not finite. */
bool vgg_spread_add(struct vgg_spread *spread, const float *x, size_t count);
/* The step s whose round(x / s), at most 255, times s has the least squared error, of the steps (most / 255) 2^(-k/32),
 * k = 0 .. 255; of equal ones the largest. 1 where no value is above 0. */
float vgg_spread_step(const struct vgg_spread *spread);

/* The magnitudes of the 16 values of V = B^T d B of Winograd's F(2x2, 3x3), of bytes: whole numbers up to 1020. */
enum { VGG_SPREAD_MAGNITUDES = 1021 };

struct vgg_taps {
    uint64_t magnitude[VGG_QUANT_TAPS][VGG_SPREAD_MAGNITUDES];
};

/* Counts every tile of 4x4 bytes, at `every` times 2 pixels from each other in both directions and the first at
 * (at_y, at_x) times 2, of an image of h x w x c bytes with a border of zeros. */
void vgg_taps_add(struct vgg_taps *taps, const uint8_t *x, int h, int w, int c, int every, int at_y, int at_x);
/* The clip c of a tap's magnitudes for which round(v lim / c), at most lim, times c / lim has the least squared error,
 * c = lim ... the largest magnitude, of equal ones the largest; lim is 127, at VGG_QUANT_PLUS
 * 255. */
float vgg_taps_clip(const struct vgg_taps *taps, int tap);

#endif
