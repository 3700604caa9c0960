/* Grad-CAM: which places of an image speak for a class. */
#include "core/infer/explain.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/engine.h"

enum { FINE = 5 }; /* a map with fewer places in height or width is warned of */

/* The last convolution of the base, or -1. */
static int last_convolution(const struct vgg_arch *arch)
{
    int layer = arch->base - 1;
    while (layer >= 0 && arch->layer[layer].kind != VGG_LAYER_CONV)
        layer--;
    return layer;
}

static enum vgg_status find_layer(int *layer, const struct vgg_arch *arch, const char *name)
{
    *layer = name ? vgg_arch_find(arch, name) : last_convolution(arch);
    if (vgg_arch_classes(arch) == 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "the model has no classifier, so there is no class to explain; train a head "
                                          "by `vgg16 train`, or use weights with their own top");
    }
    if (*layer < 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "the model has no layer %s%s", name ? name : "that is a convolution",
                        name ? vgg_arch_hint(arch, name).text : "");
    }
    if (*layer >= arch->base) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "layer %s: has no map to show; take a convolution or a pool of the base, "
                        "such as %s",
                        arch->layer[*layer].name, arch->layer[last_convolution(arch)].name);
    }
    return VGG_OK;
}

/* The last convolution of the base whose map has at least FINE x FINE places, or -1. */
static int last_fine_layer(const struct vgg_arch *arch)
{
    int best = -1;
    for (int i = 0, h, w, c; i < arch->base; i++) {
        vgg_arch_shape(arch, i, &h, &w, &c);
        if (arch->layer[i].kind == VGG_LAYER_CONV && h >= FINE && w >= FINE) best = i;
    }
    return best;
}

/* A map of few places says little about where. */
static void warn_coarse(const struct vgg_explain *explain)
{
    const struct vgg_arch *arch = &explain->model->arch;
    if (explain->h >= FINE && explain->w >= FINE) return;
    int finer = last_fine_layer(arch), h, w, c;
    const char *name = arch->layer[explain->layer].name;
    if (finer < 0) {
        vgg_log(VGG_LOG_WARNING, "%s: its map has %d x %d places only, which says little about where", name, explain->h,
                explain->w);
        return;
    }
    vgg_arch_shape(arch, finer, &h, &w, &c);
    vgg_log(VGG_LOG_WARNING, "%s: its map has %d x %d places only, which says little about where; layer %s has %d x %d",
            name, explain->h, explain->w, arch->layer[finer].name, h, w);
}

enum vgg_status vgg_explain_create(struct vgg_explain **out, struct vgg_engine *engine, const struct vgg_model *model,
                                   const char *layer)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_arch *arch = &model->arch;
    *out = NULL;
    struct vgg_explain *explain = vgg_mem_calloc(1, sizeof *explain);
    if (!explain) return vgg_fail_memory("an explanation", sizeof *explain);
    explain->model = model;
    CHECK(find_layer(&explain->layer, arch, layer));
    vgg_arch_shape(arch, explain->layer, &explain->h, &explain->w, &explain->c);
    warn_coarse(explain);
    struct vgg_plan_spec spec = {
        .arch = arch,
        .batch = 1,
        .last = arch->count,
        .trainable = arch->count,
        .gradient = explain->layer + 1,
        .precision = engine->backend->precision,
    };
    CHECK(vgg_net_create(&explain->net, engine->backend, &spec, 0, 0, engine->memory));
    CHECK(vgg_net_set_params(explain->net, model->params));
    size_t count = (size_t)explain->h * (size_t)explain->w * (size_t)explain->c;
    explain->y = vgg_mem_calloc(vgg_net_output(explain->net), sizeof *explain->y);
    explain->kept = vgg_mem_calloc(count, sizeof *explain->kept);
    explain->slope = vgg_mem_calloc(count, sizeof *explain->slope);
    explain->weights = vgg_mem_calloc((size_t)explain->c, sizeof *explain->weights);
    if (!explain->y || !explain->kept || !explain->slope || !explain->weights) {
        CHECK(vgg_fail_memory("an explanation", 2 * count * sizeof *explain->kept));
    }
    *out = explain;
    return VGG_OK;
fail:
    vgg_explain_destroy(explain);
    return status;
}

void vgg_explain_destroy(struct vgg_explain *explain)
{
    if (!explain) return;
    vgg_net_destroy(explain->net);
    free(explain->y);
    free(explain->kept);
    free(explain->slope);
    free(explain->weights);
    free(explain);
}

void vgg_explain_shape(const struct vgg_explain *explain, int *height, int *width)
{
    *height = explain->h;
    *width = explain->w;
}

/* The class asked for, or the predicted one, and its model. */
struct choice {
    const struct vgg_model *model;
    int label;
};

/* The gradient of the class's score with respect to all scores. */
static void seed_class(void *user, int first, int n, const float *y, float *seed)
{
    (void)first, (void)n; /* one image */
    struct choice *choice = user;
    const struct vgg_arch *arch = &choice->model->arch;
    int outputs = arch->layer[arch->count - 1].c;
    if (choice->label < 0) choice->label = vgg_model_predicted(choice->model, y);
    for (int i = 0; i < outputs; i++)
        seed[i] = i == choice->label ? 1.0f : 0.0f;
    if (outputs == 1) seed[0] = choice->label == 1 ? 1.0f : -1.0f;
}

/* weights[k] = mean of slope[.][k]; map = max(0, kept weights). Sums in double, in the order of the places. */
static void weigh(const struct vgg_explain *explain, float *map)
{
    size_t places = (size_t)explain->h * (size_t)explain->w, channels = (size_t)explain->c;
    double *weights = explain->weights;
    memset(weights, 0, channels * sizeof *weights);
    for (size_t i = 0; i < places; i++) {
        for (size_t k = 0; k < channels; k++)
            weights[k] += (double)explain->slope[i * channels + k];
    }
    for (size_t k = 0; k < channels; k++)
        weights[k] /= (double)places;
    for (size_t i = 0; i < places; i++) {
        double sum = 0;
        for (size_t k = 0; k < channels; k++)
            sum += weights[k] * (double)explain->kept[i * channels + k];
        map[i] = sum > 0 ? (float)sum : 0.0f;
    }
}

enum vgg_status vgg_explain_run(struct vgg_explain *explain, float *map, float *probabilities, int *label,
                                const float *x)
{
    int classes = vgg_arch_classes(&explain->model->arch);
    if (*label < -1 || *label >= classes) {
        return vgg_fail(VGG_ERR_ARGUMENT, "class %d: the model has classes 0 to %d", *label, classes - 1);
    }
    struct choice choice = { explain->model, *label };
    struct vgg_net_slopes io = { 1, x, explain->y, explain->kept, explain->slope, seed_class, &choice };
    enum vgg_status status = vgg_net_slopes(explain->net, &io);
    if (status != VGG_OK) return status;
    *label = choice.label;
    weigh(explain, map);
    if (!probabilities) return VGG_OK;
    if (vgg_net_output(explain->net) == 1) {
        probabilities[0] = 1.0f - explain->y[0], probabilities[1] = explain->y[0];
    } else {
        memcpy(probabilities, explain->y, (size_t)classes * sizeof *probabilities);
    }
    return VGG_OK;
}
