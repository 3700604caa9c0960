/* net_times.h: where the time of a batch goes, layer by layer, for whoever listens at VGG_LOG_INFO. */
#ifndef CORE_ENGINE_NET_TIMES_H
#define CORE_ENGINE_NET_TIMES_H

#include "core/op/backend.h"
#include "core/plan/plan.h"

/* Times of a plan's operations. The first run of a plan meets cold caches, so that its times are told only where no
 * second run follows; the second's are told at once, and later runs are not timed. */
struct vgg_net_times {
    struct vgg_backend *backend;
    const struct vgg_arch *arch;
    const struct vgg_plan *plan;
    double *seconds; /* one an operation; NULL: nobody asks, or all is told */
    size_t count;    /* operations of the last run */
    int runs;
};

/* Begins if anybody listens; without memory for it nothing is told. backend, arch and plan must stay. */
void vgg_net_times_init(struct vgg_net_times *times, struct vgg_backend *backend, const struct vgg_arch *arch,
                        const struct vgg_plan *plan);
/* Runs the plan's operations from the first on, as many as `list` has, and waits for them. */
enum vgg_status vgg_net_times_run(struct vgg_net_times *times, const struct vgg_list *list,
                                  const struct vgg_step *step);
/* Tells what is not told yet; accepts a zeroed one. */
void vgg_net_times_finish(struct vgg_net_times *times);

#endif
