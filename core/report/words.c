#include "core/report/words.h"

#include <math.h>
#include <stdio.h>

#include "core/model/model.h"

struct vgg_report_name vgg_report_class(const struct vgg_model *model, int label)
{
    struct vgg_report_name name;
    const char *known = vgg_model_class_name(model, label);
    if (known) {
        snprintf(name.text, sizeof name.text, "%s", known);
    } else {
        snprintf(name.text, sizeof name.text, "%d", label);
    }
    return name;
}

struct vgg_report_name vgg_report_duration(double seconds)
{
    struct vgg_report_name name;
    long s = seconds < 1e9 ? lround(seconds) : 1000000000;
    if (s < 60) {
        snprintf(name.text, sizeof name.text, "%.*f s", seconds < 9.95 ? 1 : 0, seconds);
    } else if (s < 3600) {
        snprintf(name.text, sizeof name.text, "%ld:%02ld min", s / 60, s % 60);
    } else {
        snprintf(name.text, sizeof name.text, "%ld:%02ld:%02ld h", s / 3600, s / 60 % 60, s % 60);
    }
    return name;
}

struct vgg_report_words vgg_report_shape(const struct vgg_bench_result *result)
{
    struct vgg_report_words words;
    snprintf(words.text, sizeof words.text, "batch %d, %dx%d", result->batch, result->height, result->width);
    return words;
}

struct vgg_report_words vgg_report_figures(double value)
{
    struct vgg_report_words words;
    snprintf(words.text, sizeof words.text, "%.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
    return words;
}
