#include "core/cli/cli_model.h"

#include <stdio.h>
#include <string.h>

#include "core/cli/cli_options.h"

const struct cli_option cli_network_options[] = {
    { .name = "weights",
      .value = "W",
      .help = "a file (Keras .h5 or .keras, PyTorch .pth, .safetensors, a model or a checkpoint), imagenet (what "
              "`vgg16 pull` "
              "finds), starter (small, comes "
              "with the program), or random (He normal, from --seed) (default: imagenet if it is on this machine, else "
              "starter)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_network, weights) },
    { .name = "arch",
      .value = "NAME",
      .help =
          "vgg11, vgg13, vgg16 or vgg19; convolutions that shallower weights lack start as the identity (default: what "
          "the weights hold, else vgg16)",
      .read = cli_read_choice,
      .names = VGG_NAMES_ARCH,
      .offset = offsetof(struct cli_network, arch) },
    { .name = "size",
      .value = "SIZE",
      .help = "input size: one number, or HEIGHTxWIDTH (default: what the weights were trained at if they are a model "
              "or starter, else 224)",
      .read = cli_read_size,
      .offset = offsetof(struct cli_network, size) },
    { 0 },
};

const struct cli_option cli_model_option[] = {
    { .name = "model",
      .letter = 'm',
      .value = "MODEL",
      .help = "what `vgg16 train` wrote, a checkpoint or a folder of them (its newest) included; starter (ten kinds of "
              "animals and vehicles); or weights with their top: a file, or imagenet (required)",
      .read = cli_read_text },
    { 0 },
};

const char *cli_arch_name(int arch)
{
    return arch ? vgg_name(VGG_NAMES_ARCH, arch) : NULL;
}

void cli_model_tell(struct cli *cli, const struct cli_network *network, const struct vgg_model *model)
{
    if (!network->weights) cli_note(cli, "weights: %s", vgg_model_weights(model));
}

enum vgg_status cli_model_classifier(struct cli *cli, struct vgg_model **out, const char *path)
{
    *out = NULL;
    if (!path) return cli_usage(cli, "--model is missing");
    enum vgg_status status = vgg_model_open(out, &(struct vgg_model_options) { .weights = path, .head = "top" });
    if (status == VGG_OK && vgg_model_class_count(*out) == 0) {
        vgg_model_destroy(*out);
        *out = NULL;
        status = cli_fail(cli, VGG_ERR_MISSING, "%s: has no head that classifies; train one with vgg16 train", path);
    }
    return status;
}

enum vgg_status cli_model_fits(struct cli *cli, const struct vgg_model *model, const char *path, const char *arch,
                               int height, int width)
{
    int h, w;
    enum vgg_preprocess preprocess;
    vgg_model_input(model, &h, &w, &preprocess);
    if (arch && strcmp(arch, vgg_model_arch(model)) != 0) {
        return cli_usage(cli, "--arch %s: %s is a %s", arch, path, vgg_model_arch(model));
    }
    if (height && (height != h || width != w)) {
        return cli_usage(cli, "--size: %s was made for %dx%d; leave --size out", path, h, w);
    }
    return VGG_OK;
}

enum vgg_status cli_model_trainable(struct cli *cli, const struct vgg_model *model, const char *what)
{
    static const char *const groups[] = { "head", "all", "block1", "block2", "block3", "block4", "block5" };
    struct vgg_nearest nearest = { .text = what };
    if (vgg_model_trainable(model, what) >= 0) return VGG_OK;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        vgg_nearest_try(&nearest, groups[i]);
    for (int i = 0; i < vgg_model_layer_count(model); i++) {
        struct vgg_layer_info layer;
        if (vgg_model_layer(model, i, &layer) == VGG_OK) vgg_nearest_try(&nearest, layer.name);
    }
    return cli_usage(cli, "--trainable %s: no such layer or block%s", what, vgg_nearest_hint(&nearest, ""));
}

enum vgg_status cli_work_status(enum vgg_status status)
{
    return status == VGG_ERR_ARGUMENT ? VGG_ERR_FORMAT : status;
}

struct cli_class cli_class_name(const struct vgg_model *model, int label)
{
    struct cli_class class;
    const char *name = vgg_model_class_name(model, label);
    if (name && *name) {
        snprintf(class.text, sizeof class.text, "%s", name);
    } else {
        snprintf(class.text, sizeof class.text, "%d", label);
    }
    return class;
}
