/* cli_origin.h: the command line against what a file of features records of how they were made. Without a record
 * nothing is refused. */
#ifndef CORE_CLI_CLI_ORIGIN_H
#define CORE_CLI_CLI_ORIGIN_H

#include "core/cli/cli_model.h"

/* Typed options that contradict the record of `data`, which `file` names, are wrong usage. */
enum vgg_status cli_origin_images(struct cli *cli, const char *file, const struct vgg_data *data,
                                  const struct vgg_image_options *images);
enum vgg_status cli_origin_network(struct cli *cli, const char *file, const struct vgg_data *data,
                                   const struct cli_network *network, const char *layer);

/* Makes the network for features with a record: what `options` leave open is as recorded. What was typed (weights,
 * options->last as --layer, head) and does not fit the record then is wrong usage; recorded weights that are gone or
 * have changed fail. */
enum vgg_status cli_origin_create(struct cli *cli, struct vgg_model **out, const char *file,
                                  const struct vgg_origin *origin, struct vgg_model_options options, bool head_typed);

/* The head's first layer for such features: "gap" for averages, "gmp" for maxima, else "flatten". */
const char *cli_origin_head(const struct vgg_origin *origin);

#endif
