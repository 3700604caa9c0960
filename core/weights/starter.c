/* Where the starter weights are: a file of 29 MB that is installed once, beside the two libraries and the program that
 * all use it, instead of a copy inside each of them and inside every program linked with the static library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/weights/weights.h"

enum { PATH_SIZE = 4096, UP = 3 };

static const char installed[] = VGG16_DATADIR "/vgg16/" VGG16_STARTER;
static const char below[] = "share/vgg16/" VGG16_STARTER;

static enum vgg_status found(char **out, const char *path)
{
    *out = vgg_mem_strdup(path);
    return *out ? VGG_OK : vgg_fail_memory(path, strlen(path));
}

/* PREFIX/share/vgg16 for a module in PREFIX, PREFIX/bin, PREFIX/lib or PREFIX/lib/TRIPLET; a build folder has the same
 * shape. Takes `real`, the module's path or NULL, over. VGG_ERR_MISSING without a message. */
static enum vgg_status find_near(char **out, char *real)
{
    char path[PATH_SIZE + sizeof below];
    enum vgg_status status = VGG_ERR_MISSING;
    for (int i = 0; real && i < UP && status == VGG_ERR_MISSING; i++) {
        char *slash = strrchr(real, '/');
        if (!slash) break;
        *slash = '\0';
        int n = snprintf(path, sizeof path, "%s/%s", real, below);
        if (n > 0 && (size_t)n < sizeof path && vgg_os_readable(path)) status = found(out, path);
    }
    free(real);
    return status;
}

/* What $VGG16_STARTER says, or NULL. */
static const char *named_file(void)
{
    const char *path = getenv("VGG16_STARTER");
    return path && *path ? path : NULL;
}

enum vgg_status vgg_weights_starter(char **out)
{
    const char *named = named_file();
    *out = NULL;
    if (named) return vgg_os_readable(named) ? found(out, named) : VGG_ERR_MISSING;
    /* The library's own file, or the program's it is linked into. */
    enum vgg_status status = find_near(out, vgg_os_module(below));
    if (status == VGG_ERR_MISSING) status = find_near(out, vgg_os_program());
    if (status == VGG_ERR_MISSING && vgg_os_readable(installed)) status = found(out, installed);
    return status;
}

enum vgg_status vgg_weights_need_starter(char **out)
{
    enum vgg_status status = vgg_weights_starter(out);
    if (status != VGG_ERR_MISSING) return status;
    return vgg_fail(
        status,
        "%s: no starter weights there; they are installed with the program, and VGG16_STARTER names another "
        "place; or take --weights FILE, imagenet or random",
        named_file() ? named_file() : installed);
}
