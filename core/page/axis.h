/* axis.h: from values to places on an axis, with round ticks. */
#ifndef CORE_PAGE_AXIS_H
#define CORE_PAGE_AXIS_H

#include "core/page/chart.h"

enum { VGG_AXIS_TICKS = 24, VGG_AXIS_TEXT = 24 };

struct vgg_axis {
    bool log;
    double min, max;
    double from, to; /* places of min and max, set by the caller */
    int ticks;
    double tick[VGG_AXIS_TICKS];
    char text[VGG_AXIS_TICKS][VGG_AXIS_TEXT];
};

/* An axis as `wanted` says for data in [min, max] (min > max: no data), with about `ticks` ticks at 1, 2, 5 times
 * powers of ten. Its ends are the range asked for, else ticks outside of the data; of a `whole` axis the data's own. */
void vgg_axis_init(struct vgg_axis *axis, const struct vgg_chart_axis *wanted, double min, double max, int ticks);
/* The place of a value, NAN when it is outside of the axis or no number. */
double vgg_axis_at(const struct vgg_axis *axis, double value);

/* A number for people: "0.031", "12.5 k", "2e-5"; `digits` significant ones. */
void vgg_axis_number(char text[VGG_AXIS_TEXT], double value, int digits);

#endif
