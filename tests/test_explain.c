/* Grad-CAM against PyTorch in double precision (golden files by reference/golden_explain.py) on every backend found:
 * gradients of a class's score and maps, within 1e-3 of each array's scale. Files, pictures and what goes wrong. */
#include "data_files.h"

#include <math.h>

#include "core/infer/explain.h"
#include "tests/harness.h"

enum { SIZE = 64, IMAGE = 46 };
static const double BOUND = 1e-3, PROBABILITY_BOUND = 1e-4;

/* A VGG16 whose parameters follow the formula of the golden files. */
static struct vgg_model *make_model(const char *head)
{
    struct vgg_model *model;
    struct vgg_model_options options = { .weights = "random", .head = head, .height = SIZE, .width = SIZE };
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    for (int i = 0; i < model->arch.count; i++) {
        const struct vgg_layer *layer = &model->arch.layer[i];
        if (layer->kernel.n == 0) continue;
        size_t kernel = vgg_view_count(&layer->kernel);
        float *values = model->params + layer->kernel.offset / sizeof *values;
        harness_fill(values, kernel, 2 * (uint32_t)i, sqrt(6.0 / ((double)kernel / layer->kernel.c)));
        values = model->params + layer->bias.offset / sizeof *values;
        harness_fill(values, vgg_view_count(&layer->bias), 2 * (uint32_t)i + 1, 0.05);
    }
    return model;
}

static void open_engine(struct vgg_engine **engine, const struct harness_target *target)
{
    struct vgg_engine_options options = {
        .backend = target->backend, .device = target->device, .isa = target->isa, .conv = target->conv
    };
    cr_assert_eq(vgg_engine_create(engine, &options), VGG_OK, "%s does not open", target->name);
}

/* One map of one layer for one class, with the gradient behind it where the golden file tells it. */
static double check_map(struct vgg_explain *explain, const struct harness_golden *golden, const char *layer, int label,
                        const float *x, bool gradient, const char *target)
{
    char name[64];
    double error = 0;
    size_t places = (size_t)explain->h * (size_t)explain->w, count = places * (size_t)explain->c, classes;
    const double *wanted = harness_golden_find(golden, "probabilities", &classes);
    float *map = malloc(places * sizeof *map), probabilities[8];
    int explained = label;
    cr_assert_eq(vgg_explain_run(explain, map, probabilities, &explained, x), VGG_OK);
    cr_assert_eq(explained, label);
    for (size_t k = 0; k < classes; k++)
        cr_assert_float_eq(probabilities[k], wanted[k], PROBABILITY_BOUND, "%s: class %zu: %g, not %g", target, k,
                           (double)probabilities[k], wanted[k]);
    snprintf(name, sizeof name, "%s/%d/gradient", layer, label);
    if (gradient) error = harness_compare(golden, name, explain->slope, count, BOUND, target);
    snprintf(name, sizeof name, "%s/%d/map", layer, label);
    error = fmax(error, harness_compare(golden, name, map, places, BOUND, target));
    free(map);
    return error;
}

/* Plain C, which is slow, runs one map only, unless VGG16_TEST_ALL is set. */
static void like_pytorch(const char *name, const char *head, int labels, const char *const *layers)
{
    char path[64];
    snprintf(path, sizeof path, "golden/explain_%s.gold", name);
    struct harness_golden *golden = harness_golden_open(path);
    struct vgg_model *model = make_model(head);
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    bool ties = strcmp(name, "gmp") == 0, all = getenv("VGG16_TEST_ALL") != NULL;
    float *x = malloc(SIZE * SIZE * 3 * sizeof *x);
    harness_image(x, IMAGE, 1, SIZE, SIZE);
    for (size_t t = 0; t < targets; t++) {
        bool few = target[t].scalar && !all;
        struct vgg_engine *engine;
        double worst = 0;
        open_engine(&engine, &target[t]);
        for (const char *const *layer = layers; *layer; layer++) {
            struct vgg_explain *explain;
            if (few && layer > layers) break;
            cr_assert_eq(vgg_explain_create(&explain, engine, model, *layer), VGG_OK);
            for (int k = 0; k < (few ? 1 : labels); k++)
                worst = fmax(worst, check_map(explain, golden, *layer, k, x, !ties, target[t].name));
            vgg_explain_destroy(explain);
        }
        printf("%s: %s: %.1e\n", target[t].name, name, worst);
        vgg_engine_destroy(engine);
    }
    free(x);
    vgg_model_destroy(model);
    harness_golden_close(golden);
}

Test(explain, softmax_like_pytorch)
{
    static const char *const layers[] = { "block5_conv3", "block5_pool", "block4_conv3", "block3_conv2", "block2_pool",
                                          "block1_conv2", NULL };
    like_pytorch("flatten", "flatten,dense:16:relu,dropout:0.5,dense:8:relu,dense:5:softmax", 2, layers);
}

Test(explain, sigmoid_like_pytorch)
{
    static const char *const layers[] = { "block5_conv3", "block4_pool", "block5_pool", NULL };
    like_pytorch("gap", "gap,dense:1:sigmoid", 2, layers);
}

Test(explain, global_maximum_like_pytorch)
{
    static const char *const layers[] = { "block5_conv3", "block5_conv2", "block5_pool", NULL };
    like_pytorch("gmp", "gmp,dense:3:softmax", 3, layers);
}

Test(explain, failures)
{
    struct vgg_engine *engine;
    struct vgg_explain *explain;
    struct vgg_model *model, *bare;
    float map[64], *x = calloc(32 * 32 * 3, sizeof *x);
    int label = 5;
    struct vgg_model_options options = {
        .arch = "vgg11", .weights = "random", .height = 32, .width = 32, .last = "block2_pool"
    };
    cr_assert_eq(vgg_engine_create(&engine, &(struct vgg_engine_options) { .backend = "cpu" }), VGG_OK);
    cr_assert_eq(vgg_model_create(&bare, &options), VGG_OK);
    options.head = "gap,dense:3:softmax";
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    EXPECT_FAILURE(vgg_explain_create(&explain, engine, bare, NULL), VGG_ERR_ARGUMENT, "no classifier");
    cr_assert_null(explain);
    EXPECT_FAILURE(vgg_explain_create(&explain, engine, model, "block7"), VGG_ERR_ARGUMENT, "no layer block7");
    EXPECT_FAILURE(vgg_explain_create(&explain, engine, model, "dense_1"), VGG_ERR_ARGUMENT, "dense_1: has no map");
    cr_assert_eq(vgg_explain_create(&explain, engine, model, "block2_pool"), VGG_OK);
    EXPECT_FAILURE(vgg_explain_run(explain, map, NULL, &label, x), VGG_ERR_ARGUMENT, "class 5");
    label = -1; /* the predicted class */
    float p[3];
    cr_assert_eq(vgg_explain_run(explain, map, p, &label, x), VGG_OK);
    for (int k = 0; k < 3; k++)
        cr_assert_geq(p[label], p[k]);
    vgg_explain_destroy(explain);
    vgg_model_destroy(model);
    vgg_model_destroy(bare);
    vgg_engine_destroy(engine);
    free(x);
}
