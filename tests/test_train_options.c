/* Options of a training at the library's door: the defaults are those that vgg16.h names, and what cannot be is refused
 * before any work, in one line. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "data_files.h"

#include "core/model/model.h"
#include "tests/tiny_train.h"

TestSuite(train_options, .init = tiny_init, .fini = tiny_finish, .timeout = 120);

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

static struct vgg_model *trained(struct vgg_train_options o)
{
    struct vgg_model *model = tiny_model("gap,dense:4:softmax");
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    return model;
}

static bool same(const struct vgg_model *a, const struct vgg_model *b)
{
    return memcmp(a->params, b->params, a->arch.param_size) == 0;
}

/* Left out, they are these; each of them changes what is trained. */
Test(train_options, defaults)
{
    static const struct {
        enum vgg_optimizer optimizer;
        float rate;
    } rows[] = { { VGG_OPTIMIZER_RMSPROP, 2e-5f },
                 { VGG_OPTIMIZER_SGD, 0.01f },
                 { VGG_OPTIMIZER_ADAM, 1e-3f },
                 { VGG_OPTIMIZER_ADAMW, 1e-3f } };
    open_all();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vgg_train_options left_out = { .optimizer = rows[i].optimizer, .epochs = 2, .seed = 5 };
        struct vgg_train_options said = { .trainable = "head",
                                          .optimizer = rows[i].optimizer,
                                          .learning_rate = rows[i].rate,
                                          .rho = 0.9f,
                                          .beta1 = 0.9f,
                                          .beta2 = 0.999f,
                                          .epsilon = 1e-7f,
                                          .epochs = 2,
                                          .steps_per_epoch = 3, /* 41 items by 20 */
                                          .batch = 20,
                                          .seed = 5 };
        struct vgg_model *wanted = trained(said), *model = trained(left_out);
        cr_expect(same(model, wanted), "optimiser %d", (int)rows[i].optimizer);
        vgg_model_destroy(model);
        struct vgg_train_options other = said;
        for (int k = 0; k < 4; k++) {
            bool used = true;
            other = said;
            if (k == 0) other.batch = 19;
            if (k == 1) other.rho = 0.8f, used = rows[i].optimizer == VGG_OPTIMIZER_RMSPROP;
            if (k == 2) other.beta1 = 0.8f, used = i >= 2;
            if (k == 3) other.epsilon = 1e-3f, used = rows[i].optimizer != VGG_OPTIMIZER_SGD;
            model = trained(other);
            cr_expect_eq(same(model, wanted), !used, "optimiser %d, change %d", (int)rows[i].optimizer, k);
            vgg_model_destroy(model);
        }
        vgg_model_destroy(wanted);
    }
    close_all();
}

#define FLOAT(member) offsetof(struct vgg_train_options, member)

/* The bounds of each number; what is just inside is taken. */
Test(train_options, numbers_out_of_bounds)
{
    static const struct {
        size_t at;
        const char *words;
        float good, bad[3];
    } rows[] = {
        { FLOAT(learning_rate), "learning rate", 1e-30f, { -1e-30f, INFINITY, NAN } },
        { FLOAT(momentum), "momentum", 0.99f, { -0.01f, 1, NAN } },
        { FLOAT(weight_decay), "weight decay", 0.5f, { -0.01f, -INFINITY, NAN } },
        { FLOAT(label_smoothing), "label smoothing", 0.99f, { -0.01f, 1, NAN } },
        { FLOAT(clip_norm), "norm", 1e-9f, { -0.01f, INFINITY, NAN } },
        { FLOAT(warmup), "warm-up", 1.5f, { -0.01f, INFINITY, NAN } },
        { FLOAT(lr_decay), "decay of the learning rate", 1, { -0.01f, 1.01f, NAN } },
        { FLOAT(augment.crop), "augmentation", 1, { -0.01f, 1.01f, NAN } },
        { FLOAT(augment.brightness), "augmentation", 1, { -0.01f, 1.01f, NAN } },
        { FLOAT(augment.contrast), "augmentation", 1, { -0.01f, 1.01f, NAN } },
        { FLOAT(augment.saturation), "augmentation", 1, { -0.01f, 1.01f, NAN } },
    };
    open_all();
    const struct vgg_train_options plain = {
        .optimizer = VGG_OPTIMIZER_SGD, .epochs = 1, .steps_per_epoch = 2, .batch = 3
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vgg_train_options o = plain;
        struct vgg_model *model = tiny_model("gap,dense:4:softmax");
        for (size_t k = 0; k < 3; k++) {
            memcpy((char *)&o + rows[i].at, &rows[i].bad[k], sizeof(float));
            EXPECT_FAILURE(vgg_train(engine, model, items, NULL, &o), VGG_ERR_ARGUMENT, rows[i].words);
        }
        memcpy((char *)&o + rows[i].at, &rows[i].good, sizeof(float));
        capture_log();
        cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK, "%s %g: %s", rows[i].words,
                     (double)rows[i].good, logged);
        cr_assert_eq(logged_lines, 0, "%s", logged);
        vgg_model_destroy(model);
    }
    close_all();
}

Test(train_options, what_cannot_be)
{
    static const struct {
        struct vgg_train_options options;
        bool validation;
        const char *words;
    } rows[] = {
        { { .batch = -1 }, false, "batch -1, shard 0, epochs 1, steps per epoch 0: none may be negative" },
        { { .shard = -2 }, false, "shard -2" },
        { { .epochs = -3 }, false, "epochs -3" },
        { { .steps_per_epoch = -4 }, false, "steps per epoch -4" },
        { { .optimizer = VGG_OPTIMIZER_ADAMW + 1, .learning_rate = 1 }, false, "unknown optimizer 4" },
        { { .monitor = VGG_MONITOR_VAL_ACCURACY + 1 }, true, "unknown monitor" },
        { { .keep = VGG_KEEP_BEST + 1 }, true, "keep 2" },
        { { .keep = VGG_KEEP_BEST }, false, "give --validation" },
        { { .monitor = VGG_MONITOR_VAL_LOSS }, false, "give --validation" },
        { { .schedule = VGG_SCHEDULE_PLATEAU }, false, "give --validation" },
        { { .resume = true }, false, "give --checkpoint" },
        { { .overwrite = true }, false, "give --checkpoint" },
        { { .resume = true, .overwrite = true, .checkpoint = "/nowhere" }, false, "not both" },
        { { .trainable = "block9" }, false, "\"block9\" is no layer or block" },
        { { .trainable = "block" }, false, "\"block\" is no layer or block" },
    };
    open_all();
    struct vgg_model *model = tiny_model("gap,dense:4:softmax"), *bare;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vgg_train_options o = rows[i].options;
        if (o.epochs == 0) o.epochs = 1;
        EXPECT_FAILURE(vgg_train(engine, model, items, rows[i].validation ? held : NULL, &o), VGG_ERR_ARGUMENT,
                       rows[i].words);
    }
    const struct vgg_train_options one = { .epochs = 1 };
    struct vgg_data *plain = tiny_open(&tiny_plain);
    EXPECT_FAILURE(vgg_train(engine, model, plain, NULL, &one), VGG_ERR_ARGUMENT, "#0: has no labels");
    EXPECT_FAILURE(vgg_train(engine, model, items, plain, &one), VGG_ERR_ARGUMENT, "#0: has no labels");
    vgg_data_destroy(plain);
    vgg_model_destroy(model);
    const struct vgg_model_options options = {
        .arch = "vgg11", .weights = "random", .last = "block1_pool", .height = 32, .width = 32
    };
    cr_assert_eq(vgg_model_create(&bare, &options), VGG_OK);
    EXPECT_FAILURE(vgg_train(engine, bare, items, NULL, &one), VGG_ERR_ARGUMENT, "no head that classifies");
    vgg_model_destroy(bare);
    close_all();
}

/* What is told while it goes on: each step once, then the items of each validation. */
struct told {
    int steps, epochs;
    uint64_t held;
    double loss, accuracy;
};

static bool tell(void *user, const struct vgg_progress *p)
{
    struct told *told = user;
    bool runs = strcmp(p->phase, "train") == 0 || strcmp(p->phase, "validate") == 0;
    cr_assert_eq(p->epochs, runs ? 2 : 0, "%s", p->phase);
    if (strcmp(p->phase, "train") == 0) {
        int step = told->steps++;
        cr_assert_str_eq(p->unit, "steps");
        cr_assert(p->epoch == step / 3 + 1 && p->total == 3 && p->done == (uint64_t)(step % 3) + 1, "step %d", step);
        told->loss = p->loss, told->accuracy = p->accuracy;
    } else if (strcmp(p->phase, "validate") == 0) {
        cr_assert_eq(p->epoch, told->epochs + 1);
        cr_assert_eq(told->steps, 3 * p->epoch);
        cr_assert(p->total == TINY_HELD && p->done > told->held);
        told->held = p->done;
    }
    return true;
}

static void tell_epoch(void *user, const struct vgg_epoch *e)
{
    struct told *told = user;
    cr_assert_eq(e->epoch, ++told->epochs);
    cr_assert_eq(told->held, (uint64_t)TINY_HELD);
    cr_assert_eq(e->images, (uint64_t)TINY_ITEMS);
    cr_assert(e->loss == told->loss && e->accuracy == told->accuracy, "the last step's figures are the epoch's");
    cr_assert(e->loss > 0 && e->accuracy >= 0 && e->accuracy <= 1 && e->val_loss > 0);
    cr_assert_float_eq(e->learning_rate, 0.25, 1e-12);
    cr_assert(e->seconds >= e->seconds_train && e->seconds_train > 0 && e->seconds_validate > 0);
    told->held = 0;
}

Test(train_options, progress)
{
    struct told told = { 0 };
    struct vgg_train_options o = { .optimizer = VGG_OPTIMIZER_SGD,
                                   .learning_rate = 0.25f,
                                   .epochs = 2,
                                   .batch = 16,
                                   .progress = tell,
                                   .on_epoch = tell_epoch,
                                   .user = &told };
    struct vgg_history history;
    open_all();
    struct vgg_model *model = tiny_model("gap,dense:4:softmax");
    o.history = &history;
    cr_assert_eq(vgg_train(engine, model, items, held, &o), VGG_OK);
    cr_assert(told.steps == 6 && told.epochs == 2);
    cr_assert(history.count == 2 && history.steps == 6 && history.kept && history.stopped == 0);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
    close_all();
}
