/* scale.h: what the loss is multiplied by in mixed precision, so that small gradients stay in the range of fp16. */
#ifndef CORE_TRAIN_SCALE_H
#define CORE_TRAIN_SCALE_H

#include <stdbool.h>
#include <stdint.h>

/* 2^16 at first, halved by a step that is skipped, doubled by EVERY good ones in a row, within 1 and 2^24: a power of
 * two, so that scaling rounds nothing. */
#define VGG_SCALE_FIRST 65536.0f
#define VGG_SCALE_LEAST 1.0f
#define VGG_SCALE_MOST 16777216.0f
enum { VGG_SCALE_EVERY = 2000 };

struct vgg_scale {
    float factor;     /* of the next step; 0: nothing is scaled */
    uint64_t good;    /* steps since it last changed */
    uint64_t skipped; /* steps whose gradients were not finite, in all */
};

/* After a step. False: it was skipped although the factor had its least value. Source: torch.cuda.amp.GradScaler with
 * its defaults (PyTorch 1.13, _amp_update_scale_), which has no bounds. */
bool vgg_scale_next(struct vgg_scale *scale, bool skipped);
/* Is the factor one that vgg_scale_next can lead to? */
bool vgg_scale_valid(const struct vgg_scale *scale);

#endif
