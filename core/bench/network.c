#include "core/bench/network.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/bench/stats.h"

/* ---- plan and inputs ---- */

enum vgg_status vgg_bench_net_plan(struct vgg_plan **out, const struct vgg_bench_cell *cell)
{
    const struct vgg_bench_options *o = cell->options;
    bool trains = cell->pass != VGG_BENCH_FORWARD;
    *out = NULL;
    int trainable = vgg_arch_trainable(cell->arch, o->trainable);
    if (trainable < 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "trainable %s: no such layer or block; `vgg16 summary` lists them",
                        o->trainable);
    }
    const struct vgg_plan_spec spec = {
        .arch = cell->arch,
        .batch = cell->batch,
        .last = cell->arch->count,
        .loss = trains,
        .trainable = trains ? trainable : cell->arch->count,
        .optimizer = o->optimizer,
        .hyper = { .momentum = 0.9f, .rho = 0.9f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f },
    };
    return vgg_plan_build(out, &spec);
}

uint64_t vgg_bench_net_size(const struct vgg_plan *plan)
{
    uint64_t sum = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        sum += plan->arena_size[i];
    return sum;
}

enum vgg_status vgg_bench_input_init(struct vgg_bench_input *input, const struct vgg_bench_cell *cell,
                                     const struct vgg_plan *plan)
{
    size_t n = (size_t)cell->batch, count = vgg_view_count(&plan->input);
    int classes = vgg_arch_classes(cell->arch);
    *input = (struct vgg_bench_input) { .x_size = vgg_view_size(&plan->input), .y_size = vgg_view_size(&plan->output) };
    input->x = vgg_mem_calloc(count, sizeof *input->x);
    input->y = vgg_mem_calloc(vgg_view_count(&plan->output), sizeof *input->y);
    input->t = vgg_mem_calloc(n, sizeof *input->t);
    input->w = vgg_mem_calloc(n, sizeof *input->w);
    input->loss = vgg_mem_calloc(n, sizeof *input->loss);
    if (!input->x || !input->y || !input->t || !input->w || !input->loss)
        return vgg_fail_memory("images to measure with", input->x_size + input->y_size);
    for (size_t i = 0; i < count; i++)
        input->x[i] = 2.0f * vgg_rng_uniform(cell->options->seed, VGG_RNG_AUGMENT, 0, i) - 1.0f;
    for (size_t i = 0; i < n; i++) {
        input->t[i] = (float)(classes ? i % (size_t)classes : 0);
        input->w[i] = 1;
    }
    return VGG_OK;
}

void vgg_bench_input_finish(struct vgg_bench_input *input)
{
    free(input->x);
    free(input->y);
    free(input->t);
    free(input->w);
    free(input->loss);
}

/* ---- the network ---- */

static enum vgg_status upload(struct vgg_bench_net *net, const struct vgg_view *view, const float *data)
{
    return view->n ? vgg_buf_upload(net->arena[view->arena], view->offset, data, vgg_view_size(view)) : VGG_OK;
}

static enum vgg_status download(struct vgg_bench_net *net, const struct vgg_view *view, float *data)
{
    return view->n ? vgg_buf_download(net->arena[view->arena], view->offset, data, vgg_view_size(view)) : VGG_OK;
}

static enum vgg_status upload_inputs(struct vgg_bench_net *net, const struct vgg_bench_input *input)
{
    enum vgg_status status = upload(net, &net->plan->input, input->x);
    if (status == VGG_OK) status = upload(net, &net->plan->targets, input->t);
    if (status == VGG_OK) status = upload(net, &net->plan->weights, input->w);
    return status;
}

enum vgg_status vgg_bench_net_init(struct vgg_bench_net *net, struct vgg_backend *backend,
                                   const struct vgg_bench_cell *cell, const struct vgg_bench_input *input)
{
    enum vgg_status status;
    *net = (struct vgg_bench_net) { .backend = backend, .cell = cell };
    CHECK(vgg_bench_net_plan(&net->plan, cell));
    const struct vgg_plan *plan = net->plan;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (plan->arena_size[i]) CHECK(vgg_buf_create(backend, &net->arena[i], plan->arena_size[i]));
    struct vgg_list list = { .op = plan->op };
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        list.arena[i] = net->arena[i];
    net->forward = net->backward = net->pass = net->whole = list;
    net->forward.count = plan->forward;
    net->backward.op += plan->forward;
    net->backward.count = plan->backward;
    net->pass.count = plan->forward + plan->backward;
    net->whole.count = net->pass.count + plan->update;
    struct vgg_list *lists[] = { &net->forward, &net->backward, &net->pass, &net->whole };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        lists[i]->key = vgg_backend_key(backend);
    net->seconds = vgg_mem_calloc(net->whole.count, sizeof *net->seconds);
    if (!net->seconds) CHECK(vgg_fail_memory("times of operations", net->whole.count * sizeof *net->seconds));
    CHECK(vgg_buf_upload(net->arena[VGG_ARENA_PARAM], 0, cell->params, cell->arch->param_size));
    CHECK(upload_inputs(net, input));
fail:
    return status;
}

void vgg_bench_net_finish(struct vgg_bench_net *net)
{
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        vgg_buf_destroy(net->arena[i]);
    vgg_plan_destroy(net->plan);
    free(net->seconds);
}

/* ---- running ---- */

/* A learning rate of 0 leaves the parameters as they are, so that every run does the same; the update's work is the
 * same too. */
static struct vgg_step step_of(const struct vgg_bench_net *net)
{
    return (struct vgg_step) { .seed = net->cell->options->seed, .loss_scale = 1.0f / (float)net->cell->batch };
}

enum vgg_status vgg_bench_net_run(struct vgg_bench_net *net, struct vgg_bench_input *input, double *seconds)
{
    enum vgg_status status;
    const struct vgg_step step = step_of(net);
    const struct vgg_plan *plan = net->plan;
    enum vgg_bench_pass pass = net->cell->pass;
    /* Backward overwrites what forward left, so that each needs a forward of its own. */
    if (pass == VGG_BENCH_BACKWARD) CHECK(vgg_backend_run(net->backend, &net->forward, &step));
    double begin = vgg_clock_seconds();
    if (pass == VGG_BENCH_BACKWARD) {
        CHECK(vgg_backend_run(net->backend, &net->backward, &step));
    } else {
        CHECK(upload_inputs(net, input));
        CHECK(vgg_backend_run(net->backend, pass == VGG_BENCH_FORWARD ? &net->forward : &net->whole, &step));
        CHECK(download(net, &plan->output, input->y));
        CHECK(download(net, &plan->loss, input->loss));
    }
    *seconds = vgg_clock_seconds() - begin;
fail:
    return status;
}

enum vgg_status vgg_bench_net_run_layers(struct vgg_bench_net *net)
{
    const struct vgg_step step = step_of(net);
    enum vgg_bench_pass pass = net->cell->pass;
    struct vgg_list list = pass == VGG_BENCH_FORWARD    ? net->forward
                           : pass == VGG_BENCH_BACKWARD ? net->pass
                                                        : net->whole;
    uint64_t ticket;
    enum vgg_status status = vgg_backend_submit(net->backend, &list, &step, net->seconds, &ticket);
    return status == VGG_OK ? vgg_backend_wait(net->backend, ticket) : status;
}

/* ---- comparing ---- */

size_t vgg_bench_net_values(const struct vgg_bench_net *net)
{
    return vgg_view_count(net->cell->pass == VGG_BENCH_FORWARD ? &net->plan->output : &net->plan->grads);
}

enum vgg_status vgg_bench_net_fetch(struct vgg_bench_net *net, struct vgg_bench_input *input, float *values)
{
    const struct vgg_step step = step_of(net);
    bool forward = net->cell->pass == VGG_BENCH_FORWARD;
    enum vgg_status status = upload_inputs(net, input);
    if (status == VGG_OK) status = vgg_backend_run(net->backend, forward ? &net->forward : &net->pass, &step);
    return status == VGG_OK ? download(net, forward ? &net->plan->output : &net->plan->grads, values) : status;
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
    default: return net->whole.count;
    }
}

enum vgg_bench_pass vgg_bench_net_stage(const struct vgg_bench_net *net, size_t index)
{
    if (index < net->plan->forward) return VGG_BENCH_FORWARD;
    return index < net->plan->forward + net->plan->backward ? VGG_BENCH_BACKWARD : VGG_BENCH_UPDATE;
}
