#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"

struct vgg_file {
    char *path;
    char *temporary; /* NULL: written directly */
    FILE *stream;
};

static void file_free(struct vgg_file *file)
{
    free(file->path);
    free(file->temporary);
    free(file);
}

/* Opens PATH.tmp.RANDOM, which nobody has made before: a link planted under a name that could be guessed would be
 * followed. Permissions as for any new file. */
static enum vgg_status open_aside(struct vgg_file *file)
{
    enum { TRIES = 16 };
    size_t size = strlen(file->path) + 32;
    file->temporary = vgg_mem_calloc(size, 1);
    if (!file->temporary) return vgg_fail_memory(file->path, size);
    int fd = -1;
    for (int i = 0; i < TRIES && fd < 0; i++) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) break;
        snprintf(file->temporary, size, "%s.tmp.%016" PRIx64, file->path, random);
        fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    file->stream = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file->stream && fd >= 0) {
        close(fd);
        unlink(file->temporary);
    }
    return VGG_OK;
}

/* The descriptor that /dev/stdout, /dev/fd/N or /proc/self/fd/N stands for; -1: it is no such name. */
static int descriptor_of(const char *path)
{
    static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
    if (strcmp(path, "/dev/stdout") == 0) return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0) return STDERR_FILENO;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t length = strlen(folders[i]);
        if (strncmp(path, folders[i], length) != 0) continue;
        size_t digits = strspn(path + length, "0123456789");
        if (digits > 0 && digits < 7 && path[length + digits] == '\0') return atoi(path + length);
    }
    return -1;
}

/* Where links lead from `path`, which need not exist: by malloc, NULL without memory or, with *circle, in circles. */
static char *follow_links(const char *path, bool *circle)
{
    enum { MOST = 40 };
    char *at = vgg_mem_strdup(path);
    *circle = false;
    for (int i = 0; at && i < MOST; i++) {
        char target[PATH_MAX];
        ssize_t n = descriptor_of(at) >= 0 ? -1 : readlink(at, target, sizeof target - 1);
        if (n < 0) return at;
        target[n] = '\0';
        char *slash = strrchr(at, '/'), *next;
        if (target[0] == '/' || !slash) {
            next = vgg_mem_strdup(target);
        } else {
            *slash = '\0';
            next = vgg_file_join(at, target);
        }
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
    struct stat info;
    return descriptor_of(path) >= 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode));
}

static void open_directly(struct vgg_file *file)
{
    int own = descriptor_of(file->path), fd = own >= 0 ? dup(own) : -1;
    file->stream = own < 0 ? fopen(file->path, "wb") : fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file->stream && fd >= 0) close(fd);
}

static enum vgg_status create(struct vgg_file **out, const char *path, bool streams)
{
    enum vgg_status status = VGG_OK;
    bool circle;
    *out = NULL;
    struct vgg_file *file = vgg_mem_calloc(1, sizeof *file);
    if (!file) return vgg_fail_memory(path, sizeof *file);
    file->path = follow_links(path, &circle);
    if (circle) CHECK(vgg_fail(VGG_ERR_IO, "%s: cannot be written: its links lead nowhere", path));
    if (!file->path) CHECK(vgg_fail_memory(path, strlen(path)));
    if (!is_special(file->path)) {
        CHECK(open_aside(file));
    } else if (streams) {
        open_directly(file);
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
    bool good = fseeko(file->stream, (off_t)offset, SEEK_SET) == 0 && fwrite(data, 1, size, file->stream) == size &&
                fseeko(file->stream, 0, SEEK_END) == 0 && fflush(file->stream) == 0;
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

/* Makes the rename itself durable; folders that cannot be synced (some network file systems) are let be. */
static void sync_folder(const char *path)
{
    char *copy = vgg_mem_strdup(path);
    if (!copy) return;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(copy);
}

enum vgg_status vgg_file_sync(struct vgg_file *file)
{
    return fflush(file->stream) == 0 && fsync(fileno(file->stream)) == 0 ? VGG_OK : write_failed(file);
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
    if (good && file->temporary) good = fsync(fileno(file->stream)) == 0;
    int cause = errno;
    if (fclose(file->stream) != 0 && good) good = false, cause = errno;
    file->stream = NULL;
    if (good && file->temporary && rename(file->temporary, file->path) != 0) good = false, cause = errno;
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
    if (file->temporary) unlink(file->temporary);
    file_free(file);
}

enum vgg_status vgg_file_map(const void **data, size_t *size, const char *path)
{
    *data = NULL, *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait for its writer */
    if (fd < 0) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat info;
    enum vgg_status status = VGG_OK;
    if (fstat(fd, &info) != 0) {
        status = vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        status = vgg_fail(VGG_ERR_IO, "%s: is not a regular file", path);
    } else if (info.st_size == 0) {
        status = vgg_fail(VGG_ERR_FORMAT, "%s: is empty", path);
    } else {
        void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            status = vgg_fail(VGG_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        } else {
            *data = map, *size = (size_t)info.st_size;
        }
    }
    close(fd);
    return status;
}

void vgg_file_unmap(const void *data, size_t size)
{
    if (data) munmap((void *)(uintptr_t)data, size);
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
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            status = vgg_fail(VGG_ERR_IO, "%s: folder cannot be created: %s", path, strerror(errno));
        }
        *end = saved;
        if (saved == '\0') break;
    }
    free(copy);
    return status;
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
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    *out = NULL;
    char *folder =
        cache && *cache ? vgg_file_join(cache, "vgg16") : vgg_file_join(home && *home ? home : "/tmp", ".cache/vgg16");
    if (!folder) return vgg_fail_memory("the cache's path", 0);
    enum vgg_status status = vgg_file_mkdirs(folder);
    if (status != VGG_OK) {
        free(folder);
        return status;
    }
    *out = folder;
    return VGG_OK;
}
