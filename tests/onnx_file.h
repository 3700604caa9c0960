/* onnx_file.h: reads ONNX test cases (model.onnx, test_data_set_0/input_N.pb, output_N.pb). Formats: protocol buffers'
 * encoding guide; messages ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto of onnx.proto. Every function
 * fails the running test when a file is not what it must be. */
#ifndef TESTS_ONNX_FILE_H
#define TESTS_ONNX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ONNX_MAX_RANK = 8, ONNX_MAX_TENSORS = 16 };

struct onnx_tensor {
    int rank;
    int64_t dims[ONNX_MAX_RANK];
    size_t count;
    double *values; /* float, double, int64, uint8 and bool, widened */
};

/* One test case: a model of one node, its initializers, inputs and outputs. */
struct onnx_case {
    char path[512];
    unsigned char *model;
    size_t model_size;
    struct onnx_tensor input[ONNX_MAX_TENSORS], output[ONNX_MAX_TENSORS], initializer[ONNX_MAX_TENSORS];
    int inputs, outputs, initializers;
};

/* False when there is no such folder. */
bool onnx_open(struct onnx_case *c, const char *folder);
void onnx_close(struct onnx_case *c);

/* Attributes of the first node, or `fallback` when it has none of that name. Element `index` of a list. */
int64_t onnx_int(const struct onnx_case *c, const char *name, int index, int64_t fallback);
double onnx_float(const struct onnx_case *c, const char *name, double fallback);
bool onnx_string_is(const struct onnx_case *c, const char *name, const char *value);

#endif
