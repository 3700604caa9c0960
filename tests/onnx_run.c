#include "tests/onnx_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

static const char *const FOLDER = "/usr/share/libonnx-testdata/data";
static const double BOUND = 1e-5;

static void open_case(struct onnx_case *c, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", FOLDER, name);
    if (!onnx_open(c, path)) cr_skip_test("%s is not there; Debian package libonnx-testdata holds it", path);
}

int onnx_dim(const struct onnx_tensor *t, int i)
{
    return i < t->rank ? (int)t->dims[i] : 1;
}

double onnx_scale(const struct onnx_tensor *t)
{
    double scale = 0;
    for (size_t i = 0; i < t->count; i++)
        scale = fmax(scale, fabs(t->values[i]));
    return scale;
}

void onnx_equal(double got, double want, double scale, const struct onnx_case *c, const struct harness *h)
{
    cr_assert(fabs(got - want) <= BOUND * scale, "%s: %s: %.9g, not %.9g", h->name, c->path, got, want);
}

void onnx_put(struct harness *h, const struct vgg_view *view, const double *values)
{
    size_t count = vgg_view_count(view);
    float *narrow = malloc(count * sizeof *narrow);
    for (size_t i = 0; i < count; i++)
        narrow[i] = (float)values[i];
    harness_put(h, view, narrow);
    free(narrow);
}

void onnx_each(const char *name, void (*run)(struct harness *, const struct onnx_case *))
{
    struct onnx_case c;
    struct harness_target target[HARNESS_MAX_TARGETS];
    open_case(&c, name);
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++) {
        struct harness h;
        harness_open(&h, &target[t]);
        run(&h, &c);
        harness_close(&h);
    }
    onnx_close(&c);
}

/* A tensor as rows along `axis`: the element of row r, channel k. */
static size_t row_at(const struct onnx_tensor *t, int axis, size_t r, size_t k)
{
    size_t inner = 1;
    for (int i = axis + 1; i < t->rank; i++)
        inner *= (size_t)t->dims[i];
    return (r / inner * (size_t)onnx_dim(t, axis) + k) * inner + r % inner;
}

double *onnx_rows(const struct onnx_tensor *t, int axis)
{
    size_t channels = (size_t)onnx_dim(t, axis), rows = t->count / channels;
    double *values = malloc(t->count * sizeof *values);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < channels; k++)
            values[r * channels + k] = t->values[row_at(t, axis, r, k)];
    return values;
}
