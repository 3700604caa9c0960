#include "core/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/safetensors.h"

enum { KEEP = 2, LINE = 320 };

#define STATE_FORMAT                                                                    \
    "epoch=%d epoch_step=%" PRIu64 " step=%" PRIu64 " pass=%" PRIu64 " number=%" PRIu64 \
    " loss=%la correct=%la images=%" PRIu64 " best=%la waited=%d"
#define STATE_SCAN                                                                      \
    "epoch=%d epoch_step=%" SCNu64 " step=%" SCNu64 " pass=%" SCNu64 " number=%" SCNu64 \
    " loss=%la correct=%la images=%" SCNu64 " best=%la waited=%d"
/* One epoch a line; hexadecimal floats keep every bit. */
#define EPOCH_FORMAT "%d %la %la %la %la %la %la %" PRIu64 " %la %la %la\n"
#define EPOCH_SCAN "%d %la %la %la %la %la %la %" SCNu64 " %la %la %la\n"

/* ---- the files of a folder ---- */

static int is_checkpoint(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return strncmp(entry->d_name, "checkpoint-", 11) == 0 && length > 23 &&
           strcmp(entry->d_name + length - 12, ".safetensors") == 0;
}

/* Names of the checkpoints, oldest first (numbers are padded, so byte order is age). */
static enum vgg_status list(struct dirent ***out, int *count, const char *folder)
{
    *count = scandir(folder, out, is_checkpoint, alphasort);
    if (*count >= 0) return VGG_OK;
    *count = 0;
    *out = NULL;
    if (errno == ENOENT) return VGG_OK;
    return vgg_fail(VGG_ERR_IO, "%s: the checkpoint folder cannot be read: %s", folder, strerror(errno));
}

static void list_free(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

static void remove_old(const char *folder)
{
    struct dirent **entries;
    int count;
    if (list(&entries, &count, folder) != VGG_OK) return;
    for (int i = 0; i < count - KEEP; i++) {
        char *path = vgg_file_join(folder, entries[i]->d_name);
        if (path) unlink(path);
        free(path);
    }
    list_free(entries, count);
}

/* ---- writing ---- */

static char *history_text(const struct vgg_train_state *state)
{
    size_t size = (size_t)state->epoch * LINE + 1, used = 0;
    char *text = vgg_mem_calloc(size, 1);
    for (int i = 0; text && i < state->epoch; i++) {
        const struct vgg_epoch *e = &state->history[i];
        used += (size_t)snprintf(text + used, size - used, EPOCH_FORMAT, e->epoch, e->loss, e->accuracy, e->val_loss,
                                 e->val_accuracy, e->learning_rate, e->seconds, e->images, e->seconds_load,
                                 e->seconds_train, e->seconds_validate);
    }
    return text;
}

enum vgg_status vgg_checkpoint_write(const char *folder, const struct vgg_train_state *state,
                                     const struct vgg_train_arrays *arrays, const char *settings)
{
    enum vgg_status status = VGG_OK;
    char name[64], text[512], *path = NULL;
    char *history = history_text(state);
    snprintf(name, sizeof name, "checkpoint-%06d-%08" PRIu64 ".safetensors", state->epoch, state->epoch_step);
    snprintf(text, sizeof text, STATE_FORMAT, state->epoch, state->epoch_step, state->step, state->pass, state->number,
             state->loss, state->correct, state->images, state->best, state->waited);
    path = vgg_file_join(folder, name);
    if (!history || !path) CHECK(vgg_fail_memory("a checkpoint", LINE));
    CHECK(vgg_file_mkdirs(folder));
    struct vgg_st_tensor tensors[] = {
        { "params", VGG_DTYPE_F32, 1, { arrays->param_count }, arrays->params, arrays->param_count * sizeof(float) },
        { "moments",
          VGG_DTYPE_F32,
          1,
          { arrays->moment_count },
          arrays->moments,
          arrays->moment_count * sizeof(float) },
    };
    struct vgg_st_meta meta[] = { { "settings", settings }, { "state", text }, { "history", history } };
    CHECK(vgg_st_write(path, tensors, arrays->moment_count ? 2 : 1, meta, 3));
    remove_old(folder);
fail:
    free(path);
    free(history);
    return status;
}

/* ---- reading ---- */

static enum vgg_status damaged(const char *path)
{
    vgg_log(VGG_LOG_WARNING, "%s: is not a whole checkpoint; passed over", path);
    return VGG_ERR_FORMAT;
}

static enum vgg_status read_array(float *out, size_t count, const struct vgg_st *st, const char *name, const char *path)
{
    const struct vgg_st_tensor *tensor = vgg_st_find(st, name);
    if (count == 0) return VGG_OK;
    if (!tensor || tensor->dtype != VGG_DTYPE_F32 || tensor->size != count * sizeof(float)) return damaged(path);
    memcpy(out, tensor->data, tensor->size);
    return VGG_OK;
}

static enum vgg_status read_history(struct vgg_train_state *state, const char *text, int epochs, const char *path)
{
    size_t room = (size_t)(epochs > state->epoch ? epochs : state->epoch);
    state->history = vgg_mem_calloc(room, sizeof *state->history);
    if (!state->history) return vgg_fail_memory("the history", room * sizeof *state->history);
    for (int i = 0; i < state->epoch; i++) {
        struct vgg_epoch *e = &state->history[i];
        const char *end = strchr(text, '\n');
        if (!end || sscanf(text, EPOCH_SCAN, &e->epoch, &e->loss, &e->accuracy, &e->val_loss, &e->val_accuracy,
                           &e->learning_rate, &e->seconds, &e->images, &e->seconds_load, &e->seconds_train,
                           &e->seconds_validate) != 11) {
            return damaged(path);
        }
        text = end + 1;
    }
    return VGG_OK;
}

/* Shows the first of the settings, separated by ", ", that differs. */
static enum vgg_status fail_settings(const char *path, const char *then, const char *now)
{
    size_t at = 0, item = 0;
    while (then[at] && then[at] == now[at]) {
        if (then[at] == ',') item = at + 2;
        at++;
    }
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: was written with %.*s, now it is %.*s; use the same or another --checkpoint folder", path,
                    (int)strcspn(then + item, ","), then + item, (int)strcspn(now + item, ","), now + item);
}

/* VGG_ERR_FORMAT: passed over; any other failure ends the search. */
static enum vgg_status read_one(struct vgg_train_state *state, const struct vgg_train_arrays *arrays, const char *path,
                                const char *settings, int epochs)
{
    struct vgg_st *st = NULL;
    enum vgg_status status = VGG_OK;
    CHECK(vgg_st_open(&st, path));
    const char *then = vgg_st_meta(st, "settings"), *text = vgg_st_meta(st, "state"),
               *history = vgg_st_meta(st, "history");
    if (!then || !text || !history) CHECK(damaged(path));
    if (strcmp(then, settings) != 0) CHECK(fail_settings(path, then, settings));
    if (sscanf(text, STATE_SCAN, &state->epoch, &state->epoch_step, &state->step, &state->pass, &state->number,
               &state->loss, &state->correct, &state->images, &state->best, &state->waited) != 10 ||
        state->epoch < 0 || state->epoch > 1 << 20) {
        CHECK(damaged(path));
    }
    CHECK(read_array(arrays->params, arrays->param_count, st, "params", path));
    CHECK(read_array(arrays->moments, arrays->moment_count, st, "moments", path));
    CHECK(read_history(state, history, epochs, path));
    vgg_st_close(st);
    return VGG_OK;
fail:
    vgg_st_close(st);
    free(state->history);
    *state = (struct vgg_train_state) { 0 };
    return status;
}

enum vgg_status vgg_checkpoint_read(bool *found, struct vgg_train_state *state, const struct vgg_train_arrays *arrays,
                                    const char *folder, const char *settings, int epochs)
{
    struct dirent **entries;
    int count;
    *found = false;
    enum vgg_status status = list(&entries, &count, folder);
    for (int i = count - 1; i >= 0 && status == VGG_OK && !*found; i--) {
        char *path = vgg_file_join(folder, entries[i]->d_name);
        status = path ? read_one(state, arrays, path, settings, epochs) : vgg_fail_memory("a path", LINE);
        *found = status == VGG_OK;
        if (status == VGG_ERR_FORMAT) status = VGG_OK;
        if (*found) vgg_log(VGG_LOG_INFO, "going on from %s", path);
        free(path);
    }
    list_free(entries, count);
    return status;
}
