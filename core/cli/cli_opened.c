#include "core/cli/cli_opened.h"

#include "core/cli/cli_model.h"
#include "core/cli/cli_origin.h"
#include "core/cli/cli_output.h"
#include "core/cli/cli_rules.h"

enum vgg_status cli_opened_data(struct cli_opened *opened, char **args, int count)
{
    if (count == 1) return vgg_data_open(&opened->data, args[0]);
    return vgg_data_open_images(&opened->data, (const char *const *)args, (size_t)count);
}

enum vgg_status cli_opened_classifier(struct cli *cli, struct cli_opened *opened, const char *file, const char *model,
                                      const struct vgg_image_options *images)
{
    enum vgg_status status = cli_origin_images(cli, file, opened->data, images);
    if (status == VGG_OK) cli_opened_tell(cli, images, opened->data, NULL);
    if (status == VGG_OK) status = cli_rules_engine(cli, &opened->engine, opened->data, NULL);
    return status == VGG_OK ? cli_model_classifier(cli, &opened->model, model) : status;
}

/* Is one of the files named as a JPEG? */
static bool has_jpeg(const struct vgg_data *data)
{
    static const char *const jpeg[] = { ".jpg", ".jpeg", ".jfif", ".jpe", ".jfi", NULL };
    for (size_t i = 0; data && i < vgg_data_count(data); i++) {
        if (cli_output_ends(vgg_data_path(data, i), jpeg)) return true;
    }
    return false;
}

void cli_opened_tell(struct cli *cli, const struct vgg_image_options *images, const struct vgg_data *data,
                     const struct vgg_data *also)
{
    if (images->decode != VGG_DECODE_FAST || vgg_data_origin(data) || has_jpeg(data) || has_jpeg(also)) return;
    cli_progress_log(&cli->progress, VGG_LOG_WARNING,
                     "--decode fast: acts on JPEG files alone, and by its name none is one; all are decoded whole");
}

void cli_opened_finish(struct cli_opened *opened)
{
    vgg_model_destroy(opened->model);
    vgg_engine_destroy(opened->engine);
    vgg_data_destroy(opened->data);
}
