/* onnx_run.h: what the tests on ONNX's cases share. */
#ifndef TESTS_ONNX_RUN_H
#define TESTS_ONNX_RUN_H

#include "tests/harness.h"
#include "tests/onnx_file.h"

/* Runs one function on one case ("node/test_relu") with every target; skips the test when the case is not there. */
void onnx_each(const char *name, void (*run)(struct harness *, const struct onnx_case *));
/* Extent of an axis, 1 beyond the last. */
int onnx_dim(const struct onnx_tensor *tensor, int axis);
/* Largest magnitude. */
double onnx_scale(const struct onnx_tensor *tensor);
/* Fails unless `got` is within 1e-5 of `scale` of `want`: fp32 on a few hundred terms. */
void onnx_equal(double got, double want, double scale, const struct onnx_case *c, const struct harness *h);
/* Rounds to fp32 and copies to the device. */
void onnx_put(struct harness *h, const struct vgg_view *view, const double *values);
/* The values by malloc, as rows along `axis`: that axis last. */
double *onnx_rows(const struct onnx_tensor *tensor, int axis);

#endif
