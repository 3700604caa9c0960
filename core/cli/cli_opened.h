/* cli_opened.h: what evaluate, predict and explain begin with: data, an engine, a classifier. */
#ifndef CORE_CLI_CLI_OPENED_H
#define CORE_CLI_CLI_OPENED_H

#include "core/cli/cli.h"

struct cli_opened {
    struct vgg_data *data;
    struct vgg_engine *engine;
    struct vgg_model *model;
};

/* The one argument as DATA, or several as images and folders of them. */
enum vgg_status cli_opened_data(struct cli_opened *opened, char **args, int count);
/* After it the engine, which options are judged by once more, and the model, against the record that `file`, the data,
 * may have. */
enum vgg_status cli_opened_classifier(struct cli *cli, struct cli_opened *opened, const char *file, const char *model,
                                      const struct vgg_image_options *images);
/* Warns of a --decode fast that finds no JPEG, by the names in both data sets; the second may be NULL. */
void cli_opened_tell(struct cli *cli, const struct vgg_image_options *images, const struct vgg_data *data,
                     const struct vgg_data *also);
void cli_opened_finish(struct cli_opened *opened); /* also what was opened in part */

#endif
