/* What must be the same for a checkpoint to be gone on with: whatever changes a step, or what an epoch is measured on.
 * The device, its kernels, its memory and its threads are no part of it, so that a training may move to another; how
 * long it trains (epochs unless the schedule needs them, early stopping) may change, too. */
#include <inttypes.h>
#include <stdio.h>
#include <zlib.h>

#include "core/base/log.h"
#include "core/data/digest.h"
#include "core/train/trainer.h"

static const char *yes(bool answer)
{
    return answer ? "yes" : "no";
}

static void add_network(struct vgg_settings *s, const struct vgg_trainer *t)
{
    const struct vgg_arch *arch = &t->model->arch;
    vgg_settings_add(s, "network", "%s", arch->name);
    vgg_settings_add(s, "size", "%dx%d", arch->h, arch->w);
    vgg_settings_add(s, "last layer of the base", "%s", arch->layer[arch->base - 1].name);
    vgg_settings_add(s, "head", "%s", t->model->head ? t->model->head : "none");
    vgg_settings_add(s, "trained from", "%s", arch->layer[t->trainable].name);
}

/* What is not asked for leaves no line: checkpoints of before there was such a thing may be gone on with. */
static void add_unless_zero(struct vgg_settings *s, const char *key, float value)
{
    if (value != 0.0f) vgg_settings_add_number(s, key, value);
}

static const char *monitored(const struct vgg_trainer *t)
{
    return t->watch.monitor == VGG_MONITOR_VAL_ACCURACY ? "val_accuracy" : "val_loss";
}

static void add_optimizer(struct vgg_settings *s, const struct vgg_trainer *t)
{
    const struct vgg_train_options *o = &t->o;
    vgg_settings_add(s, "optimizer", "%s", vgg_name(VGG_NAMES_OPTIMIZER, (int)o->optimizer));
    vgg_settings_add_number(s, "learning rate", o->learning_rate);
    const char *schedule = vgg_name(VGG_NAMES_SCHEDULE, (int)o->schedule);
    bool plateau = o->schedule == VGG_SCHEDULE_PLATEAU;
    vgg_settings_add(s, "schedule", "%s%s%s", schedule, plateau ? " of " : "", plateau ? monitored(t) : "");
    if (o->schedule == VGG_SCHEDULE_COSINE) vgg_settings_add(s, "epochs of the cosine", "%d", o->epochs);
    if (o->schedule == VGG_SCHEDULE_STEP) vgg_settings_add(s, "schedule's epochs a step", "%d", o->schedule_every);
    if (plateau) vgg_settings_add(s, "schedule's patience", "%d", o->schedule_every);
    if (plateau || o->schedule == VGG_SCHEDULE_STEP)
        vgg_settings_add_number(s, "schedule's factor", o->schedule_factor);
    add_unless_zero(s, "warm-up epochs", o->warmup);
    add_unless_zero(s, "learning rate's decay from block to block", o->lr_decay);
    add_unless_zero(s, "gradients' largest norm", o->clip_norm);
    add_unless_zero(s, "label smoothing", o->label_smoothing);
    vgg_settings_add_number(s, "momentum", o->momentum);
    vgg_settings_add(s, "nesterov", "%s", yes(o->nesterov));
    vgg_settings_add_number(s, "rho", o->rho);
    vgg_settings_add_number(s, "beta1", o->beta1);
    vgg_settings_add_number(s, "beta2", o->beta2);
    vgg_settings_add_number(s, "epsilon", o->epsilon);
    vgg_settings_add_number(s, "weight decay", o->weight_decay);
}

static void add_images(struct vgg_settings *s, const struct vgg_image_options *o, const struct vgg_augment_options *a)
{
    vgg_settings_add(s, "preprocessing", "%s", vgg_name(VGG_NAMES_PREPROCESS, (int)o->preprocess));
    vgg_settings_add(s, "resizing", "%s", vgg_name(VGG_NAMES_RESIZE, (int)o->resize));
    vgg_settings_add(s, "cropping", "%s", vgg_name(VGG_NAMES_CROP, (int)o->crop));
    vgg_settings_add(s, "decoding", "%s", vgg_name(VGG_NAMES_DECODE, (int)o->decode));
    vgg_settings_add(s, "bad images left out", "%s", yes(o->skip_bad));
    vgg_settings_add_number(s, "augmentation rotate", a->rotate);
    vgg_settings_add_number(s, "augmentation shift of the height", a->shift_height);
    vgg_settings_add_number(s, "augmentation shift of the width", a->shift_width);
    vgg_settings_add_number(s, "augmentation shear", a->shear);
    vgg_settings_add_number(s, "augmentation zoom", a->zoom);
    vgg_settings_add(s, "augmentation flip", "%s", yes(a->flip));
    vgg_settings_add_unless_implied(s, "augmentation vflip", yes(a->vflip));
    add_unless_zero(s, "augmentation crop", a->crop);
    add_unless_zero(s, "augmentation brightness", a->brightness);
    add_unless_zero(s, "augmentation contrast", a->contrast);
    add_unless_zero(s, "augmentation saturation", a->saturation);
}

/* The names are the model's: those of the data, unless it was trained before. */
static enum vgg_status add_data(struct vgg_settings *s, const struct vgg_trainer *t)
{
    enum vgg_status status = VGG_OK;
    uint32_t digest;
    for (int i = 0; i < vgg_arch_classes(&t->model->arch); i++) {
        char key[32];
        const char *name = vgg_model_class_name(t->model, i);
        snprintf(key, sizeof key, "class %d", i);
        vgg_settings_add(s, key, "%s", name ? name : "unnamed");
    }
    vgg_settings_add(s, "training items", "%zu", vgg_data_count(t->data));
    CHECK(vgg_data_digest(&digest, t->data, t->labels, SIZE_MAX));
    vgg_settings_add(s, "checksum of the training items", "%08" PRIx32, digest);
    if (!t->validation) return VGG_OK;
    vgg_settings_add(s, "validation items", "%zu", vgg_data_count(t->validation));
    CHECK(vgg_data_digest(&digest, t->validation, t->validation_labels, SIZE_MAX));
    vgg_settings_add(s, "checksum of the validation items", "%08" PRIx32, digest);
fail:
    return status;
}

enum vgg_status vgg_trainer_describe(struct vgg_trainer *t)
{
    struct vgg_settings *s = &t->settings;
    const struct vgg_train_options *o = &t->o;
    add_network(s, t);
    add_optimizer(s, t);
    vgg_settings_add_unless_implied(s, "precision", vgg_name(VGG_NAMES_PRECISION, (int)t->engine->backend->precision));
    vgg_settings_add(s, "batch", "%d", o->batch);
    vgg_settings_add(s, "shard", "%d", t->shard < o->batch ? t->shard : o->batch);
    vgg_settings_add(s, "steps an epoch", "%" PRIu64, t->steps);
    vgg_settings_add(s, "class weights", "%s", o->balanced ? "balanced" : "none");
    if (o->keep == VGG_KEEP_BEST) vgg_settings_add(s, "epoch kept", "the best by %s", monitored(t));
    vgg_settings_add(s, "seed", "%" PRIu64, o->seed);
    vgg_settings_add(s, "shuffled", "%s", yes(!o->no_shuffle));
    add_images(s, &o->images, &o->augment);
    enum vgg_status status = add_data(s, t);
    if (status != VGG_OK) return status;
    unsigned long frozen = crc32_z(0, (const Bytef *)t->model->params, t->offset * sizeof(float));
    vgg_settings_add(s, "checksum of the weights that stay", "%08lx", frozen);
    return vgg_settings_check(s);
}
