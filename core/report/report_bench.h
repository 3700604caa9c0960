/* report_bench.h: what the files of a benchmark's page share. */
#ifndef CORE_REPORT_BENCH_H
#define CORE_REPORT_BENCH_H

#include "core/page/report_chart.h"
#include "core/vgg16_bench.h"

/* "batch 8, 224x150". */
struct vgg_report_words {
    char text[64];
};
struct vgg_report_words vgg_report_shape(const struct vgg_bench_result *result);
/* Three figures. */
struct vgg_report_words vgg_report_figures(double value);

/* Roofline and heat maps of the results[0..count) of one pass and shape that were measured layer by layer. */
enum vgg_status vgg_report_layers(struct vgg_html *page, const struct vgg_bench *bench,
                                  const struct vgg_bench_result *const *results, size_t count);

#endif
