/* The folder that a training keeps its checkpoints in, and the settings that it may go on with. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/format/safetensors.h"
#include "core/model/model.h"
#include "core/train/checkpoint.h"
#include "core/train/settings.h"

enum { SIZE = 32, ITEMS = 9, CLASSES = 3 };

static char folder[] = "/tmp/vgg16-checkpoint-XXXXXX";
static char data_file[64], checkpoints[64];
static char last_error[1024], last_warning[1024];

static void listen(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    snprintf(level == VGG_LOG_ERROR ? last_error : last_warning, sizeof last_error, "%s", line);
}

/* How a data set differs from the usual one. */
struct unlike {
    int pixel, label, items; /* 0: not */
    const char *classes;
};

static const char *write_data(const char *name, struct unlike unlike)
{
    static uint8_t x[ITEMS + 1][SIZE][SIZE][3];
    static int64_t y[ITEMS + 1];
    char *path = malloc(96);
    uint64_t n = (uint64_t)(ITEMS + unlike.items);
    for (int i = 0; i <= ITEMS; i++) {
        y[i] = i % CLASSES;
        for (int k = 0; k < SIZE * SIZE * 3; k++)
            (&x[i][0][0][0])[k] = (uint8_t)vgg_rng_below(7, VGG_RNG_INIT, (uint64_t)i, (uint64_t)k, 256);
    }
    x[ITEMS - 1][SIZE - 1][SIZE - 1][2] = (uint8_t)(x[ITEMS - 1][SIZE - 1][SIZE - 1][2] + unlike.pixel);
    if (unlike.label) y[0] = 1, y[1] = 0;
    struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_U8, 4, { n, SIZE, SIZE, 3 }, x, (size_t)n * sizeof x[0] },
        { "y", VGG_DTYPE_I64, 1, { n }, y, (size_t)n * sizeof y[0] },
    };
    struct vgg_st_meta meta = { "classes", unlike.classes ? unlike.classes : "[\"red\",\"green\",\"blue\"]" };
    snprintf(path, 96, "%s/%s.safetensors", folder, name);
    cr_assert_eq(vgg_st_write(path, tensors, 2, &meta, 1), VGG_OK);
    return path;
}

static void set_up(void)
{
    vgg_log_set(listen, NULL, VGG_LOG_WARNING);
    cr_assert(mkdtemp(folder));
    snprintf(data_file, sizeof data_file, "%s", write_data("data", (struct unlike) { 0 }));
    snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", folder);
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(checkpoint, .init = set_up, .fini = tear_down, .timeout = 120);

/* All that a training is told. */
struct setup {
    struct vgg_model_options model;
    struct vgg_train_options train;
    const char *data, *validation; /* side by side */
};

static struct setup new_setup(void)
{
    return (struct setup) {
        .model = { .arch = "vgg11",
                   .weights = "random",
                   .last = "block1_pool",
                   .head = "gap,dropout:0.25,dense:3:softmax",
                   .height = SIZE,
                   .width = SIZE,
                   .seed = 5 },
        .train = { .trainable = "head",
                   .augment = { .rotate = 3, .shift_height = 0.25f, .shift_width = 0.125f, .shear = 2, .zoom = 0.5f },
                   .images = { .preprocess = VGG_PREPROCESS_RESCALE, .resize = VGG_RESIZE_BILINEAR },
                   .optimizer = VGG_OPTIMIZER_SGD,
                   .learning_rate = 0.1f,
                   .momentum = 0.5f,
                   .schedule = VGG_SCHEDULE_STEP,
                   .schedule_every = 2,
                   .schedule_factor = 0.75f,
                   .epochs = 1,
                   .batch = 4,
                   .seed = 11,
                   .checkpoint = checkpoints },
        .data = data_file,
        .validation = data_file,
    };
}

/* The model may be NULL. */
static enum vgg_status run(struct vgg_model **model, const struct setup *setup)
{
    struct vgg_engine *engine;
    struct vgg_model *own;
    struct vgg_data *data, *validation = NULL;
    cr_assert_eq(vgg_engine_create(&engine, &(struct vgg_engine_options) { .backend = "cpu", .threads = 1 }), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, setup->data), VGG_OK);
    if (setup->validation) cr_assert_eq(vgg_data_open(&validation, setup->validation), VGG_OK);
    cr_assert_eq(vgg_model_create(&own, &setup->model), VGG_OK);
    last_error[0] = last_warning[0] = '\0';
    enum vgg_status status = vgg_train(engine, own, data, validation, &setup->train);
    vgg_data_destroy(validation);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    if (model) *model = own;
    if (!model) vgg_model_destroy(own);
    return status;
}

/* The checkpoints that are there as "EPOCH-STEP EPOCH-STEP ". */
static const char *listed(void)
{
    static char text[512];
    struct vgg_checkpoint_mark *marks;
    size_t count, used = 0;
    text[0] = '\0';
    cr_assert_eq(vgg_checkpoint_list(&marks, &count, checkpoints), VGG_OK);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%lu-%lu ", marks[i].epoch, marks[i].step);
    free(marks);
    return text;
}

static void expect_resumes(const struct setup *setup, int epochs)
{
    struct setup straight = *setup, resumed = *setup;
    struct vgg_model *a, *b;
    straight.train.epochs = resumed.train.epochs = epochs;
    straight.train.checkpoint = NULL;
    straight.train.resume = straight.train.overwrite = resumed.train.overwrite = false;
    resumed.train.resume = true;
    cr_assert_eq(run(&a, &straight), VGG_OK);
    cr_assert_eq(run(&b, &resumed), VGG_OK, "%s", last_error);
    cr_expect_eq(memcmp(a->params, b->params, a->arch.param_size), 0, "parameters differ");
    vgg_model_destroy(a);
    vgg_model_destroy(b);
}

/* ---- folders that hold something ---- */

static int started;

static bool count_work(void *user, const struct vgg_progress *progress)
{
    (void)user;
    (void)progress;
    started++;
    return true;
}

Test(checkpoint, a_new_training_refuses_a_folder_that_holds_some_before_any_work)
{
    struct setup setup = new_setup();
    memset(&setup.train.augment, 0, sizeof setup.train.augment); /* its features are frozen, which comes first */
    setup.train.epochs = 5;
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    cr_expect_str_eq(listed(), "4-0 5-0 ");
    setup.train.progress = count_work;
    cr_assert_eq(run(NULL, &setup), VGG_ERR_ARGUMENT);
    cr_expect_eq(started, 0, "it worked for %d reports", started);
    cr_expect(strstr(last_error, "checkpoints: holds 2 checkpoints of an earlier training (epochs 4 and 5); go on with "
                                 "it by --resume, replace it by --overwrite"),
              "%s", last_error);
    cr_expect_str_eq(listed(), "4-0 5-0 ");
    setup.train.resume = setup.train.overwrite = true;
    cr_assert_eq(run(NULL, &setup), VGG_ERR_ARGUMENT);
    setup.train.checkpoint = NULL, setup.train.resume = false;
    cr_assert_eq(run(NULL, &setup), VGG_ERR_ARGUMENT);
    cr_expect_eq(started, 0, "it worked for %d reports", started);
}

/* Says at each epoch's end what the folder holds, then goes on to that of the next one. */
static char seen[8][64];

static void look(void *user, const struct vgg_epoch *epoch)
{
    (void)user;
    snprintf(seen[epoch->epoch], sizeof seen[0], "%s", listed());
}

Test(checkpoint, overwriting_removes_the_old_ones_after_the_first_new_one)
{
    struct setup setup = new_setup();
    setup.train.epochs = 3;
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    setup.train.overwrite = true;
    setup.train.learning_rate = 0.25f;
    setup.train.epochs = 4;
    setup.train.on_epoch = look;
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    cr_expect_str_eq(seen[1], "1-0 ");
    cr_expect_str_eq(seen[2], "1-0 2-0 ");
    cr_expect_str_eq(seen[3], "2-0 3-0 ");
    cr_expect_str_eq(seen[4], "3-0 4-0 ");
    expect_resumes(&setup, 6);
    cr_expect_str_eq(listed(), "5-0 6-0 ");
}

/* Old ones that are less advanced than the first new one: by the number alone they would be its predecessors. */
Test(checkpoint, overwriting_removes_less_advanced_ones_too)
{
    struct setup setup = new_setup();
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    struct vgg_checkpoint_folder held = { 0 };
    cr_assert_eq(vgg_checkpoint_folder_take(&held, checkpoints, false, true), VGG_OK);
    struct vgg_train_state state = { .epoch = 0, .epoch_step = 3 };
    struct vgg_train_arrays none = { 0 };
    const struct vgg_checkpoint_about nothing = { (const char *const[]) { NULL }, "" };
    state.epoch = 2, state.history = (struct vgg_epoch[2]) { { .epoch = 1 }, { .epoch = 2 } };
    cr_assert_eq(vgg_checkpoint_write(&held, &state, &none, "a: b\n", &nothing), VGG_OK);
    cr_expect_str_eq(listed(), "2-3 ");
    state.epoch_step = 12;
    cr_assert_eq(vgg_checkpoint_write(&held, &state, &none, "a: b\n", &nothing), VGG_OK);
    cr_expect_str_eq(listed(), "2-3 2-12 ");
    vgg_checkpoint_folder_release(&held);
}

Test(checkpoint, the_first_write_that_fails_leaves_the_old_ones)
{
    struct setup setup = new_setup();
    char command[160];
    setup.train.epochs = 3;
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    /* No file can take the place of a folder. */
    snprintf(command, sizeof command, "mkdir -p %s/checkpoint-000001-00000000.safetensors/x", checkpoints);
    cr_assert_eq(system(command), 0);
    setup.train.overwrite = true;
    cr_assert_eq(run(NULL, &setup), VGG_ERR_IO);
    cr_expect_str_eq(listed(), "1-0 2-0 3-0 ");
    expect_resumes(&setup, 4);
}

/* Numbers beyond the padding of the names still come in their order, and only exact names count. */
Test(checkpoint, age_is_progress_and_not_the_order_of_names)
{
    struct vgg_checkpoint_folder held = { 0 };
    char command[512];
    cr_assert_eq(vgg_checkpoint_folder_take(&held, checkpoints, false, false), VGG_OK);
    snprintf(
        command, sizeof command,
        "cd %s && touch checkpoint-1000000-00000000.safetensors "
        "checkpoint-999999-100000000.safetensors checkpoint-999999-00000003.safetensors checkpoint-7-7.safetensors "
        "checkpoint-000001-00000000.safetensors.tmp.1 mine.safetensors",
        checkpoints);
    cr_assert_eq(system(command), 0);
    cr_expect_str_eq(listed(), "999999-3 999999-100000000 1000000-0 ");
    vgg_checkpoint_folder_tidy(&held, &(struct vgg_checkpoint_mark) { 999999, 100000000 });
    cr_expect_str_eq(listed(), "999999-3 999999-100000000 ");
    snprintf(command, sizeof command, "cd %s && ls checkpoint-7-7.safetensors mine.safetensors >/dev/null",
             checkpoints);
    cr_expect_eq(system(command), 0);
    vgg_checkpoint_folder_release(&held);
    cr_expect(!held.path && !*held.base);
    vgg_checkpoint_folder_release(&held); /* holds nothing any more */
}

/* Checkpoints that a killed training left half-written have names that no later one need come to. */
Test(checkpoint, halves_of_killed_trainings_go)
{
    struct vgg_checkpoint_folder held = { 0 };
    struct vgg_file *living;
    char command[512], path[160];
    snprintf(command, sizeof command,
             "mkdir -p %s && cd %s && touch checkpoint-000004-00000007.safetensors.tmp.vgg16-0 "
             "checkpoint-000005-00000000.safetensors.tmp.vgg16-1 checkpoint-5-0.safetensors.tmp.vgg16-0 "
             "mine.safetensors.tmp.vgg16-0",
             checkpoints, checkpoints);
    cr_assert_eq(system(command), 0);
    snprintf(path, sizeof path, "%s/checkpoint-000005-00000000.safetensors", checkpoints);
    cr_assert_eq(vgg_file_create(&living, path), VGG_OK);
    cr_assert_eq(vgg_checkpoint_folder_take(&held, checkpoints, false, false), VGG_OK);
    snprintf(command, sizeof command,
             "cd %s && test \"$(ls | tr '\\n' ' ')\" = 'checkpoint-000005-00000000.safetensors.tmp.vgg16-0 "
             "checkpoint-5-0.safetensors.tmp.vgg16-0 mine.safetensors.tmp.vgg16-0 '",
             checkpoints);
    cr_expect_eq(system(command), 0);
    vgg_file_abort(living);
    vgg_checkpoint_folder_release(&held);
}

/* ---- one training at a time ---- */

static enum vgg_status inner;
static char inner_error[1024];

static void train_again(void *user, const struct vgg_epoch *epoch)
{
    struct setup *setup = user;
    (void)epoch;
    inner = run(NULL, setup);
    snprintf(inner_error, sizeof inner_error, "%s", last_error);
}

Test(checkpoint, two_trainings_of_one_process_do_not_share_a_folder)
{
    struct setup setup = new_setup(), second = setup;
    second.train.resume = true;
    setup.train.on_epoch = train_again;
    setup.train.user = &second;
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    cr_expect_eq(inner, VGG_ERR_ARGUMENT);
    char wanted[128];
    snprintf(wanted, sizeof wanted, "checkpoints: another training (process %ld) keeps", (long)getpid());
    cr_expect(strstr(inner_error, wanted), "%s", inner_error);
    cr_expect_str_eq(listed(), "1-0 ");
    expect_resumes(&setup, 2);
}

static int told[2];

static void tell_and_wait(void *user, const struct vgg_epoch *epoch)
{
    (void)user;
    (void)epoch;
    cr_assert_eq(write(told[1], "x", 1), 1);
    for (;;)
        pause();
}

Test(checkpoint, two_processes_do_not_share_a_folder_and_a_killed_one_frees_it)
{
    struct setup setup = new_setup();
    char byte;
    cr_assert_eq(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        setup.train.on_epoch = tell_and_wait;
        run(NULL, &setup);
        _exit(0);
    }
    cr_assert_eq(read(told[0], &byte, 1), 1);
    setup.train.resume = true;
    cr_expect_eq(run(NULL, &setup), VGG_ERR_ARGUMENT);
    char wanted[128];
    snprintf(wanted, sizeof wanted, "checkpoints: another training (process %ld) keeps", (long)child);
    cr_expect(strstr(last_error, wanted), "%s", last_error);
    setup.train.resume = false, setup.train.overwrite = true;
    cr_expect_eq(run(NULL, &setup), VGG_ERR_ARGUMENT);
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_expect_str_eq(listed(), "1-0 ");
    expect_resumes(&setup, 2);
}

/* ---- settings ---- */

/* What changes in a setup, by `size` bytes at `offset`, and what is said then. */
struct change {
    const char *said;
    size_t offset, size;
    const void *value;
};

static void expect_refused(const struct setup *base, const struct change *change)
{
    struct setup setup = *base;
    memcpy((char *)&setup + change->offset, change->value, change->size);
    cr_expect_eq(run(NULL, &setup), VGG_ERR_ARGUMENT, "\"%s\" is not refused", change->said);
    cr_expect(strstr(last_error, change->said), "\"%s\" is not said: %s", change->said, last_error);
}

#define AT(member) offsetof(struct setup, member), sizeof((struct setup *)0)->member

Test(checkpoint, every_setting_that_changes_a_step_is_compared)
{
    struct setup setup = new_setup();
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    const char *pixel = write_data("pixel", (struct unlike) { .pixel = 1 }),
               *label = write_data("label", (struct unlike) { .label = 1 }),
               *more = write_data("more", (struct unlike) { .items = 1 }), *none = NULL;
    const char *name = write_data("named", (struct unlike) { .classes = "[\"red\",\"gr\\u00fcn\",\"blue\"]" });
    const char *const named[2] = { name, name }; /* of data and validation */
    const struct change changes[] = {
        { ": network vgg11 then, vgg13 now;", AT(model.arch), &(const char *) { "vgg13" } },
        { ": size 32x32 then, 48x32 now;", AT(model.height), &(int) { 48 } },
        { ": size 32x32 then, 32x48 now;", AT(model.width), &(int) { 48 } },
        { ": last layer of the base block1_pool then, block2_pool now;", AT(model.last),
          &(const char *) { "block2_pool" } },
        { ": head gap,dropout:0.25,dense:3:softmax then, gap,dropout:0.5,dense:3:softmax now;", AT(model.head),
          &(const char *) { "gap,dropout:0.5,dense:3:softmax" } },
        { ": checksum of the weights that stay ", AT(model.seed), &(uint64_t) { 6 } },
        { ": trained from dense_1 then, block1_conv1 now;", AT(train.trainable), &(const char *) { "all" } },
        { ": optimizer sgd then, rmsprop now;", AT(train.optimizer), &(enum vgg_optimizer) { VGG_OPTIMIZER_RMSPROP } },
        { ": learning rate 0.1 then, 0.01 now;", AT(train.learning_rate), &(float) { 0.01f } },
        { ": learning rate 0.1 then, 0.10000001 now;", AT(train.learning_rate), &(float) { nextafterf(0.1f, 1.0f) } },
        { ": schedule step then, constant now;", AT(train.schedule), &(enum vgg_schedule) { VGG_SCHEDULE_CONSTANT } },
        { ": schedule step then, cosine now;", AT(train.schedule), &(enum vgg_schedule) { VGG_SCHEDULE_COSINE } },
        { ": schedule's epochs a step 2 then, 3 now;", AT(train.schedule_every), &(int) { 3 } },
        { ": schedule's factor 0.75 then, 0.5 now;", AT(train.schedule_factor), &(float) { 0.5f } },
        { ": schedule step then, plateau of val_loss now;", AT(train.schedule),
          &(enum vgg_schedule) { VGG_SCHEDULE_PLATEAU } },
        { ": warm-up epochs none then, 0.5 now;", AT(train.warmup), &(float) { 0.5f } },
        { ": learning rate's decay from block to block none then, 0.5 now;", AT(train.lr_decay), &(float) { 0.5f } },
        { ": gradients' largest norm none then, 2.5 now;", AT(train.clip_norm), &(float) { 2.5f } },
        { ": label smoothing none then, 0.1 now;", AT(train.label_smoothing), &(float) { 0.1f } },
        { ": epoch kept the last then, the best by val_loss now;", AT(train.keep), &(enum vgg_keep) { VGG_KEEP_BEST } },
        { ": momentum 0.5 then, 0.9 now;", AT(train.momentum), &(float) { 0.9f } },
        { ": nesterov no then, yes now;", AT(train.nesterov), &(bool) { true } },
        { ": rho 0.9 then, 0.8 now;", AT(train.rho), &(float) { 0.8f } },
        { ": beta1 0.9 then, 0.8 now;", AT(train.beta1), &(float) { 0.8f } },
        { ": beta2 0.999 then, 0.99 now;", AT(train.beta2), &(float) { 0.99f } },
        { ": epsilon 1e-07 then, 1e-08 now;", AT(train.epsilon), &(float) { 1e-8f } },
        { ": weight decay 0 then, 1e-06 now;", AT(train.weight_decay), &(float) { 1e-6f } },
        { ": batch 4 then, 5 now;", AT(train.batch), &(int) { 5 } },
        { ": shard 4 then, 2 now;", AT(train.shard), &(int) { 2 } },
        { ": steps an epoch 3 then, 2 now;", AT(train.steps_per_epoch), &(int) { 2 } },
        { ": class weights none then, balanced now;", AT(train.balanced), &(bool) { true } },
        { ": seed 11 then, 12 now;", AT(train.seed), &(uint64_t) { 12 } },
        { ": shuffled yes then, no now;", AT(train.no_shuffle), &(bool) { true } },
        { ": preprocessing rescale then, torch now;", AT(train.images.preprocess),
          &(enum vgg_preprocess) { VGG_PREPROCESS_TORCH } },
        { ": resizing bilinear then, lanczos now;", AT(train.images.resize),
          &(enum vgg_resize) { VGG_RESIZE_LANCZOS } },
        { ": cropping none then, center now;", AT(train.images.crop), &(enum vgg_crop) { VGG_CROP_CENTER } },
        { ": decoding exact then, fast now;", AT(train.images.decode), &(enum vgg_decode) { VGG_DECODE_FAST } },
        { ": bad images left out no then, yes now;", AT(train.images.skip_bad), &(bool) { true } },
        { ": augmentation rotate 3 then, 4 now;", AT(train.augment.rotate), &(float) { 4 } },
        { ": augmentation shift of the height 0.25 then, 0 now;", AT(train.augment.shift_height), &(float) { 0 } },
        { ": augmentation shift of the width 0.125 then, 0.25 now;", AT(train.augment.shift_width),
          &(float) { 0.25f } },
        { ": augmentation shear 2 then, 1 now;", AT(train.augment.shear), &(float) { 1 } },
        { ": augmentation zoom 0.5 then, 0.25 now;", AT(train.augment.zoom), &(float) { 0.25f } },
        { ": augmentation flip no then, yes now;", AT(train.augment.flip), &(bool) { true } },
        { ": augmentation vflip no then, yes now;", AT(train.augment.vflip), &(bool) { true } },
        { ": augmentation crop none then, 0.5 now;", AT(train.augment.crop), &(float) { 0.5f } },
        { ": augmentation brightness none then, 0.5 now;", AT(train.augment.brightness), &(float) { 0.5f } },
        { ": augmentation contrast none then, 0.5 now;", AT(train.augment.contrast), &(float) { 0.5f } },
        { ": augmentation saturation none then, 0.5 now;", AT(train.augment.saturation), &(float) { 0.5f } },
        { ": class 1 green then, gr\xC3\xBCn now;", offsetof(struct setup, data), sizeof named, named },
        { ": training items 9 then, 10 now;", AT(data), &more },
        { ": checksum of the training items ", AT(data), &pixel },
        { ": checksum of the training items ", AT(data), &label },
        { ": validation items 9 then, 10 now;", AT(validation), &more },
        { ": validation items 9 then, none now;", AT(validation), &none },
        { ": checksum of the validation items ", AT(validation), &pixel },
    };
    setup.train.resume = true;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        expect_refused(&setup, &changes[i]);
    /* What changes no step. */
    setup.train.early_stop = 7;
    setup.train.shard = 4;
    setup.train.images.crop = VGG_CROP_NONE; /* as the default */
    expect_resumes(&setup, 2);
}

Test(checkpoint, epochs_may_grow_unless_the_schedule_needs_them)
{
    struct setup setup = new_setup();
    setup.train.epochs = 3;
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    expect_resumes(&setup, 4);
    setup.train.resume = true;
    expect_refused(&setup,
                   &(struct change) { "has trained for more than 3 epochs already", AT(train.epochs), &(int) { 3 } });
    setup.train.resume = false;
    setup.train.overwrite = true;
    setup.train.schedule = VGG_SCHEDULE_COSINE;
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    setup.train.resume = true, setup.train.overwrite = false;
    expect_refused(&setup,
                   &(struct change) { ": epochs of the cosine 3 then, 4 now;", AT(train.epochs), &(int) { 4 } });
    expect_resumes(&setup, 3);
}

/* Puts other settings into the checkpoint of epoch 1. */
static void rewrite_settings(const char *settings)
{
    char path[160];
    struct vgg_st *st;
    snprintf(path, sizeof path, "%s/checkpoint-000001-00000000.safetensors", checkpoints);
    cr_assert_eq(vgg_st_open(&st, path), VGG_OK);
    struct vgg_st_meta meta[] = { { "settings", settings },
                                  { "state", vgg_st_meta(st, "state") },
                                  { "history", vgg_st_meta(st, "history") } };
    struct vgg_st_tensor tensors[2];
    size_t count = vgg_st_count(st);
    cr_assert_leq(count, 2u);
    for (size_t i = 0; i < count; i++)
        tensors[i] = *vgg_st_at(st, i);
    cr_assert_eq(vgg_st_write(path, tensors, count, meta, 3), VGG_OK);
    vgg_st_close(st);
}

Test(checkpoint, those_of_the_first_version_are_refused_by_that_name)
{
    struct setup setup = new_setup();
    cr_assert_eq(run(NULL, &setup), VGG_OK);
    rewrite_settings("arch vgg11, size 32x32, head gap,dropout:0.25,dense:3:softmax, trains from dense_1");
    setup.train.resume = true;
    expect_refused(&setup,
                   &(struct change) { "was written by an older version, which", AT(train.epochs), &(int) { 2 } });
    cr_expect_str_eq(listed(), "1-0 ");
}

Test(checkpoint, heads_that_differ_in_the_last_character_are_told_apart)
{
    char head[1700] = "gap", other[1700];
    struct setup setup = new_setup();
    for (int i = 0; i < 45; i++)
        snprintf(head + strlen(head), sizeof head - strlen(head), ",dropout:0.01%016d", i);
    snprintf(other, sizeof other, "%s,dropout:0.02,dense:3:softmax", head);
    snprintf(head + strlen(head), sizeof head - strlen(head), ",dropout:0.01,dense:3:softmax");
    cr_assert_gt(strlen(head), 1024u);
    setup.model.head = head;
    cr_assert_eq(run(NULL, &setup), VGG_OK, "%s", last_error);
    setup.train.resume = true;
    expect_refused(&setup, &(struct change) { ": head ...000000000044,dropout:0.01,dense:3:softmax then, "
                                              "...000000000044,dropout:0.02,dense:3:softmax now;",
                                              AT(model.head), &(const char *) { other } });
    expect_resumes(&setup, 2);
}

/* A key that is not there says something all the same; and what it says leaves no line. */
Test(checkpoint, settings_that_are_implied)
{
    struct vgg_settings s = { 0 };
    char difference[VGG_SETTINGS_DIFFERENCE];
    cr_expect_not(vgg_settings_same(difference, "a: 1\nprecision: fp16\n", "a: 1\n"));
    cr_expect_str_eq(difference, "precision fp16 then, fp32 now");
    cr_expect_not(vgg_settings_same(difference, "a: 1\n", "precision: fp16\na: 1\n"));
    cr_expect_str_eq(difference, "precision fp32 then, fp16 now");
    cr_expect_not(vgg_settings_same(difference, "epoch kept: the best by val_loss\n", "precisio: 1\n"));
    cr_expect_str_eq(difference, "precisio none then, 1 now");
    cr_expect(vgg_settings_same(difference, "precision: fp32\na: 1\n", "a: 1\naugmentation vflip: no\n"));
    vgg_settings_add_unless_implied(&s, "precision", "fp32");
    cr_assert_null(s.text);
    vgg_settings_add_unless_implied(&s, "precision", "fp16");
    vgg_settings_add_unless_implied(&s, "momentum", "fp32");
    cr_expect_str_eq(s.text, "precision: fp16\nmomentum: fp32\n");
    vgg_settings_finish(&s);
}

Test(checkpoint, lines_and_control_characters_stay_inside_their_value)
{
    struct vgg_settings then = { 0 }, now = { 0 };
    char difference[VGG_SETTINGS_DIFFERENCE];
    vgg_settings_add(&then, "class 0", "a\nclass 1: b\\");
    vgg_settings_add(&then, "seed", "1");
    vgg_settings_add(&now, "class 0", "a");
    vgg_settings_add(&now, "class 1", "b\\");
    vgg_settings_add(&now, "seed", "1");
    cr_assert_eq(vgg_settings_check(&now), VGG_OK);
    cr_expect_not(vgg_settings_same(difference, then.text, now.text));
    cr_expect_str_eq(difference, "class 0 a\\x0aclass 1: b\\x5c then, a now");
    cr_expect(vgg_settings_same(difference, then.text, then.text));
    cr_expect_not(vgg_settings_same(difference, "a: 1\nb: 2\n", "a: 1\n"));
    cr_expect_str_eq(difference, "b 2 then, none now");
    cr_expect_not(vgg_settings_same(difference, "a: 1\n", "b: 2\na: 1\n"));
    cr_expect_str_eq(difference, "b none then, 2 now");
    cr_expect(vgg_settings_same(difference, "a: 1\nb: 2\n", "b: 2\na: 1\n"));
    cr_expect_not(vgg_settings_same(difference, "a: 12\n", "a: 1\n"));
    static const char *const ends[] = { "a: 1,", "a: 1, ", "a:", "a: ", ",", "" }; /* files may be cut anywhere */
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *cut = strdup(ends[i]); /* a sanitizer sees what is read behind it */
        cr_expect(vgg_settings_same(difference, cut, cut));
        cr_expect_not(vgg_settings_same(difference, cut, "a: 1, 2\n"), "\"%s\"", cut);
        cr_expect_not(vgg_settings_same(difference, "a: 1, 2\n", cut), "\"%s\"", cut);
        if (i == 0) cr_expect_str_eq(difference, "a 1, 2 then, 1, now");
        free(cut);
    }
    vgg_settings_finish(&then);
    vgg_settings_finish(&now);
}
