#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"

struct summary {
    int arch, size[2];
    const char *weights, *trainable, *layer;
    bool top;
};

static const struct cli_option summary_options[] = {
    { .name = "weights",
      .value = "FILE",
      .help = "the same as the argument (default: the architecture alone)",
      .read = cli_read_text,
      .offset = offsetof(struct summary, weights) },
    { .name = "size",
      .value = "SIZE",
      .help = "input size: one number, or HEIGHTxWIDTH (default: the model's, else 224)",
      .read = cli_read_size,
      .offset = offsetof(struct summary, size) },
    { .name = "top",
      .help = "with the ImageNet classifier: fc1, fc2 and predictions",
      .read = cli_read_flag,
      .offset = offsetof(struct summary, top) },
    { .name = "arch",
      .value = "NAME",
      .help = "vgg11, vgg13, vgg16 or vgg19 (default: what the file holds, else vgg16)",
      .read = cli_read_choice,
      .names = VGG_NAMES_ARCH,
      .offset = offsetof(struct summary, arch) },
    { .name = "layer",
      .value = "LAYER",
      .help = "only up to this layer, for a file that does not hold more (default block5_pool and the head)",
      .read = cli_read_text,
      .offset = offsetof(struct summary, layer) },
    { .name = "trainable",
      .value = "WHAT",
      .help = "count as trainable: head, all, a block, or a layer and all above it (default all)",
      .read = cli_read_text,
      .offset = offsetof(struct summary, trainable) },
    { 0 },
};

static const struct cli_group groups[] = { { "Options:", summary_options, 0 }, { 0 } };

static const struct summary defaults = { .trainable = "all" };

#define ROW "%-24s %-8s %-15s %12s  %-9s %6s\n"

struct totals {
    uint64_t parameters, trainable, flops;
};

/* 14714688 as "14,714,688". */
struct number {
    char text[32];
};

static struct number grouped(uint64_t value)
{
    struct number number;
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *to = number.text;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return number;
}

static void print_layer(const struct vgg_layer_info *layer, bool trainable)
{
    char shape[40] = "", flops[32];
    if (layer->height > 1 || layer->width > 1) snprintf(shape, sizeof shape, "%d x %d x ", layer->height, layer->width);
    size_t used = strlen(shape);
    snprintf(shape + used, sizeof shape - used, "%d", layer->channels);
    snprintf(flops, sizeof flops, "%.3f", (double)layer->flops / 1e9);
    printf(ROW, layer->name, layer->kind, shape, grouped(layer->parameters).text,
           !layer->parameters ? "-"
           : trainable        ? "yes"
                              : "no",
           flops);
}

static void add_layer(cJSON *layers, const struct vgg_layer_info *layer, bool trainable)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", layer->name);
    cJSON_AddStringToObject(object, "kind", layer->kind);
    const int shape[] = { layer->height, layer->width, layer->channels };
    cJSON_AddItemToObject(object, "shape", cJSON_CreateIntArray(shape, 3));
    cJSON_AddNumberToObject(object, "parameters", (double)layer->parameters);
    cJSON_AddBoolToObject(object, "trainable", trainable && layer->parameters);
    cJSON_AddNumberToObject(object, "flops", (double)layer->flops);
    cJSON_AddItemToArray(layers, object);
}

/* The table, or with `layers` the same rows as JSON. */
static enum vgg_status walk(const struct vgg_model *model, int first, cJSON *layers, struct totals *totals)
{
    for (int i = 0; i < vgg_model_layer_count(model); i++) {
        struct vgg_layer_info layer;
        enum vgg_status status = vgg_model_layer(model, i, &layer);
        if (status != VGG_OK) return status;
        if (layers) {
            add_layer(layers, &layer, i >= first);
        } else {
            print_layer(&layer, i >= first);
        }
        totals->parameters += layer.parameters;
        totals->trainable += i >= first ? layer.parameters : 0;
        totals->flops += layer.flops;
    }
    return VGG_OK;
}

/* `weights`: where they come from, NULL when only the architecture is shown. */
static enum vgg_status print_text(const struct vgg_model *model, const char *weights, int first)
{
    int height, width;
    enum vgg_preprocess preprocess;
    vgg_model_input(model, &height, &width, &preprocess);
    printf("%s, input %d x %d x 3", vgg_model_arch(model), height, width);
    if (weights) printf(", preprocessing %s, weights %s", vgg_name(VGG_NAMES_PREPROCESS, (int)preprocess), weights);
    puts("\n");
    printf(ROW, "Layer", "Kind", "Output shape", "Parameters", "Trainable", "GFLOP");
    struct totals totals = { 0 };
    enum vgg_status status = walk(model, first, NULL, &totals);
    if (status != VGG_OK) return status;
    printf("\nTotal parameters:         %14s (%.1f MB)\n", grouped(totals.parameters).text,
           (double)totals.parameters * 4e-6);
    printf("Trainable parameters:     %14s\n", grouped(totals.trainable).text);
    printf("Non-trainable parameters: %14s\n", grouped(totals.parameters - totals.trainable).text);
    printf("Operations of one image:  %14.3f GFLOP\n", (double)totals.flops / 1e9);
    return VGG_OK;
}

static enum vgg_status print_json(struct cli *cli, const struct vgg_model *model, const char *weights, int first)
{
    int height, width;
    enum vgg_preprocess preprocess;
    vgg_model_input(model, &height, &width, &preprocess);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "arch", vgg_model_arch(model));
    cJSON_AddItemToObject(json, "input", cJSON_CreateIntArray((const int[]) { height, width, 3 }, 3));
    cJSON_AddItemToObject(json, "preprocess",
                          weights ? cli_json_string(vgg_name(VGG_NAMES_PREPROCESS, (int)preprocess))
                                  : cJSON_CreateNull());
    cJSON_AddItemToObject(json, "weights", weights ? cli_json_string(weights) : cJSON_CreateNull());
    cJSON *classes = cJSON_AddArrayToObject(json, "classes");
    for (int k = 0; k < vgg_model_class_count(model); k++) {
        cJSON_AddItemToArray(classes, cli_json_string(cli_class_name(model, k).text));
    }
    struct totals totals = { 0 };
    enum vgg_status status = walk(model, first, cJSON_AddArrayToObject(json, "layers"), &totals);
    cJSON_AddNumberToObject(json, "parameters", (double)totals.parameters);
    cJSON_AddNumberToObject(json, "trainable_parameters", (double)totals.trainable);
    cJSON_AddNumberToObject(json, "flops", (double)totals.flops);
    if (status == VGG_OK) return cli_json_print(cli, json);
    cJSON_Delete(json);
    return status;
}

/* A file at another input size: a model with a head is fixed, a base is not. */
static enum vgg_status resize(struct cli *cli, struct vgg_model **model, const char *path,
                              const struct vgg_model_options *options)
{
    int height, width;
    enum vgg_preprocess preprocess;
    vgg_model_input(*model, &height, &width, &preprocess);
    if (!options->height || (height == options->height && width == options->width)) return VGG_OK;
    if (vgg_model_class_count(*model)) {
        return cli_model_fits(cli, *model, path, NULL, options->height, options->width);
    }
    struct vgg_layer_info top;
    char last[64];
    enum vgg_status status = vgg_model_layer(*model, vgg_model_layer_count(*model) - 1, &top);
    if (status != VGG_OK) return status;
    snprintf(last, sizeof last, "%s", top.name);
    struct vgg_model_options wanted = *options;
    wanted.last = last; /* no more than the file holds */
    vgg_model_destroy(*model);
    return vgg_model_create(model, &wanted);
}

/* What the file holds, its own head included; where that is none that is run here, its base. */
static enum vgg_status open_file(struct cli *cli, struct vgg_model **model, const char *path,
                                 const struct vgg_model_options *network)
{
    unsigned errors = cli->progress.errors;
    bool word = strcmp(path, "imagenet") == 0 || strcmp(path, "random") == 0;
    cli->progress.held = true;
    enum vgg_status status = word ? VGG_ERR_MISSING : vgg_model_of_file(model, path);
    cli->progress.held = false;
    if (status != VGG_OK) {
        cli->progress.errors = errors;
        status = vgg_model_open(model, network);
    }
    return status == VGG_OK ? resize(cli, model, path, network) : status;
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    const struct summary *o = options;
    if (count && o->weights)
        return cli_usage(cli, "--weights %s: the file is given already, as %s", o->weights, args[0]);
    const char *path = count ? args[0] : o->weights;
    struct vgg_model_options network = {
        .arch = cli_arch_name(o->arch),
        .weights = path ? path : "random", /* no file is needed to show an architecture */
        .head = o->top ? "top" : NULL,
        .height = o->size[0],
        .width = o->size[1],
        .last = o->layer,
    };
    struct vgg_model *model = NULL;
    enum vgg_status status;
    if (o->top || o->arch || o->layer || !path) {
        status = vgg_model_create(&model, &network);
    } else {
        status = open_file(cli, &model, path, &network);
    }
    if (status == VGG_OK) {
        int first = vgg_model_trainable(model, o->trainable);
        const char *weights = path ? vgg_model_weights(model) : NULL;
        if (first < 0) {
            status = cli_model_trainable(cli, model, o->trainable);
        } else {
            status = cli->common.json ? print_json(cli, model, weights, first) : print_text(model, weights, first);
        }
    }
    vgg_model_destroy(model);
    return status;
}

const struct cli_command cli_summary = {
    .name = "summary",
    .arguments = "[WEIGHTS or MODEL]",
    .purpose = "Shows the layers: name, output shape, parameters, trainable, operations",
    .details =
        "Without a file the architecture alone is shown. WEIGHTS is a file, whose own head is shown too, imagenet "
        "or starter; MODEL is what `vgg16 train` wrote, or a checkpoint. A multiplication and an addition count as two "
        "operations.\nJSON: arch, input [h, "
        "w, 3], preprocess, weights (both null without a file), classes [name], layers: [{name, kind, shape [h, "
        "w, c], parameters, "
        "trainable, flops}], parameters, trainable_parameters, flops",
    .groups = groups,
    .max = 1,
    .size = sizeof(struct summary),
    .defaults = &defaults,
    .run = run,
};
