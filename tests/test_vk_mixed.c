/* Training in mixed precision on Vulkan: the losses of each step beside those in fp32, what the history says of the
 * scale, and that an interruption changes no bit. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/engine/engine.h"
#include "core/format/safetensors.h"
#include "core/model/model.h"
#include "vk/vk_base.h"
#include "vk_driver.h"

enum {
    SIZE = 32,
    ITEMS = 18,
    BATCH = 4,
    EPOCHS = 4,
    PER_EPOCH = (ITEMS + BATCH - 1) / BATCH,
    STEPS = EPOCHS * PER_EPOCH
};

static char folder[] = "/tmp/vgg16-vk-mixed-XXXXXX";
static char images[64];

/* Noise, brighter in the channel that the class names; the last batch is smaller than the others. */
static void set_up(void)
{
    static uint8_t x[ITEMS][SIZE * SIZE * 3];
    static int64_t y[ITEMS];
    cr_assert(mkdtemp(folder));
    snprintf(images, sizeof images, "%s/images.safetensors", folder);
    for (int i = 0; i < ITEMS; i++) {
        y[i] = (i * i + i / 3) % 3;
        for (int k = 0; k < SIZE * SIZE * 3; k++) {
            uint32_t noise = vgg_rng_below(9, VGG_RNG_INIT, (uint64_t)i, (uint64_t)k, 190);
            x[i][k] = (uint8_t)(noise + (k % 3 == y[i] ? 60u : 0u));
        }
    }
    struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_U8, 4, { ITEMS, SIZE, SIZE, 3 }, x, sizeof x },
        { "y", VGG_DTYPE_I64, 1, { ITEMS }, y, sizeof y },
    };
    cr_assert_eq(vgg_st_write(images, tensors, 2, NULL, 0), VGG_OK);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

/* By no command: beside a newer driver's C library the system's may not start. */
static void tear_down(void)
{
    cr_assert_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

TestSuite(vk_mixed, .init = set_up, .fini = tear_down, .timeout = 300);

/* A training and what came of it. */
struct training {
    struct vgg_model *model;
    struct vgg_history history;
    double loss[STEPS]; /* mean of each step's images */
    int steps, stop;    /* done in this call; interrupted after so many, 0: never */
    double sum;         /* of the losses of this epoch's images */
};

static bool note_step(void *user, const struct vgg_progress *progress)
{
    struct training *t = user;
    if (strcmp(progress->phase, "train") != 0) return true;
    int step = (progress->epoch - 1) * PER_EPOCH + (int)progress->done - 1;
    cr_assert_lt(step, STEPS);
    bool last = progress->done == PER_EPOCH;
    double seen = last ? ITEMS : (double)progress->done * BATCH, sum = progress->loss * seen;
    t->loss[step] = (sum - (progress->done == 1 ? 0 : t->sum)) / (last ? ITEMS - BATCH * (PER_EPOCH - 1) : BATCH);
    t->sum = sum;
    return ++t->steps != t->stop;
}

/* Trains a small network, every layer of it. */
static enum vgg_status train(struct training *t, const char *precision, const char *checkpoint, int stop)
{
    const struct vgg_model_options network = {
        .arch = "vgg11",
        .last = "block2_pool",
        .weights = "random",
        .head = "gap,dropout:0.3,dense:3:softmax",
        .height = SIZE,
        .width = SIZE,
        .seed = 5,
    };
    const struct vgg_train_options options = {
        .trainable = "all",
        .augment = { .rotate = 15, .flip = true },
        .optimizer = VGG_OPTIMIZER_SGD,
        .learning_rate = 0.003f,
        .momentum = 0.9f,
        .weight_decay = 1e-3f,
        .epochs = EPOCHS,
        .batch = BATCH,
        .seed = 11,
        .checkpoint = checkpoint,
        .resume = checkpoint != NULL,
        .history = &t->history,
        .progress = note_step,
        .user = t,
    };
    const struct vgg_engine_options device = { .backend = "vulkan", .precision = precision };
    struct vgg_engine *engine;
    struct vgg_data *data;
    *t = (struct training) { .stop = stop };
    cr_assert_eq(vgg_model_create(&t->model, &network), VGG_OK);
    cr_assert_eq(vgg_engine_create(&engine, &device), VGG_OK);
    cr_assert_eq(((struct vk *)engine->backend)->half, !strcmp(precision, "fp16"));
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    enum vgg_status status = vgg_train(engine, t->model, data, NULL, &options);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    return status;
}

static void finish(struct training *t)
{
    vgg_history_finish(&t->history);
    vgg_model_destroy(t->model);
}

static bool same_parameters(const struct training *a, const struct training *b)
{
    return !memcmp(a->model->params, b->model->params, a->model->arch.param_size);
}

Test(vk_mixed, twenty_steps_lose_what_they_lose_in_fp32)
{
    struct training half, single;
    vk_driver_lavapipe();
    cr_assert_eq(train(&single, "fp32", NULL, 0), VGG_OK);
    cr_assert_eq(train(&half, "fp16", NULL, 0), VGG_OK);
    cr_assert_eq(half.steps, STEPS);
    bool differs = false;
    for (int i = 0; i < STEPS; i++) {
        cr_expect_float_eq(half.loss[i], single.loss[i], 0.01 * single.loss[i], "step %d: %g, in fp32 %g", i + 1,
                           half.loss[i], single.loss[i]);
        differs |= half.loss[i] != single.loss[i];
    }
    cr_expect(differs, "nothing was rounded to fp16");
    double first = single.history.epochs[0].loss, last = single.history.epochs[EPOCHS - 1].loss;
    cr_expect_lt(last, 0.8 * first, "little was learnt: a loss of %g, then %g", first, last);
    cr_expect_not(same_parameters(&half, &single));
    cr_expect_eq(half.history.scale, 65536);
    cr_expect_eq(half.history.skipped, 0);
    cr_expect_eq(half.history.steps, STEPS);
    cr_expect_eq(single.history.scale, 0);
    finish(&half);
    finish(&single);
}

/* In the middle of an epoch, at its end, and before the last step. */
Test(vk_mixed, resumed_to_the_same_bits)
{
    static const int stops[] = { 3, PER_EPOCH, STEPS - 1 };
    struct training straight, part;
    vk_driver_lavapipe();
    cr_assert_eq(train(&straight, "fp16", NULL, 0), VGG_OK);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char checkpoint[96];
        snprintf(checkpoint, sizeof checkpoint, "%s/stop-%d", folder, stops[i]);
        cr_assert_eq(train(&part, "fp16", checkpoint, stops[i]), VGG_INTERRUPTED);
        cr_expect_not(same_parameters(&part, &straight));
        cr_expect_eq(part.history.scale, 65536);
        finish(&part);
        cr_assert_eq(train(&part, "fp16", checkpoint, 0), VGG_OK);
        cr_expect_eq(part.steps, STEPS - stops[i]);
        cr_expect(same_parameters(&part, &straight), "resumed after step %d: parameters differ", stops[i]);
        cr_expect_eq(part.history.scale, straight.history.scale);
        cr_expect_eq(part.history.skipped, 0);
        for (size_t e = 0; e < EPOCHS; e++)
            cr_expect_eq(part.history.epochs[e].loss, straight.history.epochs[e].loss);
        finish(&part);
    }
    finish(&straight);
}
