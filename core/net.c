#include "core/net.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/net_times.h"

/* Plans kept: whole batches and the rest of the last one, for training and for evaluation. */
enum { KEPT = 4 };

/* A plan for n images and its lists: `pass` without the update, `whole` with it; where spec.gradient asks for one,
 * these are the forward stretch and `back` is the other. */
struct bound {
    int n;
    bool training;
    struct vgg_plan *plan;
    struct vgg_list pass, whole, back;
    struct vgg_net_times times;
};

struct vgg_net {
    struct vgg_backend *backend;
    struct vgg_arch arch;
    struct vgg_plan_spec spec;
    int evaluate_first;
    struct vgg_buf *arena[VGG_ARENA_COUNT];
    struct bound bound[KEPT];
    int next; /* the place to take when all are used */
    size_t output;
    float *ones; /* spec.batch default weights */
};

static bool trains(const struct vgg_net *net)
{
    return net->spec.trainable < net->arch.count;
}

static struct vgg_plan_spec spec_for(const struct vgg_net *net, int n, bool training)
{
    struct vgg_plan_spec spec = net->spec;
    spec.batch = n;
    if (!training) {
        spec.trainable = net->arch.count;
        spec.first = net->evaluate_first;
    }
    return spec;
}

static uint64_t arenas_size(const struct vgg_plan *plan)
{
    uint64_t sum = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        sum += plan->arena_size[i];
    return sum;
}

/* The plan for n images of the more demanding of the two uses. */
static enum vgg_status largest_plan(struct vgg_plan **out, const struct vgg_net *net, int n)
{
    struct vgg_plan_spec spec = spec_for(net, n, trains(net));
    enum vgg_status status = vgg_plan_build(out, &spec);
    if (status != VGG_OK || !trains(net)) return status;
    struct vgg_plan *other;
    spec = spec_for(net, n, false);
    status = vgg_plan_build(&other, &spec);
    if (status != VGG_OK) {
        vgg_plan_destroy(*out);
        *out = NULL;
        return status;
    }
    size_t *act = &(*out)->arena_size[VGG_ARENA_ACT];
    if (other->arena_size[VGG_ARENA_ACT] > *act) *act = other->arena_size[VGG_ARENA_ACT];
    vgg_plan_destroy(other);
    return VGG_OK;
}

/* Are the arenas together at most `memory` bytes, and each at most what the device gives at once? */
static bool fits(const struct vgg_net *net, const struct vgg_plan *plan, uint64_t memory)
{
    uint64_t most = net->backend->device.allocation;
    for (int i = 0; i < VGG_ARENA_COUNT && most; i++)
        if (plan->arena_size[i] > most) return false;
    return memory == 0 || arenas_size(plan) <= memory;
}

static enum vgg_status refuse(const struct vgg_net *net, const struct vgg_plan *plan, uint64_t memory)
{
    const double mib = 0x1p20;
    uint64_t most = net->backend->device.allocation, largest = 0;
    if (memory && arenas_size(plan) > memory) {
        return vgg_fail(VGG_ERR_MEMORY,
                        "one image of %dx%d needs %.0f MiB and the limit is %.0f MiB; take a smaller --size, train "
                        "fewer layers or raise --memory",
                        net->arch.h, net->arch.w, (double)arenas_size(plan) / mib, (double)memory / mib);
    }
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (plan->arena_size[i] > largest) largest = plan->arena_size[i];
    return vgg_fail(VGG_ERR_MEMORY,
                    "one image of %dx%d needs %.0f MiB at once and %s gives at most %.0f MiB; take a smaller --size, "
                    "train fewer layers or use --backend cpu",
                    net->arch.h, net->arch.w, (double)largest / mib, net->backend->device.name, (double)most / mib);
}

static void destroy_arenas(struct vgg_net *net)
{
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        vgg_buf_destroy(net->arena[i]);
        net->arena[i] = NULL;
    }
}

static enum vgg_status allocate(struct vgg_net *net, const struct vgg_plan *plan)
{
    enum vgg_status status = VGG_OK;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (plan->arena_size[i]) CHECK(vgg_buf_create(net->backend, &net->arena[i], plan->arena_size[i]));
    return VGG_OK;
fail:
    destroy_arenas(net);
    return status;
}

/* Finds the number of images at once and creates the arenas. A device with memory of its own may have less to give than
 * it says; the host's is gone for everybody. */
static enum vgg_status create_arenas(struct vgg_net *net, uint64_t memory)
{
    enum vgg_status status = VGG_OK;
    struct vgg_plan *plan = NULL;
    int n = net->spec.batch;
    for (;; n = (n + 1) / 2) {
        CHECK(largest_plan(&plan, net, n));
        bool fit = fits(net, plan, memory);
        if (!fit && n == 1) CHECK(refuse(net, plan, memory));
        if (fit) {
            bool again = n > 1 && net->backend->device.allocation;
            vgg_log_failures(again ? VGG_LOG_DEBUG : VGG_LOG_ERROR);
            status = allocate(net, plan);
            vgg_log_failures(VGG_LOG_ERROR);
            if (status == VGG_OK) break;
            if (status != VGG_ERR_MEMORY || !again) goto fail;
        }
        vgg_plan_destroy(plan);
        plan = NULL;
    }
    if (n != net->spec.batch) {
        vgg_log(VGG_LOG_INFO, "batches of %d are run %d images at once, to stay within the memory of %s",
                net->spec.batch, n, net->backend->device.name);
    }
    net->spec.batch = n;
    net->output = vgg_view_count(&plan->output) / (size_t)n;
fail:
    vgg_plan_destroy(plan);
    return status;
}

enum vgg_status vgg_net_create(struct vgg_net **out, struct vgg_backend *backend, const struct vgg_plan_spec *spec,
                               int evaluate_first, uint64_t memory)
{
    enum vgg_status status = VGG_OK;
    *out = NULL;
    struct vgg_net *net = vgg_mem_calloc(1, sizeof *net);
    if (!net) return vgg_fail_memory("a network", sizeof *net);
    net->backend = backend;
    net->arch = *spec->arch;
    net->spec = *spec;
    net->spec.arch = &net->arch;
    net->evaluate_first = evaluate_first;
    CHECK(create_arenas(net, memory));
    net->ones = vgg_mem_calloc((size_t)net->spec.batch, sizeof(float));
    if (!net->ones) CHECK(vgg_fail_memory("a network", (size_t)net->spec.batch * sizeof(float)));
    for (int i = 0; i < net->spec.batch; i++)
        net->ones[i] = 1.0f;
    *out = net;
    return VGG_OK;
fail:
    vgg_net_destroy(net);
    return status;
}

static void unbind(struct bound *bound)
{
    vgg_net_times_finish(&bound->times);
    vgg_plan_destroy(bound->plan);
}

void vgg_net_destroy(struct vgg_net *net)
{
    if (!net) return;
    for (int i = 0; i < KEPT; i++)
        unbind(&net->bound[i]);
    destroy_arenas(net);
    free(net->ones);
    free(net);
}

size_t vgg_net_output(const struct vgg_net *net)
{
    return net->output;
}

size_t vgg_net_moment_size(const struct vgg_net *net)
{
    return net->arena[VGG_ARENA_MOMENT] ? net->arena[VGG_ARENA_MOMENT]->size : 0;
}

enum vgg_status vgg_net_set_params(struct vgg_net *net, const float *params)
{
    return vgg_buf_upload(net->arena[VGG_ARENA_PARAM], 0, params, net->arch.param_size);
}

enum vgg_status vgg_net_get_params(struct vgg_net *net, float *params)
{
    return vgg_buf_download(net->arena[VGG_ARENA_PARAM], 0, params, net->arch.param_size);
}

enum vgg_status vgg_net_set_moments(struct vgg_net *net, const float *moments)
{
    size_t size = vgg_net_moment_size(net);
    return size ? vgg_buf_upload(net->arena[VGG_ARENA_MOMENT], 0, moments, size) : VGG_OK;
}

enum vgg_status vgg_net_get_moments(struct vgg_net *net, float *moments)
{
    size_t size = vgg_net_moment_size(net);
    return size ? vgg_buf_download(net->arena[VGG_ARENA_MOMENT], 0, moments, size) : VGG_OK;
}

/* ---- running ---- */

/* Gives a plan's lists the arenas as they are now, under new keys. */
static void bind(struct vgg_net *net, struct bound *bound)
{
    const struct vgg_plan *plan = bound->plan;
    struct vgg_list list = { .op = plan->op, .count = plan->forward };
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        list.arena[i] = net->arena[i];
    bound->pass = bound->whole = bound->back = list;
    if (net->spec.gradient) {
        bound->back.op += plan->forward;
        bound->back.count = plan->backward;
    } else {
        bound->pass.count += plan->backward;
        bound->whole.count += plan->backward + plan->update;
    }
    bound->pass.key = vgg_backend_key(net->backend);
    bound->whole.key = vgg_backend_key(net->backend);
    bound->back.key = vgg_backend_key(net->backend);
}

/* A smaller batch can, through other ties in the placement, need a little more: then the arena grows. */
static enum vgg_status grow_activations(struct vgg_net *net, size_t size)
{
    if (net->arena[VGG_ARENA_ACT] && size <= net->arena[VGG_ARENA_ACT]->size) return VGG_OK;
    vgg_buf_destroy(net->arena[VGG_ARENA_ACT]);
    net->arena[VGG_ARENA_ACT] = NULL;
    enum vgg_status status = vgg_buf_create(net->backend, &net->arena[VGG_ARENA_ACT], size);
    for (int i = 0; i < KEPT && status == VGG_OK; i++) {
        if (net->bound[i].plan) bind(net, &net->bound[i]);
    }
    return status;
}

static enum vgg_status bound_for(struct bound **out, struct vgg_net *net, int n, bool training)
{
    for (int i = 0; i < KEPT; i++) {
        *out = &net->bound[i];
        if ((*out)->plan && (*out)->n == n && (*out)->training == training) return VGG_OK;
    }
    struct vgg_plan *plan;
    struct vgg_plan_spec spec = spec_for(net, n, training);
    enum vgg_status status = vgg_plan_build(&plan, &spec);
    if (status != VGG_OK) return status;
    status = grow_activations(net, plan->arena_size[VGG_ARENA_ACT]);
    if (status != VGG_OK) {
        vgg_plan_destroy(plan);
        return status;
    }
    *out = &net->bound[net->next];
    net->next = (net->next + 1) % KEPT;
    unbind(*out);
    **out = (struct bound) { .n = n, .training = training, .plan = plan };
    bind(net, *out);
    vgg_net_times_init(&(*out)->times, net->backend, &net->arch, plan);
    return VGG_OK;
}

static enum vgg_status upload(struct vgg_net *net, const struct vgg_view *view, const float *data)
{
    return view->n ? vgg_buf_upload(net->arena[view->arena], view->offset, data, vgg_view_size(view)) : VGG_OK;
}

static enum vgg_status download(struct vgg_net *net, const struct vgg_view *view, float *data)
{
    return view->n && data ? vgg_buf_download(net->arena[view->arena], view->offset, data, vgg_view_size(view))
                           : VGG_OK;
}

/* Runs the batch in parts of at most spec.batch images; the last part of a training batch ends with the update. */
static enum vgg_status run(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *wanted,
                           bool training)
{
    enum vgg_status status = VGG_OK;
    for (int at = 0; at < io->n;) {
        int n = io->n - at < net->spec.batch ? io->n - at : net->spec.batch;
        struct bound *bound;
        CHECK(bound_for(&bound, net, n, training));
        const struct vgg_plan *plan = bound->plan;
        size_t input = vgg_view_count(&plan->input) / (size_t)n;
        struct vgg_step step = *wanted;
        step.first = (uint32_t)at;
        step.loss_scale = 1.0f / (float)io->n;
        CHECK(upload(net, &plan->input, io->x + (size_t)at * input));
        if (net->spec.loss) {
            CHECK(upload(net, &plan->targets, io->t + at));
            CHECK(upload(net, &plan->weights, io->w ? io->w + at : net->ones));
        }
        CHECK(vgg_net_times_run(&bound->times, at + n < io->n ? &bound->pass : &bound->whole, &step));
        CHECK(download(net, &plan->output, io->y ? io->y + (size_t)at * net->output : NULL));
        CHECK(download(net, &plan->loss, io->loss ? io->loss + at : NULL));
        at += n;
    }
fail:
    return status;
}

enum vgg_status vgg_net_forward(struct vgg_net *net, const struct vgg_net_io *io)
{
    struct vgg_step step = { 0 };
    return run(net, io, &step, false);
}

enum vgg_status vgg_net_train(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step)
{
    return run(net, io, step, true);
}

enum vgg_status vgg_net_slopes(struct vgg_net *net, const struct vgg_net_slopes *io)
{
    enum vgg_status status = VGG_OK;
    struct vgg_step step = { 0 };
    float *seed = vgg_mem_calloc((size_t)net->spec.batch, net->output * sizeof *seed);
    if (!seed) return vgg_fail_memory("the gradients of scores", (size_t)net->spec.batch * net->output * sizeof *seed);
    for (int at = 0, n; at < io->n; at += n) {
        n = io->n - at < net->spec.batch ? io->n - at : net->spec.batch;
        struct bound *bound;
        CHECK(bound_for(&bound, net, n, false));
        const struct vgg_plan *plan = bound->plan;
        size_t input = vgg_view_count(&plan->input) / (size_t)n, kept = vgg_view_count(&plan->kept) / (size_t)n;
        float *y = io->y + (size_t)at * net->output;
        CHECK(upload(net, &plan->input, io->x + (size_t)at * input));
        CHECK(vgg_backend_run(net->backend, &bound->pass, &step));
        CHECK(download(net, &plan->output, y));
        io->seed(io->user, at, n, y, seed);
        CHECK(upload(net, &plan->seed, seed));
        CHECK(vgg_backend_run(net->backend, &bound->back, &step));
        CHECK(download(net, &plan->kept, io->kept + (size_t)at * kept));
        CHECK(download(net, &plan->slope, io->slope + (size_t)at * kept));
    }
fail:
    free(seed);
    return status;
}
