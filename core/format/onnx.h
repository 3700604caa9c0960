/* onnx.h: writes a graph as ONNX: a protobuf message ModelProto, IR version 8, operators of version 17. Source:
 * onnx.proto and "Operators" of ONNX 1.12; protobuf's encoding guide. */
#ifndef CORE_FORMAT_ONNX_H
#define CORE_FORMAT_ONNX_H

#include "core/vgg16.h"

enum { VGG_ONNX_RANK = 4 };

/* A list of whole numbers, or one. */
struct vgg_onnx_attribute {
    const char *name; /* NULL: none */
    int count;        /* 0: a single number */
    int value[4];
};

struct vgg_onnx_node {
    const char *kind, *name;
    const char *input[3]; /* as many as there are */
    const char *output;
    struct vgg_onnx_attribute attribute[3];
};

/* An fp32 constant, whose values are asked for when they are written. */
struct vgg_onnx_tensor {
    const char *name;
    int rank, dim[VGG_ONNX_RANK];
};

/* An input or output of the graph; its extents are whole numbers or, where those are 0, names. */
struct vgg_onnx_value {
    const char *name;
    int rank, dim[VGG_ONNX_RANK];
    const char *dim_name[VGG_ONNX_RANK];
};

struct vgg_onnx_graph {
    const char *name;
    const struct vgg_onnx_node *node;
    const struct vgg_onnx_tensor *tensor;
    size_t node_count, tensor_count;
    struct vgg_onnx_value input, output;
    const char *const *meta; /* key, value pairs, ended by NULL */
};

/* Puts the values of the index-th tensor into dst, in the order of its extents. */
typedef void vgg_onnx_values_fn(void *user, size_t index, float *dst);

/* Written aside, synced, renamed. Graphs of 2 GiB and more, which no protobuf message can have, are refused. */
enum vgg_status vgg_onnx_write(const char *path, const struct vgg_onnx_graph *graph, vgg_onnx_values_fn *values,
                               void *user);

#endif
