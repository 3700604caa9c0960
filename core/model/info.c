/* info.c: what a model tells of itself, its class names, and its parameters one by one. */
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/data/escape.h"
#include "core/model/model.h"
#include "core/weights/weights.h"

int vgg_model_quantized(const struct vgg_model *model)
{
    return model->scales ? model->scales_images : 0;
}

int vgg_model_layer_count(const struct vgg_model *model)
{
    return model->arch.count;
}

enum vgg_status vgg_model_layer(const struct vgg_model *model, int index, struct vgg_layer_info *info)
{
    static const char *const kinds[] = { "conv", "maxpool", "flatten", "avgpool", "gmaxpool", "dense", "dropout" };
    if (index < 0 || index >= model->arch.count) {
        return vgg_fail(VGG_ERR_ARGUMENT, "layer %d: the network has layers 0 to %d", index, model->arch.count - 1);
    }
    const struct vgg_layer *layer = &model->arch.layer[index];
    int h, w, c;
    vgg_arch_shape(&model->arch, index - 1, &h, &w, &c);
    struct vgg_view x = { .n = 1, .h = h, .w = w, .c = c }, y = { .n = 1, .h = layer->h, .w = layer->w, .c = layer->c };
    static const enum vgg_op_kind ops[] = {
        [VGG_LAYER_CONV] = VGG_OP_CONV,          [VGG_LAYER_MAXPOOL] = VGG_OP_POOL2,
        [VGG_LAYER_FLATTEN] = VGG_OP_KIND_COUNT, [VGG_LAYER_AVGPOOL] = VGG_OP_AVGPOOL,
        [VGG_LAYER_GMAXPOOL] = VGG_OP_GMAXPOOL,  [VGG_LAYER_DENSE] = VGG_OP_DENSE,
        [VGG_LAYER_DROPOUT] = VGG_OP_KIND_COUNT,
    };
    struct vgg_op op = { .kind = ops[layer->kind], .x = x, .w = layer->kernel, .y = y };
    *info = (struct vgg_layer_info) {
        .name = layer->name,
        .kind = kinds[layer->kind],
        .height = layer->h,
        .width = layer->w,
        .channels = layer->c,
        .parameters = vgg_view_count(&layer->kernel) + vgg_view_count(&layer->bias),
        .flops = op.kind == VGG_OP_KIND_COUNT ? 0 : (uint64_t)vgg_op_flops(&op),
    };
    return VGG_OK;
}

int vgg_model_layer_find(const struct vgg_model *model, const char *name)
{
    return vgg_arch_find(&model->arch, name);
}

const char *vgg_model_arch(const struct vgg_model *model)
{
    return model->arch.name;
}

const char *vgg_model_weights(const struct vgg_model *model)
{
    return model->source;
}

void vgg_model_input(const struct vgg_model *model, int *height, int *width, enum vgg_preprocess *preprocess)
{
    *height = model->arch.h;
    *width = model->arch.w;
    *preprocess = model->preprocess;
}

int vgg_model_class_count(const struct vgg_model *model)
{
    return vgg_arch_classes(&model->arch);
}

const char *vgg_model_class_name(const struct vgg_model *model, int label)
{
    if (label < 0 || label >= vgg_arch_classes(&model->arch)) return NULL;
    if (model->class_names) return model->class_names[label];
    return model->head && strcmp(model->head, "top") == 0 ? vgg_imagenet_class(label) : NULL;
}

static bool is_number(const char *name)
{
    return name[strspn(name, "0123456789")] == '\0';
}

int vgg_model_class_find(const struct vgg_model *model, const char *name)
{
    int classes = vgg_arch_classes(&model->arch);
    for (int i = 0; i < classes; i++) {
        const char *known = vgg_model_class_name(model, i);
        if (known && strcmp(known, name) == 0) return i;
    }
    bool number = *name && strlen(name) < 8 && is_number(name);
    return number && atoi(name) < classes ? atoi(name) : -1;
}

int vgg_model_trainable(const struct vgg_model *model, const char *what)
{
    return vgg_arch_trainable(&model->arch, what);
}

enum vgg_status vgg_model_set_class_names(struct vgg_model *model, const char *const *names, int count)
{
    int classes = vgg_arch_classes(&model->arch);
    if (count != classes) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%d class names for a head with %d classes", count, classes);
    }
    char **copy = vgg_mem_calloc((size_t)count, sizeof *copy);
    bool complete = copy != NULL;
    for (int i = 0; complete && i < count; i++)
        complete = (copy[i] = vgg_escape(names[i])) != NULL;
    if (!complete) {
        for (int i = 0; copy && i < count; i++)
            free(copy[i]);
        free(copy);
        return vgg_fail_memory("class names", (size_t)count * sizeof *copy);
    }
    for (int i = 0; model->class_names && i < count; i++)
        free(model->class_names[i]);
    free(model->class_names);
    model->class_names = copy;
    return VGG_OK;
}

static enum vgg_status find_param(float **out, const struct vgg_model *model, int layer, bool bias, size_t count)
{
    struct vgg_layer_info info;
    *out = NULL;
    enum vgg_status status = vgg_model_layer(model, layer, &info);
    if (status != VGG_OK) return status;
    const struct vgg_view *view = bias ? &model->arch.layer[layer].bias : &model->arch.layer[layer].kernel;
    if (vgg_view_count(view) != count || count == 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s %s has %zu values, not %zu", info.name, bias ? "bias" : "kernel",
                        vgg_view_count(view), count);
    }
    status = vgg_model_whole(model);
    if (status != VGG_OK) return status;
    *out = vgg_model_param(model, view);
    return VGG_OK;
}

enum vgg_status vgg_model_get(const struct vgg_model *model, int layer, bool bias, float *values, size_t count)
{
    float *at = NULL;
    enum vgg_status status = find_param(&at, model, layer, bias, count);
    if (status == VGG_OK) memcpy(values, at, count * sizeof *at);
    return status;
}

enum vgg_status vgg_model_set(struct vgg_model *model, int layer, bool bias, const float *values, size_t count)
{
    float *at = NULL;
    enum vgg_status status = find_param(&at, model, layer, bias, count);
    if (status != VGG_OK) return status;
    memcpy(at, values, count * sizeof *at);
    if (layer < model->arch.base) vgg_model_drop_scales(model);
    return VGG_OK;
}
