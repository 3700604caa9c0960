#include "core/image/taps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

static int minimum(int a, int b)
{
    return a < b ? a : b;
}

/* The positions are summed step by step, because Pillow does so and its rounding decides ties. */
void vgg_taps_nearest(int *from, int src, int full, int first, int outputs)
{
    double step = (double)src / full, at = step * 0.5;
    for (int i = 0; i < first + outputs; i++, at += step) {
        if (i >= first) from[i - first] = minimum((int)at, src - 1);
    }
}

static double filter_bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double sinc(double x)
{
    return x == 0.0 ? 1.0 : sin(x * M_PI) / (x * M_PI);
}

static double filter_lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

/* weight[size] and the range of one output; exact: room for `size` numbers. */
static void weigh(struct vgg_taps *taps, int i, double centre, double stretch, int src, enum vgg_resize filter,
                  double *exact)
{
    double (*shape)(double) = filter == VGG_RESIZE_LANCZOS ? filter_lanczos : filter_bilinear;
    double support = (filter == VGG_RESIZE_LANCZOS ? 3.0 : 1.0) * stretch, sum = 0.0;
    int begin = (int)(centre - support + 0.5), end = minimum((int)(centre + support + 0.5), src);
    if (begin < 0) begin = 0;
    int n = end - begin;
    for (int k = 0; k < n; k++)
        sum += exact[k] = shape((begin + k - centre + 0.5) / stretch);
    taps->first[i] = begin;
    taps->count[i] = n;
    int32_t *weight = taps->weight + (size_t)i * (size_t)taps->size;
    for (int k = 0; k < n; k++)
        weight[k] = (int32_t)lround(exact[k] / sum * (1 << VGG_TAPS_FRACTION_BITS));
}

enum vgg_status vgg_taps_init(struct vgg_taps *taps, int src, int full, int first, int outputs, enum vgg_resize filter)
{
    enum vgg_status status = VGG_OK;
    double scale = (double)src / full, stretch = scale > 1.0 ? scale : 1.0, *exact = NULL;
    bool filtered = src != full && (filter == VGG_RESIZE_BILINEAR || filter == VGG_RESIZE_LANCZOS);
    *taps = (struct vgg_taps) { .outputs = outputs, .size = 1 };
    if (filtered) taps->size = (int)ceil((filter == VGG_RESIZE_LANCZOS ? 3.0 : 1.0) * stretch) * 2 + 1;
    taps->first = vgg_mem_calloc((size_t)outputs, 2 * sizeof *taps->first);
    taps->weight = vgg_mem_calloc((size_t)outputs, (size_t)taps->size * sizeof *taps->weight);
    exact = vgg_mem_calloc((size_t)taps->size, sizeof *exact);
    if (!taps->first || !taps->weight || !exact) CHECK(VGG_ERR_MEMORY);
    taps->count = taps->first + outputs;
    if (!filtered) vgg_taps_nearest(taps->first, src, full, first, outputs);
    for (int i = 0; i < outputs; i++) {
        if (filtered)
            weigh(taps, i, (first + i + 0.5) * scale, stretch, src, filter, exact);
        else
            taps->count[i] = 1;
    }
fail:
    free(exact);
    return status;
}

void vgg_taps_mirror(struct vgg_taps *taps, int src)
{
    size_t size = (size_t)taps->size;
    for (int i = 0, j = taps->outputs - 1; i <= j; i++, j--) {
        int first = taps->first[i], count = taps->count[i];
        taps->first[i] = src - taps->first[j] - taps->count[j];
        taps->first[j] = src - first - count;
        taps->count[i] = taps->count[j];
        taps->count[j] = count;
        int32_t *a = taps->weight + (size_t)i * size, *b = taps->weight + (size_t)j * size;
        for (size_t k = 0; k < size && a != b; k++) {
            int32_t weight = a[k];
            a[k] = b[k], b[k] = weight;
        }
    }
    for (int i = 0; i < taps->outputs; i++) {
        int32_t *weight = taps->weight + (size_t)i * size;
        for (int k = 0, l = taps->count[i] - 1; k < l; k++, l--) {
            int32_t other = weight[k];
            weight[k] = weight[l], weight[l] = other;
        }
    }
}

void vgg_taps_finish(struct vgg_taps *taps)
{
    free(taps->first);
    free(taps->weight);
}
