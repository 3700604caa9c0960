/* A part of a batch on the device: its plan, bound to the arenas, and what goes there and comes back. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/engine/net_store.h"

/* The list that adds sum k + 1 to sum k and clears it. */
void vgg_net_bind_joins(struct vgg_net *net)
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

void vgg_net_unbind(struct vgg_net_bound *bound)
{
    vgg_net_times_finish(&bound->times);
    vgg_plan_destroy(bound->plan);
}

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

/* A rank's shards may take more sums at once than all of them in one process. */
enum vgg_status vgg_net_need_sums(struct vgg_net *net, int count)
{
    if (count <= net->sums) return VGG_OK;
    enum vgg_status status = vgg_buf_create(net->backend, &net->sum[net->sums], net->sum[0]->size);
    if (status != VGG_OK) return status;
    net->sums++;
    vgg_net_bind_joins(net);
    for (int i = 0; i < VGG_NET_KEPT; i++)
        if (net->bound[i].plan) bind(net, &net->bound[i]);
    return VGG_OK;
}

enum vgg_status vgg_net_bound_for(struct vgg_net_bound **out, struct vgg_net *net, int n, bool training)
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
    vgg_net_unbind(*out);
    **out = (struct vgg_net_bound) { .n = n, .training = training, .plan = plan };
    bind(net, *out);
    vgg_net_times_init(&(*out)->times, net->backend, &net->arch, plan);
    return VGG_OK;
}

enum vgg_status vgg_net_upload(struct vgg_net *net, const struct vgg_view *view, const float *data)
{
    return view->n ? vgg_buf_upload(net->arena[view->arena], view->offset, data, vgg_view_size(view)) : VGG_OK;
}

enum vgg_status vgg_net_download(struct vgg_net *net, const struct vgg_view *view, float *data)
{
    return view->n && data ? vgg_buf_download(net->arena[view->arena], view->offset, data, vgg_view_size(view))
                           : VGG_OK;
}

/* What gradients are multiplied by; a step that makes none has no unscale. */
float vgg_net_loss_scale(const struct vgg_net *net, const struct vgg_step *step, int images)
{
    bool scaled = net->spec.scaled && step->unscale > 0;
    return (scaled ? 1.0f / step->unscale : 1.0f) * (1.0f / (float)images);
}

/* range: the images that io->x begins with, and those before which it ends. */
enum vgg_status vgg_net_part_begin(struct vgg_net_part *part, struct vgg_net *net, const struct vgg_net_io *io,
                                   const struct vgg_step *step, int at, int most, struct vgg_share range, bool training)
{
    enum vgg_status status;
    part->at = at;
    part->n = range.to - at < most ? range.to - at : most;
    part->step = *step;
    part->step.first = (uint32_t)at;
    part->step.loss_scale = vgg_net_loss_scale(net, step, io->n);
    CHECK(vgg_net_bound_for(&part->bound, net, part->n, training));
    const struct vgg_plan *plan = part->bound->plan;
    size_t input = vgg_view_count(&plan->input) / (size_t)part->n;
    CHECK(vgg_net_upload(net, &plan->input, io->x + (size_t)(at - range.from) * input));
    if (net->spec.loss) {
        CHECK(vgg_net_upload(net, &plan->targets, io->t + at));
        CHECK(vgg_net_upload(net, &plan->weights, io->w ? io->w + at : net->ones));
    }
fail:
    return status;
}

enum vgg_status vgg_net_part_end(const struct vgg_net_part *part, struct vgg_net *net, const struct vgg_net_io *io)
{
    const struct vgg_plan *plan = part->bound->plan;
    enum vgg_status status =
        vgg_net_download(net, &plan->output, io->y ? io->y + (size_t)part->at * net->output : NULL);
    return status == VGG_OK ? vgg_net_download(net, &plan->loss, io->loss ? io->loss + part->at : NULL) : status;
}

/* Runs what no plan's times hold: sums that are joined, and the update after them. */
enum vgg_status vgg_net_run_apart(struct vgg_net *net, const struct vgg_list *list, const struct vgg_step *step)
{
    double begin = vgg_clock_seconds();
    enum vgg_status status = vgg_backend_run(net->backend, list, step);
    net->seconds_apart += vgg_clock_seconds() - begin;
    return status;
}
