/* words.h: names, times and figures as the pages say them. */
#ifndef CORE_REPORT_WORDS_H
#define CORE_REPORT_WORDS_H

#include "core/vgg16_bench.h"

/* A class's name, or its number where it has none. */
struct vgg_report_name {
    char text[128];
};
struct vgg_report_name vgg_report_class(const struct vgg_model *model, int label);
/* "12.3 s", "3:05 min", "1:02:03 h". */
struct vgg_report_name vgg_report_duration(double seconds);

/* "batch 8, 224x150". */
struct vgg_report_words {
    char text[64];
};
struct vgg_report_words vgg_report_shape(const struct vgg_bench_result *result);
/* Three figures. */
struct vgg_report_words vgg_report_figures(double value);

#endif
