/* checkpoint.h: everything that training needs to go on exactly where it was. */
#ifndef CORE_CHECKPOINT_H
#define CORE_CHECKPOINT_H

#include "core/vgg16.h"

/* Where training stands. */
struct vgg_train_state {
    int epoch;             /* epochs finished, the length of history */
    uint64_t epoch_step;   /* steps done in the current one */
    uint64_t step;         /* steps done in all */
    uint64_t pass, number; /* of the next batch */
    double loss, correct;  /* sums over the images of the current epoch */
    uint64_t images;
    double best; /* lowest loss watched by early stopping */
    int waited;  /* epochs since then */
    struct vgg_epoch *history;
};

/* The trainable range of the parameters and the optimiser's moments. */
struct vgg_train_arrays {
    float *params, *moments;
    size_t param_count, moment_count;
};

/* Writes FOLDER/checkpoint-EPOCH-STEP.safetensors and then removes all but the newest two. `settings` names what must
 * not change when training goes on. */
enum vgg_status vgg_checkpoint_write(const char *folder, const struct vgg_train_state *state,
                                     const struct vgg_train_arrays *arrays, const char *settings);
/* Reads the newest checkpoint that is whole; damaged ones are passed over with a warning. *found: is there one? The
 * history is allocated by malloc with room for max(epochs, state->epoch). Settings that differ are an error that shows
 * both. */
enum vgg_status vgg_checkpoint_read(bool *found, struct vgg_train_state *state, const struct vgg_train_arrays *arrays,
                                    const char *folder, const char *settings, int epochs);

#endif
