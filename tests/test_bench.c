/* The benchmark: devices that disagree (planted), sums, interruption, what it leaves out, JSON that comes back as it
 * was, comparisons that see a slowdown and nothing in noise. */
#include <math.h>

#include "core/bench/bench.h"
#include "core/bench/stats.h"
#include "core/model/model.h"
#include "tests/data_files.h"

/* ---- small benchmarks ---- */

static const int batch_two[] = { 2 }, sizes_32[][2] = { { 32, 32 } };

/* Nothing left to its default: a small network, one case. */
static struct vgg_bench_options small(unsigned passes)
{
    return (struct vgg_bench_options) { .on = "cpu:auto",
                                        .arch = "vgg11",
                                        .head = "gap,dense:3:softmax",
                                        .trainable = "all",
                                        .passes = passes,
                                        .batch = batch_two,
                                        .batches = 1,
                                        .size = sizes_32,
                                        .sizes = 1,
                                        .repeats = 3 };
}

enum { FORWARD = 1 << VGG_BENCH_FORWARD, BACKWARD = 1 << VGG_BENCH_BACKWARD, STEP = 1 << VGG_BENCH_STEP };

/* Two subjects on one kind of device, small in memory so that measuring its bandwidth takes no time. */
struct pair {
    struct vgg_bench bench;
    struct vgg_bench_subjects subjects;
};

static void pair_open(struct pair *pair, const struct vgg_bench_options *options)
{
    struct vgg_bench_subjects other = { 0 };
    memset(pair, 0, sizeof *pair);
    pair->bench.processors = 1;
    cr_assert_eq(vgg_bench_subjects_open(&pair->subjects, &pair->bench, options), VGG_OK);
    cr_assert_eq(vgg_bench_subjects_open(&other, &pair->bench, options), VGG_OK);
    pair->subjects.item = realloc(pair->subjects.item, 2 * sizeof *pair->subjects.item);
    cr_assert_not_null(pair->subjects.item);
    pair->subjects.item[1] = other.item[0];
    pair->subjects.count = 2;
    strcpy(pair->subjects.item[1].device.name, "second");
    free(other.item);
    for (int i = 0; i < 2; i++)
        pair->subjects.item[i].backend->device.memory = 64 << 20;
}

static void pair_close(struct pair *pair)
{
    for (size_t i = 0; i < pair->bench.results; i++)
        free(pair->bench.result[i].layer);
    free(pair->bench.result);
    free(pair->bench.device);
    free(pair->bench.skip);
    vgg_bench_subjects_close(&pair->subjects);
}

/* A backend whose downloads are wrong in one value, and one that gives NaN. */
static const struct vgg_backend_vtable *right;
static float planted;

static enum vgg_status wrong_download(struct vgg_buf *buf, size_t offset, void *data, size_t size)
{
    enum vgg_status status = right->download(buf, offset, data, size);
    if (size >= sizeof planted) memcpy(data, &planted, sizeof planted);
    return status;
}

static void expect_disagreement(unsigned pass, float value, const char *text)
{
    struct pair pair;
    struct vgg_bench_options options = small(pass);
    pair_open(&pair, &options);
    struct vgg_backend *backend = pair.subjects.item[1].backend;
    struct vgg_backend_vtable wrong = *backend->vtable;
    right = backend->vtable;
    wrong.download = wrong_download;
    planted = value;
    backend->vtable = &wrong;
    EXPECT_FAILURE(vgg_bench_measure(&pair.bench, &pair.subjects, &options), VGG_ERR_NUMERIC,
                   "second does not agree with cpu:");
    cr_expect_not_null(strstr(logged, text), "%s", logged);
    cr_expect_eq(pair.bench.results, 0u, "nothing may be timed");
    backend->vtable = right;
    pair_close(&pair);
}

Test(bench, devices_that_disagree_are_not_timed)
{
    expect_disagreement(FORWARD, 0.5f, "forward, batch 2 at 32x32, the output is off by ");
    expect_disagreement(STEP, 100, "step, batch 2 at 32x32, block1_conv1 is off by ");
    expect_disagreement(BACKWARD, NAN, "block1_conv1 is off by inf of its norm and 5e-02 is allowed");
}

static double sum_of(const struct vgg_bench_result *result, enum vgg_bench_pass stage)
{
    double sum = 0;
    for (size_t i = 0; i < result->layers; i++)
        if (result->layer[i].stage == stage) sum += result->layer[i].flops;
    return sum;
}

static void check_time(const struct vgg_bench_time *t)
{
    cr_expect(0 < t->min && t->min <= t->q1 && t->q1 <= t->median && t->median <= t->q3 && t->q3 <= t->max);
    cr_expect_eq(t->runs, 3);
}

Test(bench, sums_are_consistent)
{
    struct pair pair;
    struct vgg_bench_options options = small(FORWARD | BACKWARD | STEP);
    options.layers = true;
    pair_open(&pair, &options);
    cr_assert_eq(vgg_bench_measure(&pair.bench, &pair.subjects, &options), VGG_OK);
    const struct vgg_bench *bench = &pair.bench;
    cr_assert_eq(bench->results, 6u);
    struct vgg_model *model;
    struct vgg_model_options network = { .arch = "vgg11", .weights = "random", .head = options.head, .height = 32 };
    network.width = 32;
    cr_assert_eq(vgg_model_create(&model, &network), VGG_OK);
    double forward = 0;
    for (int i = 0; i < vgg_model_layer_count(model); i++) {
        struct vgg_layer_info layer;
        cr_assert_eq(vgg_model_layer(model, i, &layer), VGG_OK);
        if (strcmp(layer.kind, "conv") == 0 || strcmp(layer.kind, "dense") == 0) forward += 2 * (double)layer.flops;
    }
    for (size_t i = 0; i < bench->results; i++) {
        const struct vgg_bench_result *r = &bench->result[i];
        double flops = 0, bytes = 0;
        check_time(&r->time);
        cr_expect_eq(r->device, (int)i % 2);
        cr_assert_gt(r->layers, 0u);
        for (size_t k = 0; k < r->layers; k++) {
            const struct vgg_bench_layer *l = &r->layer[k];
            check_time(&l->time);
            cr_expect_leq(l->roof, bench->device[r->device].peak * (1 + 1e-12));
            flops += l->flops, bytes += l->bytes;
        }
        cr_expect_float_eq(flops, r->flops, 1e-6 * flops);
        cr_expect_float_eq(bytes, r->bytes, 1e-6 * bytes);
        cr_expect_leq(r->error, r->bound);
        cr_expect_eq(r->parameters, model->arch.param_size);
        cr_expect_eq(r->gradients, r->pass == VGG_BENCH_FORWARD ? 0 : model->arch.param_size);
    }
    const struct vgg_bench_result *first = &bench->result[0], *second = &bench->result[2], *third = &bench->result[4];
    cr_expect_float_eq(first->flops, forward, 0.01 * forward, "%g is not %g: pools and softmax are small", first->flops,
                       forward);
    cr_expect_float_eq(sum_of(third, VGG_BENCH_BACKWARD), second->flops, 1);
    cr_expect_float_eq(sum_of(second, VGG_BENCH_BACKWARD), second->flops, 1);
    cr_expect_float_eq(sum_of(third, VGG_BENCH_FORWARD) + sum_of(third, VGG_BENCH_BACKWARD) +
                           sum_of(third, VGG_BENCH_UPDATE),
                       third->flops, 1);
    cr_expect_float_eq(second->flops, 2 * forward, 0.05 * forward, "two products a layer");
    vgg_model_destroy(model);
    pair_close(&pair);
}

/* ---- interruption ---- */

struct stopper {
    int left, results;
};

static bool stop_after(void *user, const struct vgg_progress *progress)
{
    struct stopper *stopper = user;
    cr_expect_leq(progress->done, progress->total);
    return stopper->left-- > 0;
}

static void count_result(void *user, const struct vgg_bench *bench, const struct vgg_bench_result *result)
{
    struct stopper *stopper = user;
    stopper->results++;
    cr_expect_eq(result, &bench->result[bench->results - 1]);
}

Test(bench, interruption_keeps_what_was_measured)
{
    /* One device's roofs, then 2 + 3 runs a case: after the third timed run of the second case; after its first. */
    static const struct {
        int calls;
        size_t results;
    } cases[] = { { 1, 0 }, { 4, 0 }, { 1 + 5 + 3, 1 }, { 1 + 5 + 5, 2 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stopper stopper = { .left = cases[i].calls - 1 };
        struct vgg_bench_options options = small(FORWARD | BACKWARD);
        options.progress = stop_after, options.on_result = count_result, options.user = &stopper;
        struct vgg_bench *bench;
        cr_assert_eq(vgg_bench_run(&bench, &options), VGG_INTERRUPTED);
        cr_assert_not_null(bench);
        cr_expect(bench->interrupted);
        cr_expect_eq(bench->results, cases[i].results, "%zu results after %d calls", bench->results, cases[i].calls);
        cr_expect_eq(stopper.results, (int)bench->results);
        cr_expect_eq(bench->devices, 1u);
        vgg_bench_destroy(bench);
    }
}

/* ---- what is chosen and left out ---- */

static void expect_refused(const char *on, enum vgg_status status, const char *text)
{
    struct vgg_bench_options options = small(FORWARD);
    struct vgg_bench *bench;
    options.on = on;
    EXPECT_FAILURE(vgg_bench_run(&bench, &options), status, text);
    cr_expect_null(bench);
}

Test(bench, wrong_wishes_are_refused)
{
    expect_refused("gpu", VGG_ERR_MISSING, "no device \"gpu\"; there ");
    expect_refused("cpu,,cpu", VGG_ERR_ARGUMENT, "device \"\": must be");
    expect_refused("cpu:mmx", VGG_ERR_ARGUMENT, "isa mmx: is not known");
    expect_refused("cpu:auto:fft", VGG_ERR_ARGUMENT, "conv \"fft\" is unknown; take one of auto, direct");
    expect_refused("vulkan:99", VGG_ERR_MISSING, "no device \"vulkan:99\"");
    struct vgg_bench_options options = small(1u << VGG_BENCH_UPDATE);
    struct vgg_bench *bench;
    EXPECT_FAILURE(vgg_bench_run(&bench, &options), VGG_ERR_ARGUMENT, "passes 0x8");
    options = small(FORWARD), options.arch = "vgg12";
    EXPECT_FAILURE(vgg_bench_run(&bench, &options), VGG_ERR_ARGUMENT, "vgg12");
    options = small(STEP), options.trainable = "block9";
    EXPECT_FAILURE(vgg_bench_run(&bench, &options), VGG_ERR_ARGUMENT, "trainable block9: no such");
}

Test(bench, subjects)
{
    struct vgg_bench bench = { 0 };
    struct vgg_bench_subjects subjects = { 0 };
    struct vgg_bench_options options = small(FORWARD);
    options.on = "cpu:scalar,cpu:scalar:direct,cpu:scalar,cpu:auto:winograd";
    cr_assert_eq(vgg_bench_subjects_open(&subjects, &bench, &options), VGG_OK);
    cr_assert_eq(subjects.count, 3u, "the same name once");
    cr_expect_str_eq(subjects.item[0].device.name, "cpu:scalar");
    cr_expect_str_eq(subjects.item[1].device.name, "cpu:scalar:direct");
    cr_expect_not_null(strstr(subjects.item[2].device.name, ":winograd"));
    vgg_bench_subjects_close(&subjects);
    /* Found: what is better than plain C, and a note about plain C. */
    options.on = NULL, options.engine.backend = "cpu";
    cr_assert_eq(vgg_bench_subjects_open(&subjects, &bench, &options), VGG_OK);
    bool vectors = strchr(subjects.item[0].device.info.driver, ' ') != NULL;
    for (size_t i = 0; i < subjects.count && vectors; i++)
        cr_expect_str_neq(subjects.item[i].device.isa, "scalar");
    cr_expect_eq(bench.skips, vectors ? 1u : 0u);
    vgg_bench_subjects_close(&subjects);
    options.engine.isa = "scalar";
    cr_assert_eq(vgg_bench_subjects_open(&subjects, &bench, &options), VGG_OK);
    cr_assert_eq(subjects.count, 1u);
    cr_expect_str_eq(subjects.item[0].device.name, "cpu:scalar");
    vgg_bench_subjects_close(&subjects);
    free(bench.skip);
}

Test(bench, what_does_not_fit_is_skipped)
{
    static const int batches[] = { 1, 256 };
    struct vgg_bench_options options = small(FORWARD);
    options.batch = batches, options.batches = 2;
    options.engine.memory = 48 << 20; /* parameters take 35 MiB, a batch of 256 some 25 more */
    struct vgg_bench *bench;
    cr_assert_eq(vgg_bench_run(&bench, &options), VGG_OK);
    cr_assert_eq(bench->results, 1u);
    cr_expect_eq(bench->result[0].batch, 1);
    cr_assert_eq(bench->skips, 1u);
    cr_expect_str_eq(bench->skip[0].what, "forward, batch 256 at 32x32");
    cr_expect_not_null(strstr(bench->skip[0].why, "MiB, the limit is 48 MiB"), "%s", bench->skip[0].why);
    vgg_bench_destroy(bench);
    /* Two that fit one at a time but not together are measured one after the other. */
    struct pair pair;
    options = small(FORWARD);
    pair_open(&pair, &options);
    pair.subjects.item[0].memory = pair.subjects.item[1].memory = 48 << 20;
    cr_assert_eq(vgg_bench_measure(&pair.bench, &pair.subjects, &options), VGG_OK);
    cr_expect_eq(pair.bench.results, 2u);
    pair_close(&pair);
    /* One that gives too little at once. */
    pair_open(&pair, &options);
    pair.subjects.item[0].backend->device.allocation = 16 << 20;
    cr_assert_eq(vgg_bench_measure(&pair.bench, &pair.subjects, &options), VGG_OK);
    cr_assert_eq(pair.bench.results, 1u);
    cr_expect_eq(pair.bench.result[0].device, 1);
    cr_assert_eq(pair.bench.skips, 1u);
    cr_expect_not_null(strstr(pair.bench.skip[0].why, "MiB at once, the limit is 16 MiB"), "%s",
                       pair.bench.skip[0].why);
    pair_close(&pair);
}

/* ---- JSON and comparisons ---- */

static struct vgg_bench *measured(void)
{
    struct vgg_bench_options options = small(FORWARD | STEP);
    struct vgg_bench *bench;
    options.layers = true;
    cr_assert_eq(vgg_bench_run(&bench, &options), VGG_OK);
    cr_assert_eq(bench->results, 2u);
    return bench;
}

static char *json_of(const struct vgg_bench *bench)
{
    char *text;
    cr_assert_eq(vgg_bench_json(&text, bench, NULL, NULL), VGG_OK);
    return text;
}

static struct vgg_bench *reload(const char *folder, const char *text)
{
    char path[512];
    struct vgg_bench *bench;
    write_file(folder, "bench.json", text, strlen(text));
    snprintf(path, sizeof path, "%s/bench.json", folder);
    cr_assert_eq(vgg_bench_load(&bench, path), VGG_OK);
    return bench;
}

static void expect_same_time(const struct vgg_bench_time *a, const struct vgg_bench_time *b)
{
    const double x[] = { a->min, a->q1, a->median, a->q3, a->max }, y[] = { b->min, b->q1, b->median, b->q3, b->max };
    for (int i = 0; i < 5; i++)
        cr_expect_float_eq(x[i], y[i], 1e-12 * x[i]);
    cr_expect_eq(a->runs, b->runs);
}

/* All that JSON holds; numbers as far as 15 digits go. */
static void expect_same(const struct vgg_bench *a, const struct vgg_bench *b)
{
    cr_expect_str_eq(a->date, b->date);
    cr_expect_str_eq(a->machine, b->machine);
    cr_expect_str_eq(a->head, b->head);
    cr_expect_eq(a->processors, b->processors);
    cr_expect_eq(a->peak_resident, b->peak_resident);
    cr_assert_eq(a->devices, b->devices);
    cr_assert_eq(a->results, b->results);
    cr_expect_eq(a->skips, b->skips);
    cr_expect_str_eq(a->device[0].name, b->device[0].name);
    cr_expect_str_eq(a->device[0].info.driver, b->device[0].info.driver);
    cr_expect_float_eq(a->device[0].peak, b->device[0].peak, 1e-12 * a->device[0].peak);
    for (size_t i = 0; i < a->results; i++) {
        const struct vgg_bench_result *x = &a->result[i], *y = &b->result[i];
        expect_same_time(&x->time, &y->time);
        cr_expect_eq(x->pass, y->pass);
        cr_expect_eq(x->activations, y->activations);
        cr_expect_eq(x->noise, y->noise);
        cr_expect_eq(isnan(x->energy), isnan(y->energy));
        cr_assert_eq(x->layers, y->layers);
        for (size_t k = 0; k < x->layers; k++) {
            expect_same_time(&x->layer[k].time, &y->layer[k].time);
            cr_expect_str_eq(x->layer[k].name, y->layer[k].name);
            cr_expect_str_eq(x->layer[k].op, y->layer[k].op);
            cr_expect_eq(x->layer[k].stage, y->layer[k].stage);
        }
    }
}

static void scale_time(struct vgg_bench_time *t, double by)
{
    t->min *= by, t->q1 *= by, t->median *= by, t->q3 *= by, t->max *= by;
}

/* Makes the benchmark steady: what remains of the spread is what a test plants. */
static void settle(struct vgg_bench *bench, double spread)
{
    for (size_t i = 0; i < bench->results; i++) {
        struct vgg_bench_result *r = &bench->result[i];
        r->time.q1 = r->time.median * (1 - spread / 2), r->time.q3 = r->time.median * (1 + spread / 2);
        for (size_t k = 0; k < r->layers; k++)
            r->layer[k].time.q1 = r->layer[k].time.q3 = r->layer[k].time.median;
    }
}

static void expect_verdicts(const struct vgg_bench *old, const struct vgg_bench *now, size_t slower, size_t faster)
{
    struct vgg_bench_comparison *c;
    cr_assert_eq(vgg_bench_compare(&c, old, now), VGG_OK);
    cr_expect_eq(c->slower, slower, "%zu slower, not %zu", c->slower, slower);
    cr_expect_eq(c->faster, faster, "%zu faster, not %zu", c->faster, faster);
    vgg_bench_comparison_destroy(c);
}

Test(bench, json_comes_back_and_comparisons_tell_change_from_noise)
{
    char *folder = make_folder();
    struct vgg_bench *old = measured();
    char *text = json_of(old);
    struct vgg_bench *now = reload(folder, text);
    free(text);
    expect_same(old, now);

    settle(old, 0), settle(now, 0);
    expect_verdicts(old, now, 0, 0);
    scale_time(&now->result[1].time, 1.5);
    expect_verdicts(old, now, 1, 0);
    expect_verdicts(now, old, 0, 1);
    settle(now, 0.6); /* 50 % more is nothing when the quartiles are 60 % apart */
    expect_verdicts(old, now, 0, 0);
    scale_time(&now->result[1].time, 1 / 1.5);
    settle(now, 0);
    scale_time(&now->result[0].time, 1.015);
    expect_verdicts(old, now, 0, 0);
    /* A layer alone. */
    scale_time(&now->result[0].layer[2].time, 2);
    struct vgg_bench_comparison *c;
    cr_assert_eq(vgg_bench_compare(&c, old, now), VGG_OK);
    size_t found = 0;
    for (size_t i = 0; i < c->changes; i++) {
        const struct vgg_bench_change *change = &c->change[i];
        if (!change->verdict) continue;
        found++;
        cr_expect_eq(change->layer, 2u);
        cr_expect_eq(change->new_result, 0u);
        cr_expect_float_eq(change->ratio, 2, 1e-9);
    }
    cr_expect_eq(found, 1u);
    cr_expect_eq(c->changes, 2 + now->result[0].layers + now->result[1].layers);
    vgg_bench_comparison_destroy(c);
    /* Another device, another batch: nothing to compare. */
    strcpy(now->device[0].info.name, "another processor");
    cr_assert_eq(vgg_bench_compare(&c, old, now), VGG_OK);
    cr_expect_eq(c->changes, 0u);
    cr_expect_eq(c->only_new, 2u);
    cr_expect_eq(c->only_old, 2u);
    vgg_bench_comparison_destroy(c);
    vgg_bench_destroy(old);
    vgg_bench_destroy(now);
    remove_folder(folder);
}

/* `from` becomes `to` in a copy of the text. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "%s", from);
    char *copy = malloc(strlen(text) + strlen(to) + 1);
    cr_assert_not_null(copy);
    sprintf(copy, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return copy;
}

Test(bench, broken_json_is_refused)
{
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        { "\"schema\":", "\"shema\":", "is not what `vgg16 bench --json` writes" },
        { "\"schema_version\":\t1", "\"schema_version\":\t9", "has version 9 of the schema" },
        { "\"results\":", "\"result\":", "results is missing or wrong" },
        { "\"devices\":", "\"device\":", "devices is missing or wrong" },
        { "\"peak_flops_per_second\":", "\"p\":", "peak_flops_per_second is missing or wrong" },
        { "\"pass\":\t\"forward\"", "\"pass\":\t\"sideways\"", "pass is missing or wrong" },
        { "\"batch\":\t2", "\"batch\":\t-2", "batch is missing or wrong" },
        { "\"median\":", "\"median\": 0, \"m\":", "seconds above 0 is missing or wrong" },
        { "\"device\":\t\"cpu:", "\"device\":\t\"gpu:", "a result's device among devices is missing" },
    };
    char *folder = make_folder(), path[512];
    struct vgg_bench *bench = measured(), *loaded;
    char *text = json_of(bench);
    snprintf(path, sizeof path, "%s/bench.json", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *broken = replaced(text, cases[i].from, cases[i].to);
        write_file(folder, "bench.json", broken, strlen(broken));
        EXPECT_FAILURE(vgg_bench_load(&loaded, path), VGG_ERR_FORMAT, cases[i].says);
        cr_expect_null(loaded);
        free(broken);
    }
    for (size_t size = strlen(text) - 2; size > 0; size /= 2) {
        write_file(folder, "bench.json", text, size);
        EXPECT_FAILURE(vgg_bench_load(&loaded, path), VGG_ERR_FORMAT, "bench.json: ");
    }
    EXPECT_FAILURE(vgg_bench_load(&loaded, "/nonexistent.json"), VGG_ERR_IO, "cannot be opened");
    free(text);
    vgg_bench_destroy(bench);
    remove_folder(folder);
}
