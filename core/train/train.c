/* Training: the loop over epochs and steps around one network. */
#include <math.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/data/check.h"
#include "core/model/export.h"
#include "core/train/history.h"
#include "core/train/trainer.h"

/* The rate of update number `step`, which belongs to the epoch that goes on. */
static double learning_rate(const struct vgg_trainer *t, uint64_t step)
{
    double rate = (double)t->o.learning_rate, up = (double)t->o.warmup * (double)t->steps, done = (double)step + 1;
    if (done < up) rate *= done / up;
    switch (t->o.schedule) {
    case VGG_SCHEDULE_COSINE:
        return rate * 0.5 * (1.0 + cos(3.141592653589793 * (double)step / ((double)t->steps * t->o.epochs)));
    case VGG_SCHEDULE_STEP:
        return rate * pow((double)t->o.schedule_factor, (int)(step / t->steps) / t->o.schedule_every);
    case VGG_SCHEDULE_PLATEAU: return rate * pow((double)t->o.schedule_factor, t->watch.plateaus);
    case VGG_SCHEDULE_CONSTANT: break;
    }
    return rate;
}

static bool report(const struct vgg_trainer *t)
{
    const struct vgg_train_state *s = &t->state;
    double n = (double)s->images;
    struct vgg_progress progress = { "train",      "steps",     s->epoch_step, t->steps,
                                     s->epoch + 1, t->o.epochs, s->loss / n,   s->correct / n };
    return !t->o.progress || t->o.progress(t->o.user, &progress);
}

/* A label as the loss takes it: a class number, or what a sigmoid should say. */
static float target(const struct vgg_trainer *t, int label)
{
    bool sigmoid = vgg_net_output(t->net) == 1;
    float a = sigmoid ? t->o.label_smoothing : 0.0f;
    return (float)label * (1.0f - a) + a / 2.0f;
}

/* ---- what tells of a training, and must not end it ---- */

/* Ends the event files when they cannot be written any more. */
static void check_tensorboard(struct vgg_trainer *t, enum vgg_status status)
{
    if (status == VGG_OK) return;
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_DEBUG);
    vgg_tensorboard_destroy(t->tensorboard);
    t->tensorboard = NULL;
    vgg_log_failures(level);
}

static void tell_step(struct vgg_trainer *t, double loss)
{
    if (!t->tensorboard) return;
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_WARNING);
    check_tensorboard(t, vgg_tensorboard_step(t->tensorboard, t->state.step, loss));
    vgg_log_failures(level);
}

static void tell_epoch(struct vgg_trainer *t, const struct vgg_epoch *e)
{
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_WARNING);
    if (t->tensorboard) check_tensorboard(t, vgg_tensorboard_epoch(t->tensorboard, e));
    if (t->log_failed) vgg_log_failures(VGG_LOG_DEBUG);
    if (t->o.log && vgg_history_write(t->o.log, t->state.history, t->state.epoch, t->validation != NULL) != VGG_OK)
        t->log_failed = true;
    vgg_log_failures(level);
}

/* ---- steps ---- */

/* Was it the data's fault? Then all that was done before stands. */
static bool is_unread(enum vgg_status status)
{
    return status == VGG_ERR_IO || status == VGG_ERR_FORMAT || status == VGG_ERR_UNSUPPORTED;
}

static enum vgg_status diverged(const struct vgg_trainer *t, const char *what, double rate)
{
    const struct vgg_train_state *s = &t->state;
    return vgg_fail(VGG_ERR_NUMERIC, "%s in epoch %d, step %llu; take a lower --lr (it is %g)%s%s", what, s->epoch + 1,
                    (unsigned long long)s->epoch_step + 1, rate, t->scale != 0 ? " or --precision fp32" : "",
                    t->o.checkpoint ? "; the last checkpoint is unharmed" : "");
}

/* The factor of the next step's loss. */
static enum vgg_status adapt_scale(struct vgg_trainer *t, bool skipped, double rate)
{
    struct vgg_train_state *s = &t->state;
    float before = s->scale.factor;
    if (before == 0) return VGG_OK;
    if (!vgg_scale_next(&s->scale, skipped))
        return diverged(t, "the gradients are no longer numbers, though their loss is not scaled up any more,", rate);
    if (s->scale.factor != before) {
        vgg_log(VGG_LOG_INFO, "epoch %d, step %llu: %s; the loss times %g from here on, not %g", s->epoch + 1,
                (unsigned long long)s->epoch_step + 1,
                skipped ? "gradients that are no numbers, nothing updated" : "all gradients finite for long",
                (double)s->scale.factor, (double)before);
    }
    return VGG_OK;
}

/* Adds what the images of a batch lost and how many were right, if all of it is finite: of a step that is not skipped
 * it has to be. */
static enum vgg_status add_up(struct vgg_trainer *t, const struct vgg_batch *batch, bool skipped, double rate)
{
    struct vgg_train_state *s = &t->state;
    double sum = 0.0, correct = 0.0;
    for (int i = 0; i < batch->count; i++) {
        sum += (double)t->loss[i];
        correct += t->predicted[i] == batch->labels[i];
    }
    if (!isfinite(sum)) return skipped ? VGG_OK : diverged(t, "the loss is no longer a number", rate);
    tell_step(t, sum / batch->count);
    s->loss += sum;
    s->correct += correct;
    s->images += (uint64_t)batch->count;
    return VGG_OK;
}

/* One batch through the network, by all ranks: losses and predicted classes of all its images. */
static enum vgg_status run_batch(struct vgg_trainer *t, const struct vgg_batch *batch, const struct vgg_step *step,
                                 bool *skipped)
{
    size_t outputs = vgg_net_output(t->net);
    for (int i = 0; i < batch->count; i++) {
        t->t[i] = target(t, batch->labels[i]);
        t->w[i] = t->class_weight[batch->labels[i]];
    }
    struct vgg_net_io io = {
        .n = batch->count, .x = batch->x, .t = t->t, .w = t->w, .y = t->y, .loss = t->loss, .skipped = skipped
    };
    enum vgg_status status = vgg_net_train(t->net, &io, step);
    for (int i = batch->share.from; status == VGG_OK && i < batch->share.to; i++)
        t->predicted[i] = vgg_model_predicted(t->model, t->y + (size_t)i * outputs);
    return vgg_trainer_collect(t, batch->count, status);
}

/* Makes a checkpoint of the arrays and of what the model's file would say. */
static enum vgg_status write_checkpoint(struct vgg_trainer *t, const struct vgg_train_arrays *arrays)
{
    struct vgg_model_meta meta;
    enum vgg_status status = vgg_checkpoint_folder_base(&t->folder, t->model, t->trainable);
    if (status != VGG_OK) return status;
    t->model->epoch = t->arrays.best ? t->watch.epoch : 0;
    status = vgg_model_meta(&meta, t->model);
    t->model->epoch = 0;
    if (status != VGG_OK) return status;
    const struct vgg_checkpoint_about about = { meta.pair, t->model->arch.layer[t->trainable].name };
    status = vgg_checkpoint_write(&t->folder, &t->state, arrays, t->settings.text, &about);
    vgg_model_meta_finish(&meta);
    return status;
}

/* Parameters into the model, into those of the best epoch when `best` says that they are, and into a checkpoint when
 * one is wanted. */
static enum vgg_status store(struct vgg_trainer *t, bool best)
{
    enum vgg_status status = VGG_OK;
    struct vgg_train_arrays arrays = t->arrays;
    double begin = vgg_clock_seconds();
    bool fetched = t->o.cpu_on_device_lost && !t->own; /* by the last step, which a device lost by now cannot undo */
    if (!fetched) CHECK(vgg_trainer_fetch(t));
    t->kept = true;
    if (best && arrays.best) memcpy(arrays.best, arrays.params, arrays.param_count * sizeof(float));
    if (best || !t->watch.epoch) arrays.best = NULL; /* the same, or nothing yet */
    if (t->o.checkpoint && vgg_ranks_first(t->ranks)) status = write_checkpoint(t, &arrays);
    status = vgg_ranks_agree(t->ranks, status, NULL);
fail:
    t->stored = vgg_clock_seconds();
    t->seconds_save += t->stored - begin;
    return status;
}

/* Is a checkpoint wanted after this step, beside that of the epoch? On ranks the first one decides. */
static bool is_due(const struct vgg_trainer *t)
{
    const struct vgg_train_state *s = &t->state;
    bool own = s->epoch_step == t->steps && !t->validation; /* the epoch's follows at once */
    if (!t->o.checkpoint || !vgg_ranks_first(t->ranks) || own) return false;
    if (t->o.checkpoint_seconds > 0) return vgg_clock_seconds() - t->stored >= t->o.checkpoint_seconds;
    return t->o.checkpoint_steps > 0 && s->step % (uint64_t)t->o.checkpoint_steps == 0;
}

static enum vgg_status train_step(struct vgg_trainer *t, struct vgg_epoch *e)
{
    enum vgg_status status = VGG_OK;
    struct vgg_train_state *s = &t->state;
    struct vgg_batch batch;
    double begin = vgg_clock_seconds();
    t->kept = false;
    status = vgg_loader_next(t->loader, &batch);
    if (status == VGG_OK && batch.count == 0)
        status = vgg_fail(VGG_ERR_MISSING, "no image of the training data could be read");
    bool unmade = status != VGG_OK;
    double loaded = vgg_clock_seconds();
    double rate = learning_rate(t, s->step);
    bool skipped = false;
    struct vgg_step step = { .seed = t->o.seed,
                             .step = s->step,
                             .skipped = s->scale.skipped,
                             .unscale = s->scale.factor != 0 ? 1.0f / s->scale.factor : 0,
                             .learning_rate = (float)rate };
    status = vgg_ranks_agree(t->ranks, status, &unmade);
    t->unread = is_unread(status) && unmade;
    if (status != VGG_OK) goto fail;
    CHECK(run_batch(t, &batch, &step, &skipped));
    if (t->o.cpu_on_device_lost && !t->own) CHECK(vgg_trainer_fetch(t));
    CHECK(add_up(t, &batch, skipped, rate));
    CHECK(adapt_scale(t, skipped, rate));
    s->epoch_step++, s->step++;
    s->pass = batch.pass, s->number = batch.number + 1;
    if (s->number == vgg_loader_batches(t->loader)) s->pass++, s->number = 0;
    e->seconds_load += loaded - begin;
    e->seconds_train += vgg_clock_seconds() - loaded;
    bool due = is_due(t);
    CHECK(vgg_ranks_agree(t->ranks, report(t) ? VGG_OK : VGG_INTERRUPTED, &due));
    if (due) status = store(t, false);
fail:
    return status;
}

struct validation {
    const struct vgg_trainer *trainer;
    double loss, correct, images;
};

static enum vgg_status add_validation(void *sink, const struct vgg_batch *batch, const float *y, const float *loss)
{
    struct validation *v = sink;
    size_t outputs = vgg_net_output(v->trainer->net);
    for (int i = 0; i < batch->count; i++) {
        v->loss += (double)loss[i];
        v->correct += vgg_model_predicted(v->trainer->model, y + (size_t)i * outputs) == batch->labels[i];
    }
    v->images += batch->count;
    return VGG_OK;
}

static enum vgg_status validate(struct vgg_trainer *t, struct vgg_epoch *e)
{
    struct validation v = { .trainer = t };
    e->val_loss = e->val_accuracy = (double)NAN;
    if (!t->validation) return VGG_OK;
    double begin = vgg_clock_seconds();
    struct vgg_pass pass = {
        .net = t->net,
        .data = t->validation,
        .images = t->o.images,
        .batch = t->o.batch,
        .loss = true,
        .labels = t->validation_labels,
        .phase = "validate",
        .epoch = t->state.epoch + 1,
        .epochs = t->o.epochs,
        .progress = t->o.progress,
        .user = t->o.user,
        .ranks = t->ranks,
    };
    double sums[3];
    enum vgg_status status = vgg_pass_run(&pass, add_validation, &v);
    sums[0] = v.loss, sums[1] = v.correct, sums[2] = v.images;
    if (status == VGG_OK) status = vgg_ranks_broadcast(t->ranks, VGG_OK, sums, sizeof sums);
    v.loss = sums[0], v.correct = sums[1], v.images = sums[2];
    t->unread = is_unread(status);
    e->val_loss = v.loss / v.images;
    e->val_accuracy = v.correct / v.images;
    e->seconds_validate = vgg_clock_seconds() - begin;
    return status;
}

/* Has early stopping waited long enough? */
static bool has_to_stop(const struct vgg_trainer *t)
{
    return t->o.early_stop > 0 && t->watch.waited >= t->o.early_stop;
}

static enum vgg_status train_epoch(struct vgg_trainer *t)
{
    enum vgg_status status = VGG_OK;
    struct vgg_train_state *s = &t->state;
    struct vgg_epoch e = { .epoch = s->epoch + 1 };
    double begin = vgg_clock_seconds();
    while (s->epoch_step < t->steps)
        CHECK(train_step(t, &e));
    e.loss = s->loss / (double)s->images;
    e.accuracy = s->correct / (double)s->images;
    e.images = s->images;
    e.learning_rate = vgg_text_decimal((float)learning_rate(t, s->step - 1));
    CHECK(validate(t, &e));
    e.seconds = vgg_clock_seconds() - begin;
    vgg_watch_add(&t->watch, &e);
    bool best = t->watch.epoch == e.epoch;
    s->history[s->epoch++] = e;
    s->epoch_step = s->images = 0;
    s->loss = s->correct = 0.0;
    if (t->o.checkpoint || (best && t->arrays.best)) CHECK(store(t, best));
    tell_epoch(t, &e);
    if (t->o.on_epoch) t->o.on_epoch(t->o.user, &e);
fail:
    /* What was done before an interruption, or before data that cannot be read, is kept; a step that failed is not. */
    if (status == VGG_INTERRUPTED || (t->unread && s->step > 0)) {
        enum vgg_log_level level = vgg_log_failures(t->unread ? VGG_LOG_DEBUG : VGG_LOG_ERROR);
        enum vgg_status stored = store(t, false);
        vgg_log_failures(level);
        if (stored != VGG_OK && status == VGG_INTERRUPTED) status = stored;
    }
    return status;
}

/* After the loss of a device: the state is that of the last completed step, and with cpu_on_device_lost so are the
 * parameters and moments on the host. */
static enum vgg_status device_lost(struct vgg_trainer *t)
{
    const struct vgg_train_state *s = &t->state;
    if (!t->o.cpu_on_device_lost || t->own) {
        return vgg_fail(
            VGG_ERR_DEVICE_LOST, "the device was lost in epoch %d after step %llu%s", s->epoch + 1,
            (unsigned long long)s->epoch_step,
            t->o.checkpoint
                ? "; the last checkpoint is whole: go on by --resume, with --backend cpu if it is lost again"
                : "; next time give --checkpoint DIR, or --on-device-lost cpu");
    }
    bool fp16 = t->engine->backend->precision == VGG_PRECISION_FP16;
    vgg_log(VGG_LOG_WARNING, "the device was lost in epoch %d after step %llu; training goes on with the CPU%s",
            s->epoch + 1, (unsigned long long)s->epoch_step, fp16 ? ", in fp32" : "");
    return vgg_trainer_move_to_cpu(t);
}

enum vgg_status vgg_trainer_run(struct vgg_trainer *t, const struct vgg_data *data, const struct vgg_data *validation)
{
    enum vgg_status status = VGG_OK;
    if (t->o.history) *t->o.history = (struct vgg_history) { 0 };
    t->ranks = t->engine->ranks;
    CHECK(vgg_trainer_match(t, data, validation));
    CHECK(vgg_model_note_digest(t->model));
    if (t->o.epochs == 0) return VGG_OK;
    for (int i = 0; i < 2 && !t->o.images.skip_bad; i++)
        if (i == 0 || validation) CHECK(vgg_data_check(i ? validation : data, t->o.progress, t->o.user));
    CHECK(vgg_ranks_agree(t->ranks, vgg_trainer_init(t, data, validation), NULL));
    t->stored = vgg_clock_seconds();
    while (t->state.epoch < t->o.epochs && !has_to_stop(t)) {
        status = train_epoch(t);
        if (status == VGG_ERR_DEVICE_LOST) status = device_lost(t);
        if (status != VGG_OK && t->kept) vgg_trainer_choose(t);
        if (status != VGG_OK) goto fail;
    }
    if (t->state.epoch < t->o.epochs) {
        t->stopped = t->watch.waited;
        vgg_log(VGG_LOG_INFO, "stopped after epoch %d: no better %s for %d epochs", t->state.epoch,
                t->watch.monitor == VGG_MONITOR_VAL_ACCURACY ? "accuracy" : "loss", t->watch.waited);
    }
    CHECK(vgg_net_get_params(t->net, t->model->params));
    t->kept = true;
    vgg_trainer_choose(t);
fail:
    status = vgg_ranks_agree(t->ranks, status, NULL);
    vgg_trainer_finish(t);
    return status;
}

enum vgg_status vgg_train(struct vgg_engine *engine, struct vgg_model *model, const struct vgg_data *data,
                          const struct vgg_data *validation, const struct vgg_train_options *options)
{
    struct vgg_trainer t = { .engine = engine, .model = model, .o = *options };
    enum vgg_status status = vgg_model_whole(model);
    return status == VGG_OK ? vgg_trainer_run(&t, data, validation) : status;
}
