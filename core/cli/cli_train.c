#include "core/cli/cli_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_curves.h"
#include "core/cli/cli_keep.h"
#include "core/cli/cli_opened.h"
#include "core/cli/cli_origin.h"
#include "core/cli/cli_output.h"
#include "core/cli/cli_rules.h"

/* What one run of the command holds. */
struct session {
    struct cli *cli;
    const struct cli_train *options;
    const char *source;
    cJSON *epochs;                                     /* with --json, else NULL */
    struct vgg_data *all, *rest, *held_out, *separate; /* rest and held_out are parts of all */
    struct vgg_engine *engine;
    struct vgg_model *model;
    struct vgg_history history;
};

/* ---- data ---- */

static enum vgg_status open_data(struct session *s)
{
    const struct cli_train *o = s->options;
    enum vgg_status status = vgg_data_open(&s->all, s->source);
    if (status != VGG_OK) return status;
    int classes = vgg_data_class_count(s->all);
    if (classes == 0) {
        return cli_fail(s->cli, VGG_ERR_MISSING, "%s: has no labels; give a folder with one subfolder per class, or y",
                        s->source);
    }
    if (classes == 1) {
        return cli_fail(s->cli, VGG_ERR_MISSING, "%s: has one class only (%s); training needs two or more", s->source,
                        vgg_data_class_name(s->all, 0));
    }
    status = cli_origin_images(s->cli, s->source, s->all, &o->images);
    if (status == VGG_OK) status = cli_origin_network(s->cli, s->source, s->all, &o->network, o->layer);
    if (status != VGG_OK) return status;
    if (o->validation) return vgg_data_open(&s->separate, o->validation);
    if (!(o->validation_split > 0)) return VGG_OK;
    return vgg_data_split(&s->rest, &s->held_out, s->all, (double)o->validation_split, s->cli->common.seed);
}

/* ---- model ---- */

/* The seed's classifier for as many classes as there are; pooled features have nothing to flatten: without a record
 * they are taken for averages. */
static void default_head(char *head, size_t size, const struct vgg_data *data)
{
    int classes = vgg_data_class_count(data), h, w, c;
    const struct vgg_origin *origin = vgg_data_origin(data);
    bool pooled = vgg_data_features(data, &h, &w, &c) && h == 1 && w == 1;
    const char *first = origin ? cli_origin_head(origin) : pooled ? "gap" : "flatten";
    snprintf(head, size, "%s,dense:256:relu,dropout:0.5,dense:%d:%s", first, classes == 2 ? 1 : classes,
             classes == 2 ? "sigmoid" : "softmax");
}

static enum vgg_status create_model(struct session *s)
{
    const struct cli_train *o = s->options;
    char head[96];
    int h, w, c;
    const struct vgg_origin *origin = vgg_data_origin(s->all);
    if (!origin && !o->network.weights && vgg_data_features(s->all, &h, &w, &c)) {
        return cli_usage(s->cli,
                         "%s: holds features; name the weights that they were computed with by --weights or --from",
                         s->source);
    }
    default_head(head, sizeof head, s->all);
    const struct vgg_model_options options = {
        .arch = cli_arch_name(o->network.arch),
        .weights = o->network.weights,
        .head = o->head ? o->head : head,
        .height = o->network.size[0],
        .width = o->network.size[1],
        .last = o->layer,
        .preprocess = o->images.preprocess,
        .seed = s->cli->common.seed,
    };
    enum vgg_status status = origin ? cli_origin_create(s->cli, &s->model, s->source, origin, options, o->head != NULL)
                                    : vgg_model_create(&s->model, &options);
    if (status == VGG_OK) cli_model_tell(s->cli, &o->network, s->model);
    return status;
}

/* A model goes on with the architecture, size and preprocessing that it was trained with; anything else would be lost
 * in its file. */
static enum vgg_status load_model(struct session *s)
{
    const struct cli_train *o = s->options;
    enum vgg_status status = vgg_model_load(&s->model, o->from);
    if (status != VGG_OK) return status;
    status = cli_model_fits(s->cli, s->model, o->from, cli_arch_name(o->network.arch), o->network.size[0],
                            o->network.size[1]);
    if (status != VGG_OK) return status;
    int height, width;
    enum vgg_preprocess preprocess;
    vgg_model_input(s->model, &height, &width, &preprocess);
    if (o->images.preprocess == VGG_PREPROCESS_DEFAULT || o->images.preprocess == preprocess) return VGG_OK;
    return cli_usage(s->cli, "--preprocess %s: %s was trained with %s",
                     vgg_name(VGG_NAMES_PREPROCESS, (int)o->images.preprocess), o->from,
                     vgg_name(VGG_NAMES_PREPROCESS, (int)preprocess));
}

/* Names the classes of a new model; training itself leaves a model without epochs as it is. */
static enum vgg_status name_classes(struct session *s)
{
    int classes = vgg_data_class_count(s->all);
    if (classes != vgg_model_class_count(s->model) || vgg_model_class_name(s->model, 0)) return VGG_OK;
    const char **names = calloc((size_t)classes, sizeof *names);
    if (!names) return cli_fail(s->cli, VGG_ERR_MEMORY, "out of memory");
    for (int k = 0; k < classes; k++)
        names[k] = vgg_data_class_name(s->all, k);
    enum vgg_status status = vgg_model_set_class_names(s->model, names, classes);
    free(names);
    return status;
}

/* The block that a layer is of, 0 in a head. */
static int block_of(const struct vgg_model *model, int layer)
{
    struct vgg_layer_info info;
    int block = 0;
    if (vgg_model_layer(model, layer, &info) == VGG_OK) sscanf(info.name, "block%d_", &block);
    return block;
}

/* Is the layer in the base's last block, or above it? */
static bool one_rate(const struct vgg_model *model, int layer)
{
    int block = block_of(model, layer), last = block;
    for (int i = layer; i < vgg_model_layer_count(model); i++)
        if (block_of(model, i) > last) last = block_of(model, i);
    return block == 0 || block == last;
}

/* What the options ask of the model can be told now, when the model is there. */
static enum vgg_status check_model(struct session *s)
{
    const struct cli_train *o = s->options;
    if (!vgg_model_class_count(s->model)) {
        return cli_usage(s->cli, "--head: must end in dense:N:softmax or dense:1:sigmoid");
    }
    enum vgg_status status = o->trainable ? cli_model_trainable(s->cli, s->model, o->trainable) : VGG_OK;
    if (status == VGG_OK && o->lr_decay != 0.0f && one_rate(s->model, vgg_model_trainable(s->model, o->trainable))) {
        return cli_usage(s->cli, "--lr-decay: no block below the base's last one trains, by --trainable %s",
                         o->trainable);
    }
    return status;
}

/* ---- training ---- */

/* A loss in at most six columns: with fewer decimals, then with an exponent, the larger it is. */
static void loss_text(char text[16], double loss)
{
    int decimals = loss < 10 ? 4 : loss < 100 ? 3 : loss < 1000 ? 2 : loss < 10000 ? 1 : 0;
    snprintf(text, 16, loss < 99999.5 ? "%.*f" : "%.*e", decimals, loss);
}

/* At most nine columns: "12.3 s", "3:05", "1:02:03". */
static void time_text(char text[32], double seconds)
{
    long s = lround(seconds);
    if (seconds < 99.95)
        snprintf(text, 32, "%.1f s", seconds);
    else if (s < 3600)
        snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

/* One line of at most 80 columns for up to 99,999 epochs. */
static void print_epoch(FILE *stream, const struct vgg_epoch *epoch, int epochs)
{
    char loss[16], val_loss[16], time[32];
    loss_text(loss, epoch->loss);
    loss_text(val_loss, epoch->val_loss);
    time_text(time, epoch->seconds);
    fprintf(stream, "epoch %d/%d  loss %s", epoch->epoch, epochs, loss);
    if (isnan(epoch->val_loss)) {
        fprintf(stream, "  accuracy %.4f  %s\n", epoch->accuracy, time);
    } else {
        fprintf(stream, " val %s  accuracy %.4f val %.4f  %s\n", val_loss, epoch->accuracy, epoch->val_accuracy, time);
    }
    fflush(stream);
}

static void add_epoch(cJSON *epochs, const struct vgg_epoch *epoch)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "epoch", epoch->epoch);
    cJSON_AddNumberToObject(object, "loss", epoch->loss);
    cJSON_AddNumberToObject(object, "accuracy", epoch->accuracy);
    cJSON_AddNumberToObject(object, "val_loss", epoch->val_loss);
    cJSON_AddNumberToObject(object, "val_accuracy", epoch->val_accuracy);
    cJSON_AddNumberToObject(object, "learning_rate", epoch->learning_rate);
    cJSON_AddNumberToObject(object, "images", (double)epoch->images);
    cJSON_AddNumberToObject(object, "seconds", epoch->seconds);
    cJSON_AddNumberToObject(object, "seconds_load", epoch->seconds_load);
    cJSON_AddNumberToObject(object, "seconds_train", epoch->seconds_train);
    cJSON_AddNumberToObject(object, "seconds_validate", epoch->seconds_validate);
    cJSON_AddItemToArray(epochs, object);
}

static void on_epoch(void *user, const struct vgg_epoch *epoch)
{
    struct session *s = user;
    cli_progress_clear(&s->cli->progress);
    if (s->epochs) {
        add_epoch(s->epochs, epoch);
        if (!s->cli->common.quiet) print_epoch(stderr, epoch, s->options->epochs);
    } else {
        print_epoch(stdout, epoch, s->options->epochs);
    }
    if (s->cli->common.verbose) {
        cli_note(s->cli, "epoch %d: waiting for data %.2f s, steps %.2f s, validation %.2f s, %.1f images/s",
                 epoch->epoch, epoch->seconds_load, epoch->seconds_train, epoch->seconds_validate,
                 (double)epoch->images / (epoch->seconds > 0 ? epoch->seconds : 1));
    }
}

static bool on_progress(void *user, const struct vgg_progress *report)
{
    struct session *s = user;
    return cli_progress_report(&s->cli->progress, report);
}

/* What --monitor is called, the training loss where there is no validation data. */
static const char *monitored(const struct vgg_history *history)
{
    static const char *const names[] = { "loss", "val_loss", "val_accuracy" };
    return names[history->monitor];
}

/* That --early-stop ended it, and why. */
static void print_stopped(FILE *stream, const struct vgg_history *h)
{
    if (!h->stopped) return;
    fprintf(stream, "stopped after epoch %zu: no better %s for %d epoch%s\n", h->count, monitored(h), h->stopped,
            h->stopped == 1 ? "" : "s");
}

static cJSON *stopped_json(const struct vgg_history *h)
{
    if (!h->stopped) return cJSON_CreateNull();
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "epoch", (double)h->count);
    cJSON_AddStringToObject(object, "monitor", monitored(h));
    cJSON_AddNumberToObject(object, "waited", h->stopped);
    return object;
}

static enum vgg_status print_json(struct session *s, bool interrupted)
{
    cJSON *json = cJSON_CreateObject();
    cli_json_text(json, "output", s->options->output);
    cJSON_AddBoolToObject(json, "interrupted", interrupted);
    bool best = s->options->keep == VGG_KEEP_BEST && s->history.best;
    if (best) cJSON_AddNumberToObject(json, "kept", s->history.best);
    cJSON_AddItemToObject(json, "stopped", stopped_json(&s->history));
    if (s->history.scale > 0) {
        cJSON_AddNumberToObject(json, "scale", s->history.scale);
        cJSON_AddNumberToObject(json, "skipped", (double)s->history.skipped);
    }
    cJSON_AddItemToObject(json, "epochs", s->epochs);
    s->epochs = NULL;
    return cli_json_print(s->cli, json);
}

static const struct vgg_data *validation_data(const struct session *s)
{
    return s->held_out ? s->held_out : s->separate;
}

/* The page about this run. The validation data is evaluated once more, by image; after an interruption that would make
 * the user wait. The model is saved by now: a page that cannot be made is worth a warning. */
static void write_report(struct session *s, const struct vgg_train_options *options, bool interrupted)
{
    const struct cli_train *o = s->options;
    enum vgg_status status = VGG_OK;
    struct vgg_evaluation *evaluation = NULL;
    const struct vgg_data *data = validation_data(s);
    const struct vgg_evaluate_options wanted = {
        .images = o->images, .batch = o->batch, .progress = cli_progress_report, .user = &s->cli->progress
    };
    char held[64];
    snprintf(held, sizeof held, "%g of each class held out", (double)o->validation_split);
    cli_hold(s->cli);
    if (data && !interrupted) status = vgg_evaluate(&evaluation, s->engine, s->model, data, &wanted);
    cli_progress_clear(&s->cli->progress);
    if (status == VGG_OK && cli_first(s->cli)) {
        status = vgg_report_write(o->report, &(struct vgg_report) {
                                                 .command = s->cli->typed,
                                                 .data = s->source,
                                                 .validation = o->validation ? o->validation
                                                               : s->held_out ? held
                                                                             : NULL,
                                                 .engine = s->engine,
                                                 .model = s->model,
                                                 .training = options,
                                                 .history = &s->history,
                                                 .evaluation = evaluation,
                                                 .evaluated = data,
                                                 .images = &o->images,
                                                 .interrupted = interrupted,
                                             });
    }
    const char *reason = cli_release(s->cli);
    if (status == VGG_OK) cli_note(s->cli, "%s: the report", o->report);
    if (status != VGG_OK) cli_warn(s->cli, "%s; there is no report", reason);
    vgg_evaluation_destroy(evaluation);
}

/* Says which epoch's model was written, where it is not that of a whole training. */
static void tell_model(const struct session *s, const struct vgg_train_options *options, bool interrupted)
{
    const struct vgg_history *h = &s->history;
    if (options->keep == VGG_KEEP_BEST && h->best) {
        const struct vgg_epoch *e = &h->epochs[h->best - 1];
        cli_note(s->cli, "%s: holds the model of epoch %d, the best%s: val_loss %.4f, val_accuracy %.4f",
                 s->options->output, h->best, interrupted ? " so far" : "", e->val_loss, e->val_accuracy);
    } else if (interrupted) {
        cli_note(s->cli, "%s: holds the model as far as it was trained", s->options->output);
    }
}

/* Trains and saves; an interrupted training is saved as far as it came. */
static enum vgg_status train(struct session *s)
{
    struct vgg_train_options options = cli_train_options(s->cli, s->options);
    options.progress = on_progress;
    options.on_epoch = on_epoch;
    options.history = &s->history;
    options.user = s;
    if (s->cli->common.json) s->epochs = cJSON_CreateArray();
    cli_signals_catch();
    enum vgg_status trained = vgg_train(s->engine, s->model, s->rest ? s->rest : s->all, validation_data(s), &options);
    cli_progress_clear(&s->cli->progress);
    bool whole = trained == VGG_OK;
    if (trained == VGG_INTERRUPTED && s->history.steps == 0) {
        cli_note(s->cli, "%s: not written, since no step was done", s->options->output);
        return trained;
    }
    if (!whole && !(s->history.kept && s->history.steps)) return cli_work_status(trained);
    if (!s->epochs || !s->cli->common.quiet) print_stopped(s->epochs ? stderr : stdout, &s->history);
    enum vgg_status status = VGG_OK;
    if (cli_first(s->cli)) status = cli_keep_model(s->cli, s->model, &s->history, s->options);
    if (status != VGG_OK) return status;
    if (s->options->report) write_report(s, &options, !whole);
    cli_curves_print(s->cli, &s->history);
    if (s->cli->common.verbose && s->history.scale > 0)
        cli_note(s->cli, "fp16: the loss times %g in the end; %llu of %llu steps updated nothing", s->history.scale,
                 (unsigned long long)s->history.skipped, (unsigned long long)s->history.steps);
    tell_model(s, &options, !whole);
    if (s->cli->common.json) status = print_json(s, !whole);
    return status == VGG_OK ? cli_work_status(trained) : status;
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)count;
    const struct cli_train *o = options;
    struct session s = { .cli = cli, .options = o, .source = args[0] };
    if (!o->output) return cli_usage(cli, "--output is missing");
    enum vgg_status status = cli_output_check(cli, o->output, false);
    if (status == VGG_OK && o->log) status = cli_output_check(cli, o->log, false);
    if (status == VGG_OK && o->report) status = cli_output_check(cli, o->report, false);
    if (status == VGG_OK) status = open_data(&s);
    if (status == VGG_OK) cli_opened_tell(cli, &o->images, s.all, s.separate);
    if (status == VGG_OK) status = cli_rules_engine(cli, &s.engine, s.all, s.separate);
    if (status == VGG_OK) status = o->from ? load_model(&s) : create_model(&s);
    if (status == VGG_OK) status = check_model(&s);
    if (status == VGG_OK) status = name_classes(&s);
    if (status == VGG_OK) status = train(&s);
    cJSON_Delete(s.epochs);
    vgg_history_finish(&s.history);
    vgg_model_destroy(s.model);
    vgg_engine_destroy(s.engine);
    vgg_data_destroy(s.separate);
    vgg_data_destroy(s.held_out);
    vgg_data_destroy(s.rest);
    vgg_data_destroy(s.all);
    return status;
}

const struct cli_command cli_train = {
    .name = "train",
    .arguments = "DATA --output MODEL",
    .purpose = "Trains a head, or a head and part of the base, and writes a model",
    .data = true,
    .ranks = true,
    .details =
        "When the base is frozen and nothing is augmented, its features are computed once. DATA may also be a "
        ".safetensors file that `vgg16 extract` wrote: it records --weights, --arch, --size, --layer, --preprocess, "
        "--resize and --crop, which are the defaults then, and anything that contradicts them, validation data too, is "
        "refused; the default head begins with gap for --pooling avg, with gmp for max. The model holds the base too, "
        "so that it takes images afterwards. Features without such a record need --weights, --size and --layer.\nOne "
        "line an epoch is printed: loss and accuracy, with those of the validation data (val) behind each, and time; "
        "in the end, where --early-stop came first, which epoch was the last and why. "
        "After Ctrl-C the model is written as far as it was trained, or, with --keep best, that of the best epoch so "
        "far. On a terminal the curves follow in the end. When the loss is no longer finite, no model is "
        "written; with --precision fp16 a step whose gradients are not finite is skipped and the loss scaled by half "
        "as much from then on.\nJSON: output, interrupted, kept (with --keep best: the epoch), stopped (by "
        "--early-stop: "
        "{epoch, monitor, waited (epochs)}, else null), scale and skipped (with --precision fp16: what the loss is "
        "multiplied by in the end, and the steps that updated nothing), epochs: [{epoch, loss, accuracy, val_loss, "
        "val_accuracy, learning_rate, images, seconds, seconds_load, seconds_train, seconds_validate}]",
    .needs = "DATA",
    .groups = cli_train_groups,
    .min = 1,
    .max = 1,
    .size = sizeof(struct cli_train),
    .defaults = &cli_train_defaults,
    .run = run,
};
