#include "core/engine/net.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/net_store.h"

/* The list that adds sum k + 1 to sum k and clears it. */
static void bind_joins(struct vgg_net *net)
{
    size_t count = net->sum[0] ? net->sum[0]->size / sizeof(float) : 0;
    const struct vgg_view sum = { 0, VGG_ARENA_GRAD, VGG_F32, 1, 1, 1, (int)count },
                          more = { 0, VGG_ARENA_SUM, VGG_F32, 1, 1, 1, (int)count };
    net->join_op[0] = (struct vgg_op) { VGG_OP_ADD, .y = sum, .x = more };
    net->join_op[1] = (struct vgg_op) { VGG_OP_ZERO, .y = more };
    for (int k = 0; k + 1 < net->sums; k++) {
        net->join[k] = (struct vgg_list) { .op = net->join_op, .count = 2, .key = vgg_backend_key(net->backend) };
        net->join[k].arena[VGG_ARENA_GRAD] = net->sum[k];
        net->join[k].arena[VGG_ARENA_SUM] = net->sum[k + 1];
    }
}

enum vgg_status vgg_net_create(struct vgg_net **out, struct vgg_backend *backend, const struct vgg_plan_spec *spec,
                               int evaluate_first, int shard, uint64_t memory)
{
    enum vgg_status status = VGG_OK;
    *out = NULL;
    struct vgg_net *net = vgg_mem_calloc(1, sizeof *net);
    if (!net) return vgg_fail_memory("a network", sizeof *net);
    net->backend = backend;
    net->arch = *spec->arch;
    net->spec = *spec;
    net->spec.arch = &net->arch;
    net->spec.halves = backend->halves;
    net->evaluate_first = evaluate_first;
    net->shard = shard > 0 && shard < spec->batch ? shard : spec->batch;
    CHECK(vgg_net_arenas_create(net, memory));
    bind_joins(net);
    int most = net->forward > net->shard ? net->forward : net->shard;
    net->ones = vgg_mem_calloc((size_t)most, sizeof(float));
    if (!net->ones) CHECK(vgg_fail_memory("a network", (size_t)most * sizeof(float)));
    for (int i = 0; i < most; i++)
        net->ones[i] = 1.0f;
    *out = net;
    return VGG_OK;
fail:
    vgg_net_destroy(net);
    return status;
}

static void unbind(struct vgg_net_bound *bound)
{
    vgg_net_times_finish(&bound->times);
    vgg_plan_destroy(bound->plan);
}

void vgg_net_destroy(struct vgg_net *net)
{
    if (!net) return;
    for (int i = 0; i < VGG_NET_KEPT; i++)
        unbind(&net->bound[i]);
    vgg_net_reduce_finish(net);
    vgg_net_arenas_destroy(net);
    free(net->ones);
    free(net);
}

void vgg_net_set_ranks(struct vgg_net *net, struct vgg_ranks *ranks)
{
    net->ranks = vgg_ranks_size(ranks) > 1 ? ranks : NULL;
}

int vgg_net_shard(const struct vgg_net *net)
{
    return net->shard;
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
    if (!params) return vgg_fail(VGG_ERR_ARGUMENT, "a network of a model whose parameters were released");
    return vgg_buf_upload(net->arena[VGG_ARENA_PARAM], 0, params, net->arch.param_size);
}

enum vgg_status vgg_net_take_params(struct vgg_net *net, const struct vgg_net *from, size_t offset)
{
    enum { PIECE = 1 << 20 };
    enum vgg_status status = VGG_OK;
    size_t size = net->arch.param_size;
    void *piece = vgg_mem_calloc(PIECE, 1);
    if (!piece) return vgg_fail_memory("parameters", PIECE);
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < PIECE ? size - at : PIECE;
        CHECK(vgg_buf_download(from->arena[VGG_ARENA_PARAM], offset + at, piece, n));
        CHECK(vgg_buf_upload(net->arena[VGG_ARENA_PARAM], at, piece, n));
    }
fail:
    free(piece);
    return status;
}

enum vgg_status vgg_net_get_params(struct vgg_net *net, float *params)
{
    return vgg_buf_download(net->arena[VGG_ARENA_PARAM], 0, params, net->arch.param_size);
}

enum vgg_status vgg_net_set_scales(struct vgg_net *net, const float (*scales)[VGG_QUANT_COUNT])
{
    enum vgg_status status = VGG_OK;
    for (int i = 0; i < net->arch.count && net->spec.precision == VGG_PRECISION_INT8; i++) {
        const struct vgg_view at = vgg_plan_scales(&net->arch, i);
        if (net->arch.layer[i].kind != VGG_LAYER_CONV) continue;
        CHECK(vgg_buf_upload(net->arena[VGG_ARENA_PARAM], at.offset, scales[i], sizeof scales[i]));
    }
fail:
    return status;
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
static void bind(struct vgg_net *net, struct vgg_net_bound *bound)
{
    const struct vgg_plan *plan = bound->plan;
    struct vgg_list list = { .op = plan->op, .count = plan->forward };
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        list.arena[i] = net->arena[i];
    bound->whole = bound->update = bound->fore = bound->back = list;
    bound->back.op += plan->forward;
    bound->back.count = plan->backward;
    bound->update.op += plan->forward + plan->backward;
    bound->update.count = plan->update;
    bound->whole.count += plan->backward + plan->update;
    if (net->spec.scaled && bound->training) {
        bound->judge = bound->judged = bound->clear = list;
        bound->update.op++, bound->update.count--;
        bound->judge.op = bound->update.op - 1;
        bound->judged.count += plan->backward + 1;
        bound->clear.op = bound->update.op + bound->update.count - 1;
        bound->judge.count = bound->clear.count = 1;
    }
    struct vgg_list *lists[] = { &bound->whole, &bound->update, &bound->fore, &bound->back,
                                 &bound->judge, &bound->judged, &bound->clear };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        lists[i]->key = vgg_backend_key(net->backend);
    if (!net->spec.gradient) list.count += plan->backward;
    for (int k = 0; k < (bound->training ? net->sums : 1); k++) {
        bound->pass[k] = list;
        bound->pass[k].key = vgg_backend_key(net->backend);
        if (bound->training) bound->pass[k].arena[VGG_ARENA_GRAD] = net->sum[k];
    }
}

/* A smaller batch can, through other ties in the placement, need a little more: then the arena grows. */
static enum vgg_status grow_activations(struct vgg_net *net, size_t size)
{
    if (net->arena[VGG_ARENA_ACT] && size <= net->arena[VGG_ARENA_ACT]->size) return VGG_OK;
    vgg_buf_destroy(net->arena[VGG_ARENA_ACT]);
    net->arena[VGG_ARENA_ACT] = NULL;
    enum vgg_status status = vgg_buf_create(net->backend, &net->arena[VGG_ARENA_ACT], size);
    for (int i = 0; i < VGG_NET_KEPT && status == VGG_OK; i++) {
        if (net->bound[i].plan) bind(net, &net->bound[i]);
    }
    return status;
}

static enum vgg_status bound_for(struct vgg_net_bound **out, struct vgg_net *net, int n, bool training)
{
    for (int i = 0; i < VGG_NET_KEPT; i++) {
        *out = &net->bound[i];
        if ((*out)->plan && (*out)->n == n && (*out)->training == training) return VGG_OK;
    }
    struct vgg_plan *plan;
    struct vgg_plan_spec spec = vgg_net_spec(net, n, training);
    enum vgg_status status = vgg_plan_build(&plan, &spec);
    if (status != VGG_OK) return status;
    status = grow_activations(net, plan->arena_size[VGG_ARENA_ACT]);
    if (status != VGG_OK) {
        vgg_plan_destroy(plan);
        return status;
    }
    *out = &net->bound[net->next];
    net->next = (net->next + 1) % VGG_NET_KEPT;
    unbind(*out);
    **out = (struct vgg_net_bound) { .n = n, .training = training, .plan = plan };
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

/* What gradients are multiplied by; a step that makes none has no unscale. */
static float loss_scale(const struct vgg_net *net, const struct vgg_step *step, int images)
{
    bool scaled = net->spec.scaled && step->unscale > 0;
    return (scaled ? 1.0f / step->unscale : 1.0f) * (1.0f / (float)images);
}

/* Where `io` goes when its images at .. at + n - 1 are run. */
struct part {
    struct vgg_net_bound *bound;
    int at, n;
    struct vgg_step step;
};

/* range: the images that io->x begins with, and those before which it ends. */
static enum vgg_status part_begin(struct part *part, struct vgg_net *net, const struct vgg_net_io *io,
                                  const struct vgg_step *step, int at, int most, struct vgg_share range, bool training)
{
    enum vgg_status status;
    part->at = at;
    part->n = range.to - at < most ? range.to - at : most;
    part->step = *step;
    part->step.first = (uint32_t)at;
    part->step.loss_scale = loss_scale(net, step, io->n);
    CHECK(bound_for(&part->bound, net, part->n, training));
    const struct vgg_plan *plan = part->bound->plan;
    size_t input = vgg_view_count(&plan->input) / (size_t)part->n;
    CHECK(upload(net, &plan->input, io->x + (size_t)(at - range.from) * input));
    if (net->spec.loss) {
        CHECK(upload(net, &plan->targets, io->t + at));
        CHECK(upload(net, &plan->weights, io->w ? io->w + at : net->ones));
    }
fail:
    return status;
}

static enum vgg_status part_end(const struct part *part, struct vgg_net *net, const struct vgg_net_io *io)
{
    const struct vgg_plan *plan = part->bound->plan;
    enum vgg_status status = download(net, &plan->output, io->y ? io->y + (size_t)part->at * net->output : NULL);
    return status == VGG_OK ? download(net, &plan->loss, io->loss ? io->loss + part->at : NULL) : status;
}

enum vgg_status vgg_net_forward(struct vgg_net *net, const struct vgg_net_io *io)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_step step = { 0 };
    const struct vgg_share all = { 0, io->n };
    struct part part;
    for (int at = 0; at < io->n; at += part.n) {
        CHECK(part_begin(&part, net, io, &step, at, net->forward, all, false));
        CHECK(vgg_net_times_run(&part.bound->times, &part.bound->pass[0], &part.step));
        CHECK(part_end(&part, net, io));
    }
fail:
    return status;
}

/* Runs what no plan's times hold: sums that are joined, and the update after them. */
static enum vgg_status run_apart(struct vgg_net *net, const struct vgg_list *list, const struct vgg_step *step)
{
    double begin = vgg_clock_seconds();
    enum vgg_status status = vgg_backend_run(net->backend, list, step);
    net->seconds_apart += vgg_clock_seconds() - begin;
    return status;
}

/* One more sum, which is of shard number `shard`; it is added to those before it where they make one node. */
static enum vgg_status hold(struct vgg_net *net, struct vgg_net_held *held, int shard, int shards,
                            const struct vgg_step *step)
{
    enum vgg_status status = VGG_OK;
    held->node[held->count++] = (struct vgg_share) { shard, shard + 1 };
    while (held->count > 1 && vgg_share_join(held->node[held->count - 2], held->node[held->count - 1], shards)) {
        --held->count;
        held->node[held->count - 1].to = held->node[held->count].to;
        CHECK(run_apart(net, &net->join[held->count - 1], step));
    }
fail:
    return status;
}

/* A rank's shards may take more sums at once than all of them in one process. */
static enum vgg_status need_sums(struct vgg_net *net, int count)
{
    if (count <= net->sums) return VGG_OK;
    enum vgg_status status = vgg_buf_create(net->backend, &net->sum[net->sums], net->sum[0]->size);
    if (status != VGG_OK) return status;
    net->sums++;
    bind_joins(net);
    for (int i = 0; i < VGG_NET_KEPT; i++)
        if (net->bound[i].plan) bind(net, &net->bound[i]);
    return VGG_OK;
}

/* The update of a scaled network whose gradients were judged. */
static enum vgg_status decide(struct vgg_net *net, const struct vgg_net_bound *bound, const struct vgg_net_io *io,
                              const struct vgg_step *step)
{
    float found = 0;
    enum vgg_status status = download(net, &bound->plan->found, &found);
    if (status != VGG_OK) return status;
    if (io->skipped) *io->skipped = found != 0;
    return run_apart(net, found != 0 ? &bound->clear : &bound->update, step);
}

/* Runs this rank's shards of a batch that is not run at once. */
static enum vgg_status run_shards(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step,
                                  struct vgg_net_held *held, int shards, struct vgg_share range)
{
    enum vgg_status status = VGG_OK;
    struct part part;
    for (int at = range.from; at < range.to; at += part.n) {
        CHECK(need_sums(net, held->count + 1));
        CHECK(part_begin(&part, net, io, step, at, net->shard, range, true));
        CHECK(vgg_net_times_run(&part.bound->times, &part.bound->pass[held->count], &part.step));
        CHECK(part_end(&part, net, io));
        CHECK(hold(net, held, at / net->shard, shards, step));
    }
fail:
    return status;
}

/* The update from gradients that are added up. */
static enum vgg_status finish_step(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step)
{
    enum vgg_status status;
    struct vgg_net_bound *bound;
    CHECK(bound_for(&bound, net, io->n < net->shard ? io->n : net->shard, true));
    if (net->spec.scaled) {
        CHECK(run_apart(net, &bound->judge, step));
        CHECK(decide(net, bound, io, step));
    } else {
        CHECK(run_apart(net, &bound->update, step));
    }
fail:
    return status;
}

static enum vgg_status run_whole(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step)
{
    enum vgg_status status;
    struct part part;
    CHECK(part_begin(&part, net, io, step, 0, io->n, (struct vgg_share) { 0, io->n }, true));
    const struct vgg_list *all = net->spec.scaled ? &part.bound->judged : &part.bound->whole;
    CHECK(vgg_net_times_run(&part.bound->times, all, &part.step));
    CHECK(part_end(&part, net, io));
    if (net->spec.scaled) CHECK(decide(net, part.bound, io, step));
fail:
    return status;
}

/* The shards' gradients are the leaves of a balanced binary tree in their order. */
enum vgg_status vgg_net_train(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_held held = { .count = 0 };
    struct vgg_share range = { 0, io->n };
    int shards = vgg_share_shards(io->n, net->shard);
    net->seconds_apart = 0;
    if (io->n > net->spec.batch)
        return vgg_fail(VGG_ERR_ARGUMENT, "a batch of %d for a network of %d", io->n, net->spec.batch);
    if (net->ranks) range = vgg_share_items(io->n, net->shard, net->ranks->rank, net->ranks->size);
    if (!net->ranks && shards == 1) return run_whole(net, io, step);
    status = run_shards(net, io, step, &held, shards, range);
    if (net->ranks) status = vgg_net_reduce(net, &held, shards, status);
    if (status == VGG_OK) status = finish_step(net, io, step);
    if (status == VGG_OK && ++net->batches == 2) /* the first met cold caches */
        vgg_log(VGG_LOG_INFO, "%d shards of %d images: adding their gradients and the update took %.2f ms", shards,
                net->shard, 1e3 * net->seconds_apart);
    return status;
}

/* ---- measuring ---- */

static enum vgg_status bound_whole(struct vgg_net_bound **out, struct vgg_net *net)
{
    return bound_for(out, net, net->spec.batch, vgg_net_trains(net));
}

enum vgg_status vgg_net_plan(const struct vgg_plan **out, struct vgg_net *net)
{
    struct vgg_net_bound *bound;
    enum vgg_status status = bound_whole(&bound, net);
    *out = status == VGG_OK ? bound->plan : NULL;
    return status;
}

enum vgg_status vgg_net_put(struct vgg_net *net, const struct vgg_net_io *io)
{
    struct part part;
    const struct vgg_share all = { 0, io->n };
    return part_begin(&part, net, io, &(struct vgg_step) { 0 }, 0, io->n, all, vgg_net_trains(net));
}

enum vgg_status vgg_net_run(struct vgg_net *net, enum vgg_net_stretch stretch, const struct vgg_step *step,
                            double *seconds)
{
    enum vgg_status status;
    struct vgg_net_bound *bound;
    struct vgg_step scaled = *step;
    uint64_t ticket;
    scaled.first = 0;
    scaled.loss_scale = loss_scale(net, step, net->spec.batch);
    CHECK(bound_whole(&bound, net));
    const struct vgg_list *list[] = { &bound->fore, &bound->back, &bound->pass[0], &bound->whole };
    CHECK(vgg_backend_submit(net->backend, list[stretch], &scaled, seconds, &ticket));
    CHECK(vgg_backend_wait(net->backend, ticket));
fail:
    return status;
}

enum vgg_status vgg_net_get_activation(struct vgg_net *net, int layer, void *values)
{
    struct vgg_net_bound *bound;
    enum vgg_status status = bound_whole(&bound, net);
    if (status != VGG_OK) return status;
    const struct vgg_view *view = &bound->plan->activation[layer];
    return vgg_buf_download(net->arena[view->arena], view->offset, values, vgg_view_size(view));
}

enum vgg_status vgg_net_get_grads(struct vgg_net *net, float *grads)
{
    struct vgg_net_bound *bound;
    enum vgg_status status = bound_whole(&bound, net);
    return status == VGG_OK ? download(net, &bound->plan->grads, grads) : status;
}

/* ---- gradients of scores ---- */

enum vgg_status vgg_net_slopes(struct vgg_net *net, const struct vgg_net_slopes *io)
{
    enum vgg_status status = VGG_OK;
    struct vgg_step step = { 0 };
    float *seed = vgg_mem_calloc((size_t)net->forward, net->output * sizeof *seed);
    if (!seed) return vgg_fail_memory("the gradients of scores", (size_t)net->forward * net->output * sizeof *seed);
    for (int at = 0, n; at < io->n; at += n) {
        n = io->n - at < net->forward ? io->n - at : net->forward;
        struct vgg_net_bound *bound;
        CHECK(bound_for(&bound, net, n, false));
        const struct vgg_plan *plan = bound->plan;
        size_t input = vgg_view_count(&plan->input) / (size_t)n, kept = vgg_view_count(&plan->kept) / (size_t)n;
        float *y = io->y + (size_t)at * net->output;
        CHECK(upload(net, &plan->input, io->x + (size_t)at * input));
        CHECK(vgg_backend_run(net->backend, &bound->pass[0], &step));
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
