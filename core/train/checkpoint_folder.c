#include "core/train/checkpoint_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"

#define LOCK_NAME ".lock"
enum { NAME = 80 };

/* ---- the lock ---- */

static enum vgg_status fail_taken(const char *path, const char *holder)
{
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: another training%s%s%s keeps its checkpoints there; wait for its end, or name another "
                    "--checkpoint folder",
                    path, *holder ? " (process " : "", holder, *holder ? ")" : "");
}

static enum vgg_status lock_folder(int *lock, const char *path)
{
    char holder[VGG_OS_HOLDER], *name = vgg_file_join(path, LOCK_NAME);
    *lock = -1;
    if (!name) return vgg_fail_memory(path, strlen(path));
    enum vgg_os_lock answer = vgg_os_lock(lock, holder, name);
    int cause = errno;
    free(name);
    switch (answer) {
    case VGG_OS_LOCK_HELD: return VGG_OK;
    case VGG_OS_LOCK_TAKEN: return fail_taken(path, holder);
    case VGG_OS_LOCK_FAILED:
        return vgg_fail(VGG_ERR_IO, "%s: no checkpoint can be written there: %s", path, strerror(cause));
    case VGG_OS_LOCK_UNSUPPORTED: break;
    }
    vgg_log(VGG_LOG_WARNING, "%s: cannot be locked (%s); see to it that no other training keeps its checkpoints there",
            path, strerror(cause));
    return VGG_OK;
}

/* ---- what lies there ---- */

static void print_name(char name[NAME], const struct vgg_checkpoint_mark *mark)
{
    snprintf(name, NAME, "checkpoint-%06lu-%08lu.safetensors", mark->epoch, mark->step);
}

/* False for any name that print_name does not give. */
static bool read_name(struct vgg_checkpoint_mark *mark, const char *name)
{
    char same[NAME];
    if (sscanf(name, "checkpoint-%lu-%lu", &mark->epoch, &mark->step) != 2) return false;
    print_name(same, mark);
    return strcmp(name, same) == 0;
}

static int compare(const void *a, const void *b)
{
    const struct vgg_checkpoint_mark *x = a, *y = b;
    if (x->epoch != y->epoch) return x->epoch < y->epoch ? -1 : 1;
    return (x->step > y->step) - (x->step < y->step);
}

enum vgg_status vgg_checkpoint_list(struct vgg_checkpoint_mark **out, size_t *count, const char *folder)
{
    struct vgg_checkpoint_mark *marks = NULL, mark;
    size_t n = 0, room = 0;
    enum vgg_status status = VGG_OK;
    *out = NULL, *count = 0;
    errno = 0;
    struct vgg_os_folder *directory = vgg_os_folder_open(folder);
    struct vgg_os_entry entry;
    while (directory && status == VGG_OK) {
        if (!vgg_os_folder_next(directory, &entry)) break;
        if (!read_name(&mark, entry.name)) continue;
        if (n == room) {
            room = room ? 2 * room : 8;
            void *grown = realloc(marks, room * sizeof *marks);
            if (!grown) status = vgg_fail_memory(folder, room * sizeof *marks);
            if (grown) marks = grown;
        }
        if (status == VGG_OK) marks[n++] = mark;
    }
    if (status == VGG_OK && errno && errno != ENOENT)
        status = vgg_fail(VGG_ERR_IO, "%s: the checkpoint folder cannot be read: %s", folder, strerror(errno));
    vgg_os_folder_close(directory);
    if (status != VGG_OK) {
        free(marks);
        return status;
    }
    if (n) qsort(marks, n, sizeof *marks, compare);
    *out = marks, *count = n;
    return VGG_OK;
}

char *vgg_checkpoint_path(const char *folder, const struct vgg_checkpoint_mark *mark)
{
    char name[NAME];
    print_name(name, mark);
    return vgg_file_join(folder, name);
}

/* ---- taking and leaving ---- */

/* Trainings that were killed leave checkpoints half-written, under names that no later one need come to again. */
static void remove_halves(const char *folder)
{
    struct vgg_checkpoint_mark mark;
    struct vgg_os_entry entry;
    char whole[NAME];
    struct vgg_os_folder *directory = vgg_os_folder_open(folder);
    while (directory && vgg_os_folder_next(directory, &entry)) {
        size_t n = vgg_file_aside(entry.name);
        if (n == 0 || n >= sizeof whole) continue;
        snprintf(whole, sizeof whole, "%.*s", (int)n, entry.name);
        char *path = read_name(&mark, whole) ? vgg_file_join(folder, entry.name) : NULL;
        if (path && vgg_os_remove_abandoned(path))
            vgg_log(VGG_LOG_INFO, "%s: removed; its writer was ended before it was whole", path);
        free(path);
    }
    vgg_os_folder_close(directory);
}

static enum vgg_status fail_holds(const char *path, const struct vgg_checkpoint_mark *marks, size_t count)
{
    char which[96];
    const struct vgg_checkpoint_mark *first = &marks[0], *last = &marks[count - 1];
    snprintf(which, sizeof which,
             first->epoch == last->epoch ? "epoch %lu"
             : count == 2                ? "epochs %lu and %lu"
                                         : "epochs %lu to %lu",
             first->epoch, last->epoch);
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: holds %zu checkpoint%s of an earlier training (%s); go on with it by --resume, replace it by "
                    "--overwrite, or name another --checkpoint folder",
                    path, count, count == 1 ? "" : "s", which);
}

enum vgg_status vgg_checkpoint_folder_take(struct vgg_checkpoint_folder *folder, const char *path, bool resume,
                                           bool overwrite)
{
    enum vgg_status status = VGG_OK;
    struct vgg_checkpoint_mark *marks = NULL;
    size_t count;
    int lock = -1;
    CHECK(vgg_file_mkdirs(path));
    CHECK(lock_folder(&lock, path));
    remove_halves(path);
    CHECK(vgg_checkpoint_list(&marks, &count, path));
    if (count && !resume && !overwrite) CHECK(fail_holds(path, marks, count));
    *folder = (struct vgg_checkpoint_folder) { path, lock, count && overwrite };
    free(marks);
    return VGG_OK;
fail:
    vgg_os_unlock(lock);
    free(marks);
    return status;
}

void vgg_checkpoint_folder_release(struct vgg_checkpoint_folder *folder)
{
    if (folder->path) vgg_os_unlock(folder->lock);
    *folder = (struct vgg_checkpoint_folder) { 0 };
}

static void remove_one(const char *folder, const struct vgg_checkpoint_mark *mark)
{
    char *path = vgg_checkpoint_path(folder, mark);
    if (path && !vgg_os_remove(path))
        vgg_log(VGG_LOG_WARNING, "%s: is no longer needed, but cannot be removed: %s", path, strerror(errno));
    free(path);
}

void vgg_checkpoint_folder_tidy(struct vgg_checkpoint_folder *folder, const struct vgg_checkpoint_mark *written)
{
    struct vgg_checkpoint_mark *marks;
    size_t count, before = 0;
    if (vgg_checkpoint_list(&marks, &count, folder->path) != VGG_OK) return;
    while (before < count && compare(&marks[before], written) < 0)
        before++;
    for (size_t i = count; i-- > 0;) {
        bool kept = compare(&marks[i], written) == 0 || (i + 1 == before && !folder->replace);
        if (!kept) remove_one(folder->path, &marks[i]);
    }
    folder->replace = false;
    free(marks);
}
