#include <inttypes.h>
#include <stdio.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"
#include "core/vgg16_ranks.h"

struct merge {
    const char *output;
};

static const struct cli_option merge_options[] = {
    { .name = "output",
      .letter = 'o',
      .value = "FILE",
      .help = "file to write, by its extension, as `vgg16 extract` does: .npy (F.npy has F.labels.npy and F.paths.txt "
              "beside it), .h5, .safetensors or .csv (required)",
      .read = cli_read_text,
      .offset = offsetof(struct merge, output) },
    { 0 },
};

static const struct cli_group groups[] = { { "Options:", merge_options, 0 }, { 0 } };

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
    const struct merge *o = options;
    struct vgg_merged merged;
    if (!o->output) return cli_usage(cli, "--output is missing");
    enum vgg_status status = cli_output_check(cli, o->output, false);
    if (status != VGG_OK) return status;
    cli_signals_catch();
    status = cli_work_status(vgg_features_merge(o->output, (const char *const *)args, (size_t)count, &merged,
                                                cli_progress_report, &cli->progress));
    cli_progress_clear(&cli->progress);
    return status == VGG_OK ? print_result(cli, o->output, &merged) : status;
}

const struct cli_command cli_merge = {
    .name = "merge",
    .arguments = "PART... --output FILE",
    .purpose = "Joins the parts that `vgg16 extract --part` wrote into one file of features",
    .details =
        "All parts of one extraction, in any order: FILE is then, byte for byte, what `vgg16 extract` would have "
        "written at once, with the files beside it. Parts that are missing, there twice, or of other data, "
        "weights, settings, devices or versions are refused. Of each PART little is held in memory. An "
        "interrupted run leaves no file.\nJSON: output, layer, images, shape [h, w, c]",
    .needs = "PART",
    .groups = groups,
    .min = 1,
    .max = -1,
    .size = sizeof(struct merge),
    .run = run,
};
