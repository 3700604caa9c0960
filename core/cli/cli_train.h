/* cli_train.h: the options of `vgg16 train`. */
#ifndef CORE_CLI_CLI_TRAIN_H
#define CORE_CLI_CLI_TRAIN_H

#include "core/cli/cli_model.h"
#include "core/cli/cli_options.h"

struct cli_schedule {
    enum vgg_schedule kind;
    int every;
    float factor;
};

/* The option's words, its value taken apart, and its reader. cli_schedule_parse: false where it is none. */
cli_part_fn cli_schedule_word;
bool cli_schedule_parse(struct cli_schedule *schedule, const char *text);
cli_read_fn cli_schedule_read;

/* So many steps, or so many seconds; 0: not. */
struct cli_every {
    int steps;
    double seconds;
};
cli_read_fn cli_every_read;

struct cli_train {
    struct cli_network network;
    struct vgg_image_options images;
    struct vgg_augment_options augment;
    struct cli_schedule schedule;
    struct cli_every checkpoint_every;
    const char *output, *from, *head, *layer, *trainable;
    const char *validation, *checkpoint, *log, *tensorboard, *report;
    float validation_split, learning_rate, momentum, weight_decay, warmup, lr_decay, clip_norm, label_smoothing;
    int optimizer, class_weight, on_device_lost, keep, monitor; /* indices of their choices */
    int epochs, steps_per_epoch, batch, shard, early_stop;
    bool nesterov, no_shuffle, resume, overwrite;
};

extern const struct cli_group cli_train_groups[];
extern const struct cli_train cli_train_defaults;

/* What the library takes; the caller adds the callbacks. */
struct vgg_train_options cli_train_options(const struct cli *cli, const struct cli_train *train);

#endif
