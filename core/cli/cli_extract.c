#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_opened.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"
#include "core/cli/cli_rules.h"
#include "core/vgg16_ranks.h"

struct extract {
    struct cli_network network;
    struct vgg_image_options images;
    const char *output, *layer, *picture;
    int pooling, batch, channels, colours;
    struct vgg_part part; /* count 0: all */
};

/* "I/N". */
static const char *read_part(const struct cli_option *option, const char *text, void *target)
{
    struct vgg_part *part = target;
    char *slash, *end;
    (void)option;
    static const char rule[] = "I/N, as 3/8: part I, from 1, of N, which is at most 1000000";
    if (*text < '0' || *text > '9') return rule;
    long number = strtol(text, &slash, 10);
    if (*slash != '/' || slash[1] < '0' || slash[1] > '9') return rule;
    long count = strtol(slash + 1, &end, 10);
    if (*end || number < 1 || number > count || count > 1000000) return rule;
    part->number = (int)number;
    part->count = (int)count;
    return NULL;
}

static const struct cli_option extract_options[] = {
    { .name = "output",
      .letter = 'o',
      .value = "FILE",
      .help = "file to write, by its extension: .npy (F.npy has F.labels.npy and F.paths.txt beside it), .h5, "
              ".safetensors or .csv (required, unless --picture is given)",
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
      .names = VGG_NAMES_POOLING,
      .offset = offsetof(struct extract, pooling) },
    { .name = "part",
      .value = "I/N",
      .help = "compute part I, from 1 to N, of the images, a contiguous range of DATA, into X.safetensors for `vgg16 "
              "merge`, which joins all N (default: all images)",
      .read = read_part,
      .offset = offsetof(struct extract, part) },
    { .name = "resume",
      .help = "leave a --part that --output holds already as it is; of other data or settings it is refused",
      .read = cli_read_flag,
      .offset = offsetof(struct extract, part) + offsetof(struct vgg_part, resume) },
    { 0 },
};

static const struct cli_option picture_options[] = {
    { .name = "picture",
      .value = "F.png",
      .help = "a sheet of the layer's strongest channels, for each image a row with it and their maps (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct extract, picture) },
    { .name = "channels",
      .value = "N",
      .help = "in the picture: the N with the largest mean (default 24 for one image, else 8)",
      .read = cli_read_int,
      .min = 1,
      .max = 4096,
      .offset = offsetof(struct extract, channels) },
    { .name = "colours",
      .value = "MAP",
      .help = "of the picture: viridis, inferno, jet or grey (default viridis)",
      .read = cli_read_choice,
      .names = VGG_NAMES_COLOURS,
      .offset = offsetof(struct extract, colours) },
    { 0 },
};

static const struct cli_group groups[] = {
    { "Options:", extract_options, 0 },
    { NULL, cli_batch_option, offsetof(struct extract, batch) },
    { NULL, picture_options, 0 },
    { "Network:", cli_network_options, offsetof(struct extract, network) },
    { "Images:", cli_image_options, offsetof(struct extract, images) },
    { 0 },
};

static const struct extract defaults = { .layer = "block5_pool" };

static bool in_top(const char *layer)
{
    bool found = strcmp(layer, "flatten") == 0;
    const char *name;
    for (int i = 0; !found && (name = vgg_name(VGG_NAMES_TOP, i)); i++)
        found = strcmp(layer, name) == 0;
    return found;
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
    if (base || in_top(o->layer) || !o->network.weights) return vgg_model_create(out, &network);
    enum vgg_status status = vgg_model_open(out, &network);
    if (status != VGG_OK) return status;
    return cli_model_fits(cli, *out, network.weights, network.arch, network.height, network.width);
}

/* What has been made; told at the end. */
struct made {
    struct vgg_part part;
    const struct vgg_data *data;
    const struct vgg_features *features; /* of the file; NULL: none */
    uint64_t images;                     /* written; with --skip-bad not all */
    int *strongest;                      /* of the picture: channels numbers for each image; NULL: no picture */
    int channels;
};

static enum vgg_status print_result(struct cli *cli, const struct extract *o, const struct made *made)
{
    int shape[3];
    cJSON *json = cli->common.json ? cJSON_CreateObject() : NULL;
    if (made->features) vgg_features_shape(made->features, &shape[0], &shape[1], &shape[2]);
    if (json) {
        if (o->output) cli_json_text(json, "output", o->output);
        cli_json_text(json, "layer", o->layer);
        cJSON_AddStringToObject(json, "pooling", vgg_name(VGG_NAMES_POOLING, o->pooling));
        if (made->features) {
            cJSON_AddNumberToObject(json, "images", (double)made->images);
            cJSON_AddItemToObject(json, "shape", cJSON_CreateIntArray(shape, 3));
        }
        if (o->part.count) cJSON_AddStringToObject(json, "part", cli_given(cli, "part"));
        if (o->part.count) cJSON_AddBoolToObject(json, "found", made->part.found);
        if (o->picture) cli_json_text(json, "picture", o->picture);
    } else if (made->part.count) {
        printf("%s: part %d/%d%s, %" PRIu64 " x %d x %d x %d, %s\n", o->output, o->part.number, o->part.count,
               made->part.found ? " was there" : "", made->images, shape[0], shape[1], shape[2], o->layer);
    } else if (made->features) {
        printf("%s: %" PRIu64 " x %d x %d x %d, %s\n", o->output, made->images, shape[0], shape[1], shape[2], o->layer);
    }
    cJSON *rows = json && made->strongest ? cJSON_AddArrayToObject(json, "strongest") : NULL;
    for (size_t i = 0; made->strongest && i < vgg_data_count(made->data); i++) {
        const int *row = made->strongest + i * (size_t)made->channels;
        int known = 0;
        while (known < made->channels && row[known] >= 0)
            known++;
        if (rows) {
            cJSON_AddItemToArray(rows, cJSON_CreateIntArray(row, known));
            continue;
        }
        printf("%s: strongest channels of %s:", vgg_data_path(made->data, i), o->layer);
        for (int k = 0; k < known; k++)
            printf(" %d", row[k]);
        putchar('\n');
    }
    return json ? cli_json_print(cli, json) : VGG_OK;
}

/* The command line, as far as it can be judged without opening anything. */
static enum vgg_status check(struct cli *cli, const struct extract *o)
{
    if (!o->output && !o->picture) return cli_usage(cli, "--output is missing");
    enum vgg_status status = o->output ? cli_output_check(cli, o->output, false) : VGG_OK;
    return status == VGG_OK && o->picture ? cli_output_check(cli, o->picture, false) : status;
}

/* What the options ask of the model can be told when it is there. */
static enum vgg_status check_model(struct cli *cli, const struct extract *o, const struct vgg_model *model)
{
    struct vgg_layer_info layer;
    int index = vgg_model_layer_find(model, o->layer);
    if (!o->channels || index < 0) return VGG_OK;
    enum vgg_status status = vgg_model_layer(model, index, &layer);
    if (status != VGG_OK || o->channels <= layer.channels) return status;
    return cli_usage(cli, "--channels %d: %s has %d", o->channels, o->layer, layer.channels);
}

static enum vgg_status make_features(struct cli *cli, const struct extract *o, struct vgg_features *features,
                                     const struct vgg_data *data, struct made *made)
{
    made->part = o->part;
    if (!o->part.count) {
        enum vgg_status status =
            vgg_features_extract(features, o->output, data, &o->images, cli_progress_report, &cli->progress);
        made->images = cli->progress.last;
        return cli_work_status(status);
    }
    enum vgg_status status = vgg_features_extract_part(features, o->output, data, &o->images, &made->part,
                                                       cli_progress_report, &cli->progress);
    made->images = made->part.images;
    return cli_work_status(status);
}

static enum vgg_status make_picture(struct cli *cli, const struct extract *o, struct vgg_engine *engine,
                                    const struct vgg_model *model, struct made *made)
{
    size_t count = vgg_data_count(made->data);
    struct vgg_features *features = NULL;
    struct vgg_features_options wanted = { .layer = o->layer, .batch = 1 };
    made->channels = o->channels ? o->channels : count == 1 ? 24 : 8;
    made->strongest = calloc(count ? count : 1, (size_t)made->channels * sizeof *made->strongest);
    if (!made->strongest) return cli_fail(cli, VGG_ERR_MEMORY, "out of memory");
    enum vgg_status status = vgg_features_create(&features, engine, model, &wanted);
    if (status == VGG_OK) {
        status = cli_work_status(vgg_features_picture(features, o->picture, made->data, &o->images,
                                                      (enum vgg_colours)o->colours, made->channels, made->strongest));
    }
    vgg_features_destroy(features);
    return status;
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)count;
    const struct extract *o = options;
    struct vgg_data *data = NULL;
    struct vgg_engine *engine = NULL;
    struct vgg_model *model = NULL;
    struct vgg_features *features = NULL;
    struct made made = { 0 };
    struct vgg_features_options wanted = { .layer = o->layer,
                                           .pooling = (enum vgg_pooling)o->pooling,
                                           .batch = o->batch };
    enum vgg_status status = check(cli, o);
    if (status == VGG_OK) status = vgg_data_open(&data, args[0]);
    if (status == VGG_OK) cli_opened_tell(cli, &o->images, data, NULL);
    if (status == VGG_OK) status = cli_rules_engine(cli, &engine, data, NULL);
    if (status == VGG_OK) status = open_model(cli, &model, o);
    if (status == VGG_OK) status = check_model(cli, o, model);
    if (status == VGG_OK) {
        cli_model_tell(cli, &o->network, model);
        cli_signals_catch();
        if (o->output) status = vgg_features_create(&features, engine, model, &wanted);
    }
    made.data = data, made.features = features;
    if (status == VGG_OK && o->output && !o->picture) vgg_features_release(features, model);
    if (status == VGG_OK && o->output) status = make_features(cli, o, features, data, &made);
    if (status == VGG_OK && o->picture && cli_first(cli)) status = make_picture(cli, o, engine, model, &made);
    cli_progress_clear(&cli->progress);
    if (status == VGG_OK && cli_first(cli)) status = print_result(cli, o, &made);
    free(made.strongest);
    vgg_features_destroy(features);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
    vgg_data_destroy(data);
    return status;
}

const struct cli_command cli_extract = {
    .name = "extract",
    .arguments = "DATA [--output FILE] [--picture F.png]",
    .purpose = "Computes features of each image, at any layer, into a file",
    .data = true,
    .ranks = true,
    .details =
        "A .safetensors file of features is DATA for `vgg16 train`, which then trains a head on it. How the features "
        "were made is recorded with them: digest and name of the weights, arch, layer, pooling, height, width, "
        "preprocess, resize, crop, decode, decoder, precision, version; as metadata of .safetensors, as attributes of "
        ".h5, and beside F.npy and F.csv in F.npy.json and F.csv.json. An interrupted run leaves no file. Jobs "
        "that compute a --part each need no MPI, and each the same command but for I and --output. In the "
        "picture each map runs from 0 to its own largest value; its channels are listed in order.\nJSON: output, "
        "layer, pooling, images, shape [h, w, c]; part, found (by --resume); picture, strongest: a list an image",
    .needs = "DATA",
    .groups = groups,
    .min = 1,
    .max = 1,
    .size = sizeof(struct extract),
    .defaults = &defaults,
    .run = run,
};
