#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"

struct extract {
    struct cli_network network;
    struct vgg_image_options images;
    const char *output, *layer;
    int pooling, batch;
};

static const char *const pooling_names[] = { "none", "avg", "max", NULL };

static const struct cli_option extract_options[] = {
    { .name = "output",
      .letter = 'o',
      .value = "FILE",
      .help = "file to write, by its extension: .npy (with FILE.labels.npy and FILE.paths.txt beside it), .h5, "
              ".safetensors or .csv (required)",
      .read = cli_read_text,
      .offset = offsetof(struct extract, output) },
    { .name = "layer",
      .value = "LAYER",
      .help = "whose output is taken: any layer that `vgg16 summary` lists (default block5_pool)",
      .read = cli_read_text,
      .offset = offsetof(struct extract, layer) },
    { .name = "pooling",
      .value = "HOW",
      .help = "none, avg or max over height and width (default none)",
      .read = cli_read_choice,
      .choices = pooling_names,
      .range = "one of none, avg, max",
      .offset = offsetof(struct extract, pooling) },
    { .name = "batch",
      .value = "N",
      .help = "images at once (default 32, less where memory does not allow it)",
      .read = cli_read_int,
      .min = 1,
      .max = 65536,
      .range = "a whole number from 1 to 65536",
      .offset = offsetof(struct extract, batch) },
    { 0 },
};

static const struct cli_group groups[] = {
    { "Options:", extract_options, 0 },
    { "Network:", cli_network_options, offsetof(struct extract, network) },
    { "Images:", cli_image_options, offsetof(struct extract, images) },
    { 0 },
};

static const struct extract defaults = { .layer = "block5_pool" };

static bool in_top(const char *layer)
{
    static const char *const names[] = { "flatten", "fc1", "fc2", "predictions" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(layer, names[i]) == 0) return true;
    }
    return false;
}

/* The network up to the layer: the base, the ImageNet top, or the head of a model. */
static enum vgg_status open_model(struct cli *cli, struct vgg_model **out, const struct extract *o)
{
    bool base = strncmp(o->layer, "block", 5) == 0;
    struct vgg_model_options network = {
        .arch = cli_arch_name(o->network.arch),
        .weights = o->network.weights,
        .head = base ? NULL : "top",
        .height = o->network.size[0],
        .width = o->network.size[1],
        .last = base ? o->layer : NULL,
        .preprocess = o->images.preprocess,
        .seed = cli->common.seed,
    };
    if (!base && !in_top(o->layer) && o->network.weights) {
        return cli_model_open(cli, out, o->network.weights, &network);
    }
    return vgg_model_create(out, &network);
}

/* `images`: how many were written; with --skip-bad not all. */
static enum vgg_status print_result(struct cli *cli, const struct extract *o, const struct vgg_features *features,
                                    uint64_t images)
{
    int shape[3];
    vgg_features_shape(features, &shape[0], &shape[1], &shape[2]);
    if (!cli->common.json) {
        printf("%s: %" PRIu64 " x %d x %d x %d, %s\n", o->output, images, shape[0], shape[1], shape[2], o->layer);
        return VGG_OK;
    }
    cJSON *json = cJSON_CreateObject();
    cli_json_text(json, "output", o->output);
    cli_json_text(json, "layer", o->layer);
    cJSON_AddStringToObject(json, "pooling", pooling_names[o->pooling]);
    cJSON_AddNumberToObject(json, "images", (double)images);
    cJSON_AddItemToObject(json, "shape", cJSON_CreateIntArray(shape, 3));
    return cli_json_print(cli, json);
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)count;
    const struct extract *o = options;
    if (!o->output) return cli_usage(cli, "--output is missing");
    if (!cli_output_extension(o->output, ".npy") && !cli_output_extension(o->output, ".h5") &&
        !cli_output_extension(o->output, ".safetensors") && !cli_output_extension(o->output, ".csv")) {
        return cli_usage(cli, "--output %s: the extension must be .npy, .h5, .safetensors or .csv", o->output);
    }
    struct vgg_data *data = NULL;
    struct vgg_engine *engine = NULL;
    struct vgg_model *model = NULL;
    struct vgg_features *features = NULL;
    struct vgg_features_options wanted = { .layer = o->layer,
                                           .pooling = (enum vgg_pooling)o->pooling,
                                           .batch = o->batch };
    enum vgg_status status = cli_output_check(cli, o->output, false);
    if (status == VGG_OK) status = vgg_data_open(&data, args[0]);
    if (status == VGG_OK) status = vgg_engine_create(&engine, &cli->common.engine);
    if (status == VGG_OK) status = open_model(cli, &model, o);
    if (status == VGG_OK) {
        cli_model_tell(cli, &o->network, model);
        cli_signals_catch();
        status = vgg_features_create(&features, engine, model, &wanted);
    }
    if (status == VGG_OK) {
        status = cli_work_status(
            vgg_features_extract(features, o->output, data, &o->images, cli_progress_report, &cli->progress));
    }
    cli_progress_clear(&cli->progress);
    if (status == VGG_OK) status = print_result(cli, o, features, cli->progress.last);
    vgg_features_destroy(features);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
    vgg_data_destroy(data);
    return status;
}

const struct cli_command cli_extract = {
    .name = "extract",
    .arguments = "DATA --output FILE",
    .purpose = "Computes features of each image, at any layer, into a file",
    .data = true,
    .details = "A .safetensors file of features is DATA for `vgg16 train`, which then trains a head on it. An "
               "interrupted run leaves no file.\nJSON: output, layer, pooling, images, shape [h, w, c]",
    .needs = "DATA",
    .groups = groups,
    .min = 1,
    .max = 1,
    .size = sizeof(struct extract),
    .defaults = &defaults,
    .run = run,
};
