#include "core/cli/cli_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum vgg_status cli_output_check(struct cli *cli, const char *path, bool streams)
{
    if (!cli_first(cli)) return VGG_OK;
    enum cli_os_kind kind = cli_os_kind(path);
    if (kind == CLI_OS_FOLDER || (kind == CLI_OS_OTHER && !streams))
        return cli_fail(cli, VGG_ERR_IO, "%s: is not a regular file; name a file to write", path);
    if (kind == CLI_OS_OTHER) return VGG_OK;
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (!folder) return cli_fail(cli, VGG_ERR_MEMORY, "out of memory");
    if (slash) slash[slash == folder] = '\0';
    const char *where = slash ? folder : ".";
    enum vgg_status status = VGG_OK;
    if (cli_os_kind(where) != CLI_OS_FOLDER) {
        status =
            cli_fail(cli, VGG_ERR_IO, "%s: cannot be written: there is no folder %s; create it first", path, where);
    } else if (!cli_os_writable(where)) {
        status = cli_fail(cli, VGG_ERR_IO, "%s: cannot be written: %s; choose another folder", path, strerror(errno));
    }
    free(folder);
    return status;
}

bool cli_output_extension(const char *path, const char *extension)
{
    size_t n = strlen(path), m = strlen(extension);
    return n > m && strcasecmp(path + n - m, extension) == 0;
}

bool cli_output_ends(const char *path, const char *const *extensions)
{
    for (; *extensions; extensions++) {
        if (cli_output_extension(path, *extensions)) return true;
    }
    return false;
}

void cli_output_near(struct vgg_nearest *nearest, const char *path, const char *const *extensions)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    *nearest = (struct vgg_nearest) { .text = dot ? dot : "" };
    for (; dot && !strpbrk(dot, "0123456789") && *extensions; extensions++)
        vgg_nearest_try(nearest, *extensions);
}

static bool json_lacks; /* memory, for a part of it */

static void *json_take(size_t size)
{
    void *memory = malloc(size);
    if (!memory) json_lacks = true;
    return memory;
}

void cli_json_begin(void)
{
    cJSON_InitHooks(&(cJSON_Hooks) { .malloc_fn = json_take, .free_fn = free });
}

enum vgg_status cli_json_print(struct cli *cli, cJSON *json)
{
    char *text = cJSON_Print(json);
    bool whole = text && !json_lacks;
    cJSON_Delete(json);
    if (whole) puts(text);
    free(text);
    return whole ? VGG_OK : cli_fail(cli, VGG_ERR_MEMORY, "out of memory for the results as JSON");
}

/* Bytes of the UTF-8 sequence at `s`, 0 where there is none (overlong forms and surrogates are none). */
static size_t sequence(const unsigned char *s)
{
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
    }
    if (s[0] == 0xE0 && s[1] < 0xA0) return 0;
    if (s[0] == 0xED && s[1] >= 0xA0) return 0;
    if (s[0] == 0xF0 && s[1] < 0x90) return 0;
    if (s[0] == 0xF4 && s[1] >= 0x90) return 0;
    return n;
}

cJSON *cli_json_string(const char *text)
{
    char *clean = json_take(3 * strlen(text) + 1), *to = clean;
    if (!clean) return NULL;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = sequence(s);
        if (n) {
            memcpy(to, s, n);
        } else {
            memcpy(to, "\xEF\xBF\xBD", 3);
        }
        to += n ? n : 3;
        s += n ? n : 1;
    }
    *to = '\0';
    cJSON *string = cJSON_CreateString(clean);
    free(clean);
    return string;
}

void cli_json_text(cJSON *object, const char *key, const char *text)
{
    cJSON_AddItemToObject(object, key, cli_json_string(text));
}
