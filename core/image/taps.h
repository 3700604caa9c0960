/* taps.h: which pixels of a side, with which weights, make each pixel of the scaled side. */
#ifndef CORE_IMAGE_TAPS_H
#define CORE_IMAGE_TAPS_H

#include <stddef.h>

#include "core/vgg16.h"

/* Of the weights. */
enum { VGG_TAPS_FRACTION_BITS = 22 };

/* Output i sums source first[i] .. first[i] + count[i] - 1 with weights weight[i * size ...]; first and its ends never
 * fall. size: the largest count there may be; 1: outputs are copies. */
struct vgg_taps {
    int outputs, size;
    int *first, *count;
    int32_t *weight;
};

/* Of outputs first .. first + outputs - 1 of a side scaled from src to full pixels. A side that keeps its length is
 * copied. VGG_ERR_MEMORY without a message; vgg_taps_finish in any case. */
enum vgg_status vgg_taps_init(struct vgg_taps *taps, int src, int full, int first, int outputs, enum vgg_resize filter);
/* The same of the side turned about, its outputs too: output i is the former outputs - 1 - i. */
void vgg_taps_mirror(struct vgg_taps *taps, int src);
void vgg_taps_finish(struct vgg_taps *taps);
/* from[i], 0 <= i < outputs: the source of output first + i that NEAREST takes, floor((i + 1/2) * src / full). */
void vgg_taps_nearest(int *from, int src, int full, int first, int outputs);

#endif
