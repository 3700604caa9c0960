/* bench_layers.h: the sections of a benchmark that was measured layer by layer. */
#ifndef CORE_REPORT_BENCH_LAYERS_H
#define CORE_REPORT_BENCH_LAYERS_H

#include "core/page/chart.h"
#include "core/vgg16_bench.h"

/* Roofline and heat maps of the results[0..count) of one pass and shape that were measured layer by layer. */
enum vgg_status vgg_report_layers(struct vgg_html *page, const struct vgg_bench *bench,
                                  const struct vgg_bench_result *const *results, size_t count);

#endif
