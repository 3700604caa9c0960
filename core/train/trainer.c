#include "core/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/image/augment.h"
#include "core/image/image.h"
#include "core/infer/match.h"
#include "core/infer/origin_match.h"
#include "core/plan/shard.h"

enum { DEFAULT_BATCH = 20, FEATURE_BATCH = 32 };

/* ---- options ---- */

void vgg_trainer_defaults(struct vgg_train_options *o)
{
    static const float rates[] = { [VGG_OPTIMIZER_RMSPROP] = 2e-5f,
                                   [VGG_OPTIMIZER_SGD] = 0.01f,
                                   [VGG_OPTIMIZER_ADAM] = 1e-3f,
                                   [VGG_OPTIMIZER_ADAMW] = 1e-3f };
    if (!o->trainable) o->trainable = "head";
    if (o->learning_rate == 0.0f) o->learning_rate = rates[o->optimizer];
    if (o->rho == 0.0f) o->rho = 0.9f;
    if (o->beta1 == 0.0f) o->beta1 = 0.9f;
    if (o->beta2 == 0.0f) o->beta2 = 0.999f;
    if (o->epsilon == 0.0f) o->epsilon = 1e-7f;
    if (o->batch == 0) o->batch = DEFAULT_BATCH;
    if (o->schedule_every == 0) o->schedule_every = 1;
}

static enum vgg_status check_options(const struct vgg_train_options *o, bool validation)
{
    if ((unsigned)o->optimizer > VGG_OPTIMIZER_ADAMW)
        return vgg_fail(VGG_ERR_ARGUMENT, "unknown optimizer %d", (int)o->optimizer);
    if (!(o->learning_rate > 0.0f) || !isfinite(o->learning_rate)) {
        return vgg_fail(VGG_ERR_ARGUMENT, "learning rate %g: must be above 0", (double)o->learning_rate);
    }
    if (o->batch < 1 || o->epochs < 0 || o->steps_per_epoch < 0 || o->shard < 0) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "batch %d, shard %d, epochs %d, steps per epoch %d: none may be negative, batch at least 1",
                        o->batch, o->shard, o->epochs, o->steps_per_epoch);
    }
    if (!(o->momentum >= 0.0f && o->momentum < 1.0f))
        return vgg_fail(VGG_ERR_ARGUMENT, "momentum %g: must be in [0, 1)", (double)o->momentum);
    if (!(o->weight_decay >= 0.0f))
        return vgg_fail(VGG_ERR_ARGUMENT, "weight decay %g: must not be negative", (double)o->weight_decay);
    if (!(o->label_smoothing >= 0.0f && o->label_smoothing < 1.0f))
        return vgg_fail(VGG_ERR_ARGUMENT, "label smoothing %g: must be in [0, 1)", (double)o->label_smoothing);
    if (!(o->clip_norm >= 0.0f && isfinite(o->clip_norm)) || !(o->warmup >= 0.0f && isfinite(o->warmup)))
        return vgg_fail(VGG_ERR_ARGUMENT, "norm %g at most, warm-up of %g epochs: neither may be negative",
                        (double)o->clip_norm, (double)o->warmup);
    if (!(o->lr_decay >= 0.0f && o->lr_decay <= 1.0f))
        return vgg_fail(VGG_ERR_ARGUMENT, "decay of the learning rate %g: must be in (0, 1]", (double)o->lr_decay);
    const struct vgg_augment_options *a = &o->augment;
    const float shares[] = { a->crop, a->brightness, a->contrast, a->saturation };
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (!(shares[i] >= 0.0f && shares[i] <= 1.0f))
            return vgg_fail(VGG_ERR_ARGUMENT, "augmentation %g: crop and colours must be in [0, 1]", (double)shares[i]);
    if ((unsigned)o->monitor > VGG_MONITOR_VAL_ACCURACY || (unsigned)o->keep > VGG_KEEP_BEST)
        return vgg_fail(VGG_ERR_ARGUMENT, "unknown monitor %d or keep %d", (int)o->monitor, (int)o->keep);
    bool judged = o->keep == VGG_KEEP_BEST || o->monitor != VGG_MONITOR_DEFAULT || o->schedule == VGG_SCHEDULE_PLATEAU;
    if (judged && !validation)
        return vgg_fail(VGG_ERR_ARGUMENT, "no epoch is the best by data that it was not trained on; give --validation "
                                          "DATA or --validation-split");
    if ((o->resume || o->overwrite) && !o->checkpoint)
        return vgg_fail(VGG_ERR_ARGUMENT, "resuming and overwriting need a checkpoint folder; give --checkpoint DIR");
    if (o->checkpoint_steps < 0 || !(o->checkpoint_seconds >= 0.0) ||
        (o->checkpoint_steps && o->checkpoint_seconds > 0.0))
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "a checkpoint every %d steps and every %g s: neither may be negative, nor both given",
                        o->checkpoint_steps, o->checkpoint_seconds);
    if ((o->checkpoint_steps || o->checkpoint_seconds > 0.0) && !o->checkpoint)
        return vgg_fail(VGG_ERR_ARGUMENT, "checkpoints within epochs need a folder; give --checkpoint DIR");
    if (o->resume && o->overwrite)
        return vgg_fail(VGG_ERR_ARGUMENT, "a training goes on from its checkpoints or overwrites them, not both");
    return VGG_OK;
}

/* ---- setting up ---- */

/* How far up the network nothing random and nothing that trains stands: the first layer that must run at each step. */
static int frozen_end(const struct vgg_trainer *t)
{
    const struct vgg_arch *arch = &t->model->arch;
    int i = 0;
    while (i < arch->count) {
        const struct vgg_layer *layer = &arch->layer[i];
        if (layer->kind == VGG_LAYER_DROPOUT && layer->rate > 0.0f) break;
        if (layer->kernel.n && i >= t->trainable) break;
        i++;
    }
    return i;
}

/* Replaces *data by its features below layer `end` when that saves work and fits. */
static enum vgg_status freeze(struct vgg_trainer *t, const struct vgg_data **data, struct vgg_frozen *frozen,
                              int *first, int end)
{
    if (end <= *first || !*data) return VGG_OK;
    bool too_large = !vgg_frozen_fits(&t->model->arch, end, vgg_data_count(*data));
    enum vgg_status status = vgg_ranks_agree(t->ranks, VGG_OK, &too_large);
    if (status != VGG_OK) return status;
    if (too_large) {
        vgg_log(VGG_LOG_INFO,
                "the frozen layers' features of %zu images do not fit in memory; they are computed at each step",
                vgg_data_count(*data));
        return VGG_OK;
    }
    int batch = t->o.batch > FEATURE_BATCH ? t->o.batch : FEATURE_BATCH;
    status = vgg_frozen_create(frozen, t->engine, t->model, *data, *first, end, &t->o.images, batch, t->o.progress,
                               t->o.user);
    if (status != VGG_OK) return status;
    *data = frozen->data;
    *first = end;
    return VGG_OK;
}

static enum vgg_status set_class_weights(struct vgg_trainer *t, int classes)
{
    size_t n = vgg_data_count(t->data);
    t->class_weight = vgg_mem_calloc((size_t)classes, sizeof *t->class_weight);
    if (!t->class_weight) return vgg_fail_memory("class weights", (size_t)classes * sizeof *t->class_weight);
    for (size_t i = 0; i < n; i++)
        t->class_weight[t->labels[vgg_data_label(t->data, i)]] += 1.0f;
    for (int c = 0; c < classes; c++) {
        float count = t->class_weight[c];
        t->class_weight[c] = !t->o.balanced ? 1.0f : count > 0.0f ? (float)n / ((float)classes * count) : 0.0f;
    }
    return VGG_OK;
}

/* A fresh head takes the data's class names when it has as many classes. */
static enum vgg_status name_classes(struct vgg_model *model, const struct vgg_data *data)
{
    int classes = vgg_arch_classes(&model->arch);
    if (vgg_model_class_name(model, 0) || vgg_data_class_count(data) != classes) return VGG_OK;
    const char **names = vgg_mem_calloc((size_t)classes, sizeof *names);
    if (!names) return vgg_fail_memory("class names", (size_t)classes * sizeof *names);
    for (int i = 0; i < classes; i++)
        names[i] = vgg_data_class_name(data, i);
    enum vgg_status status = vgg_model_set_class_names(model, names, classes);
    free(names);
    return status;
}

static enum vgg_status map_labels(int **labels, const struct vgg_trainer *t, const struct vgg_data *data)
{
    if (vgg_data_class_count(data) == 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: has no labels; give a folder with one subfolder a class",
                        vgg_data_count(data) ? vgg_data_path(data, 0) : "data");
    }
    return vgg_match_labels(labels, t->model, data);
}

static enum vgg_status create_net(struct vgg_trainer *t)
{
    const struct vgg_arch *arch = &t->model->arch;
    const struct vgg_train_options *o = &t->o;
    size_t items = vgg_data_count(t->data);
    struct vgg_plan_spec spec = {
        .arch = arch,
        .batch = items < (size_t)o->batch ? (int)items : o->batch,
        .first = t->first,
        .last = arch->count,
        .loss = true,
        .trainable = t->trainable,
        .optimizer = o->optimizer,
        .nesterov = o->nesterov,
        .hyper = { o->momentum, o->rho, o->beta1, o->beta2, o->epsilon, o->weight_decay, 0 },
        .smoothing = o->label_smoothing,
        .scaled = t->scale != 0,
        .clip = o->clip_norm,
        .lr_decay = o->lr_decay,
    };
    enum vgg_status status =
        vgg_net_create(&t->net, t->engine->backend, &spec, t->validation_first, t->shard, t->engine->memory);
    if (status != VGG_OK) return status;
    vgg_net_set_ranks(t->net, t->ranks);
    return vgg_net_set_params(t->net, t->model->params);
}

static enum vgg_status create_buffers(struct vgg_trainer *t, int outputs)
{
    size_t n = (size_t)t->o.batch;
    t->t = vgg_mem_calloc(n, sizeof(float));
    t->w = vgg_mem_calloc(n, sizeof(float));
    t->loss = vgg_mem_calloc(n, sizeof(float));
    t->y = vgg_mem_calloc(n * (size_t)outputs, sizeof(float));
    t->predicted = vgg_mem_calloc(n, sizeof *t->predicted);
    t->offset_of = vgg_mem_calloc((size_t)vgg_ranks_size(t->ranks) + 1, sizeof *t->offset_of);
    t->arrays.moment_count = vgg_net_moment_size(t->net) / sizeof(float);
    t->arrays.moments = vgg_mem_calloc(t->arrays.moment_count, sizeof(float));
    t->arrays.params = t->model->params + t->offset;
    t->arrays.param_count = t->model->arch.param_size / sizeof(float) - t->offset;
    bool best = t->o.keep == VGG_KEEP_BEST;
    if (best) t->arrays.best = vgg_mem_calloc(t->arrays.param_count, sizeof(float));
    bool complete = t->t && t->w && t->loss && t->y && t->predicted && t->offset_of && t->arrays.moments &&
                    (!best || t->arrays.best);
    size_t kept = t->arrays.moment_count + (best ? t->arrays.param_count : 0);
    return complete ? VGG_OK : vgg_fail_memory("training", (n * 5 + kept) * sizeof(float));
}

/* Takes the folder for checkpoints, and opens the one to go on from. */
static enum vgg_status open_checkpoints(struct vgg_trainer *t)
{
    const struct vgg_train_options *o = &t->o;
    enum vgg_status status = VGG_OK;
    bool several = vgg_ranks_size(t->ranks) > 1, keeps = o->checkpoint && vgg_ranks_first(t->ranks);
    if (!o->checkpoint && !several) return VGG_OK;
    CHECK(vgg_image_check_options(&o->images));
    if (keeps) CHECK(vgg_checkpoint_folder_take(&t->folder, o->checkpoint, o->resume, o->overwrite));
    CHECK(vgg_trainer_describe(t));
    if (!o->resume || !keeps) return VGG_OK;
    CHECK(vgg_checkpoint_open(&t->resumed, &t->state, o->checkpoint, t->settings.text, o->epochs));
    if (!t->resumed.file)
        vgg_log(VGG_LOG_INFO, "%s: no checkpoint yet; training starts at the beginning", o->checkpoint);
fail:
    return status;
}

/* Goes on from the open checkpoint, or starts at zero. */
static enum vgg_status start(struct vgg_trainer *t)
{
    enum vgg_status status = VGG_OK;
    bool resumed = t->resumed.file;
    if (resumed) {
        CHECK(vgg_checkpoint_read(&t->resumed, &t->arrays));
        vgg_checkpoint_close(&t->resumed);
    }
    if (t->o.resume) CHECK(vgg_ranks_agree(t->ranks, VGG_OK, &resumed));
    if (resumed) CHECK(vgg_trainer_spread(t, VGG_OK));
    if (t->state.scale.factor == 0) t->state.scale.factor = t->scale;
    if (!resumed) {
        t->state.history = vgg_mem_calloc((size_t)t->o.epochs, sizeof *t->state.history);
        return t->state.history ? VGG_OK
                                : vgg_fail_memory("the history", (size_t)t->o.epochs * sizeof *t->state.history);
    }
    CHECK(vgg_net_set_params(t->net, t->model->params));
    CHECK(vgg_net_set_moments(t->net, t->arrays.moments));
    for (int i = 0; i < t->state.epoch; i++)
        vgg_watch_add(&t->watch, &t->state.history[i]);
fail:
    return status;
}

static enum vgg_status create_loader(struct vgg_trainer *t)
{
    struct vgg_loader_options options = {
        .images = t->o.images,
        .augment = t->o.augment,
        .batch = t->o.batch,
        .labels = t->labels,
        .shuffle = !t->o.no_shuffle,
        .repeat = true,
        .seed = t->o.seed,
        .pass = t->state.pass,
        .start = t->state.number,
        .ranks = vgg_ranks_size(t->ranks) > 1 ? t->ranks : NULL,
        .shard = vgg_net_shard(t->net),
    };
    return vgg_loader_create(&t->loader, t->data, &options);
}

enum vgg_status vgg_trainer_match(struct vgg_trainer *t, const struct vgg_data *data, const struct vgg_data *validation)
{
    enum vgg_status status = VGG_OK;
    CHECK(vgg_origin_images(&t->o.images, t->model, data));
    if (validation) CHECK(vgg_origin_alike(validation, data));
    if (validation) CHECK(vgg_origin_images(&t->o.images, t->model, validation));
    t->model->resize = t->o.images.resize;
    t->model->crop = t->o.images.crop;
    t->model->decode = t->o.images.decode;
fail:
    return status;
}

enum vgg_status vgg_trainer_init(struct vgg_trainer *t, const struct vgg_data *data, const struct vgg_data *validation)
{
    enum vgg_status status = VGG_OK;
    vgg_trainer_defaults(&t->o);
    CHECK(check_options(&t->o, validation != NULL));
    if (vgg_ranks_size(t->ranks) > 1 && t->o.cpu_on_device_lost)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT,
                       "going on with the CPU when a device is lost: not on several ranks, which would "
                       "compute differently; leave out --on-device-lost"));
    if (!vgg_ranks_first(t->ranks)) t->o.log = t->o.tensorboard = NULL;
    enum vgg_precision precision = t->engine->backend->precision;
    if (precision != VGG_PRECISION_FP32 && precision != VGG_PRECISION_FP16)
        CHECK(vgg_fail(VGG_ERR_UNSUPPORTED,
                       "precision %s: training needs fp32 or fp16; it serves features and predictions",
                       vgg_name(VGG_NAMES_PRECISION, (int)precision)));
    if (precision == VGG_PRECISION_FP16 && t->scale == 0) t->scale = VGG_SCALE_FIRST;
    struct vgg_model *model = t->model;
    const struct vgg_arch *arch = &model->arch;
    int classes = vgg_arch_classes(arch);
    t->data = data, t->validation = validation;
    vgg_watch_init(&t->watch, t->o.monitor, validation != NULL,
                   t->o.schedule == VGG_SCHEDULE_PLATEAU ? t->o.schedule_every : 0);
    if (classes == 0) CHECK(vgg_fail(VGG_ERR_ARGUMENT, "the model has no head that classifies; give --head"));
    CHECK(name_classes(model, data));
    CHECK(map_labels(&t->labels, t, data));
    if (validation) CHECK(map_labels(&t->validation_labels, t, validation));
    t->trainable = vgg_arch_trainable(arch, t->o.trainable);
    if (t->trainable < 0) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT,
                       "\"%s\" is no layer or block of the model; take head, all, block5 or a name that "
                       "`vgg16 summary` shows",
                       t->o.trainable));
    }
    while (t->trainable < arch->count && arch->layer[t->trainable].kernel.n == 0)
        t->trainable++;
    if (t->trainable == arch->count)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "nothing above \"%s\" has weights to train", t->o.trainable));
    t->offset = arch->layer[t->trainable].kernel.offset / sizeof(float);
    if (t->trainable < arch->base && t->o.epochs > 0) vgg_model_drop_scales(model);
    CHECK(vgg_origin_first(&t->first, model, data));
    if (validation) CHECK(vgg_origin_first(&t->validation_first, model, validation));
    int end = frozen_end(t);
    if (t->first > t->trainable || t->validation_first > t->trainable) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT,
                       "\"%s\" lies below the %sfeatures given; take images, or train only what is above them",
                       t->o.trainable, t->first > t->trainable ? "" : "validation "));
    }
    CHECK(set_class_weights(t, classes));
    bool random = t->first == 0 && vgg_augment_any(&t->o.augment);
    int from = random || t->first > end ? t->first : end; /* whether or not the frozen layers' features fit in memory */
    t->shard = t->o.shard ? t->o.shard : vgg_shard_size(arch, from, t->trainable);
    uint64_t items = vgg_data_count(t->data), batch = (uint64_t)t->o.batch;
    t->steps = t->o.steps_per_epoch ? (uint64_t)t->o.steps_per_epoch : (items + batch - 1) / batch;
    if (t->o.warmup > 0.0f && (double)t->o.warmup * (double)t->steps <= 1.0)
        vgg_log(VGG_LOG_WARNING, "warm-up of %g epochs: is over before the first step, since an epoch has %llu",
                (double)t->o.warmup, (unsigned long long)t->steps);
    if ((uint64_t)t->o.checkpoint_steps >= t->steps * (uint64_t)t->o.epochs)
        vgg_log(VGG_LOG_WARNING,
                "checkpoints every %d steps: never come, since all epochs have %llu; those after epochs do",
                t->o.checkpoint_steps, (unsigned long long)(t->steps * (uint64_t)t->o.epochs));
    CHECK(vgg_trainer_alike(t, open_checkpoints(t)));
    vgg_trainer_warn_idle(t);
    double begin = vgg_clock_seconds();
    if (!random) CHECK(freeze(t, &t->data, &t->frozen, &t->first, end));
    CHECK(freeze(t, &t->validation, &t->frozen_validation, &t->validation_first, end));
    t->seconds_features = vgg_clock_seconds() - begin;
    if (!validation) t->validation_first = t->first;
    CHECK(create_net(t));
    model->shard = t->shard;
    model->epoch = 0;
    CHECK(create_buffers(t, arch->layer[arch->count - 1].c));
    CHECK(start(t));
    CHECK(create_loader(t));
    if (t->o.tensorboard && t->state.epoch < t->o.epochs)
        CHECK(vgg_tensorboard_create(&t->tensorboard, t->o.tensorboard, validation != NULL));
fail:
    return status;
}

enum vgg_status vgg_trainer_fetch(struct vgg_trainer *t)
{
    enum vgg_status status = vgg_net_get_params(t->net, t->model->params);
    return status == VGG_OK ? vgg_net_get_moments(t->net, t->arrays.moments) : status;
}

enum vgg_status vgg_trainer_move_to_cpu(struct vgg_trainer *t)
{
    enum vgg_status status = VGG_OK;
    vgg_loader_destroy(t->loader);
    vgg_net_destroy(t->net);
    t->loader = NULL;
    t->net = NULL;
    const struct vgg_engine *lost = t->engine;
    const struct vgg_engine_options cpu = { .backend = "cpu",
                                            .threads = lost->threads,
                                            .isa = *lost->isa ? lost->isa : NULL,
                                            .conv = *lost->conv ? lost->conv : NULL };
    CHECK(vgg_engine_create(&t->own, &cpu));
    t->engine = t->own;
    CHECK(create_net(t));
    CHECK(vgg_net_set_moments(t->net, t->arrays.moments));
    CHECK(create_loader(t));
fail:
    return status;
}

void vgg_trainer_choose(struct vgg_trainer *t)
{
    if (!t->arrays.best || !t->watch.epoch) return;
    memcpy(t->arrays.params, t->arrays.best, t->arrays.param_count * sizeof(float));
    t->model->epoch = t->watch.epoch;
}

void vgg_trainer_finish(struct vgg_trainer *t)
{
    vgg_loader_destroy(t->loader);
    vgg_net_destroy(t->net);
    vgg_engine_destroy(t->own);
    vgg_frozen_finish(&t->frozen);
    vgg_frozen_finish(&t->frozen_validation);
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_WARNING);
    vgg_tensorboard_destroy(t->tensorboard);
    vgg_log_failures(level);
    vgg_checkpoint_close(&t->resumed);
    vgg_checkpoint_folder_release(&t->folder);
    vgg_settings_finish(&t->settings);
    if (t->o.history) {
        *t->o.history = (struct vgg_history) { .epochs = t->state.history,
                                               .count = (size_t)t->state.epoch,
                                               .steps = t->state.step,
                                               .shard = t->shard,
                                               .best = t->watch.epoch,
                                               .monitor = t->watch.monitor,
                                               .stopped = t->stopped,
                                               .seconds_features = t->seconds_features,
                                               .seconds_save = t->seconds_save,
                                               .kept = t->kept,
                                               .scale = (double)t->state.scale.factor,
                                               .skipped = t->state.scale.skipped };
    } else {
        free(t->state.history);
    }
    free(t->arrays.moments);
    free(t->arrays.best);
    free(t->labels);
    free(t->validation_labels);
    free(t->class_weight);
    free(t->t);
    free(t->w);
    free(t->y);
    free(t->loss);
    free(t->predicted);
    free(t->offset_of);
}
