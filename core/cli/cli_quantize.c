#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"
#include "core/cli/cli_rules.h"

struct quantize {
    struct cli_network network;
    struct vgg_image_options images;
    const char *model, *output, *layer;
    int count;
};

static const struct cli_option quantize_options[] = {
    { .name = "output",
      .letter = 'o',
      .value = "Q",
      .help = "file for the weights with their scales, X.safetensors (required)",
      .read = cli_read_text,
      .offset = offsetof(struct quantize, output) },
    { .name = "model",
      .letter = 'm',
      .value = "MODEL",
      .help = "what `vgg16 train` wrote, starter, or weights with their top (default: --weights)",
      .read = cli_read_text,
      .offset = offsetof(struct quantize, model) },
    { .name = "images",
      .value = "N",
      .help = "how many are taken, evenly over DATA (default 256, or all where there are fewer)",
      .read = cli_read_int,
      .min = 1,
      .max = 1000000,
      .offset = offsetof(struct quantize, count) },
    { .name = "layer",
      .value = "LAYER",
      .help = "the last of the base that is kept; weights may lack those above it (default block5_pool)",
      .read = cli_read_text,
      .offset = offsetof(struct quantize, layer) },
    { 0 },
};

static const struct cli_group groups[] = {
    { "Options:", quantize_options, 0 },
    { "Network:", cli_network_options, offsetof(struct quantize, network) },
    { "Images:", cli_image_options, offsetof(struct quantize, images) },
    { 0 },
};

/* --weights takes the base alone: a head in that file is not lost without a word. */
static enum vgg_status tell_head(struct cli *cli, const struct vgg_model_options *network)
{
    struct vgg_model *whole = NULL;
    enum vgg_status status = network->weights ? vgg_model_open(&whole, network) : VGG_OK;
    if (whole && vgg_model_class_count(whole)) {
        cli_note(cli, "%s: is a model, and its head is left out; --model %s keeps it", network->weights,
                 network->weights);
    }
    vgg_model_destroy(whole);
    return status;
}

static enum vgg_status open_model(struct cli *cli, struct vgg_model **out, const struct quantize *o)
{
    const struct vgg_model_options network = {
        .arch = cli_arch_name(o->network.arch),
        .weights = o->network.weights,
        .height = o->network.size[0],
        .width = o->network.size[1],
        .last = o->layer,
        .preprocess = o->images.preprocess,
        .seed = cli->common.seed,
    };
    if (o->model) return cli_model_classifier(cli, out, o->model);
    enum vgg_status status = vgg_model_create(out, &network);
    if (status == VGG_OK) cli_model_tell(cli, &o->network, *out);
    if (status == VGG_OK) status = tell_head(cli, &network);
    return status;
}

static void print_text(const struct quantize *o, const struct vgg_quantized *q)
{
    const double mib = 1 << 20;
    printf("%-16s %12s %9s\n", "layer", "step", "error");
    for (size_t i = 0; i < q->layers; i++) {
        const struct vgg_quantized_layer *layer = &q->layer[i];
        if (layer->step > 0) {
            printf("%-16s %12.6g", layer->name, (double)layer->step);
        } else {
            printf("%-16s %12s", layer->name, "fp32");
        }
        printf(" %8.3f%%\n", 1e2 * layer->error);
    }
    printf("\n%s: scales from %zu image%s; int8 against fp32 on %zu: averaged features %.3f%% apart, outputs "
           "%.3f%%",
           o->output, q->images, q->images == 1 ? "" : "s", q->tried, 1e2 * q->features, 1e2 * q->outputs);
    if (!isnan(q->agree)) printf(", the same class %.1f%%", 1e2 * q->agree);
    printf("\none image: %.2f ms in fp32, %.2f ms in int8; activations %.1f MiB, %.1f MiB\n", 1e3 * q->seconds_fp32,
           1e3 * q->seconds_int8, (double)q->activations_fp32 / mib, (double)q->activations_int8 / mib);
}

static enum vgg_status print_json(struct cli *cli, const struct quantize *o, const struct vgg_quantized *q)
{
    cJSON *json = cJSON_CreateObject();
    cli_json_text(json, "output", o->output);
    cJSON_AddNumberToObject(json, "images", (double)q->images);
    cJSON_AddNumberToObject(json, "tried", (double)q->tried);
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (size_t i = 0; i < q->layers; i++) {
        cJSON *layer = cJSON_CreateObject();
        cli_json_text(layer, "name", q->layer[i].name);
        cJSON_AddNumberToObject(layer, "step", (double)q->layer[i].step);
        cJSON_AddNumberToObject(layer, "error", q->layer[i].error);
        cJSON_AddItemToArray(layers, layer);
    }
    cJSON_AddNumberToObject(json, "features", q->features);
    cJSON_AddNumberToObject(json, "outputs", q->outputs);
    cJSON_AddNumberToObject(json, "agree", q->agree);
    cJSON_AddNumberToObject(json, "seconds_fp32", q->seconds_fp32);
    cJSON_AddNumberToObject(json, "seconds_int8", q->seconds_int8);
    cJSON_AddNumberToObject(json, "activations_fp32", (double)q->activations_fp32);
    cJSON_AddNumberToObject(json, "activations_int8", (double)q->activations_int8);
    return cli_json_print(cli, json);
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)count;
    const struct quantize *o = options;
    struct vgg_data *data = NULL;
    struct vgg_engine *engine = NULL;
    struct vgg_model *model = NULL;
    struct vgg_quantized *q = NULL;
    const char *conv = cli->common.engine.conv;
    const struct vgg_quantize_options wanted = { .images = o->images,
                                                 .count = o->count,
                                                 .direct = conv && strcmp(conv, "direct") == 0,
                                                 .progress = cli_progress_report,
                                                 .user = &cli->progress };
    if (!o->output) return cli_usage(cli, "--output is missing");
    cli->common.engine.precision = "int8", cli->common.engine.conv = NULL; /* fp32 is as ever */
    if (!cli->common.engine.backend && !cli->common.engine.device) cli->common.engine.backend = "cpu";
    enum vgg_status status = cli_output_check(cli, o->output, false);
    if (status == VGG_OK) status = vgg_data_open(&data, args[0]);
    if (status == VGG_OK) status = cli_rules_engine(cli, &engine, data, NULL);
    if (status == VGG_OK) status = open_model(cli, &model, o);
    cli_signals_catch();
    if (status == VGG_OK) status = cli_work_status(vgg_quantize(&q, engine, model, data, &wanted));
    cli_progress_clear(&cli->progress);
    if (status == VGG_OK) status = vgg_model_save(model, o->output);
    if (status == VGG_OK && cli->common.json) {
        status = print_json(cli, o, q);
    } else if (status == VGG_OK) {
        print_text(o, q);
    }
    if (status == VGG_OK && q->seconds_int8 > q->seconds_fp32)
        cli_note(cli,
                 "int8 took longer than fp32; if it does so again on an idle machine, fp32 is the better choice here");
    vgg_quantized_destroy(q);
    vgg_model_destroy(model);
    vgg_engine_destroy(engine);
    vgg_data_destroy(data);
    return status;
}

const struct cli_command cli_quantize = {
    .name = "quantize",
    .arguments = "DATA --output Q [--weights W | --model MODEL]",
    .purpose = "Finds the scales of --precision int8 from a few hundred images",
    .data = true,
    .details =
        "DATA are images like those that int8 is for, without labels if need be; fewer than 8 give a warning. They "
        "go through the network in fp32, and each layer gets the scales of least squared error. With --conv direct "
        "int8 computes without Winograd's algorithm from then on: closer to fp32, with 2.25 times the products. "
        "Q holds the base "
        "of --weights or the whole --model as they were, with 18 numbers more a convolution; it is --weights or "
        "--model for every "
        "command, and --precision int8 finds its scales there. `vgg16 convert` to another kind of file leaves "
        "them out. An error is the norm of the difference from fp32 over the norm of fp32, after all layers "
        "below; on up to 32 images.\nJSON: output, images, tried, layers: [{name, step, error}], features, "
        "outputs, agree (share with the same class, or null), seconds_fp32, seconds_int8, activations_fp32, "
        "activations_int8 (bytes)",
    .needs = "DATA",
    .groups = groups,
    .min = 1,
    .max = 1,
    .size = sizeof(struct quantize),
    .run = run,
};
