/* What the figures of epochs tell: the best one, how long none has been better, and plateaus by Keras' rule, whose
 * outcomes are written here by hand. */
#include <math.h>

#include <criterion/criterion.h>

#include "core/train/watch.h"

enum { MOST = 11 };

/* Epochs by their figure; after each what the watch must say. */
struct course {
    enum vgg_monitor monitor;
    bool validation;
    int patience, count;
    double figure[MOST];
    int best[MOST], waited[MOST], plateaus[MOST];
};

static const struct course courses[] = {
    /* 0.70004 is better, but by less than 1e-4: the plateau goes on. So is what is better than it and not than 0.7001
     * by enough; an end of the plateau begins its count anew. */
    { .monitor = VGG_MONITOR_VAL_LOSS,
      .validation = true,
      .patience = 2,
      .count = 11,
      .figure = { 0.7001, 0.70004, 0.9, 0.70003, 0.6, 0.61, 0.5, 0.5, 0.55, 0.55, 0.52 },
      .best = { 1, 2, 2, 4, 5, 5, 7, 7, 7, 7, 7 },
      .waited = { 0, 0, 1, 0, 0, 1, 0, 1, 2, 3, 4 },
      .plateaus = { 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3 } },
    /* From 0, exactly 1e-4 more is not more than 1e-4. */
    { .monitor = VGG_MONITOR_VAL_ACCURACY,
      .validation = true,
      .patience = 1,
      .count = 5,
      .figure = { 0.0, 1e-4, 1.5e-4, 0.5, 0.25 },
      .best = { 1, 2, 3, 4, 4 },
      .waited = { 0, 0, 0, 0, 1 },
      .plateaus = { 0, 1, 1, 1, 2 } },
    /* The training loss without validation data, whatever val_loss says; none has a number at first; plateaus do not
     * count. */
    { .monitor = VGG_MONITOR_DEFAULT,
      .validation = false,
      .patience = 0,
      .count = 4,
      .figure = { INFINITY, 3.0, 2.0, 2.0 },
      .best = { 0, 2, 3, 3 },
      .waited = { 1, 0, 0, 1 },
      .plateaus = { 0 } },
};

static struct vgg_epoch epoch_of(const struct course *c, int i)
{
    double rest = 100.0 - i; /* figures that are not looked at get better each time */
    struct vgg_epoch e = { .epoch = i + 1, .loss = rest, .val_loss = rest, .val_accuracy = (double)i };
    if (c->monitor == VGG_MONITOR_VAL_LOSS) e.val_loss = c->figure[i];
    if (c->monitor == VGG_MONITOR_VAL_ACCURACY) e.val_accuracy = c->figure[i];
    if (c->monitor == VGG_MONITOR_DEFAULT) e.loss = c->figure[i];
    return e;
}

Test(watch, courses)
{
    for (size_t k = 0; k < sizeof courses / sizeof *courses; k++) {
        const struct course *c = &courses[k];
        struct vgg_watch watch;
        vgg_watch_init(&watch, c->monitor, c->validation, c->patience);
        for (int i = 0; i < c->count; i++) {
            struct vgg_epoch epoch = epoch_of(c, i);
            vgg_watch_add(&watch, &epoch);
            cr_expect_eq(watch.epoch, c->best[i], "%zu: after %d the best is %d", k, i + 1, watch.epoch);
            cr_expect_eq(watch.waited, c->waited[i], "%zu: after %d %d waited", k, i + 1, watch.waited);
            cr_expect_eq(watch.plateaus, c->plateaus[i], "%zu: after %d %d plateaus", k, i + 1, watch.plateaus);
        }
    }
}

Test(watch, default_figure)
{
    struct vgg_watch watch;
    vgg_watch_init(&watch, VGG_MONITOR_DEFAULT, true, 3);
    cr_expect_eq(watch.monitor, VGG_MONITOR_VAL_LOSS);
    cr_expect_eq(watch.patience, 3);
    vgg_watch_init(&watch, VGG_MONITOR_VAL_ACCURACY, true, 0);
    cr_expect_eq(watch.monitor, VGG_MONITOR_VAL_ACCURACY);
    vgg_watch_init(&watch, VGG_MONITOR_DEFAULT, false, 0);
    cr_expect_eq(watch.monitor, VGG_MONITOR_DEFAULT);
}
