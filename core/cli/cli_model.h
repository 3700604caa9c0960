/* cli_model.h: how commands come to a network, and the options for it. */
#ifndef CORE_CLI_CLI_MODEL_H
#define CORE_CLI_CLI_MODEL_H

#include "core/cli/cli.h"

/* Targets of cli_network_options. */
struct cli_network {
    const char *weights; /* NULL: the default of the library */
    int arch;            /* of VGG_NAMES_ARCH, 0: not given */
    int size[2];         /* height, width; 0: not given */
};
extern const struct cli_option cli_network_options[]; /* --weights, --arch, --size */
extern const struct cli_option cli_model_option[];    /* --model; target: const char * */

/* The name for vgg_model_options, NULL for 0. */
const char *cli_arch_name(int arch);

/* Says where the weights come from when the user has not named them. */
void cli_model_tell(struct cli *cli, const struct cli_network *network, const struct vgg_model *model);
/* A model has its own architecture and input size; options may only say the same. arch: NULL for not given; height 0
 * likewise. */
enum vgg_status cli_model_fits(struct cli *cli, const struct vgg_model *model, const char *path, const char *arch,
                               int height, int width);
/* Refuses a --trainable that is no layer or block of the model. */
enum vgg_status cli_model_trainable(struct cli *cli, const struct vgg_model *model, const char *what);
/* A network that classifies: a model, or weights with the ImageNet top. */
enum vgg_status cli_model_classifier(struct cli *cli, struct vgg_model **out, const char *path);

/* What the library finds wrong while it works lies in the data and not in the command line: no wrong usage. */
enum vgg_status cli_work_status(enum vgg_status status);

/* The class's name, or its number where it has none. */
struct cli_class {
    char text[128];
};
struct cli_class cli_class_name(const struct vgg_model *model, int label);

#endif
