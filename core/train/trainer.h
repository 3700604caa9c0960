/* trainer.h: what training holds while it runs; set up by trainer.c, driven by train.c. */
#ifndef CORE_TRAIN_TRAINER_H
#define CORE_TRAIN_TRAINER_H

#include "core/format/tensorboard.h"
#include "core/infer/pass.h"
#include "core/train/checkpoint.h"
#include "core/train/frozen.h"
#include "core/train/settings.h"
#include "core/train/watch.h"

struct vgg_trainer {
    struct vgg_engine *engine;
    struct vgg_ranks *ranks; /* the engine's */
    struct vgg_engine *own;  /* the CPU's, made when `engine` was lost; else NULL */
    struct vgg_model *model;
    struct vgg_train_options o;        /* defaults filled in */
    const struct vgg_data *data;       /* what the network is fed: the caller's, or frozen features */
    const struct vgg_data *validation; /* may be NULL */
    struct vgg_frozen frozen, frozen_validation;
    /* What the loss is multiplied by at first; 0: it is not, but in fp16, where vgg_trainer_init sets
     * VGG_SCALE_FIRST. */
    float scale;
    int trainable;               /* first layer that trains */
    int first, validation_first; /* first layer that runs */
    int shard;                   /* images whose gradients are one sum */
    size_t offset;               /* of the trainable range, in floats */
    struct vgg_net *net;
    struct vgg_loader *loader;
    uint64_t steps; /* an epoch */
    struct vgg_train_state state;
    struct vgg_watch watch;          /* over the state's history */
    struct vgg_train_arrays arrays;  /* params points into the model; best: with VGG_KEEP_BEST */
    int *labels, *validation_labels; /* the model's class of each class of the data */
    float *class_weight, *t, *w, *y, *loss;
    int *predicted;                        /* the class of each image of a batch, with ranks of all of them */
    size_t *offset_of;                     /* size of ranks + 1: scratch */
    struct vgg_tensorboard *tensorboard;   /* NULL: none, or none any more */
    bool log_failed;                       /* a warning has said so */
    bool unread;                           /* the last batch, or the validation data, could not be read */
    bool kept;                             /* as in struct vgg_history */
    double seconds_features, seconds_save; /* as in struct vgg_history */
    double stored;                         /* when the last checkpoint was written, or the first step began */
    int stopped;                           /* likewise */
    struct vgg_checkpoint_folder folder;   /* held when checkpoints are wanted */
    struct vgg_checkpoint resumed;         /* what it goes on from, while that is being read */
    struct vgg_settings settings;          /* that a checkpoint must have been written with; only with a folder */
};

/* Puts the documented defaults where an option is zero. */
void vgg_trainer_defaults(struct vgg_train_options *o);
/* Completes t->o.images by what model, data and validation data (may be NULL) tell, which must agree, and lets the
 * model remember how its images are fitted. */
enum vgg_status vgg_trainer_match(struct vgg_trainer *t, const struct vgg_data *data,
                                  const struct vgg_data *validation);
/* Checks and completes the other options in t->o, computes frozen features, creates network and loader, goes on from a
 * checkpoint when asked to. t->engine, model and o are given, the rest zero. On failure vgg_trainer_finish still has to
 * be called. */
enum vgg_status vgg_trainer_init(struct vgg_trainer *t, const struct vgg_data *data, const struct vgg_data *validation);
/* With ranks: refuses those that were told something else than rank 0, or have other data or weights. `status`: what
 * came of this rank's work until then. */
enum vgg_status vgg_trainer_alike(struct vgg_trainer *t, enum vgg_status status);
/* With ranks: a warning where some have nothing to do. */
void vgg_trainer_warn_idle(const struct vgg_trainer *t);
/* The state, and with `resumed` the arrays, of rank 0 to all. */
enum vgg_status vgg_trainer_spread(struct vgg_trainer *t, enum vgg_status status);
/* Losses and predicted classes of a batch, of which this rank has its own part, from all ranks to all. */
enum vgg_status vgg_trainer_collect(struct vgg_trainer *t, int count, enum vgg_status status);
/* Fills t->settings, from the caller's data and before any layer's features are frozen. */
enum vgg_status vgg_trainer_describe(struct vgg_trainer *t);
/* Puts network and loader anew on the CPU, from the parameters in the model and the moments in t->arrays. */
enum vgg_status vgg_trainer_move_to_cpu(struct vgg_trainer *t);
/* vgg_train with t->engine, model, o and scale given, the rest zero; finishes t. */
enum vgg_status vgg_trainer_run(struct vgg_trainer *t, const struct vgg_data *data, const struct vgg_data *validation);
/* Copies parameters and moments to the host. */
enum vgg_status vgg_trainer_fetch(struct vgg_trainer *t);
/* With VGG_KEEP_BEST: makes the model that of the best epoch, if there is one. */
void vgg_trainer_choose(struct vgg_trainer *t);
/* The history so far goes to the caller who asked for it; the rest is freed. */
void vgg_trainer_finish(struct vgg_trainer *t);

#endif
