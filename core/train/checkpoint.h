/* checkpoint.h: everything that training needs to go on exactly where it was. */
#ifndef CORE_TRAIN_CHECKPOINT_H
#define CORE_TRAIN_CHECKPOINT_H

#include "core/train/checkpoint_folder.h"
#include "core/train/scale.h"

/* Where training stands. */
struct vgg_train_state {
    int epoch;             /* epochs finished, the length of history */
    uint64_t epoch_step;   /* steps done in the current one */
    uint64_t step;         /* steps done in all */
    uint64_t pass, number; /* of the next batch */
    double loss, correct;  /* sums over the images of the current epoch */
    uint64_t images;
    struct vgg_scale scale; /* zero where nothing is scaled */
    struct vgg_epoch *history;
};

/* The trainable range of the parameters and the optimiser's moments. */
struct vgg_train_arrays {
    float *params, *moments;
    float *best; /* parameters of the best epoch, when they are kept; NULL: they are not, or are `params` */
    size_t param_count, moment_count;
};

/* Writes a checkpoint into the folder and then removes those that it makes superfluous. `settings` is what must not
 * change when training goes on, as struct vgg_settings has it. `about` makes a model of it, with folder->base: pairs of
 * the model's metadata, ended by NULL, and the name of the first layer that trains. */
struct vgg_checkpoint_about {
    const char *const *meta, *first;
};
enum vgg_status vgg_checkpoint_write(struct vgg_checkpoint_folder *folder, const struct vgg_train_state *state,
                                     const struct vgg_train_arrays *arrays, const char *settings,
                                     const struct vgg_checkpoint_about *about);

/* One that is open. Zeroed: none. */
struct vgg_checkpoint {
    struct vgg_st *file; /* NULL: none */
    char *path;
};
/* Opens the newest checkpoint that is whole, or none; damaged ones are passed over with a warning. The state's history
 * is allocated by malloc with room for max(epochs, state->epoch). Settings that differ are a VGG_ERR_ARGUMENT that
 * names the first with both values, and so are a checkpoint that is past `epochs` and one of a version that did not
 * keep all of them. */
enum vgg_status vgg_checkpoint_open(struct vgg_checkpoint *checkpoint, struct vgg_train_state *state,
                                    const char *folder, const char *settings, int epochs);
/* Fills the arrays; `best` with the parameters themselves where the file has nothing else. */
enum vgg_status vgg_checkpoint_read(const struct vgg_checkpoint *checkpoint, const struct vgg_train_arrays *arrays);
void vgg_checkpoint_close(struct vgg_checkpoint *checkpoint);

#endif
