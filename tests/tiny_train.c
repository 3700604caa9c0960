#include "tests/tiny_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/base/rng.h"
#include "core/data/data.h"
#include "core/format/safetensors.h"

const char *const tiny_model_names[TINY_CLASSES] = { "fig", "kiwi", "lime", "plum" };

static const int item_labels[TINY_ITEMS] = { 2, 0, 2, 2, 1, 0, 2, 2, 3, 2, 0, 2, 2, 1, 2, 2, 0, 2, 3, 2, 2,
                                             0, 2, 3, 2, 2, 0, 1, 2, 0, 2, 2, 3, 0, 2, 0, 2, 2, 1, 2, 0 },
                 item_map[] = { 3, 0, 2, 1 };
static const int held_labels[TINY_HELD] = { 1, 1, 0, 1, 2, 0, 1, 2, 2, 2, 1, 2, 2 }, held_map[] = { 2, 0, 3 };

static const int pair_labels[TINY_HELD] = { 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1 }, pair_map[] = { 1, 0 };

const struct tiny_set tiny_items = { "items", TINY_ITEMS, item_labels, item_map, "[\"plum\",\"fig\",\"lime\",\"kiwi\"]",
                                     1 },
                      tiny_held = { "held", TINY_HELD, held_labels, held_map, "[\"lime\",\"fig\",\"plum\"]", 2 },
                      tiny_pair = { "pair", TINY_HELD, pair_labels, pair_map, "[\"kiwi\",\"fig\"]", 3 },
                      tiny_plain = { "plain", TINY_HELD, NULL, NULL, NULL, 4 };

char tiny_folder[64];

static void path_of(char path[128], const struct tiny_set *set)
{
    snprintf(path, 128, "%s/%s.safetensors", tiny_folder, set->file);
}

/* Each image has a colour of its own, whatever its class, with noise. */
static void write_set(const struct tiny_set *set)
{
    static uint8_t x[TINY_ITEMS][TINY_SIZE][TINY_SIZE][3];
    int64_t y[TINY_ITEMS];
    char path[128];
    for (int i = 0; i < set->count; i++) {
        y[i] = set->labels ? set->labels[i] : 0;
        for (uint64_t k = 0; k < TINY_SIZE * TINY_SIZE * 3; k++) {
            uint32_t colour = vgg_rng_below(set->seed, VGG_RNG_INIT, 99, (uint64_t)i * 3 + k % 3, 180);
            (&x[i][0][0][0])[k] = (uint8_t)(colour + vgg_rng_below(set->seed, VGG_RNG_INIT, (uint64_t)i, k, 75));
        }
    }
    size_t items = (size_t)set->count;
    struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_U8, 4, { items, TINY_SIZE, TINY_SIZE, 3 }, x, items * sizeof x[0] },
        { "y", VGG_DTYPE_I64, 1, { items }, y, items * sizeof y[0] },
    };
    struct vgg_st_meta meta = { "classes", set->names };
    path_of(path, set);
    cr_assert_eq(vgg_st_write(path, tensors, set->labels ? 2 : 1, &meta, set->labels ? 1 : 0), VGG_OK);
}

void tiny_init(void)
{
    strcpy(tiny_folder, "/tmp/vgg16-tiny-XXXXXX");
    cr_assert(mkdtemp(tiny_folder));
    write_set(&tiny_items);
    write_set(&tiny_held);
    write_set(&tiny_pair);
    write_set(&tiny_plain);
}

void tiny_finish(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", tiny_folder);
    cr_assert_eq(system(command), 0);
}

struct vgg_engine *tiny_engine(void)
{
    struct vgg_engine *engine;
    cr_assert_eq(vgg_engine_create(&engine, &(struct vgg_engine_options) { .backend = "cpu", .threads = 2 }), VGG_OK);
    return engine;
}

struct vgg_data *tiny_open(const struct tiny_set *set)
{
    struct vgg_data *data;
    char path[128];
    path_of(path, set);
    cr_assert_eq(vgg_data_open(&data, path), VGG_OK);
    return data;
}

struct vgg_model *tiny_model(const char *head)
{
    struct vgg_model *model;
    struct vgg_model_options options = { .arch = "vgg11",
                                         .weights = "random",
                                         .head = head,
                                         .height = TINY_SIZE,
                                         .width = TINY_SIZE,
                                         .last = "block1_pool",
                                         .preprocess = VGG_PREPROCESS_RESCALE,
                                         .seed = 5 };
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    struct vgg_layer_info info;
    int last = vgg_model_layer_count(model) - 1;
    cr_assert_eq(vgg_model_layer(model, last, &info), VGG_OK);
    size_t count = (size_t)info.parameters - (size_t)info.channels;
    float *kernel = malloc(count * sizeof *kernel);
    cr_assert_eq(vgg_model_get(model, last, false, kernel, count), VGG_OK);
    for (size_t i = 0; i < count; i++)
        kernel[i] *= 20;
    cr_assert_eq(vgg_model_set(model, last, false, kernel, count), VGG_OK);
    free(kernel);
    cr_assert_eq(vgg_model_set_class_names(model, tiny_model_names, vgg_model_class_count(model)), VGG_OK);
    return model;
}

double *tiny_features(struct vgg_engine *engine, const struct vgg_model *model, const struct tiny_set *set,
                      const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass)
{
    enum { PIXELS = TINY_SIZE * TINY_SIZE * 3 };
    size_t items = (size_t)set->count;
    float *x = malloc(items * PIXELS * sizeof *x), *y = malloc(items * TINY_FEATURES * sizeof *y);
    double *wide = malloc(items * TINY_FEATURES * sizeof *wide);
    struct vgg_data *data = tiny_open(set);
    struct vgg_features *features;
    const struct vgg_features_options options = { .layer = "block1_pool", .pooling = VGG_POOLING_AVG };
    const struct vgg_image_options images = { .height = TINY_SIZE,
                                              .width = TINY_SIZE,
                                              .preprocess = VGG_PREPROCESS_RESCALE };
    for (size_t i = 0; i < items; i++)
        cr_assert_eq(vgg_data_fetch(data, i, &images, augment, seed, pass, x + i * PIXELS), VGG_OK);
    cr_assert_eq(vgg_features_create(&features, engine, model, &options), VGG_OK);
    cr_assert_eq(vgg_features_run(features, y, x, items), VGG_OK);
    for (size_t i = 0; i < items * TINY_FEATURES; i++)
        wide[i] = (double)y[i];
    vgg_features_destroy(features);
    vgg_data_destroy(data);
    free(x);
    free(y);
    return wide;
}

void tiny_get(struct tiny_dense *dense, const struct vgg_model *model)
{
    struct vgg_layer_info info;
    float kernel[TINY_FEATURES * TINY_CLASSES], bias[TINY_CLASSES];
    int last = vgg_model_layer_count(model) - 1;
    cr_assert_eq(vgg_model_layer(model, last, &info), VGG_OK);
    *dense = (struct tiny_dense) { .units = info.channels };
    size_t units = (size_t)dense->units;
    cr_assert_eq(vgg_model_get(model, last, false, kernel, TINY_FEATURES * units), VGG_OK);
    cr_assert_eq(vgg_model_get(model, last, true, bias, units), VGG_OK);
    for (size_t k = 0; k < units; k++) {
        dense->bias[k] = (double)bias[k];
        for (size_t f = 0; f < TINY_FEATURES; f++)
            dense->kernel[f][k] = (double)kernel[f * units + k];
    }
}

void tiny_probabilities(double *p, const struct tiny_dense *dense, const double *features)
{
    double z[TINY_CLASSES], sum = 0;
    for (int k = 0; k < dense->units; k++) {
        z[k] = dense->bias[k];
        for (int f = 0; f < TINY_FEATURES; f++)
            z[k] += features[f] * dense->kernel[f][k];
        sum += exp(z[k]);
    }
    if (dense->units == 1) {
        p[1] = 1 / (1 + exp(-z[0]));
        p[0] = 1 - p[1];
        return;
    }
    for (int k = 0; k < dense->units; k++)
        p[k] = exp(z[k]) / sum;
}

void tiny_centre(struct vgg_model *model, const double *features, int count)
{
    struct tiny_dense dense;
    double p[TINY_CLASSES], sum[TINY_CLASSES] = { 0 };
    float bias[TINY_CLASSES];
    tiny_get(&dense, model);
    for (int i = 0; i < count; i++) {
        tiny_probabilities(p, &dense, features + i * TINY_FEATURES);
        for (int k = 0; k < dense.units; k++)
            sum[k] += dense.units == 1 ? log(p[1] / p[0]) : log(p[k]);
    }
    for (int k = 0; k < dense.units; k++)
        bias[k] = (float)(dense.bias[k] - sum[k] / count);
    size_t units = (size_t)dense.units;
    cr_assert_eq(vgg_model_set(model, vgg_model_layer_count(model) - 1, true, bias, units), VGG_OK);
}
