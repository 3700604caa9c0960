#include "core/engine/net.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/net_store.h"

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
    vgg_net_bind_joins(net);
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

void vgg_net_destroy(struct vgg_net *net)
{
    if (!net) return;
    for (int i = 0; i < VGG_NET_KEPT; i++)
        vgg_net_unbind(&net->bound[i]);
    vgg_net_reduce_finish(net);
    vgg_net_arenas_destroy(net);
    free(net->ones);
    free(net);
}

void vgg_net_set_ranks(struct vgg_net *net, struct vgg_ranks *ranks)
{
    net->ranks = vgg_ranks_size(ranks) > 1 ? ranks : NULL;
}

struct vgg_net_traffic vgg_net_traffic(const struct vgg_net *net)
{
    struct vgg_net_traffic traffic = net->reduce.traffic;
    traffic.pieces = net->reduce.pieces;
    return traffic;
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

enum vgg_status vgg_net_forward(struct vgg_net *net, const struct vgg_net_io *io)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_step step = { 0 };
    const struct vgg_share all = { 0, io->n };
    struct vgg_net_part part;
    for (int at = 0; at < io->n; at += part.n) {
        CHECK(vgg_net_part_begin(&part, net, io, &step, at, net->forward, all, false));
        CHECK(vgg_net_times_run(&part.bound->times, &part.bound->pass[0], &part.step));
        CHECK(vgg_net_part_end(&part, net, io));
    }
fail:
    return status;
}

/* The update of a scaled network whose gradients were judged. */
static enum vgg_status decide(struct vgg_net *net, const struct vgg_net_bound *bound, const struct vgg_net_io *io,
                              const struct vgg_step *step)
{
    float found = 0;
    enum vgg_status status = vgg_net_download(net, &bound->plan->found, &found);
    if (status != VGG_OK) return status;
    if (io->skipped) *io->skipped = found != 0;
    return vgg_net_run_apart(net, found != 0 ? &bound->clear : &bound->update, step);
}

/* The update from gradients that are added up. */
static enum vgg_status finish_step(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step)
{
    enum vgg_status status;
    struct vgg_net_bound *bound;
    CHECK(vgg_net_bound_for(&bound, net, io->n < net->shard ? io->n : net->shard, true));
    if (net->spec.scaled) {
        CHECK(vgg_net_run_apart(net, &bound->judge, step));
        CHECK(decide(net, bound, io, step));
    } else {
        CHECK(vgg_net_run_apart(net, &bound->update, step));
    }
fail:
    return status;
}

static enum vgg_status run_whole(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step)
{
    enum vgg_status status;
    struct vgg_net_part part;
    CHECK(vgg_net_part_begin(&part, net, io, step, 0, io->n, (struct vgg_share) { 0, io->n }, true));
    const struct vgg_list *all = net->spec.scaled ? &part.bound->judged : &part.bound->whole;
    CHECK(vgg_net_times_run(&part.bound->times, all, &part.step));
    CHECK(vgg_net_part_end(&part, net, io));
    if (net->spec.scaled) CHECK(decide(net, part.bound, io, step));
fail:
    return status;
}

enum vgg_status vgg_net_train(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_held held = { .count = 0 };
    const struct vgg_share all = { 0, io->n };
    int shards = vgg_share_shards(io->n, net->shard);
    net->seconds_apart = 0;
    if (io->n > net->spec.batch)
        return vgg_fail(VGG_ERR_ARGUMENT, "a batch of %d for a network of %d", io->n, net->spec.batch);
    if (!net->ranks && shards == 1) return run_whole(net, io, step);
    status = net->ranks ? vgg_net_run_ranks(net, io, step, shards)
                        : vgg_net_run_shards(net, io, step, &held, shards, all, io->n);
    if (status == VGG_OK) status = finish_step(net, io, step);
    if (status == VGG_OK && ++net->batches == 2) /* the first met cold caches */
        vgg_log(VGG_LOG_INFO, "%d shards of %d images: adding their gradients and the update took %.2f ms", shards,
                net->shard, 1e3 * net->seconds_apart);
    return status;
}

/* ---- measuring ---- */

static enum vgg_status bound_whole(struct vgg_net_bound **out, struct vgg_net *net)
{
    return vgg_net_bound_for(out, net, net->spec.batch, vgg_net_trains(net));
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
    struct vgg_net_part part;
    const struct vgg_share all = { 0, io->n };
    return vgg_net_part_begin(&part, net, io, &(struct vgg_step) { 0 }, 0, io->n, all, vgg_net_trains(net));
}

enum vgg_status vgg_net_run(struct vgg_net *net, enum vgg_net_stretch stretch, const struct vgg_step *step,
                            double *seconds)
{
    enum vgg_status status;
    struct vgg_net_bound *bound;
    struct vgg_step scaled = *step;
    uint64_t ticket;
    scaled.first = 0;
    scaled.loss_scale = vgg_net_loss_scale(net, step, net->spec.batch);
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
    return status == VGG_OK ? vgg_net_download(net, &bound->plan->grads, grads) : status;
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
        CHECK(vgg_net_bound_for(&bound, net, n, false));
        const struct vgg_plan *plan = bound->plan;
        size_t input = vgg_view_count(&plan->input) / (size_t)n, kept = vgg_view_count(&plan->kept) / (size_t)n;
        float *y = io->y + (size_t)at * net->output;
        CHECK(vgg_net_upload(net, &plan->input, io->x + (size_t)at * input));
        CHECK(vgg_backend_run(net->backend, &bound->pass[0], &step));
        CHECK(vgg_net_download(net, &plan->output, y));
        io->seed(io->user, at, n, y, seed);
        CHECK(vgg_net_upload(net, &plan->seed, seed));
        CHECK(vgg_backend_run(net->backend, &bound->back, &step));
        CHECK(vgg_net_download(net, &plan->kept, io->kept + (size_t)at * kept));
        CHECK(vgg_net_download(net, &plan->slope, io->slope + (size_t)at * kept));
    }
fail:
    free(seed);
    return status;
}
