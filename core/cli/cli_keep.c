#include "core/cli/cli_keep.h"

#include <stdio.h>
#include <string.h>

enum { PATH_ROOM = 4096 };

/* Saves the model as FOLDER/vgg16-XXXXXX/NAME, which nobody else can have made. */
static bool keep_in(char path[PATH_ROOM], struct cli *cli, const struct vgg_model *model, const char *folder,
                    const char *name)
{
    if (!folder || !*folder) return false;
    int n = snprintf(path, PATH_ROOM, "%s/vgg16-XXXXXX", folder);
    if (n < 0 || (size_t)n + strlen(name) + 2 > PATH_ROOM || !cli_os_new_folder(path)) return false;
    snprintf(path + n, PATH_ROOM - (size_t)n, "/%s", name);
    cli_hold(cli);
    bool good = vgg_model_save(model, path) == VGG_OK;
    (void)cli_release(cli);
    path[n] = good ? '/' : '\0';
    if (!good) cli_os_remove_folder(path);
    return good;
}

enum vgg_status cli_keep_model(struct cli *cli, const struct vgg_model *model, const struct vgg_history *history,
                               const struct cli_train *options)
{
    const char *output = options->output, *slash = strrchr(output, '/'), *name = slash ? slash + 1 : output;
    const char *const folders[] = { options->checkpoint, cli_os_temporary(0), cli_os_temporary(1) };
    char reason[CLI_REASON], path[PATH_ROOM];
    cli_hold(cli);
    enum vgg_status status = vgg_model_save(model, output);
    snprintf(reason, sizeof reason, "%s", cli_release(cli));
    if (status == VGG_OK) return VGG_OK;
    for (size_t i = 0; history->steps && i < sizeof folders / sizeof *folders; i++) {
        if (keep_in(path, cli, model, folders[i], name))
            return cli_fail(cli, status, "%s; the model is in %s instead: move it to where it belongs", reason, path);
    }
    return cli_fail(cli, status, "%s%s", reason, history->steps ? ", and the model fits nowhere else" : "");
}
