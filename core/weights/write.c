#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/torch.h"
#include "core/weights/names.h"
#include "core/weights/write.h"

/* What a safetensors file needs besides the caller's values. */
struct draft {
    struct vgg_st_tensor *tensor;
    size_t count;
    char (*name)[2 * VGG_WEIGHTS_NAME];
    float **turned; /* copies in PyTorch's order */
    struct vgg_st_meta *meta;
    size_t meta_count;
    char *dense;    /* names of classifier.0, .3, ... */
    uint16_t *half; /* the values of all tensors as F16 */
};

static void draft_finish(struct draft *draft, size_t layer_count)
{
    for (size_t i = 0; draft->turned && i < layer_count; i++)
        vgg_mem_free(draft->turned[i]);
    free(draft->turned);
    free(draft->tensor);
    free(draft->name);
    free(draft->meta);
    free(draft->dense);
    free(draft->half);
}

static size_t kernel_count(const struct vgg_weights_layer *layer)
{
    size_t n = 1;
    for (int i = 0; i < layer->rank; i++)
        n *= (size_t)layer->shape[i];
    return n;
}

static void add_tensor(struct draft *draft, const char *name, int rank, const int *shape, const float *data)
{
    struct vgg_st_tensor *tensor = &draft->tensor[draft->count];
    snprintf(draft->name[draft->count], sizeof *draft->name, "%s", name);
    *tensor = (struct vgg_st_tensor) { .name = draft->name[draft->count], .rank = rank, .data = data };
    tensor->size = sizeof *data;
    for (int i = 0; i < rank; i++) {
        tensor->shape[i] = (uint64_t)shape[i];
        tensor->size *= (size_t)shape[i];
    }
    draft->count++;
}

/* The library's [taps][channels][out] becomes PyTorch's [out][channels][taps]; NULL without memory. */
static float *turn_back(const float *kernel, size_t out, size_t channels, size_t taps)
{
    enum { TURN = 16 }; /* columns at once, so that rows are read in whole cache lines */
    size_t in = channels * taps;
    float *turned = vgg_mem_aligned(vgg_mem_mul(vgg_mem_mul(in, out), sizeof *turned));
    for (size_t first = 0; turned && first < out; first += TURN) {
        size_t n = out - first < TURN ? out - first : TURN;
        for (size_t t = 0; t < taps; t++) {
            for (size_t c = 0; c < channels; c++) {
                const float *src = kernel + (t * channels + c) * out + first;
                for (size_t o = 0; o < n; o++)
                    turned[(first + o) * in + c * taps + t] = src[o];
            }
        }
    }
    return turned;
}

/* Number of `features` of a convolution, or -1. The layers tell the architecture: the one that has all of them. */
static int feature_number(const struct vgg_weights_layer *layers, size_t count, const char *name)
{
    for (int i = 0; vgg_weights_names_arch(i); i++) {
        bool all = true;
        int number, result = -1;
        size_t found = 0, convs = 0;
        char conv[VGG_WEIGHTS_NAME];
        for (size_t k = 0; k < count; k++)
            convs += layers[k].kernel && layers[k].rank == 4;
        for (int k = 0; vgg_weights_names_conv(vgg_weights_names_arch(i), k, conv, &number); k++) {
            size_t at = 0;
            while (at < count && strcmp(layers[at].name, conv) != 0)
                at++;
            if (at < count) found++;
            if (strcmp(conv, name) == 0) result = number;
            all = all && (at < count || found == convs); /* what is not there stands above */
        }
        if (all && found == convs) return result;
    }
    return -1;
}

static enum vgg_status draft_torch(struct draft *draft, const char *path, const struct vgg_weights_layer *layers,
                                   size_t count, int feature_h, int feature_w)
{
    int dense = 0;
    size_t names = 1;
    bool usual = true;
    for (size_t i = 0; i < count; i++)
        names += strlen(layers[i].name) + 1;
    draft->dense = vgg_mem_calloc(names, 1);
    if (!draft->dense) return vgg_fail_memory(path, names);
    for (size_t i = 0; i < count; i++) {
        const struct vgg_weights_layer *layer = &layers[i];
        char name[VGG_WEIGHTS_NAME];
        if (!layer->kernel) continue;
        size_t in = 1, out = (size_t)layer->shape[layer->rank - 1], taps = 1;
        int shape[4];
        for (int k = 0; k + 1 < layer->rank; k++)
            in *= (size_t)layer->shape[k];
        if (layer->rank == 4) {
            int number = feature_number(layers, count, layer->name);
            if (number < 0) {
                return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: layer %s has no place in torchvision's VGG networks", path,
                                layer->name);
            }
            snprintf(name, sizeof name, "features.%d", number);
            taps = (size_t)layer->shape[0] * (size_t)layer->shape[1];
            shape[0] = layer->shape[3], shape[1] = layer->shape[2], shape[2] = layer->shape[0];
            shape[3] = layer->shape[1];
        } else {
            size_t flat = feature_h > 0 && feature_w > 0 ? (size_t)feature_h * (size_t)feature_w : 1;
            if (dense == 0 && in % flat == 0) taps = flat;
            usual = usual && dense < VGG_TOP_LAYERS && strcmp(layer->name, vgg_name(VGG_NAMES_TOP, dense)) == 0;
            snprintf(draft->dense + strlen(draft->dense), names - strlen(draft->dense), "%s%s", dense ? "," : "",
                     layer->name);
            snprintf(name, sizeof name, "classifier.%d", 3 * dense++);
            shape[0] = layer->shape[1], shape[1] = layer->shape[0];
        }
        draft->turned[i] = turn_back(layer->kernel, out, in / taps, taps);
        if (!draft->turned[i]) return vgg_fail_memory(path, kernel_count(layer) * sizeof(float));
        char full[2 * VGG_WEIGHTS_NAME];
        snprintf(full, sizeof full, "%s.weight", name);
        add_tensor(draft, full, layer->rank, shape, draft->turned[i]);
        snprintf(full, sizeof full, "%s.bias", name);
        add_tensor(draft, full, 1, &layer->shape[layer->rank - 1], layer->bias);
    }
    if (dense && !usual) draft->meta[draft->meta_count++] = (struct vgg_st_meta) { "dense", draft->dense };
    return VGG_OK;
}

static void draft_keras(struct draft *draft, const struct vgg_weights_layer *layers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct vgg_weights_layer *layer = &layers[i];
        char name[VGG_WEIGHTS_NAME];
        if (!layer->kernel) continue;
        snprintf(name, sizeof name, "%.100s/kernel", layer->name);
        add_tensor(draft, name, layer->rank, layer->shape, layer->kernel);
        snprintf(name, sizeof name, "%.100s/bias", layer->name);
        add_tensor(draft, name, 1, &layer->shape[layer->rank - 1], layer->bias);
    }
}

/* Never halved: steps may be below what F16 holds. */
static void draft_scales(struct draft *draft, const struct vgg_weights_layer *layers, size_t count)
{
    static const int shape[] = { VGG_QUANT_COUNT };
    for (size_t i = 0; i < count; i++) {
        char name[VGG_WEIGHTS_NAME];
        if (!layers[i].scales) continue;
        snprintf(name, sizeof name, "%.100s" VGG_WEIGHTS_INT8, layers[i].name);
        add_tensor(draft, name, 1, shape, layers[i].scales);
    }
}

/* Replaces the drafted values by copies in F16. */
static enum vgg_status draft_halve(struct draft *draft, const char *path)
{
    size_t total = 0;
    for (size_t i = 0; i < draft->count; i++)
        total += draft->tensor[i].size / sizeof(float);
    uint16_t *to = draft->half = vgg_mem_calloc(total, sizeof *to);
    if (!to) return vgg_fail_memory(path, total * sizeof *to);
    for (size_t i = 0; i < draft->count; i++) {
        struct vgg_st_tensor *tensor = &draft->tensor[i];
        const float *values = tensor->data;
        size_t count = tensor->size / sizeof *values, done = vgg_dtype_to_f16(to, values, count);
        if (done < count) {
            return vgg_fail(VGG_ERR_NUMERIC, "%s: %s holds %g, which F16 cannot; keep F32", path, tensor->name,
                            (double)values[done]);
        }
        tensor->dtype = VGG_DTYPE_F16;
        tensor->data = to;
        tensor->size = count * sizeof *to;
        to += count;
    }
    return VGG_OK;
}

static enum vgg_status write_tensors(const char *path, bool torch, bool pth, enum vgg_weights_precision precision,
                                     const struct vgg_weights_layer *layers, size_t count, int feature_h, int feature_w,
                                     const char *const *meta)
{
    enum vgg_status status;
    size_t pairs = 0;
    while (meta && meta[2 * pairs])
        pairs++;
    struct draft draft = {
        .tensor = vgg_mem_calloc(3 * count, sizeof *draft.tensor),
        .name = vgg_mem_calloc(3 * count, sizeof *draft.name),
        .turned = vgg_mem_calloc(count, sizeof *draft.turned),
        .meta = vgg_mem_calloc(pairs + 1, sizeof *draft.meta),
    };
    if (!draft.tensor || !draft.name || !draft.turned || !draft.meta) {
        status = vgg_fail_memory(path, 3 * count * sizeof *draft.tensor);
        goto fail;
    }
    for (size_t i = 0; i < pairs; i++) {
        if (strcmp(meta[2 * i], "dense") == 0) continue; /* written anew where it is needed */
        draft.meta[draft.meta_count++] = (struct vgg_st_meta) { meta[2 * i], meta[2 * i + 1] };
    }
    if (torch) {
        CHECK(draft_torch(&draft, path, layers, count, feature_h, feature_w));
    } else {
        draft_keras(&draft, layers, count);
    }
    if (precision == VGG_WEIGHTS_F16) CHECK(draft_halve(&draft, path));
    if (!torch) draft_scales(&draft, layers, count);
    CHECK(pth ? vgg_torch_write(path, draft.tensor, draft.count, draft.meta, draft.meta_count)
              : vgg_st_write(path, draft.tensor, draft.count, draft.meta, draft.meta_count));
fail:
    draft_finish(&draft, count);
    return status;
}

bool vgg_weights_keeps_scales(enum vgg_weights_layout layout)
{
    return layout == VGG_WEIGHTS_KERAS_SAFETENSORS;
}

enum vgg_status vgg_weights_write(const char *path, enum vgg_weights_layout layout,
                                  enum vgg_weights_precision precision, const struct vgg_weights_layer *layers,
                                  size_t count, int feature_h, int feature_w, const char *const *meta)
{
    switch (layout) {
    case VGG_WEIGHTS_KERAS_H5:
        if (precision != VGG_WEIGHTS_F32) {
            return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: HDF5 weights are written as F32; F16 needs .safetensors or .pth",
                            path);
        }
        return vgg_weights_write_h5(path, layers, count, meta);
    case VGG_WEIGHTS_TORCHVISION:
        return write_tensors(path, true, false, precision, layers, count, feature_h, feature_w, meta);
    case VGG_WEIGHTS_KERAS_SAFETENSORS:
        return write_tensors(path, false, false, precision, layers, count, feature_h, feature_w, meta);
    case VGG_WEIGHTS_PTH: return write_tensors(path, true, true, precision, layers, count, feature_h, feature_w, meta);
    case VGG_WEIGHTS_ONNX:
    case VGG_WEIGHTS_BY_EXTENSION: break;
    }
    return vgg_fail(VGG_ERR_ARGUMENT, "%s: no layout given to write weights in", path);
}
