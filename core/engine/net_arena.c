/* How many images a network runs at once, and its memory. */
#include <math.h>
#include <stdio.h>

#include "core/base/log.h"
#include "core/engine/net_store.h"

/* What a network needs to train `shard` images at once and to run `forward` of them. */
struct need {
    int shard, forward, sums;
    size_t arena[VGG_ARENA_COUNT]; /* bytes */
    size_t step;                   /* of the activations, what training asks for */
    size_t output;                 /* values of an image's output */
};

struct vgg_plan_spec vgg_net_spec(const struct vgg_net *net, int n, bool training)
{
    struct vgg_plan_spec spec = net->spec;
    spec.batch = n;
    if (!training) {
        spec.trainable = net->arch.count;
        spec.first = net->evaluate_first;
    }
    return spec;
}

bool vgg_net_trains(const struct vgg_net *net)
{
    return net->spec.trainable < net->arch.count;
}

static enum vgg_status add_plan(struct need *need, const struct vgg_net *net, int n, bool training)
{
    struct vgg_plan *plan;
    struct vgg_plan_spec spec = vgg_net_spec(net, n, training);
    enum vgg_status status = vgg_plan_build(&plan, &spec);
    if (status != VGG_OK) return status;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (plan->arena_size[i] > need->arena[i]) need->arena[i] = plan->arena_size[i];
    need->output = vgg_view_count(&plan->output) / (size_t)n;
    vgg_plan_destroy(plan);
    return VGG_OK;
}

static enum vgg_status need_of(struct need *need, const struct vgg_net *net, int shard, int forward)
{
    enum vgg_status status;
    *need = (struct need) { .shard = shard, .forward = forward };
    if (vgg_net_trains(net)) {
        int shards = vgg_share_shards(net->spec.batch, shard);
        need->sums = vgg_share_depth((struct vgg_share) { 0, shards }, shards);
        CHECK(add_plan(need, net, shard, true));
        need->step = need->arena[VGG_ARENA_ACT];
    }
    CHECK(add_plan(need, net, forward, false));
fail:
    return status;
}

static uint64_t size_of(const struct need *need)
{
    uint64_t sum = need->sums > 1 ? need->arena[VGG_ARENA_GRAD] * (uint64_t)(need->sums - 1) : 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        sum += need->arena[i];
    return sum;
}

static uint64_t largest_of(const struct need *need)
{
    uint64_t largest = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (need->arena[i] > largest) largest = need->arena[i];
    return largest;
}

/* Are the arenas together at most `memory` bytes, and each at most what the device gives at once? */
static bool fits(const struct vgg_net *net, const struct need *need, uint64_t memory)
{
    uint64_t most = net->backend->device.allocation;
    return (most == 0 || largest_of(need) <= most) && (memory == 0 || size_of(need) <= memory);
}

/* Tries smaller shards, powers of two, the largest first: *fitting is the first that fits, 0 if none does, and *least
 * what the one that needs least of all asks for. (Of small shards there are many, and so many sums.) */
static enum vgg_status smaller_shards(int *fitting, struct need *least, const struct vgg_net *net, uint64_t memory)
{
    enum vgg_status status;
    *fitting = 0;
    CHECK(need_of(least, net, net->shard, 1));
    int shard = 1 << 16;
    while (shard >= net->shard)
        shard /= 2;
    for (; shard && !*fitting; shard /= 2) {
        struct need need;
        CHECK(need_of(&need, net, shard, 1));
        if (fits(net, &need, memory)) *fitting = shard;
        if (size_of(&need) < size_of(least)) *least = need;
    }
fail:
    return status;
}

/* What `need` asks for beyond `memory` or what the device gives, in words. */
static void tell_excess(char *text, size_t size, const struct vgg_net *net, const struct need *need, uint64_t memory)
{
    const double mib = 0x1p20;
    if (memory && size_of(need) > memory) {
        snprintf(text, size, "%.0f MiB and the limit is %.0f MiB", ceil((double)size_of(need) / mib),
                 floor((double)memory / mib));
    } else {
        snprintf(text, size, "%.0f MiB at once and %s gives at most %.0f MiB", (double)largest_of(need) / mib,
                 net->backend->device.name, (double)net->backend->device.allocation / mib);
    }
}

/* need: of the fewest images that net->shard allows, and it does not fit. */
static enum vgg_status refuse(const struct vgg_net *net, const struct need *need, uint64_t memory)
{
    enum vgg_status status = VGG_OK;
    struct need least = *need;
    char excess[256];
    int fitting = 0;
    const char *more = memory && size_of(need) > memory ? "raise --memory" : "use --backend cpu";
    if (vgg_net_trains(net)) CHECK(smaller_shards(&fitting, &least, net, memory));
    tell_excess(excess, sizeof excess, net, fitting ? need : &least, memory);
    if (fitting) {
        CHECK(vgg_fail(
            VGG_ERR_MEMORY,
            "a shard of %d images of %dx%d needs %s; --shard %d fits (the gradients are then summed in another "
            "order), or %s",
            need->shard, net->arch.h, net->arch.w, excess, fitting, more));
    }
    if (vgg_net_trains(net)) {
        CHECK(vgg_fail(
            VGG_ERR_MEMORY,
            "training %dx%d in batches of %d needs %s, with --shard %d even; take a smaller --batch or --size, "
            "train fewer layers or %s",
            net->arch.h, net->arch.w, net->spec.batch, excess, least.shard, more));
    }
    CHECK(vgg_fail(VGG_ERR_MEMORY, "one image of %dx%d needs %s; take a smaller --size or %s", net->arch.h, net->arch.w,
                   excess, more));
fail:
    return status;
}

void vgg_net_arenas_destroy(struct vgg_net *net)
{
    for (int i = 1; i < VGG_NET_SUMS; i++) {
        vgg_buf_destroy(net->sum[i]);
        net->sum[i] = NULL;
    }
    net->sum[0] = NULL;
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        vgg_buf_destroy(net->arena[i]);
        net->arena[i] = NULL;
    }
}

void vgg_net_spare(struct vgg_net *net, size_t size)
{
    if (net->arena[VGG_ARENA_PARAM]) vgg_buf_spare(net->arena[VGG_ARENA_PARAM], size);
}

size_t vgg_net_kept(const struct vgg_net *net)
{
    const struct vgg_buf *params = net->arena[VGG_ARENA_PARAM];
    return params ? params->kept : 0;
}

/* What the limit leaves is the kernels' to spare. */
static enum vgg_status allocate(struct vgg_net *net, const struct need *need, uint64_t memory)
{
    enum vgg_status status = VGG_OK;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (need->arena[i]) CHECK(vgg_buf_create(net->backend, &net->arena[i], need->arena[i]));
    struct vgg_buf *params = net->arena[VGG_ARENA_PARAM];
    if (params && !vgg_net_trains(net) && !net->spec.gradient) vgg_buf_settle(params);
    uint64_t left = memory ? memory - size_of(need) : SIZE_MAX;
    vgg_net_spare(net, left < SIZE_MAX ? (size_t)left : SIZE_MAX);
    net->sum[0] = net->arena[VGG_ARENA_GRAD];
    for (int i = 1; i < need->sums; i++)
        CHECK(vgg_buf_create(net->backend, &net->sum[i], need->arena[VGG_ARENA_GRAD]));
    return VGG_OK;
fail:
    vgg_net_arenas_destroy(net);
    return status;
}

/* Forward passes give way where memory is short, and ask for no more than a step of training from the same layer, since
 * their bits do not depend on how many images run at once; then a training computes again what it could have kept. A
 * device with memory of its own may have less to give than it says; the host's is gone for everybody. */
enum vgg_status vgg_net_arenas_create(struct vgg_net *net, uint64_t memory)
{
    enum vgg_status status = VGG_OK;
    struct need need;
    size_t kept = 0;
    int most = net->spec.batch; /* images of a forward pass where there is memory enough */
    bool alike = vgg_net_trains(net) && net->evaluate_first == net->spec.first;
    for (int n = net->spec.batch;; n = n > 1 ? (n + 1) / 2 : net->spec.batch) {
        CHECK(need_of(&need, net, net->shard, n));
        bool least = n == 1 && (net->spec.again || !vgg_net_trains(net));
        if (n > 1 && alike && need.arena[VGG_ARENA_ACT] > need.step) {
            most = (n + 1) / 2;
            continue;
        }
        if (fits(net, &need, memory)) {
            bool again = !least && net->backend->device.allocation;
            vgg_log_failures(again ? VGG_LOG_DEBUG : VGG_LOG_ERROR);
            status = allocate(net, &need, memory);
            vgg_log_failures(VGG_LOG_ERROR);
            if (status == VGG_OK) break;
            if (status != VGG_ERR_MEMORY || !again) goto fail;
        } else if (least) {
            CHECK(refuse(net, &need, memory));
        }
        if (n == 1) net->spec.again = true, kept = need.arena[VGG_ARENA_ACT];
    }
    if (need.arena[VGG_ARENA_ACT] < kept) {
        vgg_log(VGG_LOG_INFO,
                "the lowest layer that trains is computed again in each step, to stay within the memory of %s",
                net->backend->device.name);
    }
    if (need.forward != most) {
        vgg_log(VGG_LOG_INFO, "%s of %d are run %d images at once, to stay within the memory of %s",
                vgg_net_trains(net) ? "evaluation's batches" : "batches", net->spec.batch, need.forward,
                net->backend->device.name);
    }
    net->forward = need.forward;
    net->sums = need.sums;
    net->output = need.output;
fail:
    return status;
}
