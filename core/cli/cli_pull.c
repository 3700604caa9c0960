#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_output.h"

static const struct cli_group groups[] = { { 0 } };

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)options, (void)count;
    const char *name = args[0];
    struct vgg_nearest nearest = { .text = name };
    if (strcmp(name, "vgg16") != 0 && strcmp(name, "vgg16-notop") != 0) {
        vgg_nearest_try(&nearest, "vgg16");
        vgg_nearest_try(&nearest, "vgg16-notop");
        return cli_usage(cli, "%s: unknown weights; vgg16 and vgg16-notop can be pulled%s", name,
                         vgg_nearest_hint(&nearest, ""));
    }
    char *path;
    cli_signals_catch();
    enum vgg_status status = vgg_weights_pull(&path, name, cli_progress_report, &cli->progress);
    if (status != VGG_OK) return status;
    cli_progress_clear(&cli->progress);
    if (cli->common.json) {
        cJSON *json = cJSON_CreateObject();
        cli_json_text(json, "name", name);
        cli_json_text(json, "path", path);
        status = cli_json_print(cli, json);
    } else {
        puts(path);
    }
    free(path);
    return status;
}

const struct cli_command cli_pull = {
    .name = "pull",
    .arguments = "vgg16|vgg16-notop",
    .purpose = "Finds the ImageNet weights on this machine, else downloads them",
    .details =
        "Copies that Keras, PyTorch or Hugging Face keep are used where they are. A download is verified by its digest "
        "and kept in $XDG_CACHE_HOME/vgg16. From then on --weights imagenet means this file. vgg16 has the classifier "
        "of 1000 classes, vgg16-notop has not and is smaller. The path is printed.\nJSON: name, path",
    .needs = "vgg16 or vgg16-notop",
    .groups = groups,
    .min = 1,
    .max = 1,
    .run = run,
};
