/* Training end to end on small synthetic images: learning, resuming, splitting, reproducing. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/data/loader.h"
#include "core/engine/engine.h"
#include "core/engine/net.h"
#include "core/format/safetensors.h"
#include "core/model/model.h"

enum { SIZE = 32, ITEMS = 36, CLASSES = 3, EPOCHS = 4 };

static char folder[] = "/tmp/vgg16-train-XXXXXX";
static char images[64], held[64], checkpoints[64];
static char last_error[512];

static void listen(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level == VGG_LOG_ERROR) snprintf(last_error, sizeof last_error, "%s", line);
}

/* The class of item i, in no order. */
static int label_of(int i, int classes)
{
    return (int)vgg_rng_below(9, VGG_RNG_INIT, (uint64_t)classes, (uint64_t)i, (uint32_t)classes);
}

/* Items from, from + 1, ... Class k is bright in channel first + k, with noise. */
static void write_images(const char *path, int from, int first, int classes, const char *names)
{
    static uint8_t x[ITEMS][SIZE][SIZE][3];
    static int64_t y[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        y[i] = label_of(from + i, classes);
        for (int k = 0; k < SIZE * SIZE * 3; k++) {
            uint32_t noise = vgg_rng_below(7, VGG_RNG_INIT, (uint64_t)(from + i), (uint64_t)k, 120);
            (&x[i][0][0][0])[k] = (uint8_t)(noise + (k % 3 == first + y[i] ? 120u : 0u));
        }
    }
    struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_U8, 4, { ITEMS, SIZE, SIZE, 3 }, x, sizeof x },
        { "y", VGG_DTYPE_I64, 1, { ITEMS }, y, sizeof y },
    };
    struct vgg_st_meta meta = { "classes", names };
    cr_assert_eq(vgg_st_write(path, tensors, 2, &meta, 1), VGG_OK);
}

static void set_up(void)
{
    vgg_log_set(listen, NULL, VGG_LOG_ERROR);
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(images, sizeof images, "%s/images.safetensors", folder);
    snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", folder);
    snprintf(held, sizeof held, "%s/held.safetensors", folder);
    write_images(images, 0, 0, CLASSES, "[\"red\",\"green\",\"blue\"]");
    write_images(held, ITEMS, 0, CLASSES, "[\"red\",\"green\",\"blue\"]");
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(train, .init = set_up, .fini = tear_down, .timeout = 120);

static struct vgg_model *new_model_with(const char *head)
{
    struct vgg_model *model;
    struct vgg_model_options options = {
        .arch = "vgg11",
        .weights = "random",
        .head = head,
        .height = SIZE,
        .width = SIZE,
        .seed = 5,
    };
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    return model;
}

static struct vgg_model *new_model(void)
{
    return new_model_with("flatten,dense:16:relu,dropout:0.5,dense:3:softmax");
}

static struct vgg_train_options new_options(void)
{
    return (struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_ADAM, .epochs = EPOCHS, .batch = 8, .seed = 11 };
}

static const char *conv; /* of the engines below; NULL: auto */

static enum vgg_status train_on(struct vgg_model *model, const struct vgg_train_options *options, int threads,
                                uint64_t memory)
{
    struct vgg_engine *engine;
    struct vgg_data *data, *validation;
    struct vgg_engine_options engine_options = { .backend = "cpu", .conv = conv, .threads = threads, .memory = memory };
    cr_assert_eq(vgg_engine_create(&engine, &engine_options), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    cr_assert_eq(vgg_data_open(&validation, held), VGG_OK);
    enum vgg_status status = vgg_train(engine, model, data, validation, options);
    vgg_data_destroy(data);
    vgg_data_destroy(validation);
    vgg_engine_destroy(engine);
    return status;
}

static void assert_same(const struct vgg_model *a, const struct vgg_model *b)
{
    cr_assert_eq(memcmp(a->params, b->params, a->arch.param_size), 0, "parameters differ");
}

static void assert_close(const struct vgg_model *a, const struct vgg_model *b, double bound)
{
    double worst = 0.0, scale = 0.0;
    for (size_t i = 0; i < a->arch.param_size / sizeof(float); i++) {
        worst = fmax(worst, fabs((double)a->params[i] - (double)b->params[i]));
        scale = fmax(scale, fabs((double)b->params[i]));
    }
    cr_assert_leq(worst, bound * scale, "parameters differ by %g of %g", worst, scale);
}

static struct vgg_epoch last_epoch;

static void keep_epoch(void *user, const struct vgg_epoch *epoch)
{
    (void)user;
    last_epoch = *epoch;
}

Test(train, head_learns_separable_classes)
{
    struct vgg_model *model = new_model_with("gap,dense:3:softmax");
    struct vgg_train_options options = new_options();
    options.learning_rate = 0.05f;
    options.epochs = 30;
    options.on_epoch = keep_epoch;
    cr_assert_eq(train_on(model, &options, 0, 0), VGG_OK);
    cr_assert_geq(last_epoch.val_accuracy, 0.95);
    cr_assert_str_eq(vgg_model_class_name(model, 1), "green");
    vgg_model_destroy(model);
}

Test(train, same_bits_for_any_number_of_threads)
{
    struct vgg_train_options options = new_options();
    options.trainable = "block5";
    options.augment = (struct vgg_augment_options) { .rotate = 20, .flip = true };
    options.epochs = 2;
    struct vgg_model *one = new_model();
    cr_assert_eq(train_on(one, &options, 1, 0), VGG_OK);
    for (int threads = 2; threads <= 3; threads++) {
        struct vgg_model *more = new_model();
        cr_assert_eq(train_on(more, &options, threads, 0), VGG_OK);
        assert_same(one, more);
        vgg_model_destroy(more);
    }
    vgg_model_destroy(one);
}

/* Counts steps down and stops at zero. */
static bool stop_after(void *user, const struct vgg_progress *progress)
{
    int *left = user;
    return strcmp(progress->phase, "train") != 0 || --*left > 0;
}

static void compare_files(const char *a, const char *b)
{
    char command[256];
    snprintf(command, sizeof command, "cmp %s %s", a, b);
    cr_assert_eq(system(command), 0, "%s and %s differ", a, b);
}

Test(train, interrupted_at_any_step_it_goes_on_with_the_same_bits)
{
    char straight_csv[64], resumed_csv[64];
    snprintf(straight_csv, sizeof straight_csv, "%s/straight.csv", folder);
    snprintf(resumed_csv, sizeof resumed_csv, "%s/resumed.csv", folder);
    struct vgg_train_options options = new_options();
    options.trainable = "block5";
    options.log = straight_csv;
    struct vgg_model *straight = new_model();
    cr_assert_eq(train_on(straight, &options, 0, 0), VGG_OK);

    options.log = resumed_csv;
    options.checkpoint = checkpoints;
    options.resume = true;
    options.progress = stop_after;
    int stops = 0;
    for (;; stops++) {
        int left = 7; /* within the second epoch, then within others; 5 steps an epoch */
        struct vgg_model *model = new_model();
        options.user = &left;
        enum vgg_status status = train_on(model, &options, 0, 0);
        if (status == VGG_OK) assert_same(straight, model);
        vgg_model_destroy(model);
        if (status == VGG_OK) break;
        cr_assert_eq(status, VGG_INTERRUPTED);
        cr_assert_lt(stops, 20);
    }
    cr_assert_geq(stops, 2);
    compare_files(straight_csv, resumed_csv);
    vgg_model_destroy(straight);
}

static void die_after_epoch_2(void *user, const struct vgg_epoch *epoch)
{
    (void)user;
    if (epoch->epoch == 2) kill(getpid(), SIGKILL);
}

Test(train, killed_it_goes_on_with_the_same_bits)
{
    struct vgg_train_options options = new_options();
    options.checkpoint = checkpoints;
    options.resume = true;
    pid_t child = fork();
    if (child == 0) {
        options.on_epoch = die_after_epoch_2;
        train_on(new_model(), &options, 0, 0);
        _exit(0);
    }
    int how;
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFSIGNALED(how));
    struct vgg_model *resumed = new_model(), *straight = new_model();
    cr_assert_eq(train_on(resumed, &options, 0, 0), VGG_OK);
    options.checkpoint = NULL;
    options.resume = false;
    cr_assert_eq(train_on(straight, &options, 0, 0), VGG_OK);
    assert_same(straight, resumed);
    vgg_model_destroy(resumed);
    vgg_model_destroy(straight);
}

Test(train, damaged_checkpoint_is_passed_over_and_other_settings_are_refused)
{
    struct vgg_train_options options = new_options();
    options.checkpoint = checkpoints;
    struct vgg_model *straight = new_model(), *resumed = new_model(), *other = new_model();
    cr_assert_eq(train_on(straight, &options, 0, 0), VGG_OK);
    char command[256];
    snprintf(command, sizeof command, "truncate -s 1000 $(ls %s/* | tail -1)", checkpoints);
    cr_assert_eq(system(command), 0);
    options.resume = true;
    cr_assert_eq(train_on(resumed, &options, 0, 0), VGG_OK);
    assert_same(straight, resumed);
    options.batch = 9;
    cr_assert_eq(train_on(other, &options, 0, 0), VGG_ERR_ARGUMENT);
    cr_assert(strstr(last_error, "batch 8 then, 9 now"), "%s", last_error);
    vgg_model_destroy(straight);
    vgg_model_destroy(resumed);
    vgg_model_destroy(other);
}

/* A network whose memory is activations: some 0.8 MiB an image, and hardly any parameters. */
static struct vgg_model *new_wide_model(void)
{
    struct vgg_model *model;
    struct vgg_model_options options = { .arch = "vgg11",
                                         .weights = "random",
                                         .head = "gap,dropout:0.3,dense:3:softmax",
                                         .height = SIZE,
                                         .width = SIZE,
                                         .last = "block2_pool",
                                         .seed = 5 };
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    return model;
}

Test(train, the_same_bits_on_any_memory)
{
    struct vgg_train_options options = new_options();
    options.trainable = "all";
    options.optimizer = VGG_OPTIMIZER_SGD;
    options.momentum = 0.9f;
    options.epochs = 2;
    options.shard = 2;
    struct vgg_model *whole = new_wide_model();
    cr_assert_eq(train_on(whole, &options, 0, 0), VGG_OK);
    static const int mib[] = { 4, 5, 7, 11, 500 };
    int trained = 0;
    for (size_t i = 0; i < sizeof mib / sizeof *mib; i++) {
        struct vgg_model *limited = new_wide_model();
        enum vgg_status status = train_on(limited, &options, 0, (uint64_t)mib[i] << 20);
        if (status == VGG_OK) {
            assert_same(whole, limited);
            cr_assert_eq(limited->shard, 2);
            trained++;
        } else {
            cr_assert_eq(status, VGG_ERR_MEMORY);
        }
        vgg_model_destroy(limited);
    }
    cr_assert_geq(trained, 4);
    vgg_model_destroy(whole);
}

Test(train, memory_that_does_not_suffice_names_the_shard_that_would)
{
    struct vgg_train_options options = new_options();
    options.trainable = "all";
    options.optimizer = VGG_OPTIMIZER_SGD;
    options.momentum = 0.9f;
    options.epochs = 2;
    struct vgg_model *whole = new_wide_model(), *refused = new_wide_model(), *split = new_wide_model();
    cr_assert_eq(train_on(whole, &options, 0, 0), VGG_OK);
    const uint64_t memory = 3 << 20;
    cr_assert_eq(train_on(refused, &options, 0, memory), VGG_ERR_MEMORY);
    cr_assert(strstr(last_error, "a shard of 8 images of 32x32 needs"), "%s", last_error);
    const char *advice = strstr(last_error, "--shard ");
    cr_assert(advice, "%s", last_error);
    int shard = atoi(advice + 8);
    cr_assert(shard == 2 || shard == 4, "%s", last_error);
    options.shard = 2 * shard;
    cr_assert_eq(train_on(refused, &options, 0, memory), VGG_ERR_MEMORY);
    options.shard = shard;
    cr_assert_eq(train_on(split, &options, 0, memory), VGG_OK, "%s", last_error);
    assert_close(split, whole, 1e-5);
    cr_assert_eq(train_on(refused, &options, 0, 1 << 20), VGG_ERR_MEMORY);
    cr_assert(strstr(last_error, "training 32x32 in batches of 8 needs"), "%s", last_error);
    vgg_model_destroy(whole);
    vgg_model_destroy(refused);
    vgg_model_destroy(split);
}

/* The same steps with the whole network run each time. */
static void train_unfrozen(struct vgg_model *model, const struct vgg_train_options *o)
{
    struct vgg_engine *engine;
    struct vgg_data *data;
    struct vgg_net *net;
    struct vgg_loader *loader;
    struct vgg_engine_options engine_options = { .backend = "cpu" };
    cr_assert_eq(vgg_engine_create(&engine, &engine_options), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    struct vgg_plan_spec spec = {
        .arch = &model->arch,
        .batch = o->batch,
        .last = model->arch.count,
        .loss = true,
        .trainable = vgg_arch_trainable(&model->arch, o->trainable),
        .optimizer = VGG_OPTIMIZER_ADAM,
        .hyper = { .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f },
    };
    cr_assert_eq(vgg_net_create(&net, engine->backend, &spec, 0, 0, 0), VGG_OK);
    cr_assert_eq(vgg_net_set_params(net, model->params), VGG_OK);
    struct vgg_loader_options loading = { .batch = o->batch, .shuffle = true, .repeat = true, .seed = o->seed };
    vgg_model_images(model, &loading.images);
    cr_assert_eq(vgg_loader_create(&loader, data, &loading), VGG_OK);
    for (uint64_t step = 0; step < (uint64_t)o->epochs * vgg_loader_batches(loader); step++) {
        struct vgg_batch batch;
        float t[16], y[16 * CLASSES], loss[16];
        cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
        for (int i = 0; i < batch.count; i++)
            t[i] = (float)batch.labels[i];
        struct vgg_net_io io = { .n = batch.count, .x = batch.x, .t = t, .y = y, .loss = loss };
        struct vgg_step s = { .seed = o->seed, .step = step, .learning_rate = 1e-3f };
        cr_assert_eq(vgg_net_train(net, &io, &s), VGG_OK);
    }
    cr_assert_eq(vgg_net_get_params(net, model->params), VGG_OK);
    vgg_loader_destroy(loader);
    vgg_net_destroy(net);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
}

Test(train, reused_frozen_features_change_nothing)
{
    struct vgg_train_options options = new_options();
    options.trainable = "block5";
    options.epochs = 2;
    struct vgg_model *reused = new_model(), *run = new_model();
    cr_assert_eq(train_on(reused, &options, 0, 0), VGG_OK);
    train_unfrozen(run, &options);
    assert_same(reused, run);
    vgg_model_destroy(reused);
    vgg_model_destroy(run);
}

/* The CPU backend's functions, until its device is lost at the submit number `lost_at`. */
static struct vgg_backend_vtable losing;
static const struct vgg_backend_vtable *real;
static int submits, lost_at;

static enum vgg_status losing_submit(struct vgg_backend *backend, const struct vgg_list *list,
                                     const struct vgg_step *step, double *seconds, uint64_t *ticket)
{
    return ++submits >= lost_at ? VGG_ERR_DEVICE_LOST : real->submit(backend, list, step, seconds, ticket);
}

static enum vgg_status losing_download(struct vgg_buf *buf, size_t offset, void *data, size_t size)
{
    return submits >= lost_at ? VGG_ERR_DEVICE_LOST : real->download(buf, offset, data, size);
}

static enum vgg_status train_losing(struct vgg_model *model, const struct vgg_train_options *options)
{
    struct vgg_engine *engine;
    struct vgg_data *data, *validation;
    struct vgg_engine_options engine_options = { .backend = "cpu", .conv = conv };
    cr_assert_eq(vgg_engine_create(&engine, &engine_options), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    cr_assert_eq(vgg_data_open(&validation, held), VGG_OK);
    real = engine->backend->vtable;
    losing = *real;
    losing.submit = losing_submit;
    losing.download = losing_download;
    engine->backend->vtable = &losing;
    submits = 0;
    enum vgg_status status = vgg_train(engine, model, data, validation, options);
    vgg_data_destroy(data);
    vgg_data_destroy(validation);
    vgg_engine_destroy(engine);
    return status;
}

Test(train, lost_device_goes_on_with_the_cpu_or_says_how)
{
    struct vgg_train_options options = new_options();
    options.trainable = "block5";
    options.epochs = 2;
    conv = "direct"; /* which other sums would not equal bit for bit: it is asked of the CPU that goes on, too */
    struct vgg_model *straight = new_model();
    cr_assert_eq(train_on(straight, &options, 0, 0), VGG_OK);
    options.cpu_on_device_lost = true;
    int tried[] = { 5, 7, 12, 16 }; /* among others a first step, a middle one, a validation */
    for (int i = 0; i < 4; i++) {
        struct vgg_model *model = new_model();
        lost_at = tried[i];
        cr_assert_eq(train_losing(model, &options), VGG_OK);
        assert_same(straight, model);
        vgg_model_destroy(model);
    }
    options.cpu_on_device_lost = false;
    options.checkpoint = checkpoints;
    struct vgg_model *stopped = new_model(), *resumed = new_model();
    lost_at = 16;
    cr_assert_eq(train_losing(stopped, &options), VGG_ERR_DEVICE_LOST);
    cr_assert(strstr(last_error, "--resume"), "%s", last_error);
    options.resume = true;
    cr_assert_eq(train_on(resumed, &options, 0, 0), VGG_OK);
    assert_same(straight, resumed);
    vgg_model_destroy(stopped);
    vgg_model_destroy(resumed);
    vgg_model_destroy(straight);
}

Test(train, loss_that_is_no_number_stops_and_says_so)
{
    struct vgg_train_options options = new_options();
    options.optimizer = VGG_OPTIMIZER_SGD;
    options.learning_rate = 1e30f;
    struct vgg_model *model = new_model();
    cr_assert_eq(train_on(model, &options, 0, 0), VGG_ERR_NUMERIC);
    cr_assert(strstr(last_error, "lower --lr"), "%s", last_error);
    cr_assert(strstr(last_error, "in epoch 1, step 2;"), "%s", last_error);
    /* One step an epoch: it is in the second. */
    options.steps_per_epoch = 1;
    struct vgg_model *again = new_model();
    cr_assert_eq(train_on(again, &options, 0, 0), VGG_ERR_NUMERIC);
    cr_assert(strstr(last_error, "in epoch 2, step 1;"), "%s", last_error);
    vgg_model_destroy(again);
    vgg_model_destroy(model);
}

Test(train, early_stopping_waits_and_stops)
{
    struct vgg_train_options options = new_options();
    options.epochs = 50;
    options.early_stop = 2;
    options.learning_rate = 1e-30f; /* nothing ever improves */
    options.optimizer = VGG_OPTIMIZER_SGD;
    options.on_epoch = keep_epoch;
    struct vgg_model *model = new_model();
    struct vgg_history history;
    options.history = &history;
    cr_assert_eq(train_on(model, &options, 0, 0), VGG_OK);
    cr_assert_eq(last_epoch.epoch, 3);
    cr_expect(history.stopped == 2 && history.best == 1 && history.monitor == VGG_MONITOR_VAL_LOSS);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
    options.epochs = 3; /* as many as it waits for: it is not early */
    model = new_model();
    cr_assert_eq(train_on(model, &options, 0, 0), VGG_OK);
    cr_expect(history.stopped == 0 && history.count == 3);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
}

Test(train, saved_models_come_back_whole_and_classes_are_matched_by_name)
{
    char path[64], part[64];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(part, sizeof part, "%s/part.safetensors", folder);
    struct vgg_model *model = new_model_with("gap,dense:3:softmax"), *loaded;
    struct vgg_train_options options = new_options();
    options.learning_rate = 0.05f;
    options.epochs = 20;
    cr_assert_eq(train_on(model, &options, 0, 0), VGG_OK);
    cr_assert_eq(vgg_model_save(model, path), VGG_OK);
    cr_assert_eq(vgg_model_load(&loaded, path), VGG_OK);
    assert_same(model, loaded);
    cr_assert_str_eq(vgg_model_class_name(loaded, 2), "blue");

    /* Only two of the classes, numbered otherwise. */
    write_images(part, 0, 1, 2, "[\"green\",\"blue\"]");
    struct vgg_engine *engine;
    struct vgg_data *data;
    struct vgg_evaluation *result;
    struct vgg_engine_options engine_options = { .backend = "cpu" };
    struct vgg_evaluate_options evaluating = { 0 };
    cr_assert_eq(vgg_engine_create(&engine, &engine_options), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, part), VGG_OK);
    cr_assert_eq(vgg_evaluate(&result, engine, loaded, data, &evaluating), VGG_OK);
    cr_assert_eq(result->count, ITEMS);
    cr_assert_eq(result->classes, CLASSES);
    uint64_t support[CLASSES] = { 0 };
    for (int i = 0; i < ITEMS; i++)
        support[1 + label_of(i, 2)]++;
    cr_assert_arr_eq(result->support, support, sizeof support);
    cr_assert_geq(result->accuracy, 0.9);
    for (int i = 0; i < ITEMS; i++)
        cr_assert_eq(result->labels[i], 1 + label_of(i, 2));
    vgg_evaluation_destroy(result);
    vgg_data_destroy(data);
    write_images(part, 0, 0, 2, "[\"cyan\",\"red\"]");
    cr_assert_eq(vgg_data_open(&data, part), VGG_OK);
    cr_assert_eq(vgg_evaluate(&result, engine, loaded, data, &evaluating), VGG_ERR_ARGUMENT);
    cr_assert(strstr(last_error, "cyan"), "%s", last_error);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    vgg_model_destroy(model);
    vgg_model_destroy(loaded);
}
