/* Scaled losses: what VGG_OP_UNSCALE finds, that a factor of a power of two changes no bit of a training, that
 * gradients which are no numbers are passed over as if their batch had not been, and that all of it survives a
 * checkpoint. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_files.h"

#include "core/engine/engine.h"
#include "core/engine/net.h"
#include "core/format/safetensors.h"
#include "core/train/trainer.h"
#include "harness.h"
#include "tests/tiny_train.h"

TestSuite(scale, .timeout = 300);

/* ---- the rule ---- */

static struct vgg_scale after(float factor, uint64_t good, bool skipped, bool expected)
{
    struct vgg_scale scale = { factor, good, 7 };
    cr_expect_eq(vgg_scale_next(&scale, skipped), expected, "%g after %d good steps", (double)factor, (int)good);
    cr_expect(vgg_scale_valid(&scale), "%g, %d", (double)scale.factor, (int)scale.good);
    return scale;
}

static void is(struct vgg_scale got, float factor, uint64_t good, uint64_t skipped)
{
    cr_expect_eq(got.factor, factor, "%g, not %g", (double)got.factor, (double)factor);
    cr_expect_eq(got.good, good);
    cr_expect_eq(got.skipped, skipped);
}

/* PyTorch's GradScaler: growth_factor 2, backoff_factor 0.5, growth_interval 2000. */
Test(scale, rule)
{
    is(after(65536, 0, false, true), 65536, 1, 7);
    is(after(65536, 1998, false, true), 65536, 1999, 7);
    is(after(65536, 1999, false, true), 131072, 0, 7);
    is(after(65536, 1999, true, true), 32768, 0, 8);
    is(after(65536, 0, true, true), 32768, 0, 8);
    is(after(2, 5, true, true), 1, 0, 8);
    is(after(1, 5, true, false), 1, 0, 8);
    is(after(1, 1999, false, true), 2, 0, 7);
    is(after(16777216, 1999, false, true), 16777216, 0, 7);
    is(after(8388608, 1999, false, true), 16777216, 0, 7);
    static const struct vgg_scale wrong[] = { { 0, 0, 0 },    { 3, 0, 0 },   { 0.5f, 0, 0 },     { 33554432, 0, 0 },
                                              { 2, 2000, 0 }, { NAN, 0, 0 }, { INFINITY, 0, 0 }, { -2, 0, 0 } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(vgg_scale_valid(&wrong[i]), "%g, %d", (double)wrong[i].factor, (int)wrong[i].good);
}

/* ---- the operation ---- */

enum { VALUES = 40003 }; /* more than a piece of the CPU's, and no multiple of anything */

static void run_unscale(struct harness *h, const struct vgg_op *op, float *values, float unscale, float expected)
{
    struct vgg_step step = { .unscale = unscale };
    float found;
    harness_put(h, &op->dw, values);
    harness_run(h, op, 1, &step);
    harness_get(h, &op->y, &found);
    cr_expect_eq(found, expected, "%s: %g, not %g", h->name, (double)found, (double)expected);
    float *got = harness_fetch(h, &op->dw);
    for (int i = 0; i < VALUES; i++) {
        float want = values[i] * unscale;
        bool same = isnan(want) ? isnan(got[i]) : got[i] == want;
        cr_assert(same, "%s: value %d is %g, not %g", h->name, i, (double)got[i], (double)want);
    }
    free(got);
}

/* The largest finite values are none of those sought; what was found before is forgotten. */
Test(scale, unscale_finds_what_is_not_finite)
{
    static const float bad[] = { INFINITY, -INFINITY, NAN };
    static const int places[] = { 0, 1, 4095, 16384, 33333, VALUES - 1 };
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    float *values = malloc(VALUES * sizeof *values);
    for (size_t k = 0; k < targets; k++) {
        struct harness h;
        harness_open(&h, &target[k]);
        struct vgg_op op = { .kind = VGG_OP_UNSCALE };
        op.dw = harness_view(&h, VGG_ARENA_GRAD, 1, 1, 1, VALUES);
        op.y = harness_view(&h, VGG_ARENA_ACT, 1, 1, 1, 1);
        harness_allocate(&h);
        harness_fill(values, VALUES, 77, 100);
        values[2] = FLT_MAX, values[VALUES - 2] = -FLT_MAX;
        run_unscale(&h, &op, values, 0x1p-16f, 0);
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            float was = values[places[i]];
            values[places[i]] = bad[(i + k) % 3];
            run_unscale(&h, &op, values, 0.25f, 1);
            values[places[i]] = was;
            if (i % 2) run_unscale(&h, &op, values, 1, 0);
        }
        harness_close(&h);
    }
    free(values);
}

/* Of seven steps before it three updated nothing: the fifth update. */
Test(scale, skipped_steps_do_not_count_for_adam)
{
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    enum { COUNT = 77 };
    float values[4][COUNT], got[2][3][COUNT];
    for (uint32_t i = 0; i < 4; i++)
        harness_fill(values[i], COUNT, 50 + i, 1);
    for (int i = 0; i < COUNT; i++)
        values[3][i] = fabsf(values[3][i]);
    for (size_t k = 0; k < targets; k++) {
        struct harness h;
        harness_open(&h, &target[k]);
        struct vgg_op op = { .kind = VGG_OP_ADAM, .hyper = { .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-7f } };
        op.w = harness_view(&h, VGG_ARENA_PARAM, 1, 1, 1, COUNT);
        op.dw = harness_view(&h, VGG_ARENA_GRAD, 1, 1, 1, COUNT);
        op.m = harness_view(&h, VGG_ARENA_MOMENT, 1, 1, 1, COUNT);
        op.v = harness_view(&h, VGG_ARENA_MOMENT, 1, 1, 1, COUNT);
        harness_allocate(&h);
        const struct vgg_view *views[] = { &op.w, &op.m, &op.v, &op.dw };
        const struct vgg_step steps[] = { { .step = 7, .skipped = 3, .learning_rate = 0.1f },
                                          { .step = 4, .learning_rate = 0.1f } };
        for (int i = 0; i < 2; i++) {
            const int order[] = { 0, 1, 3, 2 };
            for (int v = 0; v < 4; v++)
                harness_put(&h, views[v], values[order[v]]);
            harness_run(&h, &op, 1, &steps[i]);
            for (int v = 0; v < 3; v++)
                harness_get(&h, views[v], got[i][v]);
        }
        cr_expect_eq(memcmp(got[0], got[1], sizeof got[0]), 0, "%s", h.name);
        harness_close(&h);
    }
}

/* ---- networks ---- */

enum { SIZE = 32, BATCH = 11, CLASSES = 3, PIXELS = SIZE * SIZE * 3 };

struct run {
    struct vgg_net *net;
    size_t params, moments; /* bytes */
    float *param, *moment, y[BATCH * CLASSES], loss[BATCH];
    bool skipped;
};

struct batch {
    float x[BATCH * PIXELS], t[BATCH], w[BATCH];
};

static void run_begin(struct run *r, struct harness *h, struct vgg_plan_spec spec, bool scaled, int shard,
                      const float *params)
{
    *r = (struct run) { .params = spec.arch->param_size };
    spec.scaled = scaled;
    cr_assert_eq(vgg_net_create(&r->net, h->backend, &spec, 0, shard, 0), VGG_OK);
    r->moments = vgg_net_moment_size(r->net);
    r->param = malloc(r->params);
    r->moment = calloc(r->moments + 1, 1);
    cr_assert_eq(vgg_net_set_params(r->net, params), VGG_OK);
    cr_assert_eq(vgg_net_set_moments(r->net, r->moment), VGG_OK);
}

static void run_step(struct run *r, const struct batch *b, int n, uint64_t number, uint64_t skipped, float factor)
{
    struct vgg_net_io io = { n, b->x, b->t, b->w, r->y, r->loss, &r->skipped };
    struct vgg_step step = {
        .seed = 3, .step = number, .skipped = skipped, .unscale = 1 / factor, .learning_rate = 0.02f
    };
    cr_assert_eq(vgg_net_train(r->net, &io, &step), VGG_OK);
    cr_assert_eq(vgg_net_get_params(r->net, r->param), VGG_OK);
    cr_assert_eq(vgg_net_get_moments(r->net, r->moment), VGG_OK);
}

static void same(const struct run *got, const struct run *want, const char *device, const char *what)
{
    cr_assert_eq(memcmp(got->param, want->param, want->params), 0, "%s, %s: parameters differ", device, what);
    cr_assert_eq(memcmp(got->moment, want->moment, want->moments), 0, "%s, %s: moments differ", device, what);
}

static void run_end(struct run *r)
{
    vgg_net_destroy(r->net);
    free(r->param);
    free(r->moment);
}

/* Two steps of each, the second of fewer images; then one with an image that is infinite, which changes nothing, and
 * one more. Dropout is keyed by the step, which goes on, so that the plain network goes on with it too. */
static void compare(struct harness *h, const struct vgg_plan_spec *spec, int shard, const struct batch *b,
                    const struct batch *infinite, const float *params)
{
    struct run plain, scaled, before;
    run_begin(&plain, h, *spec, false, shard, params);
    run_begin(&scaled, h, *spec, true, shard, params);
    run_step(&plain, b, BATCH, 0, 0, 1);
    run_step(&scaled, b, BATCH, 0, 0, 65536);
    cr_assert_not(scaled.skipped);
    same(&scaled, &plain, h->name, "first step");
    cr_assert_neq(memcmp(scaled.param, params, scaled.params), 0, "nothing was trained");
    cr_assert_eq(memcmp(scaled.loss, plain.loss, sizeof plain.loss), 0, "%s: losses differ", h->name);
    run_step(&plain, b, BATCH - 4, 1, 0, 1);
    run_step(&scaled, b, BATCH - 4, 1, 0, 512);
    same(&scaled, &plain, h->name, "second step");
    before = scaled;
    scaled.param = malloc(scaled.params), scaled.moment = malloc(scaled.moments + 1);
    run_step(&scaled, infinite, BATCH, 2, 0, 512);
    cr_assert(scaled.skipped, "%s: not skipped", h->name);
    same(&scaled, &before, h->name, "skipped step");
    run_step(&plain, b, BATCH, 3, 1, 1);
    run_step(&scaled, b, BATCH, 3, 1, 256);
    cr_assert_not(scaled.skipped);
    same(&scaled, &plain, h->name, "step after it");
    free(before.param);
    free(before.moment);
    run_end(&plain);
    run_end(&scaled);
}

Test(scale, networks_train_to_the_same_bits)
{
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg11", SIZE, SIZE, "block2_pool"), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, "gap,dropout:0.4,dense:3:softmax"), VGG_OK);
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    struct batch *b = calloc(1, sizeof *b), *infinite = malloc(sizeof *infinite);
    float *params = malloc(arch.param_size);
    harness_fill(params, arch.param_size / sizeof *params, 12, 0.1);
    harness_image(b->x, 1, BATCH, SIZE, SIZE);
    for (int i = 0; i < BATCH; i++) {
        b->t[i] = (float)(i * i % 7 % CLASSES);
        b->w[i] = 0.5f + (float)(i % 5);
    }
    *infinite = *b;
    infinite->x[4 * PIXELS + 1234] = INFINITY;
    static const int shards[] = { 0, 3, 1 };
    for (size_t k = 0; k < targets; k++) {
        struct harness h;
        bool few = target[k].scalar || strcmp(target[k].backend, "cpu") != 0;
        harness_open(&h, &target[k]);
        for (int i = 0; i < (few ? 2 : 12); i++) {
            struct vgg_plan_spec spec = {
                .arch = &arch,
                .batch = BATCH,
                .last = arch.count,
                .loss = true,
                .trainable = i % 2 ? 0 : 3,
                .optimizer = (enum vgg_optimizer)(few ? VGG_OPTIMIZER_ADAM : i % 4),
                .hyper = { 0.9f, 0.9f, 0.9f, 0.999f, 1e-7f, i % 3 ? 1e-2f : 0, 0 },
                .clip = i % 3 == 1 ? 0.3f : 0,
                .lr_decay = i % 3 == 2 ? 0.5f : 0,
            };
            compare(&h, &spec, shards[i % 3], b, infinite, params);
        }
        harness_close(&h);
    }
    free(params);
    free(infinite);
    free(b);
}

/* ---- trainings ---- */

TestSuite(scaled_training, .init = tiny_init, .fini = tiny_finish, .timeout = 120);

static bool stop_after(void *user, const struct vgg_progress *progress)
{
    int *left = user;
    return strcmp(progress->phase, "train") != 0 || --*left != 0;
}

/* Trains a fresh model with the loss times `scale` at first (0: unscaled); stops after `steps` (0: never). */
static enum vgg_status train(struct vgg_model **model, struct vgg_history *history, const char *head,
                             const struct vgg_data *data, struct vgg_train_options o, float scale, int steps)
{
    struct vgg_engine *engine = tiny_engine();
    o.progress = stop_after;
    o.user = &steps;
    o.history = history;
    *model = tiny_model(head);
    struct vgg_trainer t = { .engine = engine, .model = *model, .o = o, .scale = scale };
    enum vgg_status status = vgg_trainer_run(&t, data, NULL);
    vgg_engine_destroy(engine);
    return status;
}

static void same_model(const struct vgg_model *got, const struct vgg_model *want, const char *what)
{
    cr_assert_eq(memcmp(got->params, want->params, want->arch.param_size), 0, "%s: parameters differ", what);
}

Test(scaled_training, the_same_bits_as_unscaled)
{
    struct vgg_data *data = tiny_open(&tiny_items);
    static const char *const what[] = { "head", "all" };
    static const char head[] = "gap,dropout:0.4,dense:4:softmax";
    capture_log();
    for (int i = 0; i < 8; i++) {
        struct vgg_train_options o = { .trainable = what[i % 2],
                                       .augment = { .flip = i % 4 == 3 },
                                       .optimizer = (enum vgg_optimizer)(i / 2),
                                       .learning_rate = 0.01f,
                                       .momentum = i / 2 == VGG_OPTIMIZER_SGD ? 0.9f : 0,
                                       .weight_decay = 1e-3f,
                                       .clip_norm = i % 3 ? 0.5f : 0,
                                       .epochs = 2,
                                       .batch = 9,
                                       .shard = i % 3 + 2,
                                       .seed = 3 };
        struct vgg_model *plain, *scaled;
        struct vgg_history a, b;
        cr_assert_eq(train(&plain, &a, head, data, o, 0, 0), VGG_OK);
        cr_assert_eq(train(&scaled, &b, head, data, o, i % 4 ? 65536 : 1, 0), VGG_OK);
        same_model(scaled, plain, what[i % 2]);
        cr_expect_eq(a.scale, 0);
        cr_expect_eq(b.scale, i % 4 ? 65536 : 1);
        cr_expect_eq(b.skipped, 0);
        for (size_t e = 0; e < 2; e++)
            cr_assert_eq(a.epochs[e].loss, b.epochs[e].loss, "%.17g, not %.17g", b.epochs[e].loss, a.epochs[e].loss);
        vgg_history_finish(&a);
        vgg_history_finish(&b);
        vgg_model_destroy(plain);
        vgg_model_destroy(scaled);
    }
    vgg_data_destroy(data);
}

/* ---- items that overflow ---- */

enum { ITEMS = 40, QUARTET = 4 };

/* Pooled features without order; of those of `huge` quartets from number 3 on one is so large that its scores overflow.
 * leave_out: the third quartet is not there at all. */
static struct vgg_data *features(const char *name, int huge, bool leave_out)
{
    static float x[ITEMS][TINY_FEATURES];
    static int64_t y[ITEMS];
    size_t n = 0;
    char path[128];
    for (int i = 0; i < ITEMS; i++) {
        int quartet = i / QUARTET - 3;
        if (leave_out && quartet == 0) continue;
        harness_fill(x[n], TINY_FEATURES, (uint32_t)i, 0.5);
        if (quartet >= 0 && quartet < huge && i % QUARTET == 2)
            for (int f = 0; f < TINY_FEATURES; f++)
                x[n][f] = 3e38f;
        y[n++] = (i * i + i / 3) % TINY_CLASSES;
    }
    struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_F32, 2, { n, TINY_FEATURES }, x, n * sizeof x[0] },
        { "y", VGG_DTYPE_I64, 1, { n }, y, n * sizeof y[0] },
    };
    struct vgg_st_meta meta = { "classes", "[\"fig\",\"kiwi\",\"lime\",\"plum\"]" };
    struct vgg_data *data;
    snprintf(path, sizeof path, "%s/%s.safetensors", tiny_folder, name);
    cr_assert_eq(vgg_st_write(path, tensors, 2, &meta, 1), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, path), VGG_OK);
    return data;
}

/* No dropout: its keys count the steps that are skipped. */
static enum vgg_status train_head(struct vgg_model **model, struct vgg_history *history, const struct vgg_data *data,
                                  struct vgg_train_options o, float scale, int steps)
{
    return train(model, history, "gap,dense:4:softmax", data, o, scale, steps);
}

static struct vgg_train_options in_order(int epochs)
{
    return (struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_ADAM,
                                        .learning_rate = 0.01f,
                                        .weight_decay = 1e-2f,
                                        .clip_norm = 0.5f,
                                        .epochs = epochs,
                                        .batch = QUARTET,
                                        .no_shuffle = true };
}

/* As if the batch had not been: parameters, moments, the t of Adam. */
Test(scaled_training, a_batch_that_overflows_is_passed_over)
{
    struct vgg_data *with = features("with", 1, false), *without = features("without", 0, true);
    struct vgg_model *plain, *scaled, *stopped;
    struct vgg_history a, b;
    cr_assert_eq(train_head(&plain, &a, without, in_order(3), 0, 0), VGG_OK);
    cr_assert_eq(train_head(&scaled, &b, with, in_order(3), 65536, 0), VGG_OK);
    same_model(scaled, plain, "passed over");
    cr_expect_eq(b.scale, 8192);
    cr_expect_eq(b.skipped, 3);
    cr_expect_eq(b.steps, 30);
    for (size_t e = 0; e < 3; e++) {
        cr_expect_eq(a.epochs[e].loss, b.epochs[e].loss);
        cr_expect_eq(a.epochs[e].accuracy, b.epochs[e].accuracy);
        cr_expect_eq(b.epochs[e].images, ITEMS - QUARTET);
    }
    vgg_history_finish(&a);
    vgg_history_finish(&b);
    EXPECT_FAILURE(train_head(&stopped, &a, with, in_order(3), 0, 0), VGG_ERR_NUMERIC,
                   "the loss is no longer a number in epoch 1, step 4; take a lower --lr (it is 0.01)");
    vgg_history_finish(&a);
    vgg_model_destroy(stopped);
    vgg_model_destroy(plain);
    vgg_model_destroy(scaled);
    vgg_data_destroy(with);
    vgg_data_destroy(without);
}

/* From 2^16 the factor is 1 after sixteen; the seventeenth ends it: six batches of each epoch. */
Test(scaled_training, ends_when_the_factor_cannot_fall)
{
    struct vgg_data *data = features("many", 6, false);
    struct vgg_model *model;
    struct vgg_history history;
    EXPECT_FAILURE(train_head(&model, &history, data, in_order(9), 65536, 0), VGG_ERR_NUMERIC,
                   "in epoch 3, step 8; take a lower --lr (it is 0.01) or --precision fp32");
    cr_expect_eq(history.count, 2);
    cr_expect_eq(history.scale, 1);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
    vgg_data_destroy(data);
}

/* Interrupted before, at and after steps that are skipped. */
Test(scaled_training, resumed_to_the_same_bits)
{
    struct vgg_data *data = features("two", 2, false);
    struct vgg_model *straight, *model;
    struct vgg_history whole, part;
    static const int stops[] = { 1, 3, 4, 5, 6, 10, 14, 15, 25 };
    struct vgg_train_options o = in_order(3);
    capture_log();
    cr_assert_eq(train_head(&straight, &whole, data, o, 65536, 0), VGG_OK);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char folder[128];
        snprintf(folder, sizeof folder, "%s/stop-%d", tiny_folder, stops[i]);
        o.checkpoint = folder, o.resume = true;
        cr_assert_eq(train_head(&model, &part, data, o, 65536, stops[i]), VGG_INTERRUPTED);
        vgg_history_finish(&part);
        vgg_model_destroy(model);
        cr_assert_eq(train_head(&model, &part, data, o, 65536, 0), VGG_OK);
        same_model(model, straight, folder);
        cr_expect_eq(part.scale, whole.scale);
        cr_expect_eq(part.skipped, 6, "stopped at %d: %d", stops[i], (int)part.skipped);
        for (size_t e = 0; e < 3; e++)
            cr_expect_eq(part.epochs[e].loss, whole.epochs[e].loss);
        vgg_history_finish(&part);
        vgg_model_destroy(model);
    }
    cr_expect_eq(whole.scale, 1024);
    vgg_history_finish(&whole);
    vgg_model_destroy(straight);
    vgg_data_destroy(data);
}

/* The good steps since the factor changed are kept, too: 2000 of them, with an interruption in their midst. */
Test(scaled_training, good_steps_are_counted_over_a_resume)
{
    struct vgg_data *data = features("none", 0, false);
    struct vgg_model *model;
    struct vgg_history history;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/long", tiny_folder);
    struct vgg_train_options o = in_order(200);
    o.checkpoint = folder, o.resume = true;
    cr_assert_eq(train_head(&model, &history, data, o, 8, 1234), VGG_INTERRUPTED);
    cr_expect_eq(history.scale, 8);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
    cr_assert_eq(train_head(&model, &history, data, o, 8, 0), VGG_OK);
    cr_expect_eq(history.steps, 2000);
    cr_expect_eq(history.scale, 16);
    vgg_history_finish(&history);
    vgg_model_destroy(model);
    vgg_data_destroy(data);
}

/* What is damaged of it is seen, and the checkpoint before serves. */
Test(scaled_training, damaged_factors_are_passed_over)
{
    static const char *const damages[] = { "s/factor=0x1p+1/factor=0x3p+1/", "s/factor=/faktor=/", "s/ good=/ gone=/" };
    struct vgg_data *data = features("damaged", 1, false);
    struct vgg_model *straight, *model;
    struct vgg_history history;
    struct vgg_train_options o = in_order(2);
    char folder[128], command[512];
    cr_assert_eq(train_head(&straight, &history, data, o, 65536, 0), VGG_OK);
    vgg_history_finish(&history);
    for (int i = 0; i < 3; i++) {
        snprintf(folder, sizeof folder, "%s/damaged-%d", tiny_folder, i);
        o.checkpoint = folder, o.resume = true;
        cr_assert_eq(train_head(&model, &history, data, o, 65536, 17), VGG_INTERRUPTED);
        vgg_history_finish(&history);
        vgg_model_destroy(model);
        snprintf(command, sizeof command,
                 "f=%s/checkpoint-000001-00000007.safetensors; grep -aq factor=0x1p+14 $f && "
                 "sed -i '%s' $f",
                 folder, damages[i]);
        cr_assert_eq(system(command), 0);
        capture_log();
        cr_assert_eq(train_head(&model, &history, data, o, 65536, 0), VGG_OK);
        cr_expect(strstr(logged, "is not a whole checkpoint"), "%s: %s", damages[i], logged);
        same_model(model, straight, damages[i]);
        vgg_history_finish(&history);
        vgg_model_destroy(model);
    }
    vgg_model_destroy(straight);
    vgg_data_destroy(data);
}
