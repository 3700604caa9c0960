#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"

enum layout { LAYOUT_AUTO, LAYOUT_KERAS, LAYOUT_TORCHVISION };
static const char *const layout_names[] = { "auto", "keras", "torchvision", NULL };
static const char *const dtype_names[] = { "f32", "f16", NULL }; /* as enum vgg_weights_precision */

struct convert {
    int layout, dtype, size[2];
    const char *head, *classes;
    enum vgg_preprocess preprocess;
};

static const struct cli_option convert_options[] = {
    { .name = "layout",
      .value = "NAME",
      .help = "keras or torchvision: names and order of the tensors in OUT (default auto: .h5 is Keras', .pth "
              "torchvision's; "
              ".safetensors is torchvision's when IN has Keras names, else Keras')",
      .read = cli_read_choice,
      .choices = layout_names,
      .offset = offsetof(struct convert, layout) },
    { .name = "dtype",
      .value = "NAME",
      .help = "f32, or f16: weights rounded to 11 bits in half the space, in .safetensors and .pth (default f32)",
      .read = cli_read_choice,
      .choices = dtype_names,
      .offset = offsetof(struct convert, dtype) },
    { .name = "head",
      .value = "LAYERS",
      .help = "make a model of IN, whose own dense layers are this head, as `vgg16 train --head` says it (default with "
              "--classes: what a model or a whole model of Keras says of itself, else what their shapes suggest)",
      .read = cli_read_text,
      .offset = offsetof(struct convert, head) },
    { .name = "classes",
      .value = "A,B,...",
      .help = "make a model of IN, whose outputs stand for these classes; two names where one sigmoid unit tells them "
              "apart (default with --head: unnamed)",
      .read = cli_read_text,
      .offset = offsetof(struct convert, classes) },
    { .name = "size",
      .value = "SIZE",
      .help =
          "the input size of that model: one number, or HEIGHTxWIDTH (default: what the file says, else what its dense "
          "layers tell, else 224)",
      .read = cli_read_size,
      .offset = offsetof(struct convert, size) },
    { .name = "preprocess",
      .value = "HOW",
      .help =
          "what that model wants of its images: caffe, torch, rescale or none (default: caffe for Keras files, torch "
          "for PyTorch's)",
      .read = cli_read_choice,
      .names = VGG_NAMES_PREPROCESS,
      .offset = offsetof(struct convert, preprocess) },
    { 0 },
};

static const struct cli_group groups[] = { { "Options:", convert_options, 0 }, { 0 } };

/* "a,b,c" as a list: *names by malloc, pointing into *text, by malloc too. False: no memory. */
static bool split(char **text, const char ***names, int *count, const char *list)
{
    int n = 1;
    for (const char *at = list; *at; at++)
        n += *at == ',';
    *text = strdup(list);
    *names = calloc((size_t)n, sizeof **names);
    if (!*text || !*names) return false;
    char *at = *text;
    for (*count = 0; *count < n; at += strlen(at) + 1) {
        (*names)[(*count)++] = at;
        at[strcspn(at, ",")] = '\0';
    }
    return true;
}

/* Each class has a name, and one of its own. */
static enum vgg_status check_names(struct cli *cli, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (!*names[i]) return cli_usage(cli, "--classes: name %d of %d is empty", i + 1, count);
        for (int k = 0; k < i; k++) {
            if (strcmp(names[i], names[k]) == 0)
                return cli_usage(cli, "--classes: names %d and %d are both %s", k + 1, i + 1, names[i]);
        }
    }
    return VGG_OK;
}

/* IN with the head that its dense layers are, written to OUT. */
static enum vgg_status make_model(struct cli *cli, const struct convert *o, const char *in, const char *out,
                                  enum vgg_weights_layout layout)
{
    struct vgg_model_options options = {
        .weights = in, .head = o->head, .height = o->size[0], .width = o->size[1], .preprocess = o->preprocess
    };
    struct vgg_model *model = NULL;
    char *text = NULL;
    const char **names = NULL;
    int count = 0;
    enum vgg_status status = VGG_OK;
    if (o->classes && !split(&text, &names, &count, o->classes)) {
        status = cli_fail(cli, VGG_ERR_MEMORY, "out of memory for the names of --classes");
    }
    if (status == VGG_OK) status = check_names(cli, names, count);
    if (status == VGG_OK) status = vgg_model_import(&model, &options, names, count);
    if (status == VGG_OK) status = vgg_model_export(model, out, layout, (enum vgg_weights_precision)o->dtype);
    vgg_model_destroy(model);
    free(names), free(text);
    return status;
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)count;
    const struct convert *o = options;
    const char *in = args[0], *out = args[1];
    static const struct {
        const char *extension;
        enum vgg_weights_layout layout;
    } kinds[] = { { ".safetensors", VGG_WEIGHTS_BY_EXTENSION },
                  { ".h5", VGG_WEIGHTS_KERAS_H5 },
                  { ".pth", VGG_WEIGHTS_PTH },
                  { ".pt", VGG_WEIGHTS_PTH },
                  { ".onnx", VGG_WEIGHTS_ONNX } };
    size_t kind = 0, most = sizeof kinds / sizeof *kinds;
    while (kind < most && !cli_output_extension(out, kinds[kind].extension))
        kind++;
    if (kind == most) {
        struct vgg_nearest nearest;
        cli_output_near(&nearest, out, (const char *const[]) { ".safetensors", ".h5", ".pth", ".pt", ".onnx", NULL });
        return cli_usage(cli, "%s: the extension must be .safetensors, .h5, .pth, .pt or .onnx%s", out,
                         vgg_nearest_hint(&nearest, ""));
    }
    enum vgg_weights_layout layout = kinds[kind].layout;
    bool model = o->head || o->classes;
    if (kind == 0 && (model || o->layout == LAYOUT_KERAS)) layout = VGG_WEIGHTS_KERAS_SAFETENSORS;
    if (kind == 0 && o->layout == LAYOUT_TORCHVISION) layout = VGG_WEIGHTS_TORCHVISION;
    enum vgg_status status = cli_output_check(cli, out, false);
    if (status != VGG_OK) return status;
    cli_signals_catch(); /* one step: the first signal lets it end, so that nothing half-written stays */
    status = model ? make_model(cli, o, in, out, layout)
                   : vgg_weights_convert(in, out, layout, (enum vgg_weights_precision)o->dtype);
    if (status != VGG_OK || !cli->common.json) return status;
    cJSON *json = cJSON_CreateObject();
    cli_json_text(json, "input", in);
    cli_json_text(json, "output", out);
    return cli_json_print(cli, json);
}

const struct cli_command cli_convert = {
    .name = "convert",
    .arguments = "IN OUT",
    .purpose = "Converts weights or a model between Keras, PyTorch and ONNX files",
    .details = "IN is a Keras .h5 or .keras, a PyTorch .pth or a safetensors file with torchvision, timm or Keras "
               "names, or a model "
               "that `vgg16 train` wrote, whose head is carried over. OUT ends in .safetensors (Keras or torchvision "
               "names), .h5 (Keras loads it), .pth (torch.load reads it, names as torchvision's, dense layers as "
               "classifier.0, .3, .6 ...) or .onnx (input N x 3 x height x width, preprocessed as the metadata `input` "
               "says). With --head or --classes a classifier that another program trained becomes a model for "
               "predict, evaluate, explain and train --from.\nJSON: input, output",
    .needs = "IN or OUT",
    .groups = groups,
    .min = 2,
    .max = 2,
    .size = sizeof(struct convert),
    .run = run,
};
