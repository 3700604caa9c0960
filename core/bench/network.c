#include "core/bench/network.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/bench/stats.h"
#include "core/quant/calibrate.h"

/* ---- plan and inputs ---- */

struct vgg_plan_spec vgg_bench_net_spec(const struct vgg_bench_cell *cell, enum vgg_precision precision)
{
    const struct vgg_bench_options *o = cell->options;
    bool trains = cell->pass != VGG_BENCH_FORWARD;
    return (struct vgg_plan_spec) {
        .arch = cell->arch,
        .batch = cell->batch,
        .last = cell->arch->count,
        .loss = trains,
        .trainable = trains ? vgg_arch_trainable(cell->arch, o->trainable) : cell->arch->count,
        .optimizer = o->optimizer,
        .hyper = { .momentum = 0.9f, .rho = 0.9f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f },
        .precision = precision,
    };
}

enum vgg_status vgg_bench_net_plan(struct vgg_plan **out, const struct vgg_bench_cell *cell, bool halves)
{
    struct vgg_plan_spec spec = vgg_bench_net_spec(cell, VGG_PRECISION_FP32);
    spec.halves = halves;
    return vgg_plan_build(out, &spec);
}

uint64_t vgg_bench_net_size(const struct vgg_plan *plan)
{
    uint64_t sum = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        sum += plan->arena_size[i];
    return sum;
}

uint64_t vgg_bench_net_largest(const struct vgg_plan *plan)
{
    uint64_t largest = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (plan->arena_size[i] > largest) largest = plan->arena_size[i];
    return largest;
}

enum vgg_status vgg_bench_input_init(struct vgg_bench_input *input, const struct vgg_bench_cell *cell,
                                     const struct vgg_plan *plan)
{
    size_t n = (size_t)cell->batch, count = vgg_view_count(&plan->input);
    int classes = vgg_arch_classes(cell->arch);
    *input = (struct vgg_bench_input) { 0 };
    input->x = vgg_mem_calloc(count, sizeof *input->x);
    input->y = vgg_mem_calloc(vgg_view_count(&plan->output), sizeof *input->y);
    input->t = vgg_mem_calloc(n, sizeof *input->t);
    input->w = vgg_mem_calloc(n, sizeof *input->w);
    input->loss = vgg_mem_calloc(n, sizeof *input->loss);
    if (!input->x || !input->y || !input->t || !input->w || !input->loss)
        return vgg_fail_memory("images to measure with", vgg_view_size(&plan->input) + vgg_view_size(&plan->output));
    for (size_t i = 0; i < count; i++)
        input->x[i] = 2.0f * vgg_rng_uniform(cell->options->seed, VGG_RNG_AUGMENT, 0, i) - 1.0f;
    for (size_t i = 0; i < n; i++) {
        input->t[i] = (float)(classes ? i % (size_t)classes : 0);
        input->w[i] = 1;
    }
    return VGG_OK;
}

enum vgg_status vgg_bench_input_scales(struct vgg_bench_input *input, struct vgg_backend *backend,
                                       const struct vgg_bench_cell *cell)
{
    enum { ENOUGH = 8 };
    const struct vgg_arch *arch = cell->arch;
    const struct vgg_quant_target target = {
        .backend = backend, .arch = arch, .last = arch->count, .params = cell->params
    };
    struct vgg_quant_array images;
    size_t count = cell->batch < ENOUGH ? (size_t)cell->batch : ENOUGH;
    const struct vgg_quant_source source =
        vgg_quant_array(&images, input->x, (size_t)arch->h * (size_t)arch->w * 3, count);
    if (input->scales) return VGG_OK;
    input->scales = vgg_mem_calloc(VGG_MAX_LAYERS, sizeof *input->scales);
    if (!input->scales) return vgg_fail_memory("the scales of int8", VGG_MAX_LAYERS * sizeof *input->scales);
    return vgg_quant_calibrate(input->scales, &target, &source);
}

void vgg_bench_input_finish(struct vgg_bench_input *input)
{
    free(input->scales);
    free(input->x);
    free(input->y);
    free(input->t);
    free(input->w);
    free(input->loss);
}

/* ---- the network ---- */

/* The whole batch is one shard, without a limit of memory: who measures has looked whether it fits. */
enum vgg_status vgg_bench_net_init(struct vgg_bench_net *net, struct vgg_backend *backend,
                                   const struct vgg_bench_cell *cell, const struct vgg_bench_input *input, size_t spare)
{
    enum vgg_status status;
    const struct vgg_plan_spec spec = vgg_bench_net_spec(cell, backend->precision);
    *net = (struct vgg_bench_net) { .cell = cell };
    net->io = (struct vgg_net_io) { .n = cell->batch, .x = input->x, .y = input->y };
    if (spec.loss) net->io.t = input->t, net->io.w = input->w, net->io.loss = input->loss;
    CHECK(vgg_net_create(&net->net, backend, &spec, 0, 0, 0));
    vgg_net_spare(net->net, spare);
    CHECK(vgg_net_plan(&net->plan, net->net));
    size_t count = net->plan->forward + net->plan->backward + net->plan->update;
    net->seconds = vgg_mem_calloc(count, sizeof *net->seconds);
    if (!net->seconds) CHECK(vgg_fail_memory("times of operations", count * sizeof *net->seconds));
    CHECK(vgg_net_set_params(net->net, cell->params));
    if (input->scales) CHECK(vgg_net_set_scales(net->net, (const float(*)[VGG_QUANT_COUNT])input->scales));
fail:
    return status;
}

void vgg_bench_net_finish(struct vgg_bench_net *net)
{
    vgg_net_destroy(net->net);
    free(net->seconds);
}

/* ---- running ---- */

/* A learning rate of 0 leaves the parameters as they are, so that every run does the same; the update's work is the
 * same too. */
static struct vgg_step step_of(const struct vgg_bench_net *net)
{
    return (struct vgg_step) { .seed = net->cell->options->seed };
}

enum vgg_status vgg_bench_net_run(struct vgg_bench_net *net, double *seconds)
{
    enum vgg_status status;
    const struct vgg_step step = step_of(net);
    enum vgg_bench_pass pass = net->cell->pass;
    /* Backward overwrites what forward left, so that each needs a forward of its own. */
    if (pass == VGG_BENCH_BACKWARD) CHECK(vgg_net_run(net->net, VGG_NET_FORWARD, &step, NULL));
    double begin = vgg_clock_seconds();
    if (pass == VGG_BENCH_FORWARD)
        CHECK(vgg_net_forward(net->net, &net->io));
    else if (pass == VGG_BENCH_BACKWARD)
        CHECK(vgg_net_run(net->net, VGG_NET_BACKWARD, &step, NULL));
    else
        CHECK(vgg_net_train(net->net, &net->io, &step));
    *seconds = vgg_clock_seconds() - begin;
fail:
    return status;
}

enum vgg_status vgg_bench_net_run_layers(struct vgg_bench_net *net)
{
    static const enum vgg_net_stretch stretch[] = {
        [VGG_BENCH_FORWARD] = VGG_NET_FORWARD, [VGG_BENCH_BACKWARD] = VGG_NET_GRADIENTS, [VGG_BENCH_STEP] = VGG_NET_STEP
    };
    const struct vgg_step step = step_of(net);
    return vgg_net_run(net->net, stretch[net->cell->pass], &step, net->seconds);
}

/* ---- comparing ---- */

size_t vgg_bench_net_values(const struct vgg_bench_net *net)
{
    return vgg_view_count(net->cell->pass == VGG_BENCH_FORWARD ? &net->plan->output : &net->plan->grads);
}

enum vgg_status vgg_bench_net_fetch(struct vgg_bench_net *net, float *values)
{
    enum vgg_status status;
    const struct vgg_step step = step_of(net);
    struct vgg_net_io io = net->io;
    io.y = values;
    if (net->cell->pass == VGG_BENCH_FORWARD) return vgg_net_forward(net->net, &io);
    CHECK(vgg_net_put(net->net, &io));
    CHECK(vgg_net_run(net->net, VGG_NET_GRADIENTS, &step, NULL));
    CHECK(vgg_net_get_grads(net->net, values));
fail:
    return status;
}

double vgg_bench_net_distance(const struct vgg_bench_net *net, const float *expected, const float *values,
                              const char **where)
{
    *where = "the output";
    if (net->cell->pass == VGG_BENCH_FORWARD) return vgg_bench_distance(expected, values, vgg_bench_net_values(net));
    double worst = 0;
    size_t from = net->plan->params.offset;
    for (int i = 0; i < net->cell->arch->count; i++) {
        const struct vgg_layer *layer = &net->cell->arch->layer[i];
        const struct vgg_view *views[] = { &layer->kernel, &layer->bias };
        for (int k = 0; k < 2; k++) {
            if (!views[k]->n || views[k]->offset < from) continue;
            size_t at = (views[k]->offset - from) / sizeof(float);
            double distance = vgg_bench_distance(expected + at, values + at, vgg_view_count(views[k]));
            if (distance > worst) worst = distance, *where = layer->name;
        }
    }
    return worst;
}

/* ---- what is timed ---- */

size_t vgg_bench_net_first(const struct vgg_bench_net *net)
{
    return net->cell->pass == VGG_BENCH_BACKWARD ? net->plan->forward : 0;
}

size_t vgg_bench_net_count(const struct vgg_bench_net *net)
{
    switch (net->cell->pass) {
    case VGG_BENCH_FORWARD: return net->plan->forward;
    case VGG_BENCH_BACKWARD: return net->plan->backward;
    default: return net->plan->forward + net->plan->backward + net->plan->update;
    }
}

enum vgg_bench_pass vgg_bench_net_stage(const struct vgg_bench_net *net, size_t index)
{
    if (index < net->plan->forward) return VGG_BENCH_FORWARD;
    return index < net->plan->forward + net->plan->backward ? VGG_BENCH_BACKWARD : VGG_BENCH_UPDATE;
}
