#include <inttypes.h>
#include <stdio.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"
#include "core/vgg16_ranks.h"

static const struct cli_group groups[] = { { 0 } };

static enum vgg_status print_result(struct cli *cli, const char *output, const struct vgg_merged *merged)
{
    const int shape[] = { merged->height, merged->width, merged->channels };
    if (!cli->common.json) {
        printf("%s: %" PRIu64 " x %d x %d x %d, %s\n", output, merged->images, shape[0], shape[1], shape[2],
               merged->layer);
        return VGG_OK;
    }
    cJSON *json = cJSON_CreateObject();
    cli_json_text(json, "output", output);
    cli_json_text(json, "layer", merged->layer);
    cJSON_AddNumberToObject(json, "images", (double)merged->images);
    cJSON_AddItemToObject(json, "shape", cJSON_CreateIntArray(shape, 3));
    return cli_json_print(cli, json);
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)options;
    static const char *const kinds[] = { ".npy", ".h5", ".safetensors", ".csv", NULL };
    const char *out = args[0];
    struct vgg_merged merged;
    if (!cli_output_ends(out, kinds)) {
        struct vgg_nearest nearest;
        cli_output_near(&nearest, out, kinds);
        return cli_usage(cli, "%s: the extension must be .npy, .h5, .safetensors or .csv%s", out,
                         vgg_nearest_hint(&nearest, ""));
    }
    enum vgg_status status = cli_output_check(cli, out, false);
    if (status != VGG_OK) return status;
    cli_signals_catch();
    status = cli_work_status(vgg_features_merge(out, (const char *const *)args + 1, (size_t)count - 1, &merged,
                                                cli_progress_report, &cli->progress));
    cli_progress_clear(&cli->progress);
    return status == VGG_OK ? print_result(cli, out, &merged) : status;
}

const struct cli_command cli_merge = {
    .name = "merge",
    .arguments = "OUT PART...",
    .purpose = "Joins the parts that `vgg16 extract --part` wrote into one file of features",
    .details =
        "All parts of one extraction, in any order: OUT is then, byte for byte, what `vgg16 extract` would have "
        "written at once, with the files beside it: by its extension .npy (F.npy has F.labels.npy and F.paths.txt), "
        ".h5, .safetensors or .csv. Parts that are missing, there twice, or of other data, "
        "weights, settings, devices or versions are refused. Of each PART little is held in memory. An "
        "interrupted run leaves no file.\nJSON: output, layer, images, shape [h, w, c]",
    .needs = "OUT or PART",
    .groups = groups,
    .min = 2,
    .max = -1,
    .run = run,
};
