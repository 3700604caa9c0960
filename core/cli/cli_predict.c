#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_opened.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"

struct predict {
    const char *model;
    struct vgg_image_options images;
    int top, batch;
};

static const struct cli_option predict_options[] = {
    { .name = "top",
      .value = "K",
      .help = "show the K most probable classes (default 5)",
      .read = cli_read_int,
      .min = 1,
      .max = 1000000,
      .offset = offsetof(struct predict, top) },
    { 0 },
};

static const struct cli_group groups[] = {
    { "Options:", cli_model_option, offsetof(struct predict, model) },
    { "Prediction:", predict_options, 0 },
    { NULL, cli_batch_option, offsetof(struct predict, batch) },
    { "Images:", cli_image_options, offsetof(struct predict, images) },
    { 0 },
};

static const struct predict defaults = { .top = 5 };

struct ranked {
    float probability;
    int label;
};

/* Most probable first, equal ones by number. */
static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->probability != y->probability) return x->probability < y->probability ? 1 : -1;
    return (x->label > y->label) - (x->label < y->label);
}

static void print_image(const struct vgg_model *model, const char *path, const struct ranked *ranked, int shown)
{
    printf("%s:", path);
    for (int k = 0; k < shown; k++) {
        printf("%s %s %.4f", k ? "," : "", cli_class_name(model, ranked[k].label).text, (double)ranked[k].probability);
    }
    putchar('\n');
}

static void add_image(cJSON *images, const struct vgg_model *model, const char *path, const struct ranked *ranked,
                      int shown)
{
    cJSON *image = cJSON_CreateObject();
    cli_json_text(image, "path", path);
    cJSON *classes = cJSON_AddArrayToObject(image, "classes");
    for (int k = 0; k < shown; k++) {
        cJSON *class = cJSON_CreateObject();
        cli_json_text(class, "name", cli_class_name(model, ranked[k].label).text);
        cJSON_AddNumberToObject(class, "label", ranked[k].label);
        cJSON_AddNumberToObject(class, "probability", (double)ranked[k].probability);
        cJSON_AddItemToArray(classes, class);
    }
    cJSON_AddItemToArray(images, image);
}

static enum vgg_status print(struct cli *cli, const struct vgg_model *model, const struct vgg_data *data,
                             const struct vgg_evaluation *e, int top)
{
    int shown = top < e->classes ? top : e->classes;
    struct ranked *ranked = calloc((size_t)e->classes, sizeof *ranked);
    if (!ranked) return cli_fail(cli, VGG_ERR_MEMORY, "out of memory");
    cJSON *json = cli->common.json ? cJSON_CreateObject() : NULL;
    cJSON *images = json ? cJSON_AddArrayToObject(json, "images") : NULL;
    for (size_t i = 0; i < e->count; i++) {
        for (int k = 0; k < e->classes; k++) {
            ranked[k] = (struct ranked) { e->probabilities[i * (size_t)e->classes + (size_t)k], k };
        }
        qsort(ranked, (size_t)e->classes, sizeof *ranked, compare);
        const char *path = vgg_data_path(data, e->index[i]);
        if (images) {
            add_image(images, model, path, ranked, shown);
        } else {
            print_image(model, path, ranked, shown);
        }
    }
    free(ranked);
    return json ? cli_json_print(cli, json) : VGG_OK;
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    const struct predict *o = options;
    struct cli_opened opened = { 0 };
    struct vgg_evaluation *evaluation = NULL;
    struct vgg_evaluate_options wanted = {
        .images = o->images,
        .batch = o->batch,
        .progress = cli_progress_report,
        .user = &cli->progress,
    };
    if (!o->model) return cli_usage(cli, "--model is missing");
    enum vgg_status status = vgg_data_open_images(&opened.data, (const char *const *)args, (size_t)count);
    if (status == VGG_OK) status = cli_opened_classifier(cli, &opened, args[0], o->model, &o->images);
    cli_signals_catch();
    if (status == VGG_OK)
        status = cli_work_status(vgg_evaluate(&evaluation, opened.engine, opened.model, opened.data, &wanted));
    cli_progress_clear(&cli->progress);
    if (status == VGG_OK) status = print(cli, opened.model, opened.data, evaluation, o->top);
    vgg_evaluation_destroy(evaluation);
    cli_opened_finish(&opened);
    return status;
}

const struct cli_command cli_predict = {
    .name = "predict",
    .arguments = "--model MODEL IMAGE...",
    .purpose = "Shows the most probable classes of images",
    .details =
        "IMAGE is a JPEG, PNG, BMP, GIF, WebP or TIFF file, or a folder, of which all images are taken, those in "
        "folders below it too; a single one may also be a .txt file with a path a line, a .csv table with a path "
        "in the first field of each row, or an array file. Labels play no part. One line an image: the path, then "
        "classes with "
        "their probabilities. With ImageNet weights and their top, the classes have their ImageNet names.\nJSON: "
        "images: [{path, classes: [{name, label, probability}]}]",
    .needs = "IMAGE",
    .groups = groups,
    .min = 1,
    .max = -1,
    .size = sizeof(struct predict),
    .defaults = &defaults,
    .run = run,
};
