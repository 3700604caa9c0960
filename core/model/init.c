/* What layers hold before they have learnt anything. */
#include "core/model/init.h"

#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/threads.h"

/* Fills kernel[0..count) with standard normal numbers times `scale`, four from each block of the layer's stream by the
 * transform of Box and Muller; block i gives elements 4 i to 4 i + 3 whatever the number of threads. */
static void fill_normal(float *kernel, size_t count, float scale, uint64_t seed, uint64_t layer)
{
    int threads = vgg_threads_start(0);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t i = 0; i < count; i += 4) {
        for (size_t k = 0; k < 4 && i + k < count; k += 2) {
            double u = 1.0 - (double)vgg_rng_uniform(seed, VGG_RNG_INIT, layer, i + k);
            double v = (double)vgg_rng_uniform(seed, VGG_RNG_INIT, layer, i + k + 1);
            double radius = (double)scale * sqrt(-2.0 * log(u)), angle = 6.283185307179586 * v;
            kernel[i + k] = (float)(radius * cos(angle));
            if (i + k + 1 < count) kernel[i + k + 1] = (float)(radius * sin(angle));
        }
    }
}

/* Convolutions: normal with variance 2 / fan-in. Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV
 * 2015. Dense layers: uniform within sqrt(6 / (in + out)), Keras' default. Source: Glorot and Bengio, AISTATS 2010. */
static void init_layer(struct vgg_model *model, int index, uint64_t seed)
{
    const struct vgg_layer *layer = &model->arch.layer[index];
    size_t count = vgg_view_count(&layer->kernel);
    float *kernel = vgg_model_param(model, &layer->kernel);
    if (layer->kind == VGG_LAYER_CONV) {
        fill_normal(kernel, count, sqrtf(2.0f / (9.0f * (float)layer->kernel.w)), seed, (uint64_t)index);
    } else {
        float limit = sqrtf(6.0f / (float)(layer->kernel.w + layer->kernel.c));
        for (size_t i = 0; i < count; i++) {
            kernel[i] = limit * (2.0f * vgg_rng_uniform(seed, VGG_RNG_INIT, (uint64_t)index, i) - 1.0f);
        }
    }
    memset(vgg_model_param(model, &layer->bias), 0, vgg_view_size(&layer->bias));
}

void vgg_model_init(struct vgg_model *model, int from, int to, uint64_t seed)
{
    for (int i = from; i < to; i++) {
        if (model->arch.layer[i].kernel.n) init_layer(model, i, seed);
    }
}

void vgg_model_init_identity(struct vgg_model *model, int layer)
{
    const struct vgg_view *k = &model->arch.layer[layer].kernel;
    size_t in = (size_t)k->w, out = (size_t)k->c, middle = (size_t)(k->n / 2 * k->h + k->h / 2);
    float *kernel = vgg_model_param(model, k);
    memset(kernel, 0, vgg_view_size(k));
    for (size_t c = 0; c < in; c++)
        kernel[(middle * in + c) * out + c] = 1.0f;
    memset(vgg_model_param(model, &model->arch.layer[layer].bias), 0, vgg_view_size(&model->arch.layer[layer].bias));
}
