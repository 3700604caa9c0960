/* watch.h: what the figures of a training's epochs tell: which epoch was the best, and how long none has been better.
 */
#ifndef CORE_TRAIN_WATCH_H
#define CORE_TRAIN_WATCH_H

#include "core/vgg16.h"

/* All of it follows from the epochs in their order, so that no checkpoint need hold it. */
struct vgg_watch {
    enum vgg_monitor monitor; /* DEFAULT: of the training loss */
    int epoch;                /* the best so far, 1-based; of equal ones the first; 0: none had a number */
    double best;              /* its figure */
    int waited;               /* epochs since then */
    int patience;             /* of plateaus; 0: they do not count */
    double level;             /* the figure that a plateau is measured from */
    int flat;                 /* epochs that did not leave it */
    int plateaus;             /* of `patience` epochs, so far */
};

/* An empty watch. `validation`: will the epochs have figures of validation data? */
void vgg_watch_init(struct vgg_watch *watch, enum vgg_monitor monitor, bool validation, int patience);
/* Takes the next epoch into account. A plateau ends when the figure is better than its level by more than 1e-4. Source
 * of its rule: Keras 2.15, ReduceLROnPlateau.on_epoch_end, with min_delta 1e-4 and cooldown 0. */
void vgg_watch_add(struct vgg_watch *watch, const struct vgg_epoch *epoch);

#endif
