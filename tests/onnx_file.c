#include "tests/onnx_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

/* Numbers of fields and of types in onnx.proto. */
enum { MODEL_GRAPH = 7, GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_S = 4, ATTRIBUTE_INTS = 8 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_FLOATS = 4, TENSOR_INT64S = 7, TENSOR_RAW = 9 };
enum { TYPE_FLOAT = 1, TYPE_UINT8 = 2, TYPE_INT64 = 7, TYPE_BOOL = 9, TYPE_DOUBLE = 11 };

/* A message, read field by field: a number, and either `value` or `bytes`. */
struct field {
    const unsigned char *at, *end;
    int number;
    uint64_t value;
    const unsigned char *bytes;
    size_t size;
};

static uint64_t read_varint(const unsigned char **at, const unsigned char *end)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        cr_assert_lt(*at, end, "an ONNX file ends inside a number");
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) break;
    }
    return value;
}

static struct field message(const unsigned char *bytes, size_t size)
{
    return (struct field) { .at = bytes, .end = bytes + size };
}

static bool next(struct field *f)
{
    if (f->at == f->end) return false;
    uint64_t key = read_varint(&f->at, f->end);
    f->number = (int)(key >> 3);
    f->bytes = NULL, f->size = 0, f->value = 0;
    int wire = key & 7;
    if (wire == 0) {
        f->value = read_varint(&f->at, f->end);
        return true;
    }
    cr_assert(wire == 1 || wire == 2 || wire == 5, "an ONNX file uses wire type %d", wire);
    f->size = wire == 1 ? 8 : wire == 5 ? 4 : read_varint(&f->at, f->end);
    cr_assert_leq(f->size, (size_t)(f->end - f->at), "an ONNX file is truncated");
    f->bytes = f->at;
    f->at += f->size;
    return true;
}

/* The end of a field's bytes; NULL when it is a number. */
static const unsigned char *end_of(const struct field *f)
{
    return f->bytes ? f->bytes + f->size : NULL;
}

static float float_at(const unsigned char *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void fill_raw(struct onnx_tensor *tensor, int type, const unsigned char *raw, size_t size)
{
    size_t each = type == TYPE_FLOAT ? 4 : type == TYPE_UINT8 || type == TYPE_BOOL ? 1 : 8;
    cr_assert_eq(size, each * tensor->count);
    for (size_t i = 0; i < tensor->count; i++) {
        int64_t whole;
        switch (type) {
        case TYPE_FLOAT: tensor->values[i] = float_at(raw + 4 * i); break;
        case TYPE_DOUBLE: memcpy(&tensor->values[i], raw + 8 * i, 8); break;
        case TYPE_INT64:
            memcpy(&whole, raw + 8 * i, 8);
            tensor->values[i] = (double)whole;
            break;
        default: tensor->values[i] = raw[i]; break;
        }
    }
}

static void read_tensor(struct onnx_tensor *tensor, const unsigned char *bytes, size_t size)
{
    int type = 0;
    *tensor = (struct onnx_tensor) { .count = 1 };
    for (struct field f = message(bytes, size); next(&f);) {
        if (f.number == TENSOR_TYPE) type = (int)f.value;
        if (f.number != TENSOR_DIMS) continue;
        const unsigned char *at = f.bytes, *end = end_of(&f);
        do { /* packed, or one a field */
            cr_assert_lt(tensor->rank, ONNX_MAX_RANK);
            int64_t dim = (int64_t)(f.bytes ? read_varint(&at, end) : f.value);
            tensor->dims[tensor->rank++] = dim;
            tensor->count *= (size_t)dim;
        } while (at < end);
    }
    cr_assert(type == TYPE_FLOAT || type == TYPE_UINT8 || type == TYPE_INT64 || type == TYPE_BOOL ||
                  type == TYPE_DOUBLE,
              "a tensor has type %d", type);
    tensor->values = calloc(tensor->count + 1, sizeof *tensor->values);
    size_t floats = 0, wholes = 0;
    for (struct field f = message(bytes, size); next(&f);) {
        if (f.number == TENSOR_RAW) fill_raw(tensor, type, f.bytes, f.size);
        for (size_t i = 0; f.number == TENSOR_FLOATS && i < f.size / 4; i++)
            if (floats < tensor->count) tensor->values[floats++] = float_at(f.bytes + 4 * i);
        const unsigned char *at = f.bytes, *end = end_of(&f);
        while (f.number == TENSOR_INT64S && wholes < tensor->count) {
            tensor->values[wholes++] = (double)(int64_t)(f.bytes ? read_varint(&at, end) : f.value);
            if (at == end) break;
        }
    }
}

static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    cr_assert_eq(fread(bytes, 1, *size, file), *size, "%s cannot be read", path);
    fclose(file);
    return bytes;
}

static int read_tensors(struct onnx_tensor tensor[ONNX_MAX_TENSORS], const char *folder, const char *kind)
{
    for (int i = 0;; i++) {
        char path[640];
        size_t size;
        snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", folder, kind, i);
        unsigned char *bytes = read_file(path, &size);
        if (!bytes) return i;
        cr_assert_lt(i, ONNX_MAX_TENSORS);
        read_tensor(&tensor[i], bytes, size);
        free(bytes);
    }
}

bool onnx_open(struct onnx_case *c, const char *folder)
{
    char path[640];
    *c = (struct onnx_case) { 0 };
    snprintf(c->path, sizeof c->path, "%s", folder);
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    c->model = read_file(path, &c->model_size);
    if (!c->model) return false;
    for (struct field m = message(c->model, c->model_size); next(&m);) {
        if (m.number != MODEL_GRAPH) continue;
        for (struct field g = message(m.bytes, m.size); next(&g);) {
            if (g.number != GRAPH_INITIALIZER) continue;
            cr_assert_lt(c->initializers, ONNX_MAX_TENSORS);
            read_tensor(&c->initializer[c->initializers++], g.bytes, g.size);
        }
    }
    c->inputs = read_tensors(c->input, folder, "input");
    c->outputs = read_tensors(c->output, folder, "output");
    cr_assert(c->inputs > 0 && c->outputs > 0, "%s holds no tensors", folder);
    return true;
}

void onnx_close(struct onnx_case *c)
{
    for (int i = 0; i < ONNX_MAX_TENSORS; i++) {
        free(c->input[i].values);
        free(c->output[i].values);
        free(c->initializer[i].values);
    }
    free(c->model);
}

/* The attribute's message, false when the first node has none of that name. */
static bool find_attribute(const struct onnx_case *c, const char *name, struct field *attribute)
{
    for (struct field m = message(c->model, c->model_size); next(&m);) {
        if (m.number != MODEL_GRAPH) continue;
        for (struct field g = message(m.bytes, m.size); next(&g);) {
            if (g.number != GRAPH_NODE) continue;
            for (struct field n = message(g.bytes, g.size); next(&n);) {
                if (n.number != NODE_ATTRIBUTE) continue;
                for (struct field a = message(n.bytes, n.size); next(&a);) {
                    bool found = a.number == ATTRIBUTE_NAME && a.size == strlen(name) && !memcmp(a.bytes, name, a.size);
                    if (!found) continue;
                    *attribute = message(n.bytes, n.size);
                    return true;
                }
            }
            return false;
        }
    }
    return false;
}

int64_t onnx_int(const struct onnx_case *c, const char *name, int index, int64_t fallback)
{
    struct field a;
    if (!find_attribute(c, name, &a)) return fallback;
    int i = 0;
    while (next(&a)) {
        if (a.number == ATTRIBUTE_I) return (int64_t)a.value;
        if (a.number != ATTRIBUTE_INTS) continue;
        const unsigned char *at = a.bytes, *end = end_of(&a);
        do {
            int64_t value = (int64_t)(a.bytes ? read_varint(&at, end) : a.value);
            if (i++ == index) return value;
        } while (at < end);
    }
    return fallback;
}

double onnx_float(const struct onnx_case *c, const char *name, double fallback)
{
    struct field a;
    if (!find_attribute(c, name, &a)) return fallback;
    while (next(&a))
        if (a.number == ATTRIBUTE_F) return float_at(a.bytes);
    return fallback;
}

bool onnx_string_is(const struct onnx_case *c, const char *name, const char *value)
{
    struct field a;
    if (!find_attribute(c, name, &a)) return false;
    while (next(&a))
        if (a.number == ATTRIBUTE_S) return a.size == strlen(value) && !memcmp(a.bytes, value, a.size);
    return false;
}
