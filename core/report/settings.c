/* What was set, and the network's layers. */
#include "core/report/settings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/engine/engine.h"
#include "core/image/augment.h"
#include "core/model/model.h"
#include "core/report/words.h"
#include "core/train/trainer.h"

enum { MOST = 40 };

/* Pairs that are collected. */
struct settings {
    struct vgg_html_pair pair[MOST];
    size_t count;
};

static void add(struct settings *settings, const char *name, const char *format, ...) VGG_PRINTF(3, 4);

static void add(struct settings *settings, const char *name, const char *format, ...)
{
    if (settings->count == MOST) return;
    struct vgg_html_pair *pair = &settings->pair[settings->count++];
    pair->name = name;
    va_list args;
    va_start(args, format);
    vsnprintf(pair->value, sizeof pair->value, format, args);
    va_end(args);
}

/* Adds to the value of the last pair, after a comma when there is something. */
static void more(struct settings *settings, const char *format, ...) VGG_PRINTF(2, 3);

static void more(struct settings *settings, const char *format, ...)
{
    char *value = settings->pair[settings->count - 1].value;
    size_t size = sizeof settings->pair[0].value, used = strlen(value);
    if (used && used + 2 < size) {
        memcpy(value + used, ", ", 3);
        used += 2;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(value + used, size - used, format, args);
    va_end(args);
}

static void add_model(struct settings *s, const struct vgg_report *report)
{
    static const char *const meaning[] = {
        [VGG_PREPROCESS_CAFFE] = "BGR, mean subtracted",
        [VGG_PREPROCESS_TORCH] = "RGB, mean and deviation",
        [VGG_PREPROCESS_RESCALE] = "RGB / 255",
        [VGG_PREPROCESS_NONE] = "RGB as it is",
    };
    const struct vgg_model *model = report->model;
    add(s, "Network", "%s, input %d \xC3\x97 %d", model->arch.name, model->arch.h, model->arch.w);
    if (model->source) add(s, "Weights", "%s", model->source);
    if (model->head) add(s, "Head", "%s", model->head);
    add(s, "Preprocessing", "%s: %s", vgg_name(VGG_NAMES_PREPROCESS, (int)model->preprocess),
        meaning[model->preprocess]);
    if (!report->images) return;
    add(s, "Fitting", "%s, %s", vgg_name(VGG_NAMES_RESIZE, (int)report->images->resize),
        report->images->crop == VGG_CROP_CENTER ? "the middle cut out" : "stretched");
}

static void add_optimizer(struct settings *s, const struct vgg_train_options *o)
{
    static const char *const names[] = {
        [VGG_OPTIMIZER_RMSPROP] = "RMSprop",
        [VGG_OPTIMIZER_SGD] = "SGD",
        [VGG_OPTIMIZER_ADAM] = "Adam",
        [VGG_OPTIMIZER_ADAMW] = "AdamW",
    };
    add(s, "Optimizer", "%s", names[o->optimizer]);
    if (o->optimizer == VGG_OPTIMIZER_RMSPROP) more(s, "rho %g", (double)o->rho);
    if (o->optimizer == VGG_OPTIMIZER_SGD)
        more(s, "%smomentum %g", o->nesterov ? "Nesterov " : "", (double)o->momentum);
    if (o->optimizer == VGG_OPTIMIZER_ADAM || o->optimizer == VGG_OPTIMIZER_ADAMW)
        more(s, "beta %g and %g", (double)o->beta1, (double)o->beta2);
    if (o->weight_decay > 0.0f) more(s, "weight decay %g", (double)o->weight_decay);
    add(s, "Learning rate", "%g", (double)o->learning_rate);
    if (o->schedule == VGG_SCHEDULE_CONSTANT) more(s, "%s", vgg_name(VGG_NAMES_SCHEDULE, VGG_SCHEDULE_CONSTANT));
    if (o->schedule == VGG_SCHEDULE_COSINE) more(s, "down to 0 along a cosine");
    if (o->schedule == VGG_SCHEDULE_STEP)
        more(s, "times %g every %d epochs", (double)o->schedule_factor, o->schedule_every);
    if (o->schedule == VGG_SCHEDULE_PLATEAU)
        more(s, "times %g after %d epochs of no better %s", (double)o->schedule_factor, o->schedule_every,
             o->monitor == VGG_MONITOR_VAL_ACCURACY ? "accuracy" : "loss");
    if (o->warmup > 0.0f) more(s, "growing over the first %g epochs", (double)o->warmup);
    if (o->lr_decay > 0.0f) more(s, "times %g from block to block downwards", (double)o->lr_decay);
    if (o->clip_norm > 0.0f) add(s, "Gradients", "of a norm of at most %g", (double)o->clip_norm);
    if (o->label_smoothing > 0.0f) add(s, "Labels", "smoothed by %g", (double)o->label_smoothing);
}

static void add_augment(struct settings *s, const struct vgg_augment_options *a)
{
    add(s, "Augmentation", "%s", vgg_augment_any(a) ? "" : "none");
    if (a->rotate > 0.0f) more(s, "rotated by \xC2\xB1%g\xC2\xB0", (double)a->rotate);
    if (a->shift_height > 0.0f || a->shift_width > 0.0f)
        more(s, "shifted by \xC2\xB1%g of the height and \xC2\xB1%g of the width", (double)a->shift_height,
             (double)a->shift_width);
    if (a->shear > 0.0f) more(s, "sheared by \xC2\xB1%g\xC2\xB0", (double)a->shear);
    if (a->zoom > 0.0f) more(s, "zoomed by \xC2\xB1%g", (double)a->zoom);
    if (a->flip) more(s, "half of them flipped");
    if (a->vflip) more(s, "half of them upside down");
    if (a->crop > 0.0f) more(s, "parts of %g or more of the area", (double)a->crop);
    if (a->brightness > 0.0f) more(s, "brightness times 1 \xC2\xB1 %g", (double)a->brightness);
    if (a->contrast > 0.0f) more(s, "contrast times 1 \xC2\xB1 %g", (double)a->contrast);
    if (a->saturation > 0.0f) more(s, "saturation times 1 \xC2\xB1 %g", (double)a->saturation);
}

static void add_training(struct settings *s, const struct vgg_report *report)
{
    struct vgg_train_options o = *report->training;
    vgg_trainer_defaults(&o);
    add(s, "Trained", "%s", strcmp(o.trainable, "head") == 0 ? "the head" : o.trainable);
    if (strcmp(o.trainable, "head") != 0 && strcmp(o.trainable, "all") != 0) more(s, "and all above");
    add_optimizer(s, &o);
    add(s, "Batch", "%d", o.batch);
    if (report->history && report->history->shard)
        more(s, "gradients in shards of at most %d images", report->history->shard);
    const struct vgg_history *history = report->history;
    if (history && history->scale > 0)
        add(s, "Loss", "times %g in the end, %" PRIu64 " of %" PRIu64 " steps skipped", history->scale,
            history->skipped, history->steps);
    add(s, "Epochs", "at most %d", o.epochs);
    if (o.steps_per_epoch) more(s, "of %d steps", o.steps_per_epoch);
    const char *better = o.monitor == VGG_MONITOR_VAL_ACCURACY ? "higher accuracy" : "lower loss";
    if (o.early_stop) more(s, "stopped after %d without a %s", o.early_stop, better);
    if (o.keep == VGG_KEEP_BEST) more(s, "the best kept: the first with no %s in any other", better);
    add_augment(s, &o.augment);
    add(s, "Order", "%s", o.no_shuffle ? "as in the data" : "shuffled");
    if (o.balanced) add(s, "Class weights", "balanced");
    add(s, "Seed", "%" PRIu64, o.seed);
    if (o.checkpoint)
        add(s, "Checkpoints", "%s%s", o.checkpoint,
            o.resume      ? ", gone on from the newest"
            : o.overwrite ? ", older ones replaced"
                          : "");
}

/* 16812353 -> "16,812,353". */
static struct vgg_report_name thousands(uint64_t value)
{
    struct vgg_report_name name;
    char digits[32];
    size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, value), used = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) name.text[used++] = ',';
        name.text[used++] = digits[i];
    }
    name.text[used] = '\0';
    return name;
}

static void write_layers(struct vgg_html *page, const struct vgg_report *report)
{
    static const struct vgg_html_column columns[] = {
        { "layer", false }, { "output", true }, { "parameters", true }, { "trained", false }
    };
    const struct vgg_model *model = report->model;
    int count = vgg_model_layer_count(model), first = count;
    uint64_t parameters = 0, trained = 0, flops = 0;
    if (report->training)
        first = vgg_model_trainable(model, report->training->trainable ? report->training->trainable : "head");
    vgg_html_card_begin(page, "Layers", false);
    vgg_html_table_begin(page, columns, report->training ? 4 : 3);
    for (int i = 0; i < count; i++) {
        struct vgg_layer_info layer;
        if (vgg_model_layer(model, i, &layer) != VGG_OK) continue;
        parameters += layer.parameters, flops += layer.flops;
        if (i >= first) trained += layer.parameters;
        vgg_html_cell(page, "%s", layer.name);
        vgg_html_cell(page, "%d \xC3\x97 %d \xC3\x97 %d", layer.height, layer.width, layer.channels);
        vgg_html_cell(page, "%s", layer.parameters ? thousands(layer.parameters).text : "");
        if (report->training) vgg_html_cell(page, "%s", layer.parameters && i >= first ? "yes" : "");
    }
    vgg_html_table_end(page);
    vgg_html_paragraph(page, "%s parameters, %s of them trained; %.3g GFLOP an image forward.",
                       thousands(parameters).text, thousands(trained).text, 1e-9 * (double)flops);
    vgg_html_card_end(page);
}

void vgg_report_settings(struct vgg_html *page, const struct vgg_report *report)
{
    struct settings s = { 0 };
    vgg_html_section(page, "Settings", NULL);
    if (report->data) add(&s, report->training ? "Training data" : "Data", "%s", report->data);
    if (report->validation) add(&s, "Validation data", "%s", report->validation);
    add_model(&s, report);
    if (report->training) add_training(&s, report);
    if (report->engine) {
        const struct vgg_device_info *device = vgg_engine_device(report->engine);
        add(&s, "Device", "%s, %s", device->backend, device->name);
        if (device->threads) more(&s, "%d threads", device->threads);
        enum vgg_precision precision = report->engine->backend->precision;
        if (precision != VGG_PRECISION_FP32) more(&s, "%s", vgg_name(VGG_NAMES_PRECISION, (int)precision));
    }
    vgg_html_card_begin(page, "Settings", false);
    vgg_html_pairs(page, s.pair, s.count);
    vgg_html_card_end(page);
    write_layers(page, report);
    if (!report->command) return;
    vgg_html_card_begin(page, "Command", true);
    vgg_html_markup(page, "<pre>");
    vgg_html_text(page, report->command);
    vgg_html_markup(page, "</pre>\n");
    vgg_html_card_end(page);
}
