#include "core/train/checkpoint_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/format/safetensors.h"
#include "core/model/export.h"
#include "core/weights/names.h"

#define LOCK_NAME ".lock"

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

/* ---- taking and leaving ---- */

/* Trainings that were killed leave checkpoints half-written, under names that no later one need come to again. */
static void remove_halves(const char *folder)
{
    struct vgg_checkpoint_mark mark;
    struct vgg_os_entry entry;
    char whole[VGG_CHECKPOINT_NAME];
    struct vgg_os_folder *directory = vgg_os_folder_open(folder);
    while (directory && vgg_os_folder_next(directory, &entry)) {
        size_t n = vgg_file_aside(entry.name);
        if (n == 0 || n >= sizeof whole) continue;
        snprintf(whole, sizeof whole, "%.*s", (int)n, entry.name);
        bool ours = vgg_checkpoint_mark_read(&mark, whole) || vgg_checkpoint_is_base(whole);
        char *path = ours ? vgg_file_join(folder, entry.name) : NULL;
        if (path && vgg_os_remove_abandoned(path))
            vgg_log(VGG_LOG_INFO, "%s: removed; its writer was ended before it was whole", path);
        free(path);
    }
    vgg_os_folder_close(directory);
}

static bool holds_tensor(const struct vgg_st *st, const struct vgg_model *model, int layer, bool bias)
{
    char name[VGG_WEIGHTS_NAME];
    const struct vgg_layer *l = &model->arch.layer[layer];
    const struct vgg_view *view = bias ? &l->bias : &l->kernel;
    snprintf(name, sizeof name, "%s/%s", l->name, bias ? "bias" : "kernel");
    const struct vgg_st_tensor *held = vgg_st_find(st, name);
    return held && held->dtype == VGG_DTYPE_F32 && held->size == vgg_view_size(view) &&
           memcmp(held->data, (const char *)model->params + view->offset, held->size) == 0;
}

/* Is there a file of just these layers? One that was damaged is written anew. */
static bool is_base_of(const char *path, const struct vgg_model *model, int first)
{
    struct vgg_st *st = NULL;
    if (!vgg_os_readable(path)) return false;
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_DEBUG);
    bool same = vgg_st_open(&st, path) == VGG_OK;
    vgg_log_failures(level);
    for (int i = 0; i < first && same; i++) {
        if (model->arch.layer[i].kernel.n == 0) continue;
        same = holds_tensor(st, model, i, false) && holds_tensor(st, model, i, true);
    }
    vgg_st_close(st);
    return same;
}

enum vgg_status vgg_checkpoint_folder_base(struct vgg_checkpoint_folder *folder, const struct vgg_model *model,
                                           int first)
{
    enum vgg_status status = VGG_OK;
    char digest[65], *path = NULL;
    if (*folder->base || model->arch.layer[first].kernel.offset == 0) return VGG_OK;
    CHECK(vgg_model_digest(model, first - 1, digest));
    vgg_checkpoint_base_name(folder->base, digest);
    path = vgg_file_join(folder->path, folder->base);
    if (!path) CHECK(vgg_fail_memory(folder->path, strlen(folder->path)));
    if (!is_base_of(path, model, first)) CHECK(vgg_model_export_base(model, path, first));
    free(path);
    return VGG_OK;
fail:
    folder->base[0] = '\0';
    free(path);
    return status;
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
    *folder = (struct vgg_checkpoint_folder) { .path = path, .lock = lock, .replace = count && overwrite };
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

/* path: by malloc, or NULL. */
static void remove_one(char *path)
{
    if (path && !vgg_os_remove(path))
        vgg_log(VGG_LOG_WARNING, "%s: is no longer needed, but cannot be removed: %s", path, strerror(errno));
    free(path);
}

/* Removes the frozen layers of other trainings. */
static void tidy_bases(const struct vgg_checkpoint_folder *folder)
{
    struct vgg_os_folder *directory = vgg_os_folder_open(folder->path);
    struct vgg_os_entry entry;
    while (directory && vgg_os_folder_next(directory, &entry)) {
        if (vgg_checkpoint_is_base(entry.name) && strcmp(entry.name, folder->base) != 0)
            remove_one(vgg_file_join(folder->path, entry.name));
    }
    vgg_os_folder_close(directory);
}

void vgg_checkpoint_folder_tidy(struct vgg_checkpoint_folder *folder, const struct vgg_checkpoint_mark *written)
{
    struct vgg_checkpoint_mark *marks;
    size_t count, before = 0;
    if (vgg_checkpoint_list(&marks, &count, folder->path) != VGG_OK) return;
    while (before < count && vgg_checkpoint_compare(&marks[before], written) < 0)
        before++;
    for (size_t i = count; i-- > 0;) {
        bool kept = vgg_checkpoint_compare(&marks[i], written) == 0 || (i + 1 == before && !folder->replace);
        if (!kept) remove_one(vgg_checkpoint_path(folder->path, &marks[i]));
    }
    folder->replace = false;
    free(marks);
    tidy_bases(folder);
}
