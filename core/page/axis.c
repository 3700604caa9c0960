#include "core/page/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The smallest of 1, 2, 5 times a power of ten that is at least `size`. */
static double nice(double size)
{
    double power = pow(10.0, floor(log10(size)));
    double digit = size / power;
    return power * (digit <= 1.0 + 1e-9 ? 1.0 : digit <= 2.0 + 1e-9 ? 2.0 : digit <= 5.0 + 1e-9 ? 5.0 : 10.0);
}

void vgg_axis_number(char text[VGG_AXIS_TEXT], double value, int digits)
{
    static const char *const prefix[] = { "", " k", " M", " G", " T" };
    int k = 0;
    for (; fabs(value) >= (k ? 999.95 : 9999.5) && k < 4; k++)
        value /= 1000.0;
    if (value != 0.0 && fabs(value) < 1e-3) {
        int exponent = (int)floor(log10(fabs(value)) + 1e-12);
        snprintf(text, VGG_AXIS_TEXT, "%.*ge%d", digits, value / pow(10.0, exponent), exponent);
    } else {
        snprintf(text, VGG_AXIS_TEXT, "%.*g%s", fabs(value) >= 1000.0 && digits < 4 ? 4 : digits, value, prefix[k]);
    }
}

/* Text of a tick on a linear axis: as many decimals as tell neighbours apart. */
static void tick_text(char text[VGG_AXIS_TEXT], double value, double step, bool percent)
{
    double scale = percent ? 100.0 : 1.0;
    int decimals = (int)-floor(log10(step * scale) + 1e-9);
    if (fabs(value) < step * 1e-6) value = 0.0, decimals = 0; /* not -0 */
    if (value != 0.0 && !percent && (decimals > 3 || fabs(value) >= 9999.5)) {
        vgg_axis_number(text, value, 3);
    } else {
        snprintf(text, VGG_AXIS_TEXT, "%.*f%s", decimals > 0 ? decimals : 0, value * scale, percent ? " %" : "");
    }
}

static void add_tick(struct vgg_axis *axis, double value)
{
    if (axis->ticks < VGG_AXIS_TICKS) axis->tick[axis->ticks++] = value;
}

static void init_linear(struct vgg_axis *axis, const struct vgg_chart_axis *wanted, bool fixed, int ticks)
{
    if (wanted->zero && !fixed) axis->min = fmin(axis->min, 0.0), axis->max = fmax(axis->max, 0.0);
    if (axis->max - axis->min <= 1e-12 * fmax(fabs(axis->min), fabs(axis->max))) {
        double pad = axis->max == 0.0 || wanted->whole ? 0.5 : 0.1 * fabs(axis->max);
        axis->min -= pad, axis->max += pad;
    }
    double highest = axis->max, step = nice((axis->max - axis->min) / ticks);
    if (wanted->whole && step < 1.0) step = 1.0;
    if (!fixed && !wanted->whole) {
        axis->min = floor(axis->min / step + 1e-6) * step;
        axis->max = ceil(axis->max / step - 1e-6) * step;
        if (wanted->percent && highest <= 1.0) axis->max = fmin(axis->max, 1.0);
    }
    for (double k = ceil(axis->min / step - 1e-6); k * step <= axis->max + 1e-6 * step; k++)
        add_tick(axis, fmin(fmax(k * step, axis->min), axis->max)); /* rounded, it may lie a hair outside */
    for (int i = 0; i < axis->ticks; i++)
        tick_text(axis->text[i], axis->tick[i], step, wanted->percent);
}

/* Decades, every so many of them when there are many, with 2 and 5 between them when there are few. */
static void init_log(struct vgg_axis *axis, bool fixed, int ticks)
{
    static const double digit[] = { 1.0, 2.0, 5.0 };
    if (axis->max - axis->min < 1e-6 * axis->max) axis->min /= 2.0, axis->max *= 2.0;
    double decades = log10(axis->max / axis->min);
    int digits = decades * 3 <= ticks + 2 ? 3 : 1, stride = digits == 3 ? 1 : (int)ceil(decades / ticks);
    if (stride < 1) stride = 1;
    int low = (int)floor(log10(axis->min) + 1e-9), high = (int)ceil(log10(axis->max) - 1e-9);
    double first = 0.0, last = 0.0; /* the ticks just outside of the data */
    for (int e = low; e <= high + 1; e += stride) {
        for (int d = 0; d < digits; d++) {
            double tick = digit[d] * pow(10.0, e);
            if (first == 0.0 || tick <= axis->min * (1.0 + 1e-9)) first = tick;
            if (last < axis->max * (1.0 - 1e-9)) last = tick;
        }
    }
    if (!fixed) axis->min = first, axis->max = last;
    for (int e = low; e <= high + 1; e += stride) {
        for (int d = 0; d < digits; d++) {
            double tick = digit[d] * pow(10.0, e);
            if (tick >= axis->min * (1.0 - 1e-9) && tick <= axis->max * (1.0 + 1e-9)) add_tick(axis, tick);
        }
    }
    for (int i = 0; i < axis->ticks; i++)
        vgg_axis_number(axis->text[i], axis->tick[i], 3);
}

void vgg_axis_init(struct vgg_axis *axis, const struct vgg_chart_axis *wanted, double min, double max, int ticks)
{
    bool fixed = wanted->min < wanted->max && !(wanted->log && wanted->min <= 0.0);
    memset(axis, 0, sizeof *axis);
    if (fixed) min = wanted->min, max = wanted->max;
    if (!(min <= max)) min = wanted->log ? 1.0 : 0.0, max = wanted->log ? 10.0 : 1.0;
    axis->log = wanted->log;
    axis->min = min, axis->max = max;
    if (wanted->log) {
        init_log(axis, fixed, ticks);
    } else {
        init_linear(axis, wanted, fixed, ticks);
    }
}

double vgg_axis_at(const struct vgg_axis *axis, double value)
{
    double slack = 1e-9 * (axis->max - axis->min);
    if (!(value >= axis->min - slack && value <= axis->max + slack)) return (double)NAN;
    double part =
        axis->log ? log(value / axis->min) / log(axis->max / axis->min) : (value - axis->min) / (axis->max - axis->min);
    return axis->from + part * (axis->to - axis->from);
}
