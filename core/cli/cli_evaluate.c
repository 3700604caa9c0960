#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_opened.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"

enum { WIDEST_MATRIX = 20 }; /* classes of a confusion matrix in text */

struct evaluate {
    const char *model, *output, *report;
    struct vgg_image_options images;
    int batch, top;
    float threshold;
};

static const struct cli_option evaluate_options[] = {
    { .name = "output",
      .letter = 'o',
      .value = "FILE.csv",
      .help = "write path, label, predicted class and one probability per class of each image (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct evaluate, output) },
    { .name = "report",
      .value = "FILE.html",
      .help = "a page with the confusion matrix, figures of each class, best and worst images (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct evaluate, report) },
    { .name = "top",
      .value = "K",
      .help = "also tell how often the class is among the K most probable, fewer than there are (default: no)",
      .read = cli_read_int,
      .min = 1,
      .max = 65536,
      .range = "a whole number from 1 to 65536",
      .offset = offsetof(struct evaluate, top) },
    { .name = "threshold",
      .value = "P",
      .help = "take one sigmoid unit above P for the second class; not with softmax (default 0.5)",
      .read = cli_read_float,
      .min = 1e-6,
      .max = 0.9999999,
      .range = "a number between 0 and 1, such as 0.3",
      .offset = offsetof(struct evaluate, threshold) },
    { 0 },
};

static const struct cli_group groups[] = {
    { "Options:", cli_model_option, offsetof(struct evaluate, model) },
    { "Evaluation:", evaluate_options, 0 },
    { NULL, cli_batch_option, offsetof(struct evaluate, batch) },
    { "Images:", cli_image_options, offsetof(struct evaluate, images) },
    { 0 },
};

/* A ratio, or "-" where it is undefined. */
static void print_ratio(double value)
{
    if (isnan(value)) {
        printf(" %9s", "-");
    } else {
        printf(" %9.4f", value);
    }
}

/* Images of one class that were taken for another. */
static uint64_t images_of(const struct vgg_evaluation *e, int is, int taken)
{
    return e->confusion[(size_t)is * (size_t)e->classes + (size_t)taken];
}

static void print_text(const struct vgg_model *model, const struct vgg_evaluation *e, size_t skipped, int top)
{
    printf("images %zu", e->count);
    if (skipped) printf("  skipped %zu", skipped);
    printf("  loss %.4f  accuracy %.4f", e->loss, e->accuracy);
    if (top) printf("  top-%d accuracy %.4f", top, e->top_accuracy);
    if (!isnan(e->mean_auc)) printf("  %sauc %.4f", e->classes > 2 ? "mean " : "", e->mean_auc);
    printf("\n\n%-20s %9s %9s %9s %9s %9s\n", "class", "precision", "recall", "f1", "auc", "images");
    for (int k = 0; k < e->classes; k++) {
        printf("%-20s", cli_class_name(model, k).text);
        print_ratio(e->precision[k]);
        print_ratio(e->recall[k]);
        print_ratio(e->f1[k]);
        print_ratio(e->auc[k]);
        printf(" %9" PRIu64 "\n", e->support[k]);
    }
    if (e->classes > WIDEST_MATRIX) return;
    puts("\nConfusion matrix: a row per true class, a column per predicted class");
    for (int k = 0; k < e->classes; k++) {
        printf("%-20s", cli_class_name(model, k).text);
        for (int j = 0; j < e->classes; j++)
            printf(" %6" PRIu64, images_of(e, k, j));
        putchar('\n');
    }
}

static enum vgg_status print_json(struct cli *cli, const struct vgg_model *model, const struct vgg_evaluation *e,
                                  size_t skipped, int top)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "images", (double)e->count);
    cJSON_AddNumberToObject(json, "skipped", (double)skipped);
    cJSON_AddNumberToObject(json, "loss", e->loss);
    cJSON_AddNumberToObject(json, "accuracy", e->accuracy);
    cJSON_AddNumberToObject(json, "auc", e->mean_auc);
    if (top) cJSON_AddNumberToObject(json, "top", top);
    if (top) cJSON_AddNumberToObject(json, "top_accuracy", e->top_accuracy);
    cJSON *classes = cJSON_AddArrayToObject(json, "classes"), *matrix = cJSON_AddArrayToObject(json, "confusion");
    for (int k = 0; k < e->classes; k++) {
        cJSON *class = cJSON_CreateObject(), *row = cJSON_CreateArray();
        cli_json_text(class, "name", cli_class_name(model, k).text);
        cJSON_AddNumberToObject(class, "precision", e->precision[k]);
        cJSON_AddNumberToObject(class, "recall", e->recall[k]);
        cJSON_AddNumberToObject(class, "f1", e->f1[k]);
        cJSON_AddNumberToObject(class, "auc", e->auc[k]);
        cJSON_AddNumberToObject(class, "images", (double)e->support[k]);
        cJSON_AddItemToArray(classes, class);
        for (int j = 0; j < e->classes; j++) {
            cJSON_AddItemToArray(row, cJSON_CreateNumber((double)images_of(e, k, j)));
        }
        cJSON_AddItemToArray(matrix, row);
    }
    return cli_json_print(cli, json);
}

/* What the options ask of the model can be told when it is there. */
static enum vgg_status check_model(struct cli *cli, const struct evaluate *o, const struct vgg_model *model)
{
    int classes = vgg_model_class_count(model);
    struct vgg_layer_info last;
    enum vgg_status status = vgg_model_layer(model, vgg_model_layer_count(model) - 1, &last);
    if (status == VGG_OK && o->top && last.channels == 1) {
        return cli_usage(cli, "--top: only with a model of several outputs; one sigmoid unit takes --threshold");
    }
    if (o->top >= classes) {
        return cli_usage(cli, "--top %d: must be below the number of classes, which is %d", o->top, classes);
    }
    if (status != VGG_OK || o->threshold == 0.0f || last.channels == 1) return status;
    return cli_usage(cli, "--threshold: only with a model that ends in one sigmoid unit");
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    const struct evaluate *o = options;
    struct cli_opened opened = { 0 };
    struct vgg_evaluation *evaluation = NULL;
    struct vgg_evaluate_options wanted = {
        .images = o->images,
        .batch = o->batch,
        .top = o->top,
        .threshold = o->threshold,
        .progress = cli_progress_report,
        .user = &cli->progress,
    };
    if (!o->model) return cli_usage(cli, "--model is missing");
    bool first = cli_first(cli);
    enum vgg_status status = o->output ? cli_output_check(cli, o->output, true) : VGG_OK;
    if (status == VGG_OK && o->report) status = cli_output_check(cli, o->report, false);
    if (status == VGG_OK) status = cli_opened_data(&opened, args, count);
    if (status == VGG_OK && vgg_data_class_count(opened.data) == 0) {
        status =
            cli_fail(cli, VGG_ERR_MISSING,
                     "%s: has no labels; give a folder with one subfolder per class, or use vgg16 predict", args[0]);
    }
    if (status == VGG_OK) status = cli_opened_classifier(cli, &opened, args[0], o->model, &o->images);
    if (status == VGG_OK) status = check_model(cli, o, opened.model);
    cli_signals_catch();
    if (status == VGG_OK)
        status = cli_work_status(vgg_evaluate(&evaluation, opened.engine, opened.model, opened.data, &wanted));
    cli_progress_clear(&cli->progress);
    if (status == VGG_OK && o->output && first)
        status = vgg_evaluation_write(evaluation, o->output, opened.model, opened.data);
    if (status == VGG_OK && o->report && first) {
        status = vgg_report_write(o->report, &(struct vgg_report) {
                                                 .command = cli->typed,
                                                 .data = args[0],
                                                 .engine = opened.engine,
                                                 .model = opened.model,
                                                 .evaluation = evaluation,
                                                 .evaluated = opened.data,
                                                 .images = &o->images,
                                             });
    }
    if (status == VGG_OK) {
        size_t skipped = vgg_data_count(opened.data) - evaluation->count;
        if (cli->common.json) {
            status = print_json(cli, opened.model, evaluation, skipped, o->top);
        } else {
            print_text(opened.model, evaluation, skipped, o->top);
        }
    }
    vgg_evaluation_destroy(evaluation);
    cli_opened_finish(&opened);
    return status;
}

const struct cli_command cli_evaluate = {
    .name = "evaluate",
    .arguments = "DATA --model MODEL",
    .purpose = "Loss, accuracy, precision, recall and ROC AUC per class, confusion matrix",
    .data = true,
    .ranks = true,
    .details =
        "Features that `vgg16 extract` wrote are refused unless they were made with the model's own weights, size and "
        "preprocessing. auc is the area under the ROC curve of a class against the rest, the mean that of all classes. "
        "The confusion matrix is printed for up to 20 classes; JSON always holds it. A value that is not defined is "
        "shown as -, in JSON as null.\nJSON: images, skipped, loss, accuracy, auc, top and top_accuracy (with --top), "
        "classes: [{name, precision, recall, f1, auc, images}], confusion: [[row per true class]]",
    .needs = "DATA",
    .groups = groups,
    .min = 1,
    .max = 1,
    .size = sizeof(struct evaluate),
    .run = run,
};
