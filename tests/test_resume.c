/* Trainings that are interrupted and go on: at every step, with everything that moves from step to step, training and
 * validation data that differ. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_files.h"

#include "core/model/model.h"
#include "tests/tiny_train.h"

TestSuite(resume, .init = tiny_init, .fini = tiny_finish, .timeout = 120);

static const char head[] = "gap,dropout:0.4,dense:4:softmax";

static struct vgg_engine *engine;
static struct vgg_data *items, *held;

static void open_all(void)
{
    engine = tiny_engine();
    items = tiny_open(&tiny_items);
    held = tiny_open(&tiny_held);
}

static void close_all(void)
{
    vgg_data_destroy(items);
    vgg_data_destroy(held);
    vgg_engine_destroy(engine);
}

/* 7 steps an epoch, of passes of 11: they end at other steps than epochs do. */
static struct vgg_train_options new_options(void)
{
    return (struct vgg_train_options) { .trainable = "all",
                                        .augment = { .shift_height = 0.2f, .flip = true },
                                        .optimizer = VGG_OPTIMIZER_ADAM,
                                        .learning_rate = 0.01f,
                                        .schedule = VGG_SCHEDULE_COSINE,
                                        .epochs = 3,
                                        .steps_per_epoch = 7,
                                        .batch = 4,
                                        .seed = 3 };
}

/* Stops after so many steps of this call. */
static bool stop_after(void *user, const struct vgg_progress *progress)
{
    int *left = user;
    return strcmp(progress->phase, "train") != 0 || --*left != 0;
}

/* Trains a fresh model; stops after `steps` (0: never). */
static enum vgg_status train(struct vgg_model **model, struct vgg_history *history, struct vgg_train_options o,
                             int steps)
{
    *model = tiny_model(head);
    o.progress = stop_after;
    o.user = &steps;
    o.history = history;
    return vgg_train(engine, *model, items, held, &o);
}

static void same_history(const struct vgg_history *got, const struct vgg_history *want)
{
    cr_assert_eq(got->count, want->count, "%zu epochs, not %zu", got->count, want->count);
    for (size_t i = 0; i < got->count; i++) {
        const struct vgg_epoch *g = &got->epochs[i], *w = &want->epochs[i];
        cr_assert_eq(g->epoch, w->epoch);
        cr_assert_eq(g->images, w->images);
        const double numbers[2][5] = { { g->loss, g->accuracy, g->val_loss, g->val_accuracy, g->learning_rate },
                                       { w->loss, w->accuracy, w->val_loss, w->val_accuracy, w->learning_rate } };
        for (int k = 0; k < 5; k++)
            cr_assert_eq(numbers[0][k], numbers[1][k], "epoch %zu, number %d: %.17g, not %.17g", i + 1, k,
                         numbers[0][k], numbers[1][k]);
    }
}

static void same_params(const struct vgg_model *got, const struct vgg_model *want)
{
    cr_assert_eq(memcmp(got->params, want->params, want->arch.param_size), 0, "parameters differ");
}

static void folder_of(char path[128], const char *name, int number)
{
    snprintf(path, 128, "%s/%s-%d", tiny_folder, name, number);
}

static void after_any_step(struct vgg_train_options o)
{
    struct vgg_model *straight, *model;
    struct vgg_history whole, part;
    open_all();
    capture_log();
    cr_assert_eq(train(&straight, &whole, o, 0), VGG_OK);
    cr_assert_eq(whole.count, 3);
    cr_assert_neq(whole.epochs[0].val_loss, whole.epochs[1].val_loss);
    static const int steps[] = { 1, 2, 6, 7, 8, 11, 13, 14, 16, 20, 21 };
    for (int i = 0; i < 11; i++) {
        char folder[128];
        int step = steps[i];
        folder_of(folder, "at", step);
        o.checkpoint = folder, o.resume = true;
        cr_assert_eq(train(&model, &part, o, step), VGG_INTERRUPTED);
        cr_assert_eq(part.count, (size_t)(step - 1) / 7);
        cr_assert_gt(part.seconds_save, 0);
        vgg_history_finish(&part);
        vgg_model_destroy(model);
        cr_assert_eq(train(&model, &part, o, 0), VGG_OK);
        same_params(model, straight);
        same_history(&part, &whole);
        vgg_history_finish(&part);
        vgg_model_destroy(model);
    }
    vgg_history_finish(&whole);
    vgg_model_destroy(straight);
    close_all();
}

Test(resume, after_any_step_the_same_bits)
{
    after_any_step(new_options());
}

/* A rate that depends on the epochs before, beside what else a step may do. */
Test(resume, with_plateaus_and_the_rest)
{
    struct vgg_train_options o = new_options();
    o.schedule = VGG_SCHEDULE_PLATEAU;
    o.schedule_every = 1;
    o.schedule_factor = 0.3f;
    o.monitor = VGG_MONITOR_VAL_ACCURACY;
    o.learning_rate = 0.1f;
    o.warmup = 1.4f;
    o.clip_norm = 0.7f;
    o.label_smoothing = 0.2f;
    after_any_step(o);
}

/* The parameters that train are the last ones; images are features by then. */
Test(resume, of_a_head_alone)
{
    struct vgg_train_options o = new_options();
    o.trainable = "head";
    o.augment = (struct vgg_augment_options) { 0 };
    o.optimizer = VGG_OPTIMIZER_SGD;
    o.momentum = 0.9f;
    after_any_step(o);
}

/* ---- checkpoints within epochs ---- */

/* What a crash at some moment leaves: the folder is copied then. */
struct crash {
    const char *phase;
    int after; /* so many reports of that phase */
    char from[128], to[128];
};

static bool copy_then(void *user, const struct vgg_progress *progress)
{
    struct crash *crash = user;
    char command[512];
    if (strcmp(progress->phase, crash->phase) != 0 || --crash->after != 0) return true;
    snprintf(command, sizeof command, "cp -r %s %s", crash->from, crash->to);
    cr_assert_eq(system(command), 0);
    return true;
}

/* Trains to the end and back from what a crash would have left; `newest`: the checkpoint that was the newest then. */
static void crash_and_go_on(struct vgg_train_options o, const struct vgg_model *straight,
                            const struct vgg_history *whole, int number, const char *phase, int after,
                            const char *newest)
{
    struct vgg_model *model = tiny_model(head);
    struct vgg_history history;
    struct crash crash = { .phase = phase, .after = after };
    char path[512];
    folder_of(crash.from, "every", number);
    folder_of(crash.to, "crashed", number);
    o.checkpoint = crash.from;
    o.progress = copy_then, o.user = &crash, o.history = &history;
    cr_assert_eq(vgg_train(engine, model, items, held, &o), VGG_OK);
    same_params(model, straight);
    same_history(&history, whole);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
    snprintf(path, sizeof path, "%s/checkpoint-%s.safetensors", crash.to, newest);
    cr_assert_eq(access(path, F_OK), 0, "%s is not there", path);
    snprintf(path, sizeof path,
             "ls %s | sort | grep checkpoint | tail -n 1 | grep -q %s && test $(ls %s | wc -l) -le 2", crash.to, newest,
             crash.to);
    cr_assert_eq(system(path), 0, "%s", path);
    o.checkpoint = crash.to, o.resume = true;
    o.checkpoint_steps = 5, o.checkpoint_seconds = 0; /* may be another */
    cr_assert_eq(train(&model, &history, o, 0), VGG_OK);
    same_params(model, straight);
    same_history(&history, whole);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
}

static void within_epochs(struct vgg_train_options o)
{
    struct vgg_model *straight;
    struct vgg_history whole;
    open_all();
    capture_log();
    cr_assert_eq(train(&straight, &whole, o, 0), VGG_OK);
    static const struct {
        int steps;
        double seconds;
        const char *phase;
        int after;
        const char *newest;
    } cases[] = {
        { 3, 0, "train", 4, "000000-00000003" },    { 3, 0, "train", 6, "000000-00000003" },
        { 3, 0, "train", 10, "000001-00000002" },   { 3, 0, "train", 21, "000002-00000004" },
        { 3, 0, "train", 9, "000001-00000000" },    { 1, 0, "train", 20, "000002-00000005" },
        { 7, 0, "validate", 1, "000000-00000007" }, /* the steps of an epoch are not lost with its validation */
        { 0, 1e-9, "train", 6, "000000-00000005" }, { 0, 3600, "train", 15, "000002-00000000" },
    };
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        o.checkpoint_steps = cases[i].steps, o.checkpoint_seconds = cases[i].seconds;
        crash_and_go_on(o, straight, &whole, i, cases[i].phase, cases[i].after, cases[i].newest);
    }
    vgg_history_finish(&whole);
    vgg_model_destroy(straight);
    close_all();
}

Test(resume, from_checkpoints_within_epochs)
{
    within_epochs(new_options());
}

/* The parameters of the best epoch go along; the rate depends on the epochs before. */
Test(resume, from_checkpoints_within_epochs_keeping_the_best)
{
    struct vgg_train_options o = new_options();
    o.schedule = VGG_SCHEDULE_PLATEAU;
    o.schedule_every = 1;
    o.schedule_factor = 0.3f;
    o.learning_rate = 0.1f;
    o.keep = VGG_KEEP_BEST;
    within_epochs(o);
}

Test(resume, checkpoints_within_epochs_that_cannot_be)
{
    static const struct {
        int steps;
        double seconds;
        bool folder;
        const char *says;
    } cases[] = {
        { -1, 0, true, "neither may be negative" }, { 0, -1, true, "neither may be negative" },
        { 2, 2, true, "nor both given" },           { 2, 0, false, "give --checkpoint DIR" },
        { 0, 2, false, "give --checkpoint DIR" },
    };
    char folder[128];
    open_all();
    folder_of(folder, "never", 0);
    for (int i = 0; i < 5; i++) {
        struct vgg_train_options o = new_options();
        struct vgg_model *model = tiny_model(head);
        o.checkpoint = cases[i].folder ? folder : NULL;
        o.checkpoint_steps = cases[i].steps, o.checkpoint_seconds = cases[i].seconds;
        EXPECT_FAILURE(vgg_train(engine, model, items, held, &o), VGG_ERR_ARGUMENT, cases[i].says);
        vgg_model_destroy(model);
    }
    /* One that never comes is told. */
    struct vgg_train_options o = new_options();
    struct vgg_history history;
    o.checkpoint = folder;
    for (int steps = 20; steps < 22; steps++) {
        struct vgg_model *model;
        o.checkpoint_steps = steps, o.overwrite = steps == 21;
        capture_log();
        cr_assert_eq(train(&model, &history, o, 0), VGG_OK);
        cr_assert_eq(logged_lines, steps == 21, "%s", logged);
        if (steps == 21) cr_assert_not_null(strstr(logged, "checkpoints every 21 steps: never come"), "%s", logged);
        vgg_history_finish(&history);
        vgg_model_destroy(model);
    }
    close_all();
}

/* More epochs than at first. */
Test(resume, another_number_of_epochs)
{
    struct vgg_train_options o = new_options();
    struct vgg_model *straight, *model;
    struct vgg_history whole, part;
    char folder[128];
    open_all();
    capture_log();
    folder_of(folder, "more", 0);
    o.schedule = VGG_SCHEDULE_CONSTANT;
    cr_assert_eq(train(&straight, &whole, o, 0), VGG_OK);
    o.checkpoint = folder;
    o.epochs = 1;
    cr_assert_eq(train(&model, &part, o, 0), VGG_OK);
    cr_assert_eq(part.count, 1);
    vgg_history_finish(&part);
    vgg_model_destroy(model);
    o.epochs = 3, o.resume = true;
    cr_assert_eq(train(&model, &part, o, 0), VGG_OK);
    same_params(model, straight);
    same_history(&part, &whole);
    vgg_history_finish(&part);
    vgg_model_destroy(model);
    vgg_history_finish(&whole);
    vgg_model_destroy(straight);
    close_all();
}

/* The best loss and the epochs waited since are kept: it stops where it would have, and stays stopped. */
Test(resume, early_stopping_waits_on)
{
    struct vgg_train_options o = new_options();
    struct vgg_model *model;
    struct vgg_history history;
    open_all();
    capture_log();
    o.optimizer = VGG_OPTIMIZER_SGD;
    o.learning_rate = 1e-30f; /* nothing becomes better after the first epoch */
    o.schedule = VGG_SCHEDULE_CONSTANT;
    o.epochs = 20;
    o.early_stop = 3;
    for (int step = 0; step < 28; step += 5) {
        char folder[128];
        folder_of(folder, "early", step);
        o.checkpoint = folder, o.resume = true;
        if (step) {
            cr_assert_eq(train(&model, &history, o, step), VGG_INTERRUPTED);
            vgg_history_finish(&history);
            vgg_model_destroy(model);
        }
        for (int again = 0; again < 2; again++) {
            cr_assert_eq(train(&model, &history, o, 0), VGG_OK);
            cr_assert_eq(history.count, 4, "interrupted at step %d: %zu epochs", step, history.count);
            vgg_history_finish(&history);
            vgg_model_destroy(model);
        }
    }
    close_all();
}

/* The loss of validation is watched, which is another than that of the training: one becomes better, the other worse.
 */
Test(resume, what_early_stopping_watches)
{
    struct vgg_train_options o = new_options();
    open_all();
    capture_log();
    o.augment = (struct vgg_augment_options) { 0 };
    o.trainable = "head";
    o.learning_rate = 0.05f;
    o.schedule = VGG_SCHEDULE_CONSTANT;
    o.epochs = 12;
    o.early_stop = 2;
    for (int validated = 0; validated < 2; validated++) {
        struct vgg_model *model = tiny_model("gap,dense:4:softmax");
        struct vgg_history history;
        double best = INFINITY;
        int waited = 0;
        size_t end = 0;
        o.history = &history;
        cr_assert_eq(vgg_train(engine, model, items, validated ? held : NULL, &o), VGG_OK);
        for (size_t i = 0; i < history.count && waited < 2; i++) {
            double watched = validated ? history.epochs[i].val_loss : history.epochs[i].loss;
            waited = watched < best ? 0 : waited + 1;
            best = fmin(best, watched);
            end = i + 1;
            if (!validated) cr_assert(isnan(history.epochs[i].val_loss) && isnan(history.epochs[i].val_accuracy));
        }
        cr_assert_eq(history.count, end);
        if (validated) cr_assert_lt(history.count, 12);
        vgg_history_finish(&history);
        vgg_model_destroy(model);
    }
    close_all();
}

/* Only the newest two checkpoints stay. When the newest is damaged, in whatever way, the one before it serves. */
Test(resume, from_the_newest_that_is_whole)
{
    struct vgg_train_options o = new_options();
    struct vgg_model *straight, *model;
    struct vgg_history whole, part;
    char folder[128], command[512];
    open_all();
    capture_log();
    cr_assert_eq(train(&straight, &whole, o, 0), VGG_OK);
    static const char *const damages[] = { "truncate -s 900 %s",
                                           "truncate -s -4 %s",
                                           "sed -i s/correct=/correct:/ %s",
                                           "sed -i s/epoch_step/epoch-step/ %s",
                                           "sed -i s/settings/Settings/ %s",
                                           "sed -i 's/\"state\"/\"State\"/' %s",
                                           "sed -i s/history/hystory/ %s" };
    for (int i = 0; i < 7; i++) {
        folder_of(folder, "damaged", i);
        o.checkpoint = folder, o.resume = true;
        cr_assert_eq(train(&model, &part, o, 19), VGG_INTERRUPTED);
        vgg_history_finish(&part);
        vgg_model_destroy(model);
        snprintf(command, sizeof command, "test $(ls %s | wc -l) = 2 && ls %s | grep -q 000002-00000005", folder,
                 folder);
        cr_assert_eq(system(command), 0);
        char newest[256];
        snprintf(newest, sizeof newest, "%s/checkpoint-000002-00000005.safetensors", folder);
        snprintf(command, sizeof command, damages[i], newest);
        cr_assert_eq(system(command), 0);
        capture_log();
        cr_assert_eq(train(&model, &part, o, 0), VGG_OK);
        cr_assert_geq(logged_lines, 1, "%s: not passed over", damages[i]);
        same_params(model, straight);
        same_history(&part, &whole);
        vgg_history_finish(&part);
        vgg_model_destroy(model);
    }
    vgg_history_finish(&whole);
    vgg_model_destroy(straight);
    close_all();
}

/* A folder that is there and holds no checkpoint; and one with a file of the user's. */
Test(resume, other_files_of_the_folder)
{
    struct vgg_train_options o = new_options();
    struct vgg_model *straight, *model;
    struct vgg_history whole, part;
    char folder[128], command[256];
    open_all();
    cr_assert_eq(train(&straight, &whole, o, 0), VGG_OK);
    folder_of(folder, "others", 0);
    cr_assert_eq(mkdir(folder, 0777), 0);
    o.checkpoint = folder, o.resume = true;
    cr_assert_eq(train(&model, &part, o, 9), VGG_INTERRUPTED);
    vgg_history_finish(&part);
    vgg_model_destroy(model);
    static const char *const files[] = { "a-model-of-mine-with-a-long-name.safetensors",
                                         "zebras-of-mine-with-a-long-name.safetensors", "checkpoint-notes.txt" };
    for (int i = 0; i < 3; i++)
        write_file(folder, files[i], "mine", 4);
    capture_log();
    cr_assert_eq(train(&model, &part, o, 0), VGG_OK);
    cr_assert_eq(logged_lines, 0, "%s", logged);
    same_params(model, straight);
    same_history(&part, &whole);
    vgg_history_finish(&part);
    vgg_model_destroy(model);
    for (int i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "test \"$(cat %s/%s)\" = mine", folder, files[i]);
        cr_assert_eq(system(command), 0, "%s", files[i]);
    }
    vgg_history_finish(&whole);
    vgg_model_destroy(straight);
    close_all();
}
