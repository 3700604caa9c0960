/* cpu_winograd_choose.c: which algorithm serves a convolution: a cost model of one image. */
#include <math.h>

#include "cpu/cpu_winograd.h"

/* Measured on Zen 3 with two threads, in floating-point operations of a product at its usual rate: what transforming,
 * storing and reading one transformed value costs for m = 2, 4, 6; and what reading one transformed filter from memory
 * costs, once a batch. */
static const double VALUE_COST[3] = { 30, 37, 60 }, FILTER_COST = 25;
/* Batches are taken to have this many images, or this many pixels of the map: small images come in large batches. */
static const double IMAGES = 4, PIXELS = 256;
/* A larger tile must win by this factor: its rounding errors are larger, and small batches read more filters. */
static const double MARGIN = 0.93;

static double winograd_cost(int m, double h, double w, double depth, double cols)
{
    double points = (m + 2) * (m + 2), tiles = ceil(h / m) * ceil(w / m);
    double filters = points * depth * cols * FILTER_COST / fmax(IMAGES, PIXELS / (h * w));
    return tiles * points * (2 * depth * cols + VALUE_COST[m / 2 - 1] * (depth + cols)) + filters;
}

int cpu_winograd_choose(const struct cpu *cpu, const struct vgg_op *op)
{
    const struct vgg_view *in = op->kind == VGG_OP_CONV_BWD_DATA ? &op->dy : &op->x;
    int cols = op->kind == VGG_OP_CONV ? op->w.c : op->kind == VGG_OP_CONV_BWD_DATA ? op->dx.c : op->dy.c;
    if (in->c % CPU_NR || cols % CPU_NR || (op->kind == VGG_OP_CONV && (op->y.h == 0 || op->y.w == 0))) return 0;
    switch (cpu->conv) {
    case VGG_CONV_DIRECT: return 0;
    case VGG_CONV_WINOGRAD2: return 2;
    case VGG_CONV_WINOGRAD4: return 4;
    case VGG_CONV_WINOGRAD6: return 6;
    case VGG_CONV_AUTO:
    case VGG_CONV_WINOGRAD: break;
    }
    int best = 0;
    double least = cpu->conv == VGG_CONV_AUTO ? 18.0 * in->h * in->w * in->c * cols : INFINITY;
    for (int m = 2; m <= CPU_WINOGRAD_MAX_M; m += 2) {
        double cost = winograd_cost(m, in->h, in->w, in->c, cols);
        if (cost < MARGIN * least) least = cost, best = m;
    }
    return best;
}
