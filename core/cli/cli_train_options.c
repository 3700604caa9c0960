#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_train.h"

static const char *const class_weight_names[] = { "none", "balanced", NULL };
static const char *const keep_names[] = { "last", "best", NULL };
static const char *const monitor_names[] = { "", "val_loss", "val_accuracy", NULL };
static const char *const on_device_lost_names[] = { "stop", "cpu", NULL };

/* constant, cosine, step:EVERY:FACTOR or plateau:FACTOR,PATIENCE. */
static const char *read_schedule(const struct cli_option *option, const char *text, void *target)
{
    static const char rule[] = "constant, cosine, step:EVERY:FACTOR with EVERY epochs from 1 and 0 < FACTOR <= 1, or "
                               "plateau:FACTOR,PATIENCE with 0 < FACTOR < 1 and PATIENCE epochs from 1";
    (void)option;
    struct cli_schedule schedule = { 0 };
    if (strcmp(text, "cosine") == 0) {
        schedule.kind = VGG_SCHEDULE_COSINE;
    } else if (strncmp(text, "step:", 5) == 0) {
        char *end;
        long every = strtol(text + 5, &end, 10);
        double factor;
        if (text[5] < '0' || text[5] > '9' || *end != ':' || every < 1 || every > 1000000) return rule;
        if (!cli_number(end + 1, &factor) || !(factor > 0) || factor > 1) return rule;
        schedule = (struct cli_schedule) { VGG_SCHEDULE_STEP, (int)every, (float)factor };
    } else if (strncmp(text, "plateau:", 8) == 0) {
        const char *comma = strchr(text, ',');
        char factor_text[32], *end;
        double factor;
        if (!comma || (size_t)(comma - text - 8) >= sizeof factor_text || comma[1] < '0' || comma[1] > '9') return rule;
        snprintf(factor_text, sizeof factor_text, "%.*s", (int)(comma - text - 8), text + 8);
        long patience = strtol(comma + 1, &end, 10);
        if (*end || patience < 1 || patience > 1000000) return rule;
        if (!cli_number(factor_text, &factor) || !((float)factor > 0) || (float)factor >= 1) return rule;
        schedule = (struct cli_schedule) { VGG_SCHEDULE_PLATEAU, (int)patience, (float)factor };
    } else if (strcmp(text, "constant") != 0) {
        return rule;
    }
    *(struct cli_schedule *)target = schedule;
    return NULL;
}

static const struct cli_option main_options[] = {
    { .name = "output",
      .letter = 'o',
      .value = "MODEL",
      .help = "file to write the trained model to, X.safetensors (required)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, output) },
    { .name = "from",
      .value = "MODEL",
      .help = "go on from a model that `vgg16 train` wrote, instead of --weights, --head and --layer",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, from) },
    { .name = "head",
      .value = "LAYERS",
      .help = "layers on top of the base: flatten, gap or gmp (global average or maximum), dropout:RATE, "
              "dense:UNITS:relu, ending in dense:N:softmax or dense:1:sigmoid (default for two classes: "
              "flatten,dense:256:relu,dropout:0.5,dense:1:sigmoid; for N: the same with dense:N:softmax)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, head) },
    { .name = "layer",
      .value = "LAYER",
      .help = "last layer of the base, which the head stands on (default block5_pool)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, layer) },
    { .name = "trainable",
      .value = "WHAT",
      .help = "head, all, a block (block5), or a layer: that one and all above it (default head)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, trainable) },
    { .name = "validation",
      .value = "DATA",
      .help = "measure loss and accuracy on this after each epoch (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, validation) },
    { .name = "validation-split",
      .value = "F",
      .help = "hold this fraction of each class out of DATA for validation (default: none is held out)",
      .read = cli_read_float,
      .min = 1e-6,
      .max = 0.999999,
      .range = "a number between 0 and 1, such as 0.2",
      .offset = offsetof(struct cli_train, validation_split) },
    { 0 },
};

static const struct cli_option step_options[] = {
    { .name = "optimizer",
      .value = "NAME",
      .help = "rmsprop, sgd, adam or adamw (default rmsprop)",
      .read = cli_read_choice,
      .names = VGG_NAMES_OPTIMIZER,
      .offset = offsetof(struct cli_train, optimizer) },
    { .name = "lr",
      .value = "RATE",
      .help = "learning rate (default 2e-5 for rmsprop, 0.01 for sgd, 1e-3 for adam and adamw)",
      .read = cli_read_float,
      .min = 1e-30,
      .max = 1e30,
      .range = "a number above 0",
      .offset = offsetof(struct cli_train, learning_rate) },
    { .name = "momentum",
      .value = "M",
      .help = "of sgd (default 0)",
      .read = cli_read_float,
      .min = 0,
      .max = 0.9999999,
      .range = "a number from 0 to below 1",
      .offset = offsetof(struct cli_train, momentum) },
    { .name = "nesterov",
      .help = "Nesterov's momentum for sgd",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_train, nesterov) },
    { .name = "weight-decay",
      .value = "D",
      .help = "L2 penalty of kernels; decoupled with adamw (default 0)",
      .read = cli_read_float,
      .min = 0,
      .max = 1e30,
      .range = "a number from 0",
      .offset = offsetof(struct cli_train, weight_decay) },
    { .name = "schedule",
      .value = "RULE",
      .help =
          "of the learning rate: constant, cosine (down to 0), step:EVERY:FACTOR, which multiplies by FACTOR every so "
          "many epochs, fewer than --epochs, or plateau:FACTOR,PATIENCE, which does so after PATIENCE epochs without a "
          "figure by --monitor that is better by more than 1e-4 (default constant)",
      .read = read_schedule,
      .offset = offsetof(struct cli_train, schedule) },
    { .name = "warmup",
      .value = "EPOCHS",
      .help =
          "let the learning rate grow in a straight line over the first EPOCHS, as 0.5 or 3, fewer than --epochs; the "
          "schedule runs all the while (default 0)",
      .read = cli_read_float,
      .min = 0,
      .max = 1000000,
      .range = "a number from 0",
      .offset = offsetof(struct cli_train, warmup) },
    { .name = "lr-decay",
      .value = "D",
      .help =
          "train each block at D times the rate of the one above it; the base's last block and the head train at the "
          "whole rate (default: all do)",
      .read = cli_read_float,
      .min = 1e-6,
      .max = 0.9999999,
      .range = "a number between 0 and 1, such as 0.5",
      .offset = offsetof(struct cli_train, lr_decay) },
    { .name = "clip-norm",
      .value = "N",
      .help = "scale all gradients down together when their norm exceeds N (default: never)",
      .read = cli_read_float,
      .min = 1e-30,
      .max = 1e30,
      .range = "a number above 0",
      .offset = offsetof(struct cli_train, clip_norm) },
    { .name = "label-smoothing",
      .value = "A",
      .help =
          "train towards 1 - A of the label and A of all K classes alike, A / K each, A / 2 for a sigmoid; losses of "
          "validation data are without (default 0)",
      .read = cli_read_float,
      .min = 0,
      .max = 0.9999999,
      .range = "a number from 0 to below 1",
      .offset = offsetof(struct cli_train, label_smoothing) },
    { .name = "epochs",
      .value = "N",
      .help = "passes; with 0 the initial model is written (default 30)",
      .read = cli_read_int,
      .min = 0,
      .max = 1000000,
      .offset = offsetof(struct cli_train, epochs) },
    { .name = "steps-per-epoch",
      .value = "N",
      .help = "batches that make an epoch (default: one pass over the data)",
      .read = cli_read_int,
      .min = 1,
      .max = 1000000000,
      .offset = offsetof(struct cli_train, steps_per_epoch) },
    { .name = "batch",
      .value = "N",
      .help = "images in a step (default 20)",
      .read = cli_read_int,
      .min = 1,
      .max = 65536,
      .offset = offsetof(struct cli_train, batch) },
    { .name = "shard",
      .value = "N",
      .help =
          "images whose gradients are one sum; a batch's sums are added as a binary tree. Another N gives other last "
          "bits, so that the default follows from the network, --size and --trainable alone, never from memory "
          "(default: the largest power of two whose activations and gradients take 1 GiB)",
      .read = cli_read_int,
      .min = 1,
      .max = 65536,
      .offset = offsetof(struct cli_train, shard) },
    { .name = "class-weight",
      .value = "HOW",
      .help = "balanced weighs rare classes more, none does not (default none)",
      .read = cli_read_choice,
      .choices = class_weight_names,
      .offset = offsetof(struct cli_train, class_weight) },
    { .name = "early-stop",
      .value = "N",
      .help = "stop after N epochs without a better figure by --monitor, or a lower training loss without validation "
              "data (default: never)",
      .read = cli_read_int,
      .min = 1,
      .max = 1000000,
      .offset = offsetof(struct cli_train, early_stop) },
    { .name = "keep",
      .value = "WHICH",
      .help =
          "write the model of the last epoch, or of the best one by --monitor, of equal ones the first (default last)",
      .read = cli_read_choice,
      .choices = keep_names,
      .offset = offsetof(struct cli_train, keep) },
    { .name = "monitor",
      .value = "FIGURE",
      .help = "what makes an epoch better for --keep best, --early-stop and --schedule plateau: a lower val_loss, or a "
              "higher val_accuracy "
              "(default val_loss)",
      .read = cli_read_choice,
      .choices = monitor_names,
      .offset = offsetof(struct cli_train, monitor) },
    { .name = "no-shuffle",
      .help = "keep the order of DATA in every epoch",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_train, no_shuffle) },
    { .name = "checkpoint",
      .value = "DIR",
      .help =
          "folder for a checkpoint after each epoch and on Ctrl-C; the newest two are kept. One that holds some needs "
          "--resume or --overwrite (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, checkpoint) },
    { .name = "on-device-lost",
      .value = "HOW",
      .help = "when a GPU is lost: stop, or go on with the CPU from the last completed step (default stop)",
      .read = cli_read_choice,
      .choices = on_device_lost_names,
      .offset = offsetof(struct cli_train, on_device_lost) },
    { .name = "resume",
      .help =
          "go on from the newest checkpoint in --checkpoint DIR, if there is one. Whatever changes a step must be the "
          "same, DATA, --lr and --keep included; --early-stop, the device and, except with --schedule cosine, --epochs "
          "may "
          "change",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_train, resume) },
    { .name = "overwrite",
      .help = "start anew in --checkpoint DIR; what it holds is removed once the first new checkpoint is written",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_train, overwrite) },
    { .name = "log",
      .value = "FILE",
      .help = "history of the epochs, written after each: FILE.jsonl has a JSON object a line, with the members that "
              "--json gives epochs; any other FILE is as Keras' CSVLogger writes it (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, log) },
    { .name = "tensorboard",
      .value = "DIR",
      .help = "event files for TensorBoard in DIR/train and DIR/validation, with the names that Keras gives; a resumed "
              "run adds files (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, tensorboard) },
    { .name = "report",
      .value = "FILE.html",
      .help = "a page with curves, confusion matrix, best and worst validation images, and settings, written in the "
              "end (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_train, report) },
    { 0 },
};

const struct cli_group cli_train_groups[] = {
    { "Model and data:", main_options, 0 },
    { "Network:", cli_network_options, offsetof(struct cli_train, network) },
    { "Training:", step_options, 0 },
    { "Images:", cli_image_options, offsetof(struct cli_train, images) },
    { "Augmentation:", cli_augment_options, offsetof(struct cli_train, augment) },
    { 0 },
};

const struct cli_train cli_train_defaults = { .epochs = 30 };

struct vgg_train_options cli_train_options(const struct cli *cli, const struct cli_train *o)
{
    return (struct vgg_train_options) {
        .trainable = o->trainable,
        .images = o->images,
        .augment = o->augment,
        .optimizer = (enum vgg_optimizer)o->optimizer,
        .learning_rate = o->learning_rate,
        .momentum = o->momentum,
        .nesterov = o->nesterov,
        .weight_decay = o->weight_decay,
        .schedule = o->schedule.kind,
        .schedule_every = o->schedule.every,
        .schedule_factor = o->schedule.factor,
        .warmup = o->warmup,
        .lr_decay = o->lr_decay,
        .clip_norm = o->clip_norm,
        .label_smoothing = o->label_smoothing,
        .epochs = o->epochs,
        .steps_per_epoch = o->steps_per_epoch,
        .batch = o->batch,
        .shard = o->shard,
        .balanced = o->class_weight != 0,
        .monitor = (enum vgg_monitor)o->monitor,
        .early_stop = o->early_stop,
        .keep = (enum vgg_keep)o->keep,
        .no_shuffle = o->no_shuffle,
        .seed = cli->common.seed,
        .checkpoint = o->checkpoint,
        .cpu_on_device_lost = o->on_device_lost == 1,
        .resume = o->resume,
        .overwrite = o->overwrite,
        .log = o->log,
        .tensorboard = o->tensorboard,
    };
}
