/* bench_net [-b BACKEND] [-i ISA] [-c CONV] [-p PRECISION] [-x] [-t THREADS] [-s SECONDS] [-S SHARD] [CASE...]: times
 * the network as a whole, features and training steps, on random weights and images; without a CASE, all. -x: without
 * AMX. One JSON object a line and case on stdout. */
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/bench/stats.h"
#include "core/engine/device.h"
#include "core/engine/net.h"
#include "core/quant/calibrate.h"

struct bench_case {
    const char *name;
    int size, batch;
    const char *trainable; /* NULL: features of block5_pool; else a whole step: forward, backward, update */
    bool reused;           /* the step starts from kept features of the frozen layers */
    enum vgg_optimizer optimizer;
};

static const struct bench_case cases[] = {
    { "extract-224-b1", 224, 1, NULL, false, VGG_OPTIMIZER_SGD },
    { "extract-224-b8", 224, 8, NULL, false, VGG_OPTIMIZER_SGD },
    { "extract-150-b8", 150, 8, NULL, false, VGG_OPTIMIZER_SGD },
    { "extract-32-b64", 32, 64, NULL, false, VGG_OPTIMIZER_SGD },
    { "block5-150-b20", 150, 20, "block5", false, VGG_OPTIMIZER_RMSPROP },
    { "block5-reused-150-b20", 150, 20, "block5", true, VGG_OPTIMIZER_RMSPROP },
    { "all-224-b8", 224, 8, "all", false, VGG_OPTIMIZER_SGD },
    { "all-224-b32", 224, 32, "all", false, VGG_OPTIMIZER_SGD },
    { "all-32-b64", 32, 64, "all", false, VGG_OPTIMIZER_SGD },
};

enum { CASE_COUNT = sizeof cases / sizeof *cases, MAX_RUNS = 1000, MIN_RUNS = 3 };

/* Uniform in [-scale, scale]. */
static void fill(float *x, size_t count, float scale, uint64_t stream)
{
    for (size_t i = 0; i < count; i++)
        x[i] = scale * (2.0f * vgg_rng_uniform(1, VGG_RNG_INIT, stream, i) - 1.0f);
}

/* Weights that keep the activations' scale from layer to layer (He), so that nothing overflows or dies out. */
static void fill_params(float *params, const struct vgg_arch *arch)
{
    for (int i = 0; i < arch->count; i++) {
        const struct vgg_view *kernel = &arch->layer[i].kernel;
        if (!kernel->n) continue;
        float fan_in = (float)kernel->n * (float)kernel->h * (float)kernel->w;
        fill(params + kernel->offset / sizeof(float), vgg_view_count(kernel), sqrtf(6.0f / fan_in), (uint64_t)i);
    }
}

/* Takes scales of int8 from the case's images, 8 at most, to the network. */
static enum vgg_status set_scales(struct vgg_net *net, const struct vgg_quant_target *target, const float *x, int batch)
{
    static float scales[VGG_MAX_LAYERS][VGG_QUANT_COUNT];
    struct vgg_quant_array images;
    size_t size = (size_t)target->arch->h * (size_t)target->arch->w * 3, count = batch < 8 ? (size_t)batch : 8;
    const struct vgg_quant_source source = vgg_quant_array(&images, x, size, count);
    enum vgg_status status = vgg_quant_calibrate(scales, target, &source);
    return status == VGG_OK ? vgg_net_set_scales(net, (const float(*)[VGG_QUANT_COUNT])scales) : status;
}

/* The kernel refuses AMX to a process whose signal stack has no room for its registers. */
static void refuse_amx(void)
{
    static char stack[8192];
    const stack_t small = { .ss_sp = stack, .ss_size = sizeof stack };
    sigaltstack(&small, NULL);
}

/* One case on an open backend: at least MIN_RUNS runs after one that warms up, until `seconds` have passed. */
static enum vgg_status run_case(const struct bench_case *c, struct vgg_backend *backend, int shard, double seconds)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net *net = NULL;
    struct vgg_arch arch;
    size_t count = 0, runs = 0;
    int first, h, w, channels;
    float *x = NULL, *t = NULL, *y = NULL, *loss = NULL, *params = NULL;
    static double times[MAX_RUNS];

    CHECK(vgg_arch_base(&arch, "vgg16", c->size, c->size, NULL));
    if (c->trainable) CHECK(vgg_arch_head(&arch, "flatten,dense:256:relu,dense:1:sigmoid"));
    int trainable = c->trainable ? vgg_arch_trainable(&arch, c->trainable) : arch.count;
    first = c->reused ? trainable : 0;
    vgg_arch_shape(&arch, first - 1, &h, &w, &channels);
    count = (size_t)c->batch * (size_t)h * (size_t)w * (size_t)channels;
    struct vgg_plan_spec spec = { .arch = &arch,
                                  .batch = c->batch,
                                  .first = first,
                                  .last = arch.count,
                                  .loss = c->trainable != NULL,
                                  .trainable = trainable,
                                  .optimizer = c->optimizer,
                                  .precision = backend->precision,
                                  .hyper = { .momentum = 0.9f, .rho = 0.9f, .epsilon = 1e-7f } };
    CHECK(vgg_net_create(&net, backend, &spec, first, shard, 0));
    x = vgg_mem_calloc(count, sizeof *x);
    t = vgg_mem_calloc((size_t)c->batch, sizeof *t);
    y = vgg_mem_calloc((size_t)c->batch * vgg_net_output(net), sizeof *y);
    loss = vgg_mem_calloc((size_t)c->batch, sizeof *loss);
    params = vgg_mem_calloc(arch.param_size, 1);
    if (!x || !t || !y || !loss || !params) CHECK(vgg_fail_memory("a benchmark", count * sizeof *x + arch.param_size));
    fill(x, count, 1.0f, 1000);
    for (int i = 0; i < c->batch; i++)
        t[i] = (float)(i % 2);
    fill_params(params, &arch);
    CHECK(vgg_net_set_params(net, params));
    const struct vgg_quant_target target = { .backend = backend, .arch = &arch, .last = arch.count, .params = params };
    if (backend->precision == VGG_PRECISION_INT8) CHECK(set_scales(net, &target, x, c->batch));

    struct vgg_net_io io = { .n = c->batch, .x = x, .y = y };
    struct vgg_step step = { .learning_rate = 1e-6f };
    if (c->trainable) io.t = t, io.loss = loss;
    for (double begun = vgg_clock_seconds(); runs < MIN_RUNS + 1 || vgg_clock_seconds() - begun < seconds; runs++) {
        if (runs == MAX_RUNS) break;
        double start = vgg_clock_seconds();
        if (c->trainable)
            CHECK(vgg_net_train(net, &io, &step));
        else
            CHECK(vgg_net_forward(net, &io));
        times[runs] = vgg_clock_seconds() - start;
        step.step++;
    }
    const struct vgg_bench_time time = vgg_bench_stats(times + 1, (int)--runs);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"engine\": \"vgg16\", \"case\": \"%s\", \"ms\": %.2f, \"ms_min\": %.2f, \"ms_max\": %.2f, "
           "\"images_per_second\": %.2f, \"runs\": %zu, \"peak_mib\": %ld}\n",
           c->name, 1e3 * time.median, 1e3 * time.min, 1e3 * time.max, c->batch / time.median, runs,
           usage.ru_maxrss >> 10);
    fflush(stdout);
fail:
    vgg_net_destroy(net);
    free(x), free(t), free(y), free(loss), free(params);
    return status;
}

int main(int argc, char **argv)
{
    struct vgg_engine_options options = { .backend = "cpu" };
    struct vgg_backend *backend;
    double seconds = 2;
    int shard = 0;
    for (int o; (o = getopt(argc, argv, "b:i:c:p:xt:s:S:")) != -1;) {
        if (o == 'i')
            options.isa = optarg;
        else if (o == 'c')
            options.conv = optarg;
        else if (o == 'p')
            options.precision = optarg;
        else if (o == 'x')
            refuse_amx();
        else if (o == 't')
            options.threads = atoi(optarg);
        else if (o == 's')
            seconds = atof(optarg);
        else if (o == 'S')
            shard = atoi(optarg);
        else if (o == 'b')
            options.backend = optarg;
        else
            return 2;
    }
    if (vgg_backend_open(&backend, &options) != VGG_OK) return 1;
    enum vgg_status status = VGG_OK;
    int found = 0;
    for (int i = 0; i < CASE_COUNT && status == VGG_OK; i++) {
        bool wanted = optind == argc;
        for (int j = optind; j < argc; j++)
            wanted |= strcmp(argv[j], cases[i].name) == 0;
        if (!wanted) continue;
        found++;
        status = run_case(&cases[i], backend, shard, seconds);
    }
    vgg_backend_close(backend);
    if (!found) fprintf(stderr, "bench_net: no such case\n");
    return status == VGG_OK && found ? 0 : 1;
}
