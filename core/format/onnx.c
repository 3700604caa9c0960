#include "core/format/onnx.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"

/* Numbers of fields in onnx.proto. */
enum {
    MODEL_IR = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_META = 14
};
enum { OPSET_VERSION = 2, META_KEY = 1, META_VALUE = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_KIND = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20, TYPE_INT = 2, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9, TYPE_FLOAT = 1 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_NAME = 2 };
enum { IR_VERSION = 8, OPERATORS = 17, WIRE_NUMBER = 0, WIRE_BYTES = 2 };

/* Where a message goes: counted, then written. A message stands behind its size, so that each is put twice. */
struct sink {
    struct vgg_file *file; /* NULL: only counted */
    size_t size;
    enum vgg_status status;
    const struct vgg_onnx_graph *graph;
    vgg_onnx_values_fn *values;
    void *user;
};

typedef void put_fn(struct sink *sink, const void *what);

static void put(struct sink *sink, const void *bytes, size_t size)
{
    sink->size = vgg_mem_add(sink->size, size);
    if (sink->file && sink->status == VGG_OK && size) sink->status = vgg_file_write(sink->file, bytes, size);
}

static void put_varint(struct sink *sink, uint64_t value)
{
    unsigned char bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (unsigned char)(value | 0x80);
    bytes[n++] = (unsigned char)value;
    put(sink, bytes, n);
}

static void put_number(struct sink *sink, int field, uint64_t value)
{
    put_varint(sink, (uint64_t)field << 3 | WIRE_NUMBER);
    put_varint(sink, value);
}

static void put_text(struct sink *sink, int field, const char *text)
{
    put_varint(sink, (uint64_t)field << 3 | WIRE_BYTES);
    put_varint(sink, strlen(text));
    put(sink, text, strlen(text));
}

static void put_message(struct sink *sink, int field, put_fn *fn, const void *what)
{
    struct sink count = *sink;
    count.file = NULL, count.size = 0;
    fn(&count, what);
    put_varint(sink, (uint64_t)field << 3 | WIRE_BYTES);
    put_varint(sink, count.size);
    fn(sink, what);
}

static void put_attribute(struct sink *sink, const void *what)
{
    const struct vgg_onnx_attribute *attribute = what;
    put_text(sink, ATTRIBUTE_NAME, attribute->name);
    if (!attribute->count) put_number(sink, ATTRIBUTE_INT, (uint64_t)attribute->value[0]);
    for (int i = 0; i < attribute->count; i++)
        put_number(sink, ATTRIBUTE_INTS, (uint64_t)attribute->value[i]);
    put_number(sink, ATTRIBUTE_TYPE, attribute->count ? TYPE_INTS : TYPE_INT);
}

static void put_node(struct sink *sink, const void *what)
{
    const struct vgg_onnx_node *node = what;
    for (int i = 0; i < 3 && node->input[i]; i++)
        put_text(sink, NODE_INPUT, node->input[i]);
    put_text(sink, NODE_OUTPUT, node->output);
    put_text(sink, NODE_NAME, node->name);
    put_text(sink, NODE_KIND, node->kind);
    for (int i = 0; i < 3 && node->attribute[i].name; i++)
        put_message(sink, NODE_ATTRIBUTE, put_attribute, &node->attribute[i]);
}

static void put_tensor(struct sink *sink, const void *what)
{
    const struct vgg_onnx_tensor *tensor = what;
    size_t count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        put_number(sink, TENSOR_DIMS, (uint64_t)tensor->dim[i]);
        count = vgg_mem_mul(count, (size_t)tensor->dim[i]);
    }
    put_number(sink, TENSOR_TYPE, TYPE_FLOAT);
    put_text(sink, TENSOR_NAME, tensor->name);
    size_t size = vgg_mem_mul(count, sizeof(float));
    put_varint(sink, (uint64_t)TENSOR_RAW << 3 | WIRE_BYTES);
    put_varint(sink, size);
    if (!sink->file || sink->status != VGG_OK) {
        sink->size = vgg_mem_add(sink->size, size);
        return;
    }
    float *values = vgg_mem_aligned(size);
    if (!values) {
        sink->status = vgg_fail_memory(tensor->name, size);
        return;
    }
    sink->values(sink->user, (size_t)(tensor - sink->graph->tensor), values);
    put(sink, values, size);
    vgg_mem_free(values);
}

/* One extent: a number, or a name. */
struct extent {
    int value;
    const char *name;
};

static void put_extent(struct sink *sink, const void *what)
{
    const struct extent *extent = what;
    if (extent->value) put_number(sink, DIM_VALUE, (uint64_t)extent->value);
    if (!extent->value) put_text(sink, DIM_NAME, extent->name);
}

static void put_shape(struct sink *sink, const void *what)
{
    const struct vgg_onnx_value *value = what;
    for (int i = 0; i < value->rank; i++)
        put_message(sink, SHAPE_DIM, put_extent, &(struct extent) { value->dim[i], value->dim_name[i] });
}

static void put_tensor_type(struct sink *sink, const void *what)
{
    put_number(sink, TENSOR_ELEMENT, TYPE_FLOAT);
    put_message(sink, TENSOR_SHAPE, put_shape, what);
}

static void put_type(struct sink *sink, const void *what)
{
    put_message(sink, TYPE_TENSOR, put_tensor_type, what);
}

static void put_value(struct sink *sink, const void *what)
{
    const struct vgg_onnx_value *value = what;
    put_text(sink, VALUE_NAME, value->name);
    put_message(sink, VALUE_TYPE, put_type, value);
}

static void put_graph(struct sink *sink, const void *what)
{
    const struct vgg_onnx_graph *graph = what;
    for (size_t i = 0; i < graph->node_count; i++)
        put_message(sink, GRAPH_NODE, put_node, &graph->node[i]);
    put_text(sink, GRAPH_NAME, graph->name);
    for (size_t i = 0; i < graph->tensor_count; i++)
        put_message(sink, GRAPH_TENSOR, put_tensor, &graph->tensor[i]);
    put_message(sink, GRAPH_INPUT, put_value, &graph->input);
    put_message(sink, GRAPH_OUTPUT, put_value, &graph->output);
}

static void put_opset(struct sink *sink, const void *what)
{
    (void)what; /* the domain of the standard operators is the empty text */
    put_number(sink, OPSET_VERSION, OPERATORS);
}

static void put_meta(struct sink *sink, const void *what)
{
    const char *const *pair = what;
    put_text(sink, META_KEY, pair[0]);
    put_text(sink, META_VALUE, pair[1]);
}

static void put_model(struct sink *sink, const void *what)
{
    const struct vgg_onnx_graph *graph = what;
    put_number(sink, MODEL_IR, IR_VERSION);
    put_text(sink, MODEL_PRODUCER, "vgg16");
    put_text(sink, MODEL_PRODUCER_VERSION, vgg_version());
    put_message(sink, MODEL_OPSET, put_opset, NULL);
    put_message(sink, MODEL_GRAPH, put_graph, graph);
    for (const char *const *pair = graph->meta; pair && *pair; pair += 2)
        put_message(sink, MODEL_META, put_meta, pair);
}

enum vgg_status vgg_onnx_write(const char *path, const struct vgg_onnx_graph *graph, vgg_onnx_values_fn *values,
                               void *user)
{
    struct sink sink = { .graph = graph, .values = values, .user = user };
    put_model(&sink, graph);
    if (sink.size > INT_MAX) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: the network takes %zu bytes, and an ONNX file can have 2 GiB at most",
                        path, sink.size);
    }
    enum vgg_status status = vgg_file_create(&sink.file, path);
    if (status != VGG_OK) return status;
    sink.size = 0;
    put_model(&sink, graph);
    if (sink.status == VGG_OK) return vgg_file_commit(sink.file);
    vgg_file_abort(sink.file);
    return sink.status;
}
