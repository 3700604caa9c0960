/* Training of a head step by step against softmax regression in double, written here from the formulas: optimisers and
 * their settings, schedules, class weights, labels, what each epoch reports. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/tiny_train.h"

TestSuite(steps, .init = tiny_init, .fini = tiny_finish, .timeout = 60);

enum { MAX_EPOCHS = 4, WEIGHTS = (TINY_FEATURES + 1) * TINY_CLASSES };

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
    double decay = (double)o->weight_decay, b1 = o->beta1 ? (double)o->beta1 : 0.9,
           b2 = o->beta2 ? (double)o->beta2 : 0.999, rho = o->rho ? (double)o->rho : 0.9, mu = (double)o->momentum,
           epsilon = o->epsilon ? (double)o->epsilon : 1e-7;
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

/* Loss and number of right ones over `count` items; adds the gradient of the mean weighted loss where it is wanted. */
static double losses(double *gradient, int *correct, struct fit *fit, const double *features,
                     const struct tiny_set *set, int from, int count, const double *class_weight)
{
    struct tiny_dense dense = dense_of(fit);
    double loss = 0;
    for (int i = from; i < from + count; i++) {
        double p[TINY_CLASSES];
        const double *x = features + i * TINY_FEATURES;
        int label = set->map[set->labels[i]], best = 0;
        tiny_probabilities(p, &dense, x);
        for (int k = 0; k < TINY_CLASSES; k++) {
            if (p[k] > p[best]) best = k;
            for (int f = 0; gradient && f <= TINY_FEATURES; f++)
                *weight_at(gradient, f, k) +=
                    class_weight[label] * (p[k] - (k == label)) * (f < TINY_FEATURES ? x[f] : 1) / count;
        }
        loss -= class_weight[label] * log(p[label]);
        *correct += best == label;
    }
    return loss;
}

static double rate_of(const struct vgg_train_options *o, int step, int steps)
{
    static const double rates[] = { 2e-5, 0.01, 1e-3, 1e-3 };
    double rate = o->learning_rate ? (double)o->learning_rate : rates[o->optimizer];
    if (o->schedule == VGG_SCHEDULE_COSINE) return rate * (1 + cos(M_PI * step / (steps * o->epochs))) / 2;
    for (int epoch = 1; o->schedule == VGG_SCHEDULE_STEP && epoch <= step / steps; epoch++)
        if (epoch % o->schedule_every == 0) rate *= (double)o->schedule_factor;
    return rate;
}

static void close_to(double got, double want, double bound, const char *what, int at)
{
    cr_assert(fabs(got - want) <= bound, "%s %d is %.9g, not %.9g", what, at, got, want);
}

static void check(struct vgg_train_options o)
{
    static const double ones[] = { 1, 1, 1, 1 };
    struct vgg_engine *engine = tiny_engine();
    struct vgg_model *model = tiny_model("gap,dense:4:softmax");
    double *features = tiny_features(engine, model, &tiny_items), *held = tiny_features(engine, model, &tiny_held);
    tiny_centre(model, features, TINY_ITEMS);
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
    cr_assert_eq(vgg_train(engine, model, items, validation, &o), VGG_OK);
    cr_assert_eq(history.count, (size_t)o.epochs);
    for (int e = 0, at = 0; e < o.epochs; e++) {
        double loss = 0, rate = 0;
        int correct = 0, seen = 0, right = 0;
        for (int s = 0; s < steps; s++) {
            double gradient[WEIGHTS] = { 0 };
            int n = at + batch < TINY_ITEMS ? batch : TINY_ITEMS - at;
            loss += losses(gradient, &correct, &fit, features, &tiny_items, at, n, o.balanced ? balanced : ones);
            rate = rate_of(&o, e * steps + s, steps);
            update(&fit, gradient, &o, rate);
            seen += n;
            at = at + n < TINY_ITEMS ? at + n : 0;
        }
        const struct vgg_epoch *got = &history.epochs[e];
        cr_assert_eq(got->epoch, e + 1);
        cr_assert_eq(got->images, (uint64_t)seen);
        close_to(got->learning_rate, rate, 1e-6 * rate, "learning rate", e);
        close_to(got->loss, loss / seen, 1e-4, "loss", e);
        close_to(got->accuracy, (double)correct / seen, 1e-9, "accuracy", e);
        close_to(got->val_loss, losses(NULL, &right, &fit, held, &tiny_held, 0, TINY_HELD, ones) / TINY_HELD, 1e-4,
                 "val_loss", e);
        close_to(got->val_accuracy, (double)right / TINY_HELD, 1e-9, "val_accuracy", e);
    }
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
    free(features);
    free(held);
    vgg_data_destroy(items);
    vgg_data_destroy(validation);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

Test(steps, sgd)
{
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
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_RMSPROP, .epochs = 4, .batch = 3 });
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
    check((struct vgg_train_options) { .optimizer = VGG_OPTIMIZER_ADAM, .epochs = 2, .batch = 9 });
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
