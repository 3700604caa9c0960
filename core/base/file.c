#include "core/base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"

struct vgg_file {
    char *path;
    char *temporary; /* NULL: written directly */
    FILE *stream;
    int lock; /* of vgg_os_claim: held until the temporary file has its name, or is gone */
};

static void file_free(struct vgg_file *file)
{
    vgg_os_unlock(file->lock);
    free(file->path);
    free(file->temporary);
    free(file);
}

#define ASIDE ".tmp.vgg16-"

size_t vgg_file_aside(const char *name)
{
    const char *at = strstr(name, ASIDE), *next;
    while (at && (next = strstr(at + 1, ASIDE)))
        at = next;
    const char *end = at ? at + sizeof ASIDE - 1 : "";
    return *end && end[strspn(end, "0123456789abcdef")] == '\0' ? (size_t)(at - name) : 0;
}

/* Opens the first of PATH.tmp.vgg16-0, -1, ... that nobody has made before: a link planted there is not followed. Whose
 * writer is gone makes room. When others write to all of them, a name that nobody else can have is the last.
 * Permissions as for any new file. */
static enum vgg_status open_aside(struct vgg_file *file)
{
    enum { NAMES = 16, TRIES = 64 };
    size_t size = strlen(file->path) + sizeof ASIDE + 16;
    uint64_t name = 0;
    file->temporary = vgg_mem_calloc(size, 1);
    if (!file->temporary) return vgg_fail_memory(file->path, size);
    for (int i = 0; i < TRIES; i++) {
        if (name >= NAMES && !vgg_os_random(&name, sizeof name)) break;
        snprintf(file->temporary, size, "%s" ASIDE "%" PRIx64, file->path, name);
        file->stream = vgg_os_create(file->temporary);
        if (file->stream && vgg_os_claim(&file->lock, file->stream, file->temporary)) break;
        if (file->stream) {
            fclose(file->stream);
            file->stream = NULL;
        } else if (errno != EEXIST) {
            break;
        } else if (!vgg_os_remove_abandoned(file->temporary)) {
            name++;
            errno = EEXIST;
        }
    }
    return VGG_OK;
}

/* Where links lead from `path`, which need not exist: by malloc, NULL without memory or, with *circle, in circles. */
static char *follow_links(const char *path, bool *circle)
{
    enum { MOST = 40 };
    char *at = vgg_mem_strdup(path);
    *circle = false;
    for (int i = 0; at && i < MOST; i++) {
        char target[PATH_MAX];
        if (vgg_os_is_descriptor(at) || !vgg_os_read_link(target, sizeof target, at)) return at;
        char *next = vgg_file_beside(at, target);
        free(at);
        at = next;
    }
    *circle = at != NULL;
    free(at);
    return NULL;
}

/* Is there something at `path` that a rename would replace by a file? */
static bool is_special(const char *path)
{
    struct vgg_os_info info;
    return vgg_os_is_descriptor(path) || (vgg_os_look(&info, path) && info.kind != VGG_OS_FILE);
}

static enum vgg_status create(struct vgg_file **out, const char *path, bool streams)
{
    enum vgg_status status = VGG_OK;
    bool circle;
    *out = NULL;
    struct vgg_file *file = vgg_mem_calloc(1, sizeof *file);
    if (!file) return vgg_fail_memory(path, sizeof *file);
    file->lock = -1;
    file->path = follow_links(path, &circle);
    if (circle) CHECK(vgg_fail(VGG_ERR_IO, "%s: cannot be written: its links lead nowhere", path));
    if (!file->path) CHECK(vgg_fail_memory(path, strlen(path)));
    if (!is_special(file->path)) {
        CHECK(open_aside(file));
    } else if (streams) {
        file->stream = vgg_os_open_stream(file->path);
    } else {
        CHECK(vgg_fail(VGG_ERR_IO, "%s: is no regular file and would be replaced; name another output", path));
    }
    if (!file->stream) CHECK(vgg_fail(VGG_ERR_IO, "%s: cannot be written: %s", path, strerror(errno)));
    *out = file;
    return VGG_OK;
fail:
    file_free(file);
    return status;
}

enum vgg_status vgg_file_create(struct vgg_file **out, const char *path)
{
    return create(out, path, false);
}

enum vgg_status vgg_file_create_or_stream(struct vgg_file **out, const char *path)
{
    return create(out, path, true);
}

static enum vgg_status write_failed(const struct vgg_file *file)
{
    return vgg_fail(VGG_ERR_IO, "%s: writing failed: %s", file->path, strerror(errno));
}

enum vgg_status vgg_file_write(struct vgg_file *file, const void *data, size_t size)
{
    return fwrite(data, 1, size, file->stream) == size ? VGG_OK : write_failed(file);
}

enum vgg_status vgg_file_patch(struct vgg_file *file, uint64_t offset, const void *data, size_t size)
{
    bool good = vgg_os_seek(file->stream, offset) && fwrite(data, 1, size, file->stream) == size &&
                vgg_os_seek_end(file->stream) >= 0 && fflush(file->stream) == 0;
    return good ? VGG_OK : write_failed(file);
}

enum vgg_status vgg_file_printf(struct vgg_file *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vfprintf(file->stream, format, args);
    va_end(args);
    return n >= 0 ? VGG_OK : write_failed(file);
}

const char *vgg_file_temporary(const struct vgg_file *file)
{
    return file->temporary;
}

/* Makes a new name in its folder durable; folders that cannot be synced (some network file systems) are let be. */
static void sync_folder(const char *path)
{
    char *copy = vgg_mem_strdup(path);
    if (!copy) return;
    char *slash = strrchr(copy, '/');
    if (slash) slash[slash == copy] = '\0';
    vgg_os_sync_folder(slash ? copy : ".");
    free(copy);
}

enum vgg_status vgg_file_sync(struct vgg_file *file)
{
    return fflush(file->stream) == 0 && vgg_os_sync(file->stream) ? VGG_OK : write_failed(file);
}

enum vgg_status vgg_file_field(struct vgg_file *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) return vgg_file_printf(file, "%s", text);
    enum vgg_status status = VGG_OK;
    CHECK(vgg_file_printf(file, "\""));
    for (; *text; text++)
        CHECK(vgg_file_printf(file, *text == '"' ? "\"\"" : "%c", *text));
    status = vgg_file_printf(file, "\"");
fail:
    return status;
}

enum vgg_status vgg_file_commit(struct vgg_file *file)
{
    bool good = fflush(file->stream) == 0;
    if (good && file->temporary) good = vgg_os_sync(file->stream);
    int cause = errno;
    if (fclose(file->stream) != 0 && good) good = false, cause = errno;
    file->stream = NULL;
    if (good && file->temporary && !vgg_os_replace(file->temporary, file->path)) good = false, cause = errno;
    if (!good) {
        errno = cause;
        enum vgg_status status = write_failed(file);
        vgg_file_abort(file);
        return status;
    }
    if (file->temporary) sync_folder(file->path);
    file_free(file);
    return VGG_OK;
}

void vgg_file_abort(struct vgg_file *file)
{
    if (!file) return;
    if (file->stream) fclose(file->stream);
    if (file->temporary) vgg_os_remove(file->temporary);
    file_free(file);
}

bool vgg_file_has_extension(const char *path, const char *extension)
{
    size_t n = strlen(path), m = strlen(extension);
    return n > m && strcasecmp(path + n - m, extension) == 0;
}

enum vgg_status vgg_file_mkdirs(const char *path)
{
    char *copy = vgg_mem_strdup(path);
    if (!copy) return vgg_fail_memory(path, strlen(path));
    enum vgg_status status = VGG_OK;
    for (char *end = copy + 1; status == VGG_OK; end++) {
        char saved = *end;
        if (saved != '/' && saved != '\0') continue;
        *end = '\0';
        bool made;
        if (!vgg_os_make_folder(&made, copy)) {
            status = vgg_fail(VGG_ERR_IO, "%s: folder cannot be created: %s", path, strerror(errno));
        } else if (made) {
            sync_folder(copy);
        }
        *end = saved;
        if (saved == '\0') break;
    }
    free(copy);
    return status;
}

char *vgg_file_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash && !vgg_os_is_absolute(name) ? (size_t)(slash - path) + 1 : 0, size = strlen(name) + 1;
    char *beside = vgg_mem_calloc(folder + size, 1);
    if (!beside) return NULL;
    memcpy(beside, path, folder);
    memcpy(beside + folder, name, size);
    return beside;
}

char *vgg_file_join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = vgg_mem_calloc(size, 1);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

enum vgg_status vgg_file_cache(char **out)
{
    char cache[PATH_MAX];
    *out = NULL;
    char *folder = vgg_file_join(vgg_os_cache_folder(cache, sizeof cache) ? cache : "/tmp/.cache", "vgg16");
    if (!folder) return vgg_fail_memory("the cache's path", 0);
    enum vgg_status status = vgg_file_mkdirs(folder);
    if (status != VGG_OK) {
        free(folder);
        return status;
    }
    *out = folder;
    return VGG_OK;
}
