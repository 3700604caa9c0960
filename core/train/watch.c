#include "core/train/watch.h"

#include <math.h>

static const double least_change = 1e-4;

void vgg_watch_init(struct vgg_watch *watch, enum vgg_monitor monitor, bool validation, int patience)
{
    *watch = (struct vgg_watch) { .monitor = monitor, .patience = patience };
    if (monitor == VGG_MONITOR_DEFAULT && validation) watch->monitor = VGG_MONITOR_VAL_LOSS;
}

static double figure(const struct vgg_watch *watch, const struct vgg_epoch *epoch)
{
    switch (watch->monitor) {
    case VGG_MONITOR_VAL_LOSS: return epoch->val_loss;
    case VGG_MONITOR_VAL_ACCURACY: return epoch->val_accuracy;
    case VGG_MONITOR_DEFAULT: break;
    }
    return epoch->loss;
}

void vgg_watch_add(struct vgg_watch *watch, const struct vgg_epoch *epoch)
{
    double now = figure(watch, epoch), sign = watch->monitor == VGG_MONITOR_VAL_ACCURACY ? 1 : -1;
    bool first = watch->epoch == 0 && isfinite(now);
    if (first || sign * now > sign * watch->level + least_change) {
        watch->level = now;
        watch->flat = 0;
    } else if (++watch->flat == watch->patience) {
        watch->plateaus++;
        watch->flat = 0;
    }
    watch->waited++;
    if (!first && !(sign * now > sign * watch->best)) return;
    watch->best = now;
    watch->epoch = epoch->epoch;
    watch->waited = 0;
}
