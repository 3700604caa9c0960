/* Which epoch the model is of in the end: the last one or the best, straight, interrupted and resumed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_files.h"

#include "core/model/model.h"
#include "tests/tiny_train.h"

TestSuite(keep, .init = tiny_init, .fini = tiny_finish, .timeout = 120);

enum { EPOCHS = 8, STEPS = 7 };

static struct vgg_data *items, *held;

/* A rate at which the figures of validation go up and down. */
static struct vgg_train_options new_options(enum vgg_monitor monitor)
{
    return (struct vgg_train_options) { .trainable = "all",
                                        .augment = { .shift_width = 0.2f, .flip = true },
                                        .optimizer = VGG_OPTIMIZER_SGD,
                                        .learning_rate = 0.04f,
                                        .momentum = 0.6f,
                                        .epochs = EPOCHS,
                                        .steps_per_epoch = STEPS,
                                        .batch = 6,
                                        .monitor = monitor,
                                        .keep = VGG_KEEP_BEST,
                                        .seed = 32 };
}

/* Stops after so many steps of this call. */
static bool stop_after(void *user, const struct vgg_progress *progress)
{
    int *left = user;
    return strcmp(progress->phase, "train") != 0 || --*left != 0;
}

/* Trains a fresh model; stops after `steps` (0: never). */
static enum vgg_status train(struct vgg_model **model, struct vgg_history *history, struct vgg_train_options o,
                             int threads, int steps)
{
    struct vgg_engine *engine;
    const struct vgg_engine_options options = { .backend = "cpu", .threads = threads };
    cr_assert_eq(vgg_engine_create(&engine, &options), VGG_OK);
    *model = tiny_model("gap,dense:4:softmax");
    o.progress = stop_after;
    o.user = &steps;
    o.history = history;
    enum vgg_status status = vgg_train(engine, *model, items, held, &o);
    vgg_engine_destroy(engine);
    return status;
}

static void open_data(void)
{
    items = tiny_open(&tiny_items);
    held = tiny_open(&tiny_held);
    capture_log();
}

static void close_data(void)
{
    vgg_data_destroy(items);
    vgg_data_destroy(held);
}

/* The first of the best epochs, and how many are as good. */
static int best_of(const struct vgg_history *history, size_t count, enum vgg_monitor monitor, int *equal)
{
    double best = -(double)INFINITY;
    int at = 0;
    for (size_t i = 0; i < count; i++) {
        const struct vgg_epoch *e = &history->epochs[i];
        double good = monitor == VGG_MONITOR_VAL_ACCURACY ? e->val_accuracy : -e->val_loss;
        if (good == best) ++*equal;
        if (good > best) best = good, at = e->epoch, *equal = 1;
    }
    return at;
}

/* The model of a training that ends after so many epochs. */
static struct vgg_model *straight(struct vgg_train_options o, int epochs)
{
    struct vgg_model *model;
    struct vgg_history history;
    o.epochs = epochs;
    o.keep = VGG_KEEP_LAST;
    o.monitor = VGG_MONITOR_DEFAULT;
    o.checkpoint = NULL, o.resume = false;
    cr_assert_eq(train(&model, &history, o, 2, 0), VGG_OK);
    cr_assert_eq(model->epoch, 0);
    vgg_history_finish(&history);
    return model;
}

static void same(const struct vgg_model *got, const struct vgg_model *want, const char *what, int number)
{
    cr_assert_eq(memcmp(got->params, want->params, want->arch.param_size), 0, "%s %d: other parameters", what, number);
}

/* The same bits as the training that ends there, for any number of threads and after any interruption. */
static void check(enum vgg_monitor monitor)
{
    struct vgg_train_options o = new_options(monitor);
    struct vgg_model *model, *last, *wanted[EPOCHS + 1];
    struct vgg_history whole, part;
    int equal = 0;
    open_data();
    cr_assert_eq(train(&model, &whole, o, 2, 0), VGG_OK);
    int best = best_of(&whole, EPOCHS, monitor, &equal);
    cr_assert(best > 1 && best < EPOCHS, "epoch %d shows nothing", best);
    if (monitor == VGG_MONITOR_VAL_ACCURACY) cr_assert_gt(equal, 1, "no other epoch is as good");
    cr_assert_eq(whole.best, best);
    cr_assert_eq(whole.count, EPOCHS);
    cr_assert_eq(model->epoch, best);
    for (int i = 1; i <= EPOCHS; i++)
        wanted[i] = straight(o, i);
    same(model, wanted[best], "epoch", best);
    last = wanted[EPOCHS];
    cr_assert_neq(memcmp(model->params, last->params, last->arch.param_size), 0);
    vgg_model_destroy(model);
    cr_assert_eq(train(&model, &part, o, 1, 0), VGG_OK);
    same(model, wanted[best], "threads", 1);
    vgg_history_finish(&part);
    vgg_model_destroy(model);
    for (int step = 3; step < EPOCHS * STEPS; step += 11) {
        char folder[128];
        int done = (step - 1) / STEPS, so_far = best_of(&whole, (size_t)done, monitor, &equal);
        snprintf(folder, sizeof folder, "%s/%d-%d", tiny_folder, (int)monitor, step);
        o.checkpoint = folder, o.resume = true;
        cr_assert_eq(train(&model, &part, o, 1 + step % 2, step), VGG_INTERRUPTED);
        cr_assert_eq(part.best, so_far, "step %d: epoch %d, not %d", step, part.best, so_far);
        cr_assert_eq(model->epoch, so_far);
        if (so_far) same(model, wanted[so_far], "interrupted at step", step);
        vgg_history_finish(&part);
        vgg_model_destroy(model);
        for (int again = 0; again < 2; again++) {
            cr_assert_eq(train(&model, &part, o, 2, 0), VGG_OK);
            same(model, wanted[best], "resumed after step", step);
            cr_assert_eq(part.best, best);
            vgg_history_finish(&part);
            vgg_model_destroy(model);
        }
    }
    for (int i = 1; i <= EPOCHS; i++)
        vgg_model_destroy(wanted[i]);
    vgg_history_finish(&whole);
    close_data();
}

Test(keep, the_lowest_loss)
{
    check(VGG_MONITOR_DEFAULT);
}

Test(keep, the_highest_accuracy_and_of_equal_ones_the_first)
{
    check(VGG_MONITOR_VAL_ACCURACY);
}

/* Before the first epoch's end there is no best one: the model is as far as it came. */
Test(keep, an_interruption_in_the_first_epoch)
{
    struct vgg_train_options o = new_options(VGG_MONITOR_DEFAULT);
    struct vgg_model *model, *wanted;
    struct vgg_history history;
    open_data();
    cr_assert_eq(train(&model, &history, o, 2, 5), VGG_INTERRUPTED);
    cr_assert_eq(history.best, 0);
    vgg_history_finish(&history);
    o.steps_per_epoch = 5;
    wanted = straight(o, 1);
    same(model, wanted, "step", 5);
    vgg_model_destroy(wanted);
    vgg_model_destroy(model);
    close_data();
}

/* Early stopping waits by the same figure. */
Test(keep, early_stopping_by_accuracy)
{
    struct vgg_train_options o = new_options(VGG_MONITOR_VAL_ACCURACY);
    struct vgg_model *model;
    struct vgg_history history;
    int equal = 0;
    open_data();
    o.early_stop = 2;
    o.epochs = 30;
    cr_assert_eq(train(&model, &history, o, 2, 0), VGG_OK);
    cr_assert_lt(history.count, 30);
    cr_assert_eq((int)history.count, best_of(&history, history.count, VGG_MONITOR_VAL_ACCURACY, &equal) + 2);
    int by_loss = best_of(&history, history.count, VGG_MONITOR_VAL_LOSS, &equal);
    cr_assert_neq(by_loss, history.best, "the loss would have done the same");
    vgg_history_finish(&history);
    vgg_model_destroy(model);
    close_data();
}

Test(keep, what_is_kept_is_remembered_by_file_and_checkpoint)
{
    struct vgg_train_options o = new_options(VGG_MONITOR_DEFAULT);
    struct vgg_model *model, *loaded;
    struct vgg_history history;
    char folder[128], file[128];
    open_data();
    snprintf(folder, sizeof folder, "%s/kept", tiny_folder);
    snprintf(file, sizeof file, "%s/kept.safetensors", tiny_folder);
    o.checkpoint = folder;
    cr_assert_eq(train(&model, &history, o, 2, 0), VGG_OK);
    cr_assert_eq(vgg_model_save(model, file), VGG_OK);
    cr_assert_eq(vgg_model_load(&loaded, file), VGG_OK);
    cr_assert_eq(loaded->epoch, history.best);
    vgg_model_destroy(loaded);
    vgg_model_destroy(model);
    vgg_history_finish(&history);
    o.resume = true;
    o.keep = VGG_KEEP_LAST;
    EXPECT_FAILURE(train(&model, &history, o, 2, 0), VGG_ERR_ARGUMENT,
                   "epoch kept the best by val_loss then, the last now");
    vgg_model_destroy(model);
    o.keep = VGG_KEEP_BEST;
    o.monitor = VGG_MONITOR_VAL_ACCURACY;
    EXPECT_FAILURE(train(&model, &history, o, 2, 0), VGG_ERR_ARGUMENT,
                   "epoch kept the best by val_loss then, the best by val_accuracy now");
    vgg_model_destroy(model);
    close_data();
}

Test(keep, nothing_is_the_best_without_validation_data)
{
    struct vgg_train_options o = new_options(VGG_MONITOR_DEFAULT);
    struct vgg_model *model;
    struct vgg_history history;
    open_data();
    vgg_data_destroy(held);
    held = NULL;
    EXPECT_FAILURE(train(&model, &history, o, 2, 0), VGG_ERR_ARGUMENT, "give --validation");
    vgg_model_destroy(model);
    o.keep = VGG_KEEP_LAST;
    o.monitor = VGG_MONITOR_VAL_ACCURACY;
    EXPECT_FAILURE(train(&model, &history, o, 2, 0), VGG_ERR_ARGUMENT, "give --validation");
    vgg_model_destroy(model);
    close_data();
}
