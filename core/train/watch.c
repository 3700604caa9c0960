#include "core/train/watch.h"

#include <math.h>

void vgg_watch_init(struct vgg_watch *watch, enum vgg_monitor monitor, bool validation)
{
    *watch = (struct vgg_watch) { .monitor = monitor };
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
    double now = figure(watch, epoch);
    bool better = watch->monitor == VGG_MONITOR_VAL_ACCURACY ? now > watch->best : now < watch->best;
    watch->waited++;
    if (!isfinite(now) || (watch->epoch && !better)) return;
    watch->best = now;
    watch->epoch = epoch->epoch;
    watch->waited = 0;
}
