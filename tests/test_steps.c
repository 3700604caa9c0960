/* Training of a head step by step against softmax regression in double, written here from the formulas: optimisers and
 * their settings, schedules, class weights, labels, what each epoch reports. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/base/rng.h"
#include "core/data/data.h"
#include "tests/tiny_train.h"

TestSuite(steps, .init = tiny_init, .fini = tiny_finish, .timeout = 60);

enum { MAX_PASSES = 6, WEIGHTS = (TINY_FEATURES + 1) * TINY_CLASSES };

/* Weights and moments of a dense layer, the biases last. */
struct fit {
    double w[WEIGHTS], m[WEIGHTS], v[WEIGHTS];
    int step;
};

static double *weight_at(double *w, int feature, int k)
{
    return w + feature * TINY_CLASSES + k;
}

static struct tiny_dense dense_of(struct fit *fit)
{
    struct tiny_dense dense = { .units = TINY_CLASSES };
    for (int k = 0; k < TINY_CLASSES; k++) {
        dense.bias[k] = *weight_at(fit->w, TINY_FEATURES, k);
        for (int f = 0; f < TINY_FEATURES; f++)
            dense.kernel[f][k] = *weight_at(fit->w, f, k);
    }
    return dense;
}

static void update(struct fit *fit, const double *gradient, const struct vgg_train_options *o, double rate)
{
    double decay = (double)o->weight_decay, b1 = o->beta1 != 0.0f ? (double)o->beta1 : 0.9,
           b2 = o->beta2 != 0.0f ? (double)o->beta2 : 0.999, rho = o->rho != 0.0f ? (double)o->rho : 0.9,
           mu = (double)o->momentum, epsilon = o->epsilon != 0.0f ? (double)o->epsilon : 1e-7;
    int t = ++fit->step;
    for (int i = 0; i < WEIGHTS; i++) {
        double *w = &fit->w[i], *m = &fit->m[i], *v = &fit->v[i], g = gradient[i];
        if (o->optimizer == VGG_OPTIMIZER_ADAMW)
            *w -= rate * decay * *w;
        else
            g += decay * *w;
        switch (o->optimizer) {
        case VGG_OPTIMIZER_SGD:
            *m = mu * *m + g;
            *w -= rate * (o->nesterov ? g + mu * *m : *m);
            break;
        case VGG_OPTIMIZER_RMSPROP:
            *v = rho * *v + (1 - rho) * g * g;
            *w -= rate * g / (sqrt(*v) + epsilon);
            break;
        case VGG_OPTIMIZER_ADAM:
        case VGG_OPTIMIZER_ADAMW:
            *m = b1 * *m + (1 - b1) * g;
            *v = b2 * *v + (1 - b2) * g * g;
            *w -= rate * (*m / (1 - pow(b1, t))) / (sqrt(*v / (1 - pow(b2, t))) + epsilon);
            break;
        }
    }
}

/* Loss and number of right ones over `count` items, of which `features` is the first one's; adds the gradient of the
 * mean weighted loss where it is wanted. Labels give a share `smoothing` to all classes alike. */
static double losses(double *gradient, int *correct, struct fit *fit, const double *features,
                     const struct tiny_set *set, int from, int count, const double *class_weight, double smoothing)
{
    struct tiny_dense dense = dense_of(fit);
    double loss = 0;
    for (int i = from; i < from + count; i++) {
        double p[TINY_CLASSES];
        const double *x = features + (i - from) * TINY_FEATURES;
        int label = set->map[set->labels[i]], best = 0;
        tiny_probabilities(p, &dense, x);
        for (int k = 0; k < TINY_CLASSES; k++) {
            if (p[k] > p[best]) best = k;
            double q = (1 - smoothing) * (k == label) + smoothing / TINY_CLASSES;
            for (int f = 0; gradient && f <= TINY_FEATURES; f++)
                *weight_at(gradient, f, k) += class_weight[label] * (p[k] - q) * (f < TINY_FEATURES ? x[f] : 1) / count;
            if (q > 0) loss -= class_weight[label] * q * log(p[k]);
        }
        *correct += best == label;
    }
    return loss;
}

/* Keras 2.15's ReduceLROnPlateau, line by line, with its defaults but for monitor, factor and patience. */
struct plateau {
    double best, rate;
    int wait;
};

static void plateau_init(struct plateau *p, const struct vgg_train_options *o)
{
    *p = (struct plateau) { o->monitor == VGG_MONITOR_VAL_ACCURACY ? -INFINITY : INFINITY, 1, 0 };
}

static void plateau_epoch_end(struct plateau *p, const struct vgg_train_options *o, const struct vgg_epoch *logs)
{
    double min_delta = 1e-4;
    bool max = o->monitor == VGG_MONITOR_VAL_ACCURACY;
    double current = max ? logs->val_accuracy : logs->val_loss;
    if (max ? current > p->best + min_delta : current < p->best - min_delta) {
        p->best = current;
        p->wait = 0;
    } else {
        p->wait += 1;
        if (p->wait >= o->schedule_every) {
            p->rate *= (double)o->schedule_factor;
            p->wait = 0;
        }
    }
}

static double rate_of(const struct vgg_train_options *o, int step, int steps)
{
    static const double rates[] = { 2e-5, 0.01, 1e-3, 1e-3 };
    double rate = o->learning_rate != 0.0f ? (double)o->learning_rate : rates[o->optimizer];
    double up = (double)o->warmup * steps; /* steps until the whole rate is reached */
    if (step + 1 < up) rate = rate * (step + 1) / up;
    if (o->schedule == VGG_SCHEDULE_COSINE) return rate * (1 + cos(M_PI * step / (steps * o->epochs))) / 2;
    for (int epoch = 1; o->schedule == VGG_SCHEDULE_STEP && epoch <= step / steps; epoch++)
        if (epoch % o->schedule_every == 0) rate *= (double)o->schedule_factor;
    return rate;
}

/* torch.nn.utils.clip_grad_norm_; returns whether anything changed. */
static bool clip(double *gradient, double most)
{
    double sum = 0;
    for (int i = 0; i < WEIGHTS; i++)
        sum += gradient[i] * gradient[i];
    double factor = fmin(1, most / (sqrt(sum) + 1e-6));
    for (int i = 0; i < WEIGHTS; i++)
        gradient[i] *= factor;
    return factor < 1;
}

/* What dropout leaves of the features of `count` images. */
static void drop(double *to, const double *from, int count, const struct vgg_train_options *o, int step, int layer,
                 float rate)
{
    for (int i = 0; i < count * TINY_FEATURES; i++) {
        bool keep = vgg_rng_keep(o->seed, (uint64_t)step, layer, (uint64_t)i, rate);
        to[i] = keep ? from[i] / (1 - (double)rate) : 0;
    }
}

static void close_to(double got, double want, double bound, const char *what, int at)
{
    cr_assert(fabs(got - want) <= bound, "%s %d is %.9g, not %.9g", what, at, got, want);
}

/* What the trainings told while they went on. */
enum { MAX_TOLD = 256 };
static struct vgg_progress told[MAX_TOLD];
static int tolds;

static bool listen(void *user, const struct vgg_progress *progress)
{
    (void)user;
    cr_assert_lt(tolds, MAX_TOLD);
    told[tolds++] = *progress;
    return true;
}

/* The next of them. Its running means end as the epoch's do. */
static void check_told(int *at, const char *phase, const char *unit, int done, int total, int epoch, int epochs)
{
    const struct vgg_progress *p = &told[(*at)++];
    cr_assert_leq(*at, tolds);
    cr_assert_str_eq(p->phase, phase);
    cr_assert_str_eq(p->unit, unit);
    cr_assert_eq(p->done, (uint64_t)done, "%s: %d of %d, not %d", phase, (int)p->done, (int)p->total, done);
    cr_assert_eq(p->total, (uint64_t)total);
    cr_assert_eq(p->epoch, epoch);
    cr_assert_eq(p->epochs, epochs);
    cr_assert_eq(isnan(p->loss), strcmp(phase, "train") != 0);
    cr_assert_eq(isnan(p->accuracy), strcmp(phase, "train") != 0);
}

/* `done` goes from batch to batch up to all. */
static void check_pass(int *at, const char *phase, int batch, int total, int epoch, int epochs)
{
    for (int done = 0; done < total;) {
        done = done + batch < total ? done + batch : total;
        check_told(at, phase, "images", done, total, epoch, epochs);
    }
}

/* A head with dropout of that rate; 0: without. */
static void check_with(struct vgg_train_options o, float rate)
{
    static const double ones[] = { 1, 1, 1, 1 };
    struct vgg_engine *engine = tiny_engine();
    char head[64] = "gap,dense:4:softmax";
    if (rate > 0) snprintf(head, sizeof head, "gap,dropout:%g,dense:4:softmax", (double)rate);
    struct vgg_model *model = tiny_model(head);
    bool augmented = o.augment.flip;
    int dropout = vgg_model_layer_count(model) - 2, pass = 0, clipped = 0;
    struct plateau plateau;
    plateau_init(&plateau, &o);
    double *features[MAX_PASSES], *held = tiny_features(engine, model, &tiny_held, NULL, 0, 0);
    double dropped[TINY_ITEMS * TINY_FEATURES];
    for (int i = 0; i < MAX_PASSES; i++)
        features[i] = tiny_features(engine, model, &tiny_items, augmented ? &o.augment : NULL, o.seed, (uint64_t)i);
    tiny_centre(model, features[0], TINY_ITEMS);
    struct fit fit = { 0 }, start;
    struct tiny_dense dense;
    tiny_get(&dense, model);
    for (int k = 0; k < TINY_CLASSES; k++) {
        *weight_at(fit.w, TINY_FEATURES, k) = dense.bias[k];
        for (int f = 0; f < TINY_FEATURES; f++)
            *weight_at(fit.w, f, k) = dense.kernel[f][k];
    }
    start = fit;
    double balanced[TINY_CLASSES] = { 0 };
    for (int i = 0; i < TINY_ITEMS; i++)
        balanced[tiny_items.map[tiny_items.labels[i]]]++;
    for (int k = 0; k < TINY_CLASSES; k++)
        balanced[k] = TINY_ITEMS / (TINY_CLASSES * balanced[k]);
    int batch = o.batch ? o.batch : 20,
        steps = o.steps_per_epoch ? o.steps_per_epoch : (TINY_ITEMS + batch - 1) / batch;

    struct vgg_history history;
    struct vgg_data *items = tiny_open(&tiny_items), *validation = tiny_open(&tiny_held);
    o.history = &history;
    o.no_shuffle = true;
    o.progress = listen;
    tolds = 0;
    cr_assert_eq(vgg_train(engine, model, items, validation, &o), VGG_OK);
    cr_assert_eq(history.count, (size_t)o.epochs);
    int heard = 0;
    if (!augmented) check_pass(&heard, "features", batch > 32 ? batch : 32, TINY_ITEMS, 0, 0);
    check_pass(&heard, "features", batch > 32 ? batch : 32, TINY_HELD, 0, 0);
    for (int e = 0, at = 0; e < o.epochs; e++) {
        double loss = 0, learning_rate = 0;
        int correct = 0, seen = 0, right = 0;
        for (int s = 0; s < steps; s++) {
            double gradient[WEIGHTS] = { 0 };
            int n = at + batch < TINY_ITEMS ? batch : TINY_ITEMS - at;
            cr_assert_lt(pass, MAX_PASSES);
            drop(dropped, features[pass] + at * TINY_FEATURES, n, &o, e * steps + s, dropout, rate);
            loss += losses(gradient, &correct, &fit, dropped, &tiny_items, at, n, o.balanced ? balanced : ones,
                           (double)o.label_smoothing);
            learning_rate = rate_of(&o, e * steps + s, steps) * plateau.rate;
            if (o.clip_norm > 0) clipped += clip(gradient, (double)o.clip_norm);
            update(&fit, gradient, &o, learning_rate);
            seen += n;
            at += n;
            if (at == TINY_ITEMS) at = 0, pass++;
            check_told(&heard, "train", "steps", s + 1, steps, e + 1, o.epochs);
            close_to(told[heard - 1].loss, loss / seen, 1e-4, "running loss", s);
            close_to(told[heard - 1].accuracy, (double)correct / seen, 1e-9, "running accuracy", s);
        }
        check_pass(&heard, "validate", batch, TINY_HELD, e + 1, o.epochs);
        const struct vgg_epoch *got = &history.epochs[e];
        cr_assert_eq(got->epoch, e + 1);
        cr_assert_eq(got->images, (uint64_t)seen);
        cr_assert(got->seconds_load >= 0 && got->seconds_train > 0 && got->seconds_validate > 0);
        cr_assert_leq(got->seconds_load + got->seconds_train + got->seconds_validate, got->seconds);
        cr_assert_lt(got->seconds, 60);
        close_to(got->learning_rate, learning_rate, 1e-6 * learning_rate, "learning rate", e);
        close_to(got->loss, loss / seen, 1e-4, "loss", e);
        close_to(got->accuracy, (double)correct / seen, 1e-9, "accuracy", e);
        close_to(got->val_loss, losses(NULL, &right, &fit, held, &tiny_held, 0, TINY_HELD, ones, 0) / TINY_HELD, 1e-4,
                 "val_loss", e);
        close_to(got->val_accuracy, (double)right / TINY_HELD, 1e-9, "val_accuracy", e);
        if (o.schedule == VGG_SCHEDULE_PLATEAU) plateau_epoch_end(&plateau, &o, got);
    }
    if (o.clip_norm > 0) cr_assert(clipped > 0 && clipped < o.epochs * steps, "%d steps are clipped", clipped);
    if (o.schedule == VGG_SCHEDULE_PLATEAU) cr_assert_lt(plateau.rate, 1, "no plateau");
    cr_assert_eq(heard, tolds);
    cr_assert_gt(history.seconds_features, 0);
    cr_assert_eq(history.seconds_save, 0);
    tiny_get(&dense, model);
    double largest = 0;
    for (int i = 0; i < WEIGHTS; i++)
        largest = fmax(largest, fabs(fit.w[i] - start.w[i]));
    cr_assert_gt(largest, 1e-4, "nothing was learnt");
    for (int k = 0; k < TINY_CLASSES; k++) {
        double bias = *weight_at(fit.w, TINY_FEATURES, k); /* may be large: single precision's steps are */
        close_to(dense.bias[k], bias, 2e-3 * largest + 1e-6 * (1 + fabs(bias)), "bias", k);
        for (int f = 0; f < TINY_FEATURES; f++)
            close_to(dense.kernel[f][k], *weight_at(fit.w, f, k), 2e-3 * largest + 1e-6, "weight",
                     f * TINY_CLASSES + k);
    }
    vgg_history_finish(&history);
    for (int i = 0; i < MAX_PASSES; i++)
        free(features[i]);
    free(held);
    vgg_data_destroy(items);
    vgg_data_destroy(validation);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

static void check(struct vgg_train_options o)
{
    check_with(o, 0);
}

Test(steps, sgd)
{
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_SGD, .epochs = 2, .batch = 1, .steps_per_epoch = 5 });
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_SGD, .epochs = 3 });
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_SGD,
                                       .epochs = 3,
                                       .batch = 5,
                                       .learning_rate = 0.1f,
                                       .momentum = 0.8f,
                                       .schedule = VGG_SCHEDULE_COSINE,
                                       .balanced = true });
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_SGD,
                                       .epochs = 4,
                                       .batch = 6,
                                       .steps_per_epoch = 3,
                                       .learning_rate = 0.05f,
                                       .momentum = 0.7f,
                                       .nesterov = true,
                                       .weight_decay = 0.03f,
                                       .schedule = VGG_SCHEDULE_STEP,
                                       .schedule_every = 2,
                                       .schedule_factor = 0.3f });
}

Test(steps, rmsprop)
{
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_RMSPROP, .epochs = 4, .batch = 36 });
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_RMSPROP,
                                       .epochs = 2,
                                       .batch = 7,
                                       .learning_rate = 0.01f,
                                       .rho = 0.6f,
                                       .epsilon = 1e-3f,
                                       .weight_decay = 0.02f,
                                       .balanced = true });
}

Test(steps, adam)
{
    check((struct vgg_train_options) {
        .optimizer = VGG_OPTIMIZER_ADAM, .epochs = 2, .batch = 10 }); /* the last one alone */
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_ADAM,
                                       .epochs = 3,
                                       .batch = 4,
                                       .steps_per_epoch = 8,
                                       .learning_rate = 0.02f,
                                       .beta1 = 0.5f,
                                       .beta2 = 0.95f,
                                       .epsilon = 1e-3f,
                                       .weight_decay = 0.02f,
                                       .schedule = VGG_SCHEDULE_STEP,
                                       .schedule_every = 1,
                                       .schedule_factor = 0.5f });
}

Test(steps, adamw)
{
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_ADAMW,
                                       .epochs = 3,
                                       .batch = 10,
                                       .learning_rate = 0.02f,
                                       .beta1 = 0.7f,
                                       .beta2 = 0.9f,
                                       .epsilon = 1e-4f,
                                       .weight_decay = 0.3f,
                                       .schedule = VGG_SCHEDULE_COSINE });
}

Test(steps, warmup)
{
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_SGD,
                                       .epochs = 4,
                                       .batch = 8,
                                       .learning_rate = 0.1f,
                                       .momentum = 0.5f,
                                       .warmup = 1.7f,
                                       .schedule = VGG_SCHEDULE_COSINE });
    check((struct vgg_train_options) {
        .optimizer = VGG_OPTIMIZER_ADAM, .epochs = 2, .batch = 5, .learning_rate = 0.03f, .warmup = 0.5f });
}

Test(steps, plateau)
{
    struct vgg_train_options o = { .optimizer = VGG_OPTIMIZER_SGD,
                                   .epochs = 6,
                                   .learning_rate = 0.5f,
                                   .schedule = VGG_SCHEDULE_PLATEAU,
                                   .schedule_every = 1,
                                   .schedule_factor = 0.4f };
    check(o);
    o.monitor = VGG_MONITOR_VAL_ACCURACY;
    o.learning_rate = 0.05f;
    o.schedule_every = 2;
    o.warmup = 0.4f;
    check(o);
}

Test(steps, smoothed_labels_and_clipped_gradients)
{
    struct vgg_train_options o = { .optimizer = VGG_OPTIMIZER_SGD,
                                   .epochs = 3,
                                   .batch = 9,
                                   .learning_rate = 0.1f,
                                   .momentum = 0.6f,
                                   .label_smoothing = 0.3f,
                                   .balanced = true };
    check(o);
    o.clip_norm = 1.5f;
    o.weight_decay = 0.04f;
    check(o);
    o.shard = 2; /* the norm is that of the whole batch's gradient */
    check(o);
}

/* One step by a sigmoid's loss, whose labels go towards one half. */
Test(steps, smoothed_labels_of_a_sigmoid)
{
    struct vgg_engine *engine = tiny_engine();
    struct vgg_model *model = tiny_model("gap,dense:1:sigmoid");
    double *x = tiny_features(engine, model, &tiny_pair, NULL, 0, 0), loss = 0, val_loss = 0, a = 0.3;
    double gradient[TINY_FEATURES + 1] = { 0 }, rate = 0.25;
    tiny_centre(model, x, TINY_HELD);
    struct tiny_dense before, after;
    tiny_get(&before, model);
    struct vgg_data *data = tiny_open(&tiny_pair);
    struct vgg_history history;
    struct vgg_train_options o = { .optimizer = VGG_OPTIMIZER_SGD,
                                   .epochs = 1,
                                   .batch = TINY_HELD,
                                   .learning_rate = (float)rate,
                                   .label_smoothing = (float)a,
                                   .history = &history };
    cr_assert_eq(vgg_train(engine, model, data, data, &o), VGG_OK);
    tiny_get(&after, model);
    for (int i = 0; i < TINY_HELD; i++) {
        double p[TINY_CLASSES], t = tiny_pair.map[tiny_pair.labels[i]], y = t * (1 - a) + a / 2;
        tiny_probabilities(p, &before, x + i * TINY_FEATURES);
        loss -= (y * log(p[1]) + (1 - y) * log(p[0])) / TINY_HELD;
        for (int f = 0; f <= TINY_FEATURES; f++)
            gradient[f] += (p[1] - y) * (f < TINY_FEATURES ? x[i * TINY_FEATURES + f] : 1) / TINY_HELD;
        tiny_probabilities(p, &after, x + i * TINY_FEATURES);
        val_loss -= (t * log(p[1]) + (1 - t) * log(p[0])) / TINY_HELD;
    }
    close_to(history.epochs[0].loss, loss, 1e-5, "loss", 0);
    close_to(history.epochs[0].val_loss, val_loss, 1e-5, "val_loss", 0);
    close_to(after.bias[0], before.bias[0] - rate * gradient[TINY_FEATURES], 1e-5, "bias", 0);
    for (int f = 0; f < TINY_FEATURES; f++)
        close_to(after.kernel[f][0], before.kernel[f][0] - rate * gradient[f], 1e-5, "weight", f);
    vgg_history_finish(&history);
    free(x);
    vgg_data_destroy(data);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

/* What is random must not be computed once and kept: new masks each step, other images each pass. */
Test(steps, dropout_and_augmentation)
{
    struct vgg_train_options o = { .optimizer = VGG_OPTIMIZER_SGD,
                                   .epochs = 3,
                                   .batch = 12,
                                   .steps_per_epoch = 5,
                                   .learning_rate = 0.05f,
                                   .momentum = 0.5f,
                                   .seed = 0x9876543210 };
    check_with(o, 0.4f);
    o.augment = (struct vgg_augment_options) { .rotate = 30, .shift_width = 0.3f, .zoom = 0.5f, .flip = true };
    check_with(o, 0);
    check_with(o, 0.25f);
    o.augment = (struct vgg_augment_options) {
        .vflip = true, .flip = true, .crop = 0.3f, .brightness = 0.4f, .contrast = 0.3f, .saturation = 0.9f
    };
    check_with(o, 0);
}

/* Pooled features in place of the images give the same epochs; what lies below them cannot train. */
Test(steps, from_pooled_features)
{
    struct vgg_engine *engine = tiny_engine();
    struct vgg_data *images[2] = { tiny_open(&tiny_items), tiny_open(&tiny_held) }, *pooled[2];
    const struct tiny_set *sets[2] = { &tiny_items, &tiny_held };
    struct vgg_model *models[2] = { tiny_model("gap,dense:4:softmax"), tiny_model("gap,dense:4:softmax") };
    struct vgg_history histories[2];
    static float x[2][TINY_ITEMS * TINY_FEATURES];
    for (int k = 0; k < 2; k++) {
        double *features = tiny_features(engine, models[0], sets[k], NULL, 0, 0);
        for (int i = 0; i < sets[k]->count * TINY_FEATURES; i++)
            x[k][i] = (float)features[i];
        cr_assert_eq(vgg_data_from_features(&pooled[k], images[k], x[k], sets[k]->labels, (size_t)sets[k]->count, 1, 1,
                                            TINY_FEATURES),
                     VGG_OK);
        free(features);
    }
    struct vgg_train_options o = { .optimizer = VGG_OPTIMIZER_ADAM, .epochs = 3, .batch = 7, .learning_rate = 0.01f };
    for (int k = 0; k < 2; k++) {
        o.history = &histories[k];
        cr_assert_eq(vgg_train(engine, models[k], k ? pooled[0] : images[0], k ? pooled[1] : images[1], &o), VGG_OK);
        cr_assert_eq(histories[k].count, 3);
    }
    for (int e = 0; e < 3; e++) {
        const struct vgg_epoch *got = &histories[1].epochs[e], *want = &histories[0].epochs[e];
        close_to(got->loss, want->loss, 1e-4, "loss", e);
        close_to(got->val_loss, want->val_loss, 1e-4, "val_loss", e);
        close_to(got->accuracy, want->accuracy, 1e-9, "accuracy", e);
        close_to(got->val_accuracy, want->val_accuracy, 1e-9, "val_accuracy", e);
        cr_assert_eq(got->images, want->images);
    }
    o.history = NULL;
    o.trainable = "all";
    cr_assert_eq(vgg_train(engine, models[1], pooled[0], NULL, &o), VGG_ERR_ARGUMENT);
    o.trainable = "block9";
    cr_assert_eq(vgg_train(engine, models[1], pooled[0], NULL, &o), VGG_ERR_ARGUMENT);
    for (int k = 0; k < 2; k++) {
        vgg_history_finish(&histories[k]);
        vgg_data_destroy(pooled[k]);
        vgg_data_destroy(images[k]);
        vgg_model_destroy(models[k]);
    }
    vgg_engine_destroy(engine);
}
