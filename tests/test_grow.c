/* A shallow network grown into a deeper one of its family computes what it computed before. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/vgg16.h"

enum { SIZE = 32, PIXELS = SIZE * SIZE * 3, CHANNELS = 512 };

/* The features block5_pool of one image by `arch`, with the weights of that file. */
static void run(float *y, const char *arch, const char *weights, struct vgg_engine *engine)
{
    struct vgg_model *model;
    struct vgg_features *features;
    static float x[PIXELS];
    struct vgg_model_options options = { .arch = arch, .weights = weights, .height = SIZE, .width = SIZE };
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    cr_assert_eq(vgg_features_create(&features, engine, model, &(struct vgg_features_options) { 0 }), VGG_OK);
    for (int i = 0; i < PIXELS; i++)
        x[i] = sinf(0.37f * (float)i);
    cr_assert_eq(vgg_features_run(features, y, x, 1), VGG_OK);
    vgg_features_destroy(features);
    vgg_model_destroy(model);
}

Test(grow, deeper_networks_compute_the_same)
{
    char path[] = "/tmp/vgg16-grow-XXXXXX.safetensors";
    int file = mkstemps(path, 12);
    struct vgg_model *model;
    struct vgg_engine *engine;
    float shallow[CHANNELS], deep[CHANNELS], scale = 0;
    struct vgg_model_options options = {
        .arch = "vgg11", .weights = "random", .height = SIZE, .width = SIZE, .seed = 3
    };
    cr_assert_geq(file, 0);
    close(file);
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    cr_assert_eq(vgg_model_save(model, path), VGG_OK);
    vgg_model_destroy(model);

    cr_assert_eq(vgg_engine_create(&engine, &(struct vgg_engine_options) { .backend = "cpu", .conv = "direct" }),
                 VGG_OK);
    run(shallow, NULL, path, engine);
    for (int i = 0; i < CHANNELS; i++)
        scale = fmaxf(scale, shallow[i]);
    cr_assert_gt(scale, 0);
    const char *const archs[] = { "vgg13", "vgg16", "vgg19" };
    for (int a = 0; a < 3; a++) {
        run(deep, archs[a], path, engine);
        for (int i = 0; i < CHANNELS; i++)
            cr_assert(fabsf(deep[i] - shallow[i]) <= 1e-6f * scale, "%s: channel %d is %g, not %g", archs[a], i,
                      (double)deep[i], (double)shallow[i]);
    }
    vgg_engine_destroy(engine);
    unlink(path);
}

static void count_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)line;
    if (level == VGG_LOG_ERROR) ++*(int *)user;
}

/* Wider layers, and the first one of a block, cannot be made from what is there. */
Test(grow, truncated_weights_are_still_refused)
{
    char path[] = "/tmp/vgg16-grow-XXXXXX.safetensors";
    int file = mkstemps(path, 12), lines = 0;
    struct vgg_model *model;
    struct vgg_model_options options = {
        .arch = "vgg11", .weights = "random", .height = SIZE, .width = SIZE, .last = "block3_pool"
    };
    cr_assert_geq(file, 0);
    close(file);
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    cr_assert_eq(vgg_model_save(model, path), VGG_OK);
    vgg_model_destroy(model);
    vgg_log_set(count_line, &lines, VGG_LOG_ERROR);
    struct vgg_model_options deeper = { .arch = "vgg16", .weights = path, .height = SIZE, .width = SIZE };
    cr_assert_eq(vgg_model_create(&model, &deeper), VGG_ERR_MISSING);
    cr_assert_null(model);
    cr_assert_eq(lines, 1);
    vgg_log_set(NULL, NULL, VGG_LOG_WARNING);
    unlink(path);
}
