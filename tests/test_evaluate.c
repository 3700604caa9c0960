/* Evaluation against its formulas in double: labels without order, classes that the data lacks and numbers otherwise.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data_files.h"

#include "core/infer/auc.h"

#include "tests/tiny_train.h"

TestSuite(evaluate, .init = tiny_init, .fini = tiny_finish, .timeout = 60);

static void close_to(double got, double want, const char *what, int at)
{
    if (isnan(want))
        cr_assert(isnan(got), "%s[%d] is %g, not undefined", what, at, got);
    else
        cr_assert(fabs(got - want) <= 1e-4 * fmax(1, fabs(want)), "%s[%d] is %g, not %g", what, at, got, want);
}

/* Pair by pair: how often a positive beats a negative. */
static double beats(const float *p, size_t stride, const int *labels, int positive, size_t count)
{
    double wins = 0, pairs = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (labels[i] != positive || labels[k] == positive) continue;
            float a = p[i * stride], b = p[k * stride];
            wins += a > b ? 1 : a == b ? 0.5 : 0;
            pairs++;
        }
    }
    return pairs > 0 ? wins / pairs : NAN;
}

static void check_auc(const struct vgg_evaluation *r, bool sigmoid)
{
    double sum = 0;
    int defined = 0;
    for (int c = 0; c < r->classes; c++) {
        int k = sigmoid ? 1 : c;
        double want = beats(r->probabilities + k, (size_t)r->classes, r->labels, k, r->count);
        cr_assert(isnan(want) ? isnan(r->auc[c]) : fabs(r->auc[c] - want) < 1e-12, "class %d: AUC %.17g, not %.17g", c,
                  r->auc[c], want);
        if (!isnan(want)) sum += want, defined++;
    }
    cr_assert(defined ? fabs(r->mean_auc - sum / defined) < 1e-12 : isnan(r->mean_auc));
}

static void check(const struct vgg_evaluation *r, const struct vgg_model *model, const double *features,
                  const struct tiny_set *set)
{
    struct tiny_dense dense;
    tiny_get(&dense, model);
    int classes = dense.units == 1 ? 2 : dense.units, correct = 0;
    uint64_t confusion[TINY_CLASSES][TINY_CLASSES] = { 0 };
    double loss = 0;
    cr_assert_eq(r->count, (size_t)set->count);
    cr_assert_eq(r->classes, classes);
    for (int i = 0; i < set->count; i++) {
        double p[TINY_CLASSES];
        int best = 0, label = set->labels ? set->map[set->labels[i]] : -1;
        tiny_probabilities(p, &dense, features + i * TINY_FEATURES);
        for (int k = 0; k < classes; k++) {
            close_to((double)r->probabilities[i * classes + k], p[k], "probability", i * classes + k);
            if (p[k] > p[best]) best = k;
        }
        cr_assert_eq(r->index[i], (size_t)i);
        cr_assert_eq(r->labels[i], label, "item %d is %d, not %d", i, r->labels[i], label);
        if (label < 0) continue;
        loss -= log(p[label]);
        correct += best == label;
        confusion[label][best]++;
    }
    close_to(r->loss, set->labels ? loss / set->count : NAN, "loss", 0);
    close_to(r->accuracy, set->labels ? (double)correct / set->count : NAN, "accuracy", 0);
    int predicted_classes = 0;
    for (int c = 0; c < classes; c++) {
        uint64_t row = 0, column = 0, hit = confusion[c][c];
        for (int k = 0; k < classes; k++) {
            cr_assert_eq(r->confusion[c * classes + k], confusion[c][k], "row %d, column %d", c, k);
            row += confusion[c][k], column += confusion[k][c];
        }
        double precision = column ? (double)hit / (double)column : NAN, recall = row ? (double)hit / (double)row : NAN;
        cr_assert_eq(r->support[c], row);
        close_to(r->precision[c], precision, "precision", c);
        close_to(r->recall[c], recall, "recall", c);
        close_to(r->f1[c], row + column ? 2 * (double)hit / (double)(row + column) : NAN, "f1", c);
        predicted_classes += column > 0;
    }
    check_auc(r, dense.units == 1);
    cr_assert(isnan(r->top_accuracy));
    if (set->labels) cr_assert_geq(predicted_classes, classes > 2 ? 3 : 2, "the model is too sure to test anything");
}

static uint64_t heard;

static bool listen(void *user, const struct vgg_progress *progress)
{
    const int *batch_and_total = user;
    heard += (uint64_t)batch_and_total[0];
    if (heard > (uint64_t)batch_and_total[1]) heard = (uint64_t)batch_and_total[1];
    cr_assert_str_eq(progress->phase, "evaluate");
    cr_assert_eq(progress->done, heard);
    cr_assert_eq(progress->total, (uint64_t)batch_and_total[1]);
    return true;
}

static bool refuse(void *user, const struct vgg_progress *progress)
{
    (void)user, (void)progress;
    return false;
}

static void evaluate(const char *head, const struct tiny_set *set)
{
    struct vgg_engine *engine = tiny_engine();
    struct vgg_model *model = tiny_model(head);
    struct vgg_data *data = tiny_open(set);
    double *features = tiny_features(engine, model, set, NULL, 0, 0);
    tiny_centre(model, features, set->count);
    for (int batch = 0; batch <= 24; batch += 6) {
        struct vgg_evaluation *result;
        int batch_and_total[] = { batch ? batch : 32, set->count };
        struct vgg_evaluate_options options = { .batch = batch, .progress = listen, .user = batch_and_total };
        heard = 0;
        cr_assert_eq(vgg_evaluate(&result, engine, model, data, &options), VGG_OK);
        cr_assert_eq(heard, (uint64_t)set->count);
        check(result, model, features, set);
        vgg_evaluation_destroy(result);
    }
    struct vgg_evaluation *none;
    struct vgg_evaluate_options refused = { .progress = refuse };
    cr_assert_eq(vgg_evaluate(&none, engine, model, data, &refused), VGG_INTERRUPTED);
    cr_assert_null(none);
    free(features);
    vgg_data_destroy(data);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

Test(evaluate, classes_in_another_order)
{
    evaluate("gap,dense:4:softmax", &tiny_items);
}

Test(evaluate, classes_that_the_data_lacks)
{
    evaluate("gap,dense:4:softmax", &tiny_held);
}

Test(evaluate, one_sigmoid_unit)
{
    evaluate("gap,dense:1:sigmoid", &tiny_pair);
}

/* Few scores, so that many are equal; all sizes from none on. */
Test(evaluate, area_under_the_curve_with_ties)
{
    enum { MOST = 70, STRIDE = 3 };
    float scores[MOST * STRIDE];
    int labels[MOST];
    uint32_t state = 12345;
    for (size_t count = 0; count <= MOST; count++) {
        for (int levels = 1; levels <= 40; levels += 13) {
            for (size_t i = 0; i < MOST; i++) {
                state = state * 1664525 + 1013904223;
                labels[i] = (int)(state >> 29) % 3;
                for (size_t k = 0; k < STRIDE; k++)
                    scores[i * STRIDE + k] = (float)((state >> (8 + k) & 0xFFFF) % (uint32_t)levels) / 7 - 1;
            }
            double auc, want = beats(scores, STRIDE, labels, 2, count);
            cr_assert_eq(vgg_auc(&auc, scores, STRIDE, labels, 2, count), VGG_OK);
            cr_assert(isnan(want) ? isnan(auc) : fabs(auc - want) < 1e-12, "%zu items: %.17g, not %.17g", count, auc,
                      want);
        }
    }
}

/* Against ranks counted here; of equal probabilities the first class is taken first. */
Test(evaluate, among_the_most_probable)
{
    struct vgg_engine *engine = tiny_engine();
    struct vgg_model *model = tiny_model("gap,dense:4:softmax");
    struct vgg_data *data = tiny_open(&tiny_items);
    struct vgg_evaluation *result;
    double *features = tiny_features(engine, model, &tiny_items, NULL, 0, 0), before = 0;
    tiny_centre(model, features, tiny_items.count);
    for (int top = 1; top < TINY_CLASSES; top++) {
        struct vgg_evaluate_options options = { .top = top };
        int among = 0;
        cr_assert_eq(vgg_evaluate(&result, engine, model, data, &options), VGG_OK);
        for (size_t i = 0; i < result->count; i++) {
            const float *p = result->probabilities + i * TINY_CLASSES;
            int better = 0;
            for (int k = 0; k < TINY_CLASSES; k++)
                if (p[k] > p[result->labels[i]]) better++;
            among += better < top;
        }
        cr_assert_float_eq(result->top_accuracy, (double)among / (double)result->count, 1e-12);
        cr_assert_gt(result->top_accuracy, before, "no other than top %d", top - 1);
        before = result->top_accuracy;
        if (top == 1) cr_assert_eq(result->top_accuracy, result->accuracy);
        vgg_evaluation_destroy(result);
    }
    struct vgg_evaluate_options too_many = { .top = TINY_CLASSES }, threshold = { .threshold = 0.4f },
                                below = { .top = -1 };
    EXPECT_FAILURE(vgg_evaluate(&result, engine, model, data, &below), VGG_ERR_ARGUMENT, "below the number of classes");
    EXPECT_FAILURE(vgg_evaluate(&result, engine, model, data, &too_many), VGG_ERR_ARGUMENT,
                   "below the number of classes");
    EXPECT_FAILURE(vgg_evaluate(&result, engine, model, data, &threshold), VGG_ERR_ARGUMENT, "one sigmoid unit");
    free(features);
    vgg_data_destroy(data);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

/* A unit says yes above the threshold, which lies between 0 and 1; it has no second class. */
Test(evaluate, thresholds_of_a_unit)
{
    static const float bad[] = { -0.5f, 1, 1.5f, NAN };
    struct vgg_engine *engine = tiny_engine();
    struct vgg_model *model = tiny_model("gap,dense:1:sigmoid");
    struct vgg_data *data = tiny_open(&tiny_pair);
    struct vgg_evaluation *plain, *result;
    double *features = tiny_features(engine, model, &tiny_pair, NULL, 0, 0);
    int yes[3] = { 0 };
    tiny_centre(model, features, tiny_pair.count);
    cr_assert_eq(vgg_evaluate(&plain, engine, model, data, &(struct vgg_evaluate_options) { 0 }), VGG_OK);
    for (int k = 0; k < 3; k++) { /* one of them is an output itself, which is not above */
        struct vgg_evaluate_options options = { .threshold =
                                                    k == 1 ? plain->probabilities[2 * 3 + 1] : 0.1f + 0.4f * (float)k };
        size_t right = 0;
        cr_assert_eq(vgg_evaluate(&result, engine, model, data, &options), VGG_OK);
        for (size_t i = 0; i < result->count; i++) {
            int wanted = plain->probabilities[2 * i + 1] > options.threshold;
            cr_assert_eq(result->predicted[i], wanted, "item %zu at %g", i, (double)options.threshold);
            yes[k] += wanted, right += wanted == result->labels[i];
        }
        cr_assert_float_eq(result->accuracy, (double)right / (double)result->count, 1e-12);
        cr_assert(isnan(result->top_accuracy));
        vgg_evaluation_destroy(result);
    }
    cr_assert(yes[0] > yes[2], "%d above 0.1, %d above 0.9", yes[0], yes[2]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vgg_evaluate_options options = { .threshold = bad[i] };
        EXPECT_FAILURE(vgg_evaluate(&result, engine, model, data, &options), VGG_ERR_ARGUMENT, "between 0 and 1");
    }
    struct vgg_evaluate_options top = { .top = 1 };
    EXPECT_FAILURE(vgg_evaluate(&result, engine, model, data, &top), VGG_ERR_ARGUMENT, "no second class");
    free(features);
    vgg_evaluation_destroy(plain);
    vgg_data_destroy(data);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

/* Three classes alike come in their order. */
Test(evaluate, equally_probable_classes)
{
    struct vgg_engine *engine = tiny_engine();
    struct vgg_model *model = tiny_model("gap,dense:4:softmax");
    struct vgg_data *data = tiny_open(&tiny_items);
    struct vgg_evaluation *result;
    float kernel[TINY_FEATURES * TINY_CLASSES] = { 0 }, bias[TINY_CLASSES] = { 1, 0, 1, 1 };
    int last = vgg_model_layer_count(model) - 1, among[TINY_CLASSES] = { 0 };
    cr_assert_eq(vgg_model_set(model, last, false, kernel, TINY_FEATURES * TINY_CLASSES), VGG_OK);
    cr_assert_eq(vgg_model_set(model, last, true, bias, TINY_CLASSES), VGG_OK);
    for (int i = 0; i < TINY_ITEMS; i++) {
        static const int rank[TINY_CLASSES] = { 0, 3, 1, 2 };
        for (int top = rank[tiny_items.map[tiny_items.labels[i]]] + 1; top < TINY_CLASSES; top++)
            among[top]++;
    }
    for (int top = 1; top < TINY_CLASSES; top++) {
        struct vgg_evaluate_options options = { .top = top };
        cr_assert_eq(vgg_evaluate(&result, engine, model, data, &options), VGG_OK);
        cr_assert_float_eq(result->top_accuracy, (double)among[top] / TINY_ITEMS, 1e-12);
        vgg_evaluation_destroy(result);
    }
    vgg_data_destroy(data);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

Test(evaluate, without_labels)
{
    evaluate("gap,dense:4:softmax", &tiny_plain);
    evaluate("gap,dense:1:sigmoid", &tiny_plain);
}

/* What can be read keeps its place, label and row. */
Test(evaluate, damaged_images_are_left_out)
{
    static const char items[] = "pfPkfKplFf"; /* the first letters of classes; the capital ones are damaged */
    static const char *const classes[] = { "fig", "kiwi", "lime", "plum" };
    char *folder = make_folder(), name[32];
    for (int i = 0; items[i]; i++) {
        int c = 0;
        while (classes[c][0] != (items[i] | 32))
            c++;
        snprintf(name, sizeof name, "%s/%d.bmp", classes[c], i);
        if (items[i] < 'a')
            write_file(folder, name, "no image", 8);
        else
            write_picture(folder, name, 20 * i, 255 - 25 * i, 90);
    }
    struct vgg_engine *engine = tiny_engine();
    struct vgg_model *model = tiny_model("gap,dense:4:softmax");
    struct vgg_data *data;
    struct vgg_evaluation *all, *one;
    cr_assert_eq(vgg_data_open(&data, folder), VGG_OK);
    struct vgg_evaluate_options options = { .images.skip_bad = true, .batch = 4 };
    capture_log();
    cr_assert_eq(vgg_evaluate(&all, engine, model, data, &options), VGG_OK);
    cr_assert_eq(logged_lines, 4); /* three images, and that there were three */
    /* In order: fig 1 4 8x 9, kiwi 3 5x, lime 7, plum 0 2x 6. */
    static const size_t index[] = { 0, 1, 3, 4, 6, 7, 9 };
    static const int labels[] = { 0, 0, 0, 1, 2, 3, 3 };
    cr_assert_eq(all->count, 7);
    double loss = 0;
    for (size_t i = 0; i < all->count; i++) {
        cr_assert_eq(all->labels[i], labels[i]);
        cr_assert_eq(all->index[i], index[i]);
        cr_assert_eq(vgg_data_label(data, all->index[i]), labels[i]);
        /* The same image alone. */
        struct vgg_data *alone;
        const char *path = vgg_data_path(data, all->index[i]);
        cr_assert_eq(vgg_data_open_images(&alone, &path, 1), VGG_OK);
        cr_assert_eq(vgg_evaluate(&one, engine, model, alone, &options), VGG_OK);
        cr_assert_arr_eq(one->probabilities, all->probabilities + i * TINY_CLASSES, TINY_CLASSES * sizeof(float));
        loss -= log((double)one->probabilities[labels[i]]);
        vgg_evaluation_destroy(one);
        vgg_data_destroy(alone);
    }
    close_to(all->loss, loss / 7, "loss", 0);
    cr_assert_eq(all->support[0] + 10 * all->support[1] + 100 * all->support[2] + 1000 * all->support[3], 2113);
    vgg_evaluation_destroy(all);
    vgg_data_destroy(data);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
    remove_folder(folder);
}

static const rlim_t most_memory = (rlim_t)30 << 30; /* bytes */

/* Bytes that this process has mapped. */
static rlim_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%llu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return pages == 0 ? RLIM_INFINITY : (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* 65537 x 65537 counts are 2^32 and some: by int they would be 131073. */
Test(evaluate, more_classes_than_int_has_pairs)
{
    static const struct vgg_model_options options = { .arch = "vgg11",
                                                      .weights = "random",
                                                      .last = "block1_pool",
                                                      .height = 32,
                                                      .width = 32,
                                                      .head = "gap,dense:65537:softmax" };
    struct rlimit limit;
    struct vgg_engine *engine = tiny_engine();
    struct vgg_data *data = tiny_open(&tiny_plain);
    struct vgg_model *model;
    struct vgg_evaluation *result;
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    if (getrlimit(RLIMIT_AS, &limit) != 0 || address_space() > most_memory)
        cr_skip_test("memory cannot be limited; a sanitizer takes it all");
    rlim_t was = limit.rlim_cur;
    limit.rlim_cur = most_memory;
    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
    EXPECT_FAILURE(vgg_evaluate(&result, engine, model, data, &(struct vgg_evaluate_options) { 0 }), VGG_ERR_MEMORY,
                   "out of memory for an evaluation (343");
    cr_expect_null(result);
    limit.rlim_cur = was;
    setrlimit(RLIMIT_AS, &limit);
    vgg_data_destroy(data);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
}

Test(evaluate, weights_that_are_no_numbers_are_told_with_the_item)
{
    struct vgg_engine *engine = tiny_engine();
    struct vgg_data *data = tiny_open(&tiny_plain);
    for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
        struct vgg_model *model = tiny_model(sigmoid ? "gap,dense:1:sigmoid" : "gap,dense:4:softmax");
        struct vgg_evaluation *result;
        struct vgg_evaluate_options options = { 0 };
        float bias[TINY_CLASSES];
        int last = vgg_model_layer_count(model) - 1;
        size_t units = sigmoid ? 1 : TINY_CLASSES;
        cr_assert_eq(vgg_model_get(model, last, true, bias, units), VGG_OK);
        bias[units / 2] = NAN;
        cr_assert_eq(vgg_model_set(model, last, true, bias, units), VGG_OK);
        EXPECT_FAILURE(vgg_evaluate(&result, engine, model, data, &options), VGG_ERR_NUMERIC,
                       "#0: the model's output is not a number");
        cr_expect_null(result);
        vgg_model_destroy(model);
    }
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
}
