#include <stdio.h>

#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"

enum layout { LAYOUT_AUTO, LAYOUT_KERAS, LAYOUT_TORCHVISION };
static const char *const layout_names[] = { "auto", "keras", "torchvision", NULL };
static const char *const dtype_names[] = { "f32", "f16", NULL }; /* as enum vgg_weights_precision */

struct convert {
    int layout, dtype;
};

static const struct cli_option convert_options[] = {
    { .name = "layout",
      .value = "NAME",
      .help =
          "keras or torchvision: names and order of the tensors in OUT (default auto: .h5 is Keras'; .safetensors is "
          "torchvision's when IN has Keras names, else Keras')",
      .read = cli_read_choice,
      .choices = layout_names,
      .offset = offsetof(struct convert, layout) },
    { .name = "dtype",
      .value = "NAME",
      .help = "f32, or f16: weights rounded to 11 bits in half the space, in .safetensors only (default f32)",
      .read = cli_read_choice,
      .choices = dtype_names,
      .offset = offsetof(struct convert, dtype) },
    { 0 },
};

static const struct cli_group groups[] = { { "Options:", convert_options, 0 }, { 0 } };

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)count;
    const struct convert *o = options;
    const char *in = args[0], *out = args[1];
    bool h5 = cli_output_extension(out, ".h5");
    if (!h5 && !cli_output_extension(out, ".safetensors")) {
        return cli_usage(cli, "%s: the extension must be .h5 or .safetensors", out);
    }
    enum vgg_weights_layout layout = VGG_WEIGHTS_BY_EXTENSION;
    if (h5) layout = VGG_WEIGHTS_KERAS_H5;
    if (!h5 && o->layout == LAYOUT_KERAS) layout = VGG_WEIGHTS_KERAS_SAFETENSORS;
    if (o->layout == LAYOUT_TORCHVISION) layout = VGG_WEIGHTS_TORCHVISION;
    enum vgg_status status = cli_output_check(cli, out, false);
    if (status != VGG_OK) return status;
    cli_signals_catch(); /* one step: the first signal lets it end, so that nothing half-written stays */
    status = vgg_weights_convert(in, out, layout, (enum vgg_weights_precision)o->dtype);
    if (status != VGG_OK || !cli->common.json) return status;
    cJSON *json = cJSON_CreateObject();
    cli_json_text(json, "input", in);
    cli_json_text(json, "output", out);
    return cli_json_print(cli, json);
}

const struct cli_command cli_convert = {
    .name = "convert",
    .arguments = "IN OUT",
    .purpose = "Converts weights or a model between Keras and PyTorch files",
    .details = "IN is a Keras .h5, a safetensors file with torchvision, timm or Keras names, or a model that `vgg16 "
               "train` wrote, whose head is carried over. OUT ends in .h5 (Keras loads it) or .safetensors (with "
               "torchvision names, PyTorch loads it).\nJSON: input, output",
    .needs = "IN or OUT",
    .groups = groups,
    .min = 2,
    .max = 2,
    .size = sizeof(struct convert),
    .run = run,
};
