/* cli_keep.h: what hours have trained is not lost for want of a place. */
#ifndef CORE_CLI_CLI_KEEP_H
#define CORE_CLI_CLI_KEEP_H

#include "core/cli/cli_train.h"

/* Saves a trained model as the options say. Where that fails, it goes into a new folder vgg16-... in the folder of
 * checkpoints, $TMPDIR or /tmp, under its own name; the failure is reported all the same, with where it is now. */
enum vgg_status cli_keep_model(struct cli *cli, const struct vgg_model *model, const struct vgg_history *history,
                               const struct cli_train *options);

#endif
