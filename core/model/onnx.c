/* A model as an ONNX graph, in the layout that ONNX's operators have: N x channels x height x width. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/onnx.h"
#include "core/model/export.h"

enum { MOST_NODES = 2 * VGG_MAX_LAYERS + 2, NAME = 48 };

/* A graph while it is made. */
struct draft {
    const struct vgg_model *model;
    struct vgg_onnx_node node[MOST_NODES];
    struct vgg_onnx_tensor tensor[2 * VGG_MAX_LAYERS];
    int layer[2 * VGG_MAX_LAYERS]; /* of each tensor */
    char name[4 * MOST_NODES][NAME];
    size_t nodes, tensors, names;
    const char *at; /* what the last node gives */
};

static const char *new_name(struct draft *draft, const char *layer, const char *what)
{
    char *name = draft->name[draft->names++];
    snprintf(name, NAME, "%s%s", layer, what);
    return name;
}

/* A node behind the last one; `part` tells it from others of the layer. */
static struct vgg_onnx_node *add(struct draft *draft, const char *kind, const char *layer, const char *part)
{
    struct vgg_onnx_node *node = &draft->node[draft->nodes++];
    node->kind = kind;
    node->name = new_name(draft, layer, part);
    node->input[0] = draft->at;
    node->output = draft->at = node->name;
    return node;
}

/* The kernel and bias of a layer as further inputs of a node. */
static void add_parameters(struct draft *draft, struct vgg_onnx_node *node, int index)
{
    const struct vgg_layer *layer = &draft->model->arch.layer[index];
    const struct vgg_view *k = &layer->kernel;
    bool conv = layer->kind == VGG_LAYER_CONV;
    struct vgg_onnx_tensor *tensor = &draft->tensor[draft->tensors];
    node->input[1] = new_name(draft, layer->name, ".weight");
    node->input[2] = new_name(draft, layer->name, ".bias");
    tensor[0] = (struct vgg_onnx_tensor) { node->input[1], conv ? 4 : 2, { k->c, k->w, k->n, k->h } };
    tensor[1] = (struct vgg_onnx_tensor) { node->input[2], 1, { k->c } };
    draft->layer[draft->tensors++] = index;
    draft->layer[draft->tensors++] = index;
}

static void add_activation(struct draft *draft, const struct vgg_layer *layer)
{
    switch (layer->activation) {
    case VGG_LINEAR: break;
    case VGG_RELU: add(draft, "Relu", layer->name, "_relu"); break;
    case VGG_SIGMOID: add(draft, "Sigmoid", layer->name, "_sigmoid"); break;
    case VGG_SOFTMAX:
        add(draft, "Softmax", layer->name, "_softmax")->attribute[0] = (struct vgg_onnx_attribute) { "axis", 0, { 1 } };
        break;
    }
}

static void add_layer(struct draft *draft, int index)
{
    const struct vgg_layer *layer = &draft->model->arch.layer[index];
    const char *name = layer->name;
    struct vgg_onnx_node *node;
    switch (layer->kind) {
    case VGG_LAYER_CONV:
        node = add(draft, "Conv", name, "");
        node->attribute[0] = (struct vgg_onnx_attribute) { "kernel_shape", 2, { 3, 3 } };
        node->attribute[1] = (struct vgg_onnx_attribute) { "pads", 4, { 1, 1, 1, 1 } };
        add_parameters(draft, node, index);
        break;
    case VGG_LAYER_MAXPOOL:
        node = add(draft, "MaxPool", name, "");
        node->attribute[0] = (struct vgg_onnx_attribute) { "kernel_shape", 2, { 2, 2 } };
        node->attribute[1] = (struct vgg_onnx_attribute) { "strides", 2, { 2, 2 } };
        break;
    case VGG_LAYER_FLATTEN:
        if (index + 1 == draft->model->arch.count) /* the output's order is the library's */
            add(draft, "Transpose", name, "_order")->attribute[0] =
                (struct vgg_onnx_attribute) { "perm", 4, { 0, 2, 3, 1 } };
        add(draft, "Flatten", name, "");
        break;
    case VGG_LAYER_AVGPOOL:
    case VGG_LAYER_GMAXPOOL:
        add(draft, layer->kind == VGG_LAYER_AVGPOOL ? "GlobalAveragePool" : "GlobalMaxPool", name, "");
        add(draft, "Flatten", name, "_flatten");
        break;
    case VGG_LAYER_DENSE:
        node = add(draft, "Gemm", name, "");
        node->attribute[0] = (struct vgg_onnx_attribute) { "transB", 0, { 1 } };
        add_parameters(draft, node, index);
        break;
    case VGG_LAYER_DROPOUT: break; /* does nothing outside of training */
    }
    add_activation(draft, layer);
}

/* The library's [taps][channels][out] as [out][channels][taps]; behind Flatten the taps are the pixels that it saw. */
static void fill(void *user, size_t index, float *dst)
{
    const struct draft *draft = user;
    const struct vgg_arch *arch = &draft->model->arch;
    int at = draft->layer[index];
    const struct vgg_layer *layer = &arch->layer[at];
    const char *params = (const char *)draft->model->params;
    size_t out = (size_t)layer->kernel.c, taps = 1;
    if (draft->tensor[index].rank == 1) {
        memcpy(dst, params + layer->bias.offset, out * sizeof *dst);
        return;
    }
    const float *kernel = (const float *)(const void *)(params + layer->kernel.offset);
    if (layer->kind == VGG_LAYER_CONV) taps = (size_t)layer->kernel.n * (size_t)layer->kernel.h;
    /* Dropout may stand between. */
    while (at > 0 && layer->kind == VGG_LAYER_DENSE && arch->layer[at - 1].kind == VGG_LAYER_DROPOUT)
        at--;
    if (layer->kind == VGG_LAYER_DENSE && at > 0 && arch->layer[at - 1].kind == VGG_LAYER_FLATTEN) {
        int h, w, c;
        vgg_arch_shape(arch, at - 2, &h, &w, &c);
        taps = (size_t)h * (size_t)w;
    }
    size_t channels = vgg_view_count(&layer->kernel) / out / taps;
    for (size_t o = 0; o < out; o++) {
        for (size_t c = 0; c < channels; c++) {
            for (size_t t = 0; t < taps; t++)
                *dst++ = kernel[(t * channels + c) * out + o];
        }
    }
}

/* What the numbers of the input are, in words. */
static const char *input_words(enum vgg_preprocess preprocess)
{
    switch (preprocess) {
    case VGG_PREPROCESS_CAFFE:
        return "N x 3 x height x width: blue, green, red from 0 to 255 minus 103.939, 116.779, 123.68";
    case VGG_PREPROCESS_TORCH:
        return "N x 3 x height x width: red, green, blue from 0 to 1, minus 0.485, 0.456, 0.406, divided by 0.229, "
               "0.224, "
               "0.225";
    case VGG_PREPROCESS_RESCALE: return "N x 3 x height x width: red, green, blue from 0 to 1";
    case VGG_PREPROCESS_NONE: return "N x 3 x height x width: red, green, blue from 0 to 255";
    case VGG_PREPROCESS_DEFAULT: break;
    }
    return "N x 3 x height x width";
}

static bool any_size(const struct vgg_arch *arch)
{
    for (int i = 0; i < arch->count; i++) {
        if (arch->layer[i].kind == VGG_LAYER_FLATTEN) return false;
    }
    return true;
}

enum vgg_status vgg_model_write_onnx(const struct vgg_model *model, const char *path, const char *const *meta)
{
    const struct vgg_arch *arch = &model->arch;
    const struct vgg_layer *last = &arch->layer[arch->count - 1];
    size_t pairs = 0;
    while (meta[pairs])
        pairs++;
    struct draft *draft = vgg_mem_calloc(1, sizeof *draft);
    const char **words = vgg_mem_calloc(pairs + 3, sizeof *words);
    enum vgg_status status = VGG_OK;
    if (!draft || !words) {
        status = vgg_fail_memory(path, sizeof *draft);
        goto fail;
    }
    memcpy(words, meta, pairs * sizeof *words);
    words[pairs] = "input";
    words[pairs + 1] = input_words(model->preprocess);
    draft->model = model;
    draft->at = "input";
    for (int i = 0; i < arch->count; i++)
        add_layer(draft, i);
    draft->node[draft->nodes - 1].output = "output";
    bool any = any_size(arch), flat = last->h == 1 && last->w == 1 && arch->count > arch->base;
    struct vgg_onnx_graph graph = {
        .name = arch->name,
        .node = draft->node,
        .node_count = draft->nodes,
        .tensor = draft->tensor,
        .tensor_count = draft->tensors,
        .input = { "input", 4, { 0, 3, any ? 0 : arch->h, any ? 0 : arch->w }, { "N", NULL, "height", "width" } },
        .output = { "output", flat ? 2 : 4, { 0, last->c }, { "N", NULL, "rows", "columns" } },
        .meta = words,
    };
    status = vgg_onnx_write(path, &graph, fill, draft);
fail:
    free(words);
    free(draft);
    return status;
}
