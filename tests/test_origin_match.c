/* Features with a record of how they were made: neither models, options nor other features contradict it in silence,
 * and they go where it says. */
#include "data_files.h"

#include <math.h>

#include "core/base/rng.h"
#include "core/infer/origin_match.h"
#include "core/infer/sink.h"

enum { ITEMS = 4, HEIGHT = 40, WIDTH = 36 };

static char *folder, images[128], file[128], other[128];
static struct vgg_engine *engine;

static void set_up(void)
{
    static uint8_t x[ITEMS][HEIGHT][WIDTH][3];
    static int64_t y[ITEMS] = { 1, 0, 0, 1 };
    for (size_t i = 0; i < sizeof x; i++)
        (&x[0][0][0][0])[i] = (uint8_t)vgg_rng_below(3, VGG_RNG_INIT, 0, i, 256);
    struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_U8, 4, { ITEMS, HEIGHT, WIDTH, 3 }, x, sizeof x },
        { "y", VGG_DTYPE_I64, 1, { ITEMS }, y, sizeof y },
    };
    folder = make_folder();
    snprintf(images, sizeof images, "%s/images.safetensors", folder);
    snprintf(file, sizeof file, "%s/f.safetensors", folder);
    snprintf(other, sizeof other, "%s/g.safetensors", folder);
    cr_assert_eq(vgg_st_write(images, tensors, 2, NULL, 0), VGG_OK);
    cr_assert_eq(vgg_engine_create(&engine, &(struct vgg_engine_options) { .backend = "cpu", .threads = 1 }), VGG_OK);
}

static void tear_down(void)
{
    vgg_engine_destroy(engine);
    remove_folder(folder);
}

TestSuite(origin_match, .init = set_up, .fini = tear_down, .timeout = 120);

static struct vgg_data *open_data(const char *path)
{
    struct vgg_data *data;
    cr_assert_eq(vgg_data_open(&data, path), VGG_OK);
    return data;
}

/* block1_conv1 and block1_conv2 of a VGG13 have the same shape. */
static const struct vgg_model_options network = {
    .arch = "vgg13",
    .weights = "random",
    .last = "block1_conv2",
    .head = "gap,dense:2:softmax",
    .height = 32,
    .width = 48,
    .preprocess = VGG_PREPROCESS_TORCH,
    .seed = 9,
};

static struct vgg_model *new_model(const struct vgg_model_options *options)
{
    struct vgg_model *model;
    cr_assert_eq(vgg_model_create(&model, options), VGG_OK);
    return model;
}

static void extract(const char *path, const struct vgg_model *model, const char *layer, enum vgg_pooling pooling,
                    const struct vgg_image_options *how)
{
    struct vgg_features *features;
    struct vgg_features_options options = { .layer = layer, .pooling = pooling };
    struct vgg_data *data = open_data(images);
    cr_assert_eq(vgg_features_create(&features, engine, model, &options), VGG_OK);
    cr_assert_eq(vgg_features_extract(features, path, data, how, NULL, NULL), VGG_OK);
    vgg_features_destroy(features);
    vgg_data_destroy(data);
}

/* Evaluates; *loss may be NULL. */
static enum vgg_status evaluate(double *loss, const struct vgg_model *model, const char *path,
                                const struct vgg_image_options *how)
{
    struct vgg_evaluation *evaluation;
    struct vgg_evaluate_options options = { .images = how ? *how : (struct vgg_image_options) { 0 } };
    struct vgg_data *data = open_data(path);
    enum vgg_status status = vgg_evaluate(&evaluation, engine, model, data, &options);
    if (loss) *loss = status == VGG_OK ? evaluation->loss : (double)NAN;
    vgg_evaluation_destroy(evaluation);
    vgg_data_destroy(data);
    return status;
}

/* Trains no step. */
static enum vgg_status train(struct vgg_model *model, const char *path, const char *validation,
                             struct vgg_train_options options)
{
    struct vgg_data *data = open_data(path), *held = validation ? open_data(validation) : NULL;
    enum vgg_status status = vgg_train(engine, model, data, held, &options);
    vgg_data_destroy(held);
    vgg_data_destroy(data);
    return status;
}

/* ---- models ---- */

Test(origin_match, extraction_records)
{
    struct vgg_model *model = new_model(&network);
    struct vgg_image_options how = { .crop = VGG_CROP_CENTER };
    char expected[65];
    extract(file, model, "block1_conv1", VGG_POOLING_AVG, &how);
    struct vgg_data *data = open_data(file), *rest, *held;
    const struct vgg_origin *o = vgg_data_origin(data);
    cr_assert_not_null(o);
    cr_assert_eq(vgg_model_digest(model, 0, expected), VGG_OK);
    cr_expect_str_eq(o->digest, expected);
    cr_expect_str_eq(o->arch, "vgg13");
    cr_expect_str_eq(o->layer, "block1_conv1");
    cr_expect(o->pooling == VGG_POOLING_AVG && o->height == 32 && o->width == 48);
    cr_expect(o->preprocess == VGG_PREPROCESS_TORCH && o->crop == VGG_CROP_CENTER && o->resize == VGG_RESIZE_BILINEAR);
    cr_expect_str_eq(o->weights, "random");
    cr_expect_str_eq(o->source, "random");
    cr_expect_str_eq(o->decoder, "array");
    cr_expect_str_eq(o->precision, "fp32");
    cr_expect_str_eq(o->version, vgg_version());
    cr_assert_eq(vgg_data_split(&rest, &held, data, 0.5, 1), VGG_OK);
    cr_expect_eq(vgg_data_origin(rest), o);
    cr_expect_eq(vgg_data_origin(held), o);
    vgg_data_destroy(rest);
    vgg_data_destroy(held);
    vgg_data_destroy(data);
    data = open_data(images);
    cr_expect_null(vgg_data_origin(data));
    vgg_data_destroy(data);
    vgg_model_destroy(model);
}

Test(origin_match, digest_covers_the_layers_that_ran)
{
    struct vgg_model *model = new_model(&network);
    char first[65], second[65], third[65], now[65];
    float bias[64] = { 0 }, head[2] = { 0.5f, 0.25f };
    cr_assert_eq(vgg_model_digest(model, 0, first), VGG_OK);
    cr_assert_eq(vgg_model_digest(model, 1, second), VGG_OK);
    cr_assert_eq(vgg_model_digest(model, 3, third), VGG_OK);
    cr_expect_str_neq(first, second);
    cr_expect_str_neq(second, third);
    cr_assert_eq(vgg_model_digest(model, 2, now), VGG_OK); /* pooling has no parameters */
    cr_expect_str_eq(now, second);
    cr_assert_eq(vgg_model_set(model, 3, true, head, 2), VGG_OK);
    cr_assert_eq(vgg_model_digest(model, 3, now), VGG_OK);
    cr_expect_str_neq(now, third);
    bias[63] = 1e-30f;
    cr_assert_eq(vgg_model_set(model, 1, true, bias, 64), VGG_OK);
    cr_assert_eq(vgg_model_digest(model, 0, now), VGG_OK);
    cr_expect_str_eq(now, first);
    cr_assert_eq(vgg_model_digest(model, 1, now), VGG_OK);
    cr_expect_str_neq(now, second);
    EXPECT_FAILURE(vgg_model_digest(model, 4, now), VGG_ERR_ARGUMENT, "layer 4");
    EXPECT_FAILURE(vgg_model_digest(model, -1, now), VGG_ERR_ARGUMENT, "layer -1");
    vgg_model_destroy(model);
}

/* The shape alone fits the later of two equal layers. */
Test(origin_match, layer_follows_the_record)
{
    static const char *const layers[] = { "block1_conv1", "block1_conv2" };
    struct vgg_model *model = new_model(&network);
    double wanted, got;
    cr_assert_eq(evaluate(&wanted, model, images, NULL), VGG_OK);
    for (int i = 0; i < 2; i++) {
        extract(file, model, layers[i], VGG_POOLING_NONE, NULL);
        struct vgg_data *data = open_data(file);
        int first;
        cr_assert_eq(vgg_origin_first(&first, model, data), VGG_OK);
        cr_expect_eq(first, i + 1);
        vgg_data_destroy(data);
        cr_assert_eq(evaluate(&got, model, file, NULL), VGG_OK);
        cr_expect_float_eq(got, wanted, 1e-5 * fabs(wanted), "%s: %g, %g", layers[i], got, wanted);
    }
    extract(file, model, "block1_conv2", VGG_POOLING_AVG, NULL);
    cr_assert_eq(evaluate(&got, model, file, NULL), VGG_OK);
    cr_expect_float_eq(got, wanted, 1e-5 * fabs(wanted));
    extract(file, model, "dense_1", VGG_POOLING_NONE, NULL); /* the whole network */
    struct vgg_data *data = open_data(file);
    int first;
    cr_assert_eq(vgg_origin_first(&first, model, data), VGG_OK);
    cr_expect_eq(first, 4);
    vgg_data_destroy(data);
    vgg_model_destroy(model);
}

Test(origin_match, pooling_must_be_the_models)
{
    static const char *const heads[] = { "flatten,dense:2:softmax", "gap,dense:2:softmax", "gmp,dense:2:softmax" };
    static const char *const names[] = { "flatten", "global_average_pooling2d", "global_max_pooling2d" };
    char wanted[128];
    for (int h = 0; h < 3; h++) {
        struct vgg_model_options options = network;
        options.head = heads[h];
        options.last = "block3_pool";
        struct vgg_model *model = new_model(&options);
        double on_images, on_features;
        cr_assert_eq(evaluate(&on_images, model, images, NULL), VGG_OK);
        for (int p = VGG_POOLING_NONE; p <= VGG_POOLING_MAX; p++) {
            extract(file, model, "block3_pool", (enum vgg_pooling)p, NULL);
            if (p == VGG_POOLING_NONE || p == h) {
                cr_assert_eq(evaluate(&on_features, model, file, NULL), VGG_OK);
                cr_expect_float_eq(on_features, on_images, 1e-5 * fabs(on_images));
                continue;
            }
            snprintf(wanted, sizeof wanted, "with pooling %s, but the model goes on with %s",
                     p == VGG_POOLING_AVG ? "avg" : "max", names[h]);
            EXPECT_FAILURE(evaluate(NULL, model, file, NULL), VGG_ERR_ARGUMENT, wanted);
        }
        extract(file, model, "block1_conv1", VGG_POOLING_AVG, NULL); /* averages do not go through a convolution */
        EXPECT_FAILURE(evaluate(NULL, model, file, NULL), VGG_ERR_ARGUMENT, "goes on with block1_conv2");
        vgg_model_destroy(model);
    }
}

/* One thing after the other that the model, or an option, has otherwise. */
Test(origin_match, models_that_contradict)
{
    static const struct {
        struct vgg_model_options change;
        struct vgg_image_options how;
        const char *have, *want;
    } cases[] = {
        { { .arch = "vgg16" }, { 0 }, "arch vgg13", "wants vgg16" },
        { { .height = 48 }, { 0 }, "size 32x48", "wants 48x48" },
        { { .width = 32 }, { 0 }, "size 32x48", "wants 32x32" },
        { { .preprocess = VGG_PREPROCESS_CAFFE }, { 0 }, "preprocess torch", "wants caffe" },
        { { 0 }, { .preprocess = VGG_PREPROCESS_NONE }, "preprocess torch", "wants none" },
        { { 0 }, { .resize = VGG_RESIZE_BILINEAR }, "resize nearest", "wants bilinear" },
        { { 0 }, { .crop = VGG_CROP_CENTER }, "crop none", "wants center" },
        { { 0 }, { .decode = VGG_DECODE_FAST }, "decode exact", "wants fast" },
        { { .last = "block1_conv1" }, { 0 }, "holds features of block1_conv2", "this vgg13 does not have" },
    };
    struct vgg_model *model = new_model(&network);
    extract(file, model, "block1_conv2", VGG_POOLING_NONE, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct vgg_model_options *change = &cases[i].change;
        struct vgg_model_options options = network;
        if (change->arch) options.arch = change->arch;
        if (change->last) options.last = change->last;
        if (change->height) options.height = change->height;
        if (change->width) options.width = change->width;
        if (change->preprocess) options.preprocess = change->preprocess;
        struct vgg_model *changed = new_model(&options);
        struct vgg_train_options nothing = { .images = cases[i].how };
        EXPECT_FAILURE(evaluate(NULL, changed, file, &cases[i].how), VGG_ERR_ARGUMENT, cases[i].have);
        cr_expect_not_null(strstr(logged, cases[i].want), "%s", logged);
        cr_expect_not_null(strstr(logged, file), "%s", logged);
        EXPECT_FAILURE(train(changed, file, NULL, nothing), VGG_ERR_ARGUMENT, cases[i].want);
        EXPECT_FAILURE(train(changed, images, file, nothing), VGG_ERR_ARGUMENT, cases[i].want);
        vgg_model_destroy(changed);
    }
    /* Other weights below the layer, and above it. */
    float bias[64] = { [5] = 1 };
    char now[65];
    struct vgg_data *data = open_data(file);
    cr_assert_eq(vgg_model_set(model, 1, true, bias, 64), VGG_OK);
    cr_assert_eq(vgg_model_digest(model, 1, now), VGG_OK);
    now[12] = '\0';
    EXPECT_FAILURE(evaluate(NULL, model, file, NULL), VGG_ERR_ARGUMENT, now);
    snprintf(now, sizeof now, "%.12s", vgg_data_origin(data)->digest);
    cr_expect_not_null(strstr(logged, now), "%s", logged);
    EXPECT_FAILURE(train(model, file, NULL, (struct vgg_train_options) { 0 }), VGG_ERR_ARGUMENT, now);
    vgg_data_destroy(data);
    extract(file, model, "block1_conv1", VGG_POOLING_NONE, NULL);
    bias[5] = 2;
    cr_assert_eq(vgg_model_set(model, 1, true, bias, 64), VGG_OK);
    cr_expect_eq(evaluate(NULL, model, file, NULL), VGG_OK);
    vgg_model_destroy(model);
}

/* The record is a layer's, and its shape is not that layer's. */
static bool same_bytes(const char *a, const char *b)
{
    bool same = true;
    FILE *one = fopen(a, "rb"), *two = fopen(b, "rb");
    cr_assert(one && two);
    for (int c = 0; same && c != EOF;)
        same = (c = getc(one)) == getc(two);
    fclose(one);
    fclose(two);
    return same;
}

Test(origin_match, released_parameters_are_not_missed)
{
    enum { SIZE = 32 * 48 * 3, OUT = 32 * 48 * 64 };
    static float x[2 * SIZE], y[2 * OUT], expected[2 * OUT];
    for (size_t i = 0; i < 2 * SIZE; i++)
        x[i] = vgg_rng_uniform(4, VGG_RNG_INIT, 0, i) - 0.5f;
    for (int first = 0; first < 2; first++) { /* what the first pass is: an extraction, or one of an array */
        struct vgg_model *model = new_model(&network), *stranger = new_model(&network);
        struct vgg_data *data = open_data(images);
        struct vgg_features *features;
        float value[64];
        char now[65];
        extract(file, model, "block1_conv2", VGG_POOLING_NONE, NULL);
        cr_assert_eq(vgg_features_create(&features, engine, model,
                                         &(struct vgg_features_options) { .layer = "block1_conv2", .batch = 2 }),
                     VGG_OK);
        cr_assert_eq(vgg_features_run(features, expected, x, 2), VGG_OK);
        cr_assert_eq(vgg_model_get(model, 0, true, value, 64), VGG_OK, "released too early");
        vgg_features_release(features, stranger);
        cr_assert_eq(vgg_features_run(features, y, x, 1), VGG_OK);
        cr_assert_eq(vgg_model_get(model, 0, true, value, 64), VGG_OK);
        cr_assert_eq(vgg_model_get(stranger, 0, true, value, 64), VGG_OK);
        vgg_features_release(features, model);
        cr_assert_eq(vgg_model_get(model, 0, true, value, 64), VGG_OK);
        for (int i = 0; i < 2; i++) {
            if (i == first) {
                cr_assert_eq(vgg_features_run(features, y, x, 2), VGG_OK);
                cr_expect_arr_eq(y, expected, sizeof y);
            } else {
                cr_assert_eq(vgg_features_extract(features, other, data, NULL, NULL, NULL), VGG_OK);
                cr_expect(same_bytes(file, other), "another record or other features");
            }
            EXPECT_FAILURE(vgg_model_get(model, 0, true, value, 64), VGG_ERR_ARGUMENT, "released");
        }
        EXPECT_FAILURE(vgg_model_set(model, 0, true, value, 64), VGG_ERR_ARGUMENT, "released");
        EXPECT_FAILURE(vgg_model_digest(model, 0, now), VGG_ERR_ARGUMENT, "released");
        EXPECT_FAILURE(vgg_model_save(model, other), VGG_ERR_ARGUMENT, "released");
        EXPECT_FAILURE(evaluate(NULL, model, images, NULL), VGG_ERR_ARGUMENT, "released");
        EXPECT_FAILURE(train(model, images, NULL, (struct vgg_train_options) { .epochs = 1 }), VGG_ERR_ARGUMENT,
                       "released");
        vgg_features_destroy(features);
        vgg_data_destroy(data);
        vgg_model_destroy(stranger);
        vgg_model_destroy(model);
    }
}

Test(origin_match, shape_of_another_layer)
{
    struct vgg_model *model = new_model(&network);
    struct vgg_data *data = open_data(images);
    struct vgg_image_options how = { 0 };
    struct vgg_origin origin;
    struct vgg_sink *sink;
    static const float x[64];
    size_t index = 0;
    char hex[65];
    vgg_model_images(model, &how);
    cr_assert_eq(vgg_origin_make(&origin, hex, model, 1, VGG_POOLING_NONE, &how), VGG_OK);
    origin.decoder = "array", origin.precision = "fp32";
    cr_assert_eq(vgg_sink_create(&sink, file, data, 1, 1, 64, &origin), VGG_OK);
    cr_assert_eq(vgg_sink_append(sink, x, &index, 1), VGG_OK);
    cr_assert_eq(vgg_sink_commit(sink), VGG_OK);
    EXPECT_FAILURE(evaluate(NULL, model, file, NULL), VGG_ERR_FORMAT, "which gives 32x48x64, but it holds 1x1x64");
    vgg_data_destroy(data);
    vgg_model_destroy(model);
}

/* ---- training ---- */

Test(origin_match, validation_must_be_made_alike)
{
    static const struct vgg_image_options changes[] = { { .preprocess = VGG_PREPROCESS_NONE },
                                                        { .resize = VGG_RESIZE_LANCZOS },
                                                        { .crop = VGG_CROP_CENTER } };
    static const char *const texts[] = { "preprocess none, but", "resize lanczos, but", "crop center, but" };
    struct vgg_model *model = new_model(&network);
    struct vgg_train_options nothing = { 0 }, once = { .epochs = 1 };
    extract(file, model, "block1_conv2", VGG_POOLING_NONE, NULL);
    extract(other, model, "block1_conv2", VGG_POOLING_NONE, NULL);
    cr_expect_eq(train(model, file, other, once), VGG_OK);
    for (int i = 0; i < 3; i++) {
        extract(other, model, "block1_conv2", VGG_POOLING_NONE, &changes[i]);
        EXPECT_FAILURE(train(model, file, other, nothing), VGG_ERR_ARGUMENT, texts[i]);
        cr_expect_not_null(strstr(logged, file), "%s", logged);
        cr_expect_not_null(strstr(logged, other), "%s", logged);
    }
    extract(other, model, "block1_conv2", VGG_POOLING_AVG, NULL);
    EXPECT_FAILURE(train(model, file, other, nothing), VGG_ERR_ARGUMENT, "pooling avg, but");
    extract(other, model, "block1_conv1", VGG_POOLING_NONE, NULL);
    EXPECT_FAILURE(train(model, file, other, nothing), VGG_ERR_ARGUMENT, "layer block1_conv1, but");
    struct vgg_model_options options = network;
    options.seed++;
    struct vgg_model *another = new_model(&options);
    extract(other, another, "block1_conv2", VGG_POOLING_NONE, NULL);
    EXPECT_FAILURE(train(model, file, other, nothing), VGG_ERR_ARGUMENT, "digest ");
    vgg_model_destroy(another);
    vgg_model_destroy(model);
}

/* What trains below features would leave them behind. */
Test(origin_match, trains_only_above_features)
{
    struct vgg_model *model = new_model(&network);
    struct vgg_train_options options = { .epochs = 1, .trainable = "block1_conv2" };
    extract(file, model, "block1_conv2", VGG_POOLING_NONE, NULL);
    extract(other, model, "block1_conv1", VGG_POOLING_NONE, NULL);
    EXPECT_FAILURE(train(model, file, NULL, options), VGG_ERR_ARGUMENT, "\"block1_conv2\" lies below the features");
    EXPECT_FAILURE(train(model, images, file, options), VGG_ERR_ARGUMENT,
                   "\"block1_conv2\" lies below the validation features");
    cr_expect_eq(train(model, other, images, options), VGG_OK);
    vgg_model_destroy(model);
}

/* The numbers on features and on images agree because the record says how the images are to be fitted; the model
 * remembers it in its file. */
Test(origin_match, model_remembers_how_images_were_fitted)
{
    struct vgg_model *model = new_model(&network), *loaded;
    struct vgg_image_options how = { .resize = VGG_RESIZE_LANCZOS, .crop = VGG_CROP_CENTER }, plain = { 0 };
    struct vgg_history history;
    double on_features, on_images, on_loaded, otherwise;
    char path[128];
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    extract(file, model, "block1_conv2", VGG_POOLING_AVG, &how);
    struct vgg_train_options options = { .epochs = 2, .learning_rate = 0.1f, .history = &history };
    cr_assert_eq(train(model, file, images, options), VGG_OK);
    cr_assert_eq(evaluate(&on_features, model, file, NULL), VGG_OK);
    cr_assert_eq(evaluate(&on_images, model, images, NULL), VGG_OK);
    cr_expect_float_eq(on_images, on_features, 1e-5 * fabs(on_features), "%g %g", on_images, on_features);
    cr_expect_float_eq(history.epochs[1].val_loss, on_features, 1e-5 * fabs(on_features));
    vgg_history_finish(&history);
    cr_assert_eq(vgg_model_save(model, path), VGG_OK);
    cr_assert_eq(vgg_model_load(&loaded, path), VGG_OK);
    cr_assert_eq(evaluate(&on_loaded, loaded, images, NULL), VGG_OK);
    cr_expect_eq(on_loaded, on_images);
    how.resize = VGG_RESIZE_NEAREST, how.crop = VGG_CROP_NONE;
    cr_assert_eq(evaluate(&otherwise, loaded, images, &how), VGG_OK);
    cr_expect_gt(fabs(otherwise - on_images), 1e-4 * fabs(on_images));
    vgg_model_images(loaded, &plain);
    cr_expect(plain.resize == VGG_RESIZE_LANCZOS && plain.crop == VGG_CROP_CENTER);
    /* What it remembers, features must not contradict, but an option may. */
    extract(file, loaded, "block1_conv2", VGG_POOLING_AVG, &how);
    EXPECT_FAILURE(evaluate(NULL, loaded, file, NULL), VGG_ERR_ARGUMENT, "crop none");
    cr_expect_eq(evaluate(NULL, loaded, file, &how), VGG_OK);
    vgg_model_destroy(loaded);
    /* Without epochs, too; and as the base of another model. */
    cr_assert_eq(train(model, images, NULL, (struct vgg_train_options) { .images = how }), VGG_OK);
    cr_expect(model->resize == VGG_RESIZE_NEAREST && model->crop == VGG_CROP_NONE);
    vgg_model_destroy(model);
    struct vgg_model_options base = network;
    base.weights = path;
    model = new_model(&base);
    cr_expect(model->resize == VGG_RESIZE_LANCZOS && model->crop == VGG_CROP_CENTER);
    cr_expect_str_eq(model->weights, path);
    vgg_model_destroy(model);
    model = new_model(&network);
    cr_expect(model->resize == VGG_RESIZE_DEFAULT && model->crop == VGG_CROP_DEFAULT);
    vgg_model_destroy(model);
}
