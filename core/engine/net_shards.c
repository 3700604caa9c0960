/* The shards of a batch, whose gradients are the leaves of a balanced binary tree in their order. */
#include "core/base/log.h"
#include "core/engine/net_store.h"

/* One more sum, which is of shard number `shard`; it joins those before it where they make one node. */
static void push(struct vgg_net_held *held, int shard, int shards)
{
    held->node[held->count++] = (struct vgg_share) { shard, shard + 1 };
    while (held->count > 1 && vgg_share_join(held->node[held->count - 2], held->node[held->count - 1], shards)) {
        --held->count;
        held->node[held->count - 1].to = held->node[held->count].to;
    }
}

/* Adds the sum number `top` to those before it, down to the last of `count` that stay. */
static enum vgg_status join(struct vgg_net *net, int top, int count, const struct vgg_step *step)
{
    enum vgg_status status = VGG_OK;
    for (int k = top - 1; k >= count - 1; k--)
        CHECK(vgg_net_run_apart(net, &net->join[k], step));
fail:
    return status;
}

/* The same for the values from .. to - 1, which are whole pieces. */
static enum vgg_status join_part(struct vgg_net *net, int top, int count, size_t from, size_t to,
                                 const struct vgg_step *step)
{
    enum vgg_status status = VGG_OK;
    for (int k = top - 1; k >= count - 1 && from < to; k--) {
        struct vgg_op op[2] = { net->join_op[0], net->join_op[1] };
        struct vgg_list list = net->join[k];
        struct vgg_view *views[] = { &op[0].x, &op[0].y, &op[1].y };
        for (int i = 0; i < 3; i++)
            views[i]->offset = from * sizeof(float), views[i]->c = (int)(to - from);
        list.op = op;
        list.key = 0;
        CHECK(vgg_net_run_apart(net, &list, step));
    }
fail:
    return status;
}

enum vgg_status vgg_net_run_shards(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step,
                                   struct vgg_net_held *held, int shards, struct vgg_share range, int until)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_part part;
    for (int at = range.from; at < until; at += part.n) {
        int top = held->count;
        CHECK(vgg_net_need_sums(net, top + 1));
        CHECK(vgg_net_part_begin(&part, net, io, step, at, net->shard, range, true));
        CHECK(vgg_net_times_run(&part.bound->times, &part.bound->pass[top], &part.step));
        CHECK(vgg_net_part_end(&part, net, io));
        push(held, at / net->shard, shards);
        CHECK(join(net, top, held->count, step));
    }
fail:
    return status;
}

/* Runs a pass into sum number `top` in stretches: each ends where it has made more pieces, which are joined and leave.
 */
static enum vgg_status run_cut(struct vgg_net *net, const struct vgg_net_part *part, int top, int count)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_list *pass = &part->bound->pass[top];
    size_t begin = 0, made = net->sum[0]->size / sizeof(float);
    for (size_t end = part->bound->plan->forward + 1; end <= pass->count; end++) {
        const struct vgg_op *op = &pass->op[end - 1];
        bool weight = op->kind == VGG_OP_CONV_BWD_WEIGHT || op->kind == VGG_OP_DENSE_BWD_WEIGHT;
        size_t from = weight ? vgg_net_reduce_above(net, op->dw.offset / sizeof(float)) : made;
        if (from >= made) continue;
        struct vgg_list list = *pass;
        list.op += begin, list.count = end - begin, list.key = 0;
        CHECK(vgg_backend_run(net->backend, &list, &part->step));
        CHECK(join_part(net, top, count, from, made, &part->step));
        vgg_net_reduce_ready(net, from);
        begin = end, made = from;
    }
fail:
    return status;
}

/* The last of this rank's shards: what it makes leaves for the other ranks meanwhile. */
static enum vgg_status run_last(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step, int top,
                                struct vgg_share range, int at)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_part part;
    int count = net->reduce.held.count;
    CHECK(vgg_net_part_begin(&part, net, io, step, at, net->shard, range, true));
    if (net->reduce.threaded && !part.bound->times.seconds) {
        CHECK(run_cut(net, &part, top, count));
    } else {
        CHECK(vgg_net_times_run(&part.bound->times, &part.bound->pass[top], &part.step));
        CHECK(join(net, top, count, step));
    }
    CHECK(vgg_net_part_end(&part, net, io));
fail:
    return status;
}

/* What a batch took of other ranks' time, once: the third batch's, since the first two are timed layer by layer. */
static void tell(const struct vgg_net *net, const struct vgg_net_traffic *before)
{
    const struct vgg_net_traffic *now = &net->reduce.traffic;
    if (net->batches != 2) return;
    vgg_log(VGG_LOG_INFO, "gradients of %d ranks: %.1f MB sent in %.2f ms, of which the backward pass left %.2f ms",
            net->ranks->size, 1e-6 * (double)(now->bytes - before->bytes), 1e3 * (now->seconds - before->seconds),
            1e3 * (now->waited - before->waited));
}

enum vgg_status vgg_net_run_ranks(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step,
                                  int shards)
{
    struct vgg_net_held held = { .count = 0 };
    struct vgg_share range = vgg_share_items(io->n, net->shard, net->ranks->rank, net->ranks->size);
    struct vgg_net_traffic before = net->reduce.traffic, *traffic = &net->reduce.traffic;
    double seconds = net->ranks->seconds;
    uint64_t bytes = net->ranks->bytes;
    bool any = range.from < range.to;
    int last = any ? (range.to - 1) / net->shard * net->shard : range.to;
    enum vgg_status status = vgg_net_run_shards(net, io, step, &held, shards, range, last);
    int top = held.count;
    if (status == VGG_OK && any) {
        push(&held, last / net->shard, shards);
        status = vgg_net_need_sums(net, top + 1);
    }
    status = vgg_net_reduce_begin(net, &held, shards, status);
    if (status == VGG_OK && any) status = run_last(net, io, step, top, range, last);
    status = vgg_net_reduce_end(net, status);
    traffic->seconds += net->ranks->seconds - seconds;
    traffic->bytes += net->ranks->bytes - bytes;
    if (status == VGG_OK) tell(net, &before);
    return status;
}
