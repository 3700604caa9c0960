#include "core/engine/net_times.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"

enum stage { FORWARD, BACKWARD, UPDATE, STAGES };

/* Seconds and floating-point operations of one layer, or of all. */
struct sum {
    double seconds[STAGES], flops;
};

static enum stage stage_of(const struct vgg_plan *plan, size_t index)
{
    if (index < plan->forward) return FORWARD;
    return index < plan->forward + plan->backward ? BACKWARD : UPDATE;
}

static void add(struct sum *sum, enum stage stage, double seconds, double flops)
{
    sum->seconds[stage] += seconds;
    sum->flops += flops;
}

static double total(const struct sum *sum)
{
    return sum->seconds[FORWARD] + sum->seconds[BACKWARD] + sum->seconds[UPDATE];
}

static void tell_layer(const char *name, const struct sum *sum)
{
    double seconds = total(sum), rate = sum->flops / seconds * 1e-9;
    if (sum->seconds[BACKWARD] > 0) {
        vgg_log(VGG_LOG_INFO, "  %-24s %9.2f ms forward %9.2f ms backward %8.1f GFLOP/s", name,
                1e3 * sum->seconds[FORWARD], 1e3 * sum->seconds[BACKWARD], rate);
    } else {
        vgg_log(VGG_LOG_INFO, "  %-24s %9.2f ms %30.1f GFLOP/s", name, 1e3 * seconds, rate);
    }
}

/* A fused pool or ReLU counts as its convolution's. */
static void tell(const struct vgg_net_times *times)
{
    const struct vgg_plan *plan = times->plan;
    const struct vgg_view *input = &plan->input;
    struct sum layer[VGG_MAX_LAYERS] = { 0 }, all = { 0 };
    for (size_t i = 0; i < times->count; i++) {
        const struct vgg_op *op = &plan->op[i];
        enum stage stage = stage_of(plan, i);
        add(&all, stage, times->seconds[i], vgg_op_flops(op));
        if (stage != UPDATE) add(&layer[op->layer], stage, times->seconds[i], vgg_op_flops(op));
    }
    const char *device = times->backend->device.name;
    if (total(&all) == 0) {
        vgg_log(VGG_LOG_INFO, "%s does not tell the time of layers", device);
        return;
    }
    vgg_log(VGG_LOG_INFO, "%s: %.2f ms for %s batch of %d, input %dx%dx%d, layer by layer:", device, 1e3 * total(&all),
            times->runs == 1 ? "the first" : "a", input->n, input->h, input->w, input->c);
    for (int i = 0; i < times->arch->count; i++)
        if (total(&layer[i]) > 0) tell_layer(times->arch->layer[i].name, &layer[i]);
    bool whole = times->count == plan->forward + plan->backward + plan->update;
    if (all.seconds[UPDATE] > 0)
        vgg_log(VGG_LOG_INFO, "  %-24s %9.2f ms", whole ? "update" : "unscaling", 1e3 * all.seconds[UPDATE]);
}

void vgg_net_times_init(struct vgg_net_times *times, struct vgg_backend *backend, const struct vgg_arch *arch,
                        const struct vgg_plan *plan)
{
    *times = (struct vgg_net_times) { .backend = backend, .arch = arch, .plan = plan };
    if (!vgg_log_wanted(VGG_LOG_INFO)) return;
    times->seconds = vgg_mem_calloc(plan->forward + plan->backward + plan->update, sizeof *times->seconds);
}

enum vgg_status vgg_net_times_run(struct vgg_net_times *times, const struct vgg_list *list, const struct vgg_step *step)
{
    enum vgg_status status;
    uint64_t ticket;
    CHECK(vgg_backend_submit(times->backend, list, step, times->seconds, &ticket));
    CHECK(vgg_backend_wait(times->backend, ticket));
    times->count = list->count;
    if (++times->runs == 2) vgg_net_times_finish(times);
fail:
    return status;
}

void vgg_net_times_finish(struct vgg_net_times *times)
{
    if (times->seconds && times->runs) tell(times);
    free(times->seconds);
    times->seconds = NULL;
}
