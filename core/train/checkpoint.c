#include "core/train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/safetensors.h"
#include "core/model/export.h"
#include "core/train/settings.h"

enum { LINE = 320 };

#define STATE_FORMAT                                                                    \
    "epoch=%d epoch_step=%" PRIu64 " step=%" PRIu64 " pass=%" PRIu64 " number=%" PRIu64 \
    " loss=%la correct=%la images=%" PRIu64
#define STATE_SCAN                                                                      \
    "epoch=%d epoch_step=%" SCNu64 " step=%" SCNu64 " pass=%" SCNu64 " number=%" SCNu64 \
    " loss=%la correct=%la images=%" SCNu64
#define SCALE_FORMAT "factor=%a good=%" PRIu64 " skipped=%" PRIu64
#define SCALE_SCAN "factor=%a good=%" SCNu64 " skipped=%" SCNu64
/* One epoch a line; hexadecimal floats keep every bit. */
#define EPOCH_FORMAT "%d %la %la %la %la %la %la %" PRIu64 " %la %la %la\n"
#define EPOCH_SCAN "%d %la %la %la %la %la %la %" SCNu64 " %la %la %la\n"

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

static struct vgg_st_tensor flat(const char *name, float *values, size_t count)
{
    return (struct vgg_st_tensor) { name, VGG_DTYPE_F32, 1, { count }, values, count * sizeof(float) };
}

enum vgg_status vgg_checkpoint_write(struct vgg_checkpoint_folder *folder, const struct vgg_train_state *state,
                                     const struct vgg_train_arrays *arrays, const char *settings,
                                     const struct vgg_checkpoint_about *about)
{
    enum vgg_status status = VGG_OK;
    struct vgg_checkpoint_mark mark = { (unsigned long)state->epoch, (unsigned long)state->epoch_step };
    char text[512], scale[128], *path = vgg_checkpoint_path(folder->path, &mark);
    char *history = history_text(state);
    snprintf(text, sizeof text, STATE_FORMAT, state->epoch, state->epoch_step, state->step, state->pass, state->number,
             state->loss, state->correct, state->images);
    if (!history || !path) CHECK(vgg_fail_memory("a checkpoint", LINE));
    struct vgg_st_tensor tensors[3];
    size_t count = 0;
    tensors[count++] = flat(VGG_CHECKPOINT_PARAMS, arrays->params, arrays->param_count);
    if (arrays->moment_count) tensors[count++] = flat(VGG_CHECKPOINT_MOMENTS, arrays->moments, arrays->moment_count);
    if (arrays->best) tensors[count++] = flat(VGG_CHECKPOINT_BEST, arrays->best, arrays->param_count);
    struct vgg_st_meta meta[6 + VGG_MODEL_PAIRS] = {
        { VGG_CHECKPOINT_SETTINGS, settings },
        { VGG_CHECKPOINT_STATE, text },
        { VGG_CHECKPOINT_HISTORY, history },
        { VGG_CHECKPOINT_FIRST, about->first },
    };
    size_t pairs = 4;
    if (*folder->base) meta[pairs++] = (struct vgg_st_meta) { VGG_CHECKPOINT_BASE, folder->base };
    snprintf(scale, sizeof scale, SCALE_FORMAT, (double)state->scale.factor, state->scale.good, state->scale.skipped);
    if (state->scale.factor != 0) meta[pairs++] = (struct vgg_st_meta) { VGG_CHECKPOINT_SCALE, scale };
    for (const char *const *pair = about->meta; *pair; pair += 2)
        meta[pairs++] = (struct vgg_st_meta) { pair[0], pair[1] };
    CHECK(vgg_st_write(path, tensors, count, meta, pairs));
    vgg_checkpoint_folder_tidy(folder, &mark);
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

/* Without `text` nothing was scaled. */
static enum vgg_status read_scale(struct vgg_scale *scale, const char *text, const char *path)
{
    if (!text) return VGG_OK;
    bool whole = sscanf(text, SCALE_SCAN, &scale->factor, &scale->good, &scale->skipped) == 3;
    return whole && vgg_scale_valid(scale) ? VGG_OK : damaged(path);
}

/* The first version's settings were no lines, cut at 1023 bytes, and without the learning rate and the data. */
static enum vgg_status check_settings(const char *path, const char *then, const char *now)
{
    char difference[VGG_SETTINGS_DIFFERENCE];
    if (!strchr(then, '\n')) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "%s: was written by an older version, which did not keep all that must be the same; finish "
                        "that training with it, or start anew by --overwrite or in another --checkpoint folder",
                        path);
    }
    if (vgg_settings_same(difference, then, now)) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: %s; --resume needs the same settings, others start anew by --overwrite or in another "
                    "--checkpoint folder",
                    path, difference);
}

/* VGG_ERR_FORMAT: passed over; any other failure ends the search. */
static enum vgg_status open_one(struct vgg_checkpoint *checkpoint, struct vgg_train_state *state, const char *settings,
                                int epochs)
{
    enum vgg_status status = VGG_OK;
    const char *path = checkpoint->path;
    CHECK(vgg_st_open(&checkpoint->file, path));
    const char *then = vgg_st_meta(checkpoint->file, VGG_CHECKPOINT_SETTINGS),
               *text = vgg_st_meta(checkpoint->file, VGG_CHECKPOINT_STATE),
               *history = vgg_st_meta(checkpoint->file, VGG_CHECKPOINT_HISTORY);
    if (!then || !text || !history) CHECK(damaged(path));
    CHECK(check_settings(path, then, settings));
    if (sscanf(text, STATE_SCAN, &state->epoch, &state->epoch_step, &state->step, &state->pass, &state->number,
               &state->loss, &state->correct, &state->images) != 8 ||
        state->epoch < 0 || state->epoch > 1 << 20) {
        CHECK(damaged(path));
    }
    CHECK(read_scale(&state->scale, vgg_st_meta(checkpoint->file, VGG_CHECKPOINT_SCALE), path));
    if (state->epoch > epochs || (state->epoch == epochs && state->epoch_step)) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: has trained for more than %d epochs already; give more by --epochs", path,
                       epochs));
    }
    CHECK(read_history(state, history, epochs, path));
fail:
    return status;
}

enum vgg_status vgg_checkpoint_open(struct vgg_checkpoint *checkpoint, struct vgg_train_state *state,
                                    const char *folder, const char *settings, int epochs)
{
    struct vgg_checkpoint_mark *marks;
    size_t count;
    enum vgg_status status = vgg_checkpoint_list(&marks, &count, folder);
    for (size_t i = count; i-- > 0 && status == VGG_OK && !checkpoint->file;) {
        checkpoint->path = vgg_checkpoint_path(folder, &marks[i]);
        status = checkpoint->path ? open_one(checkpoint, state, settings, epochs) : vgg_fail_memory("a path", LINE);
        if (status == VGG_OK) continue;
        vgg_checkpoint_close(checkpoint);
        free(state->history);
        *state = (struct vgg_train_state) { 0 };
        if (status == VGG_ERR_FORMAT) status = VGG_OK;
    }
    free(marks);
    return status;
}

static enum vgg_status read_array(float *out, size_t count, const struct vgg_checkpoint *checkpoint, const char *name)
{
    const struct vgg_st_tensor *tensor = vgg_st_find(checkpoint->file, name);
    if (count == 0) return VGG_OK;
    if (!tensor || tensor->dtype != VGG_DTYPE_F32 || tensor->size != count * sizeof(float)) {
        return vgg_fail(VGG_ERR_FORMAT,
                        "%s: does not hold %zu values of %s, as this network has; remove the file to "
                        "go on from the one before",
                        checkpoint->path, count, name);
    }
    memcpy(out, tensor->data, tensor->size);
    return VGG_OK;
}

enum vgg_status vgg_checkpoint_read(const struct vgg_checkpoint *checkpoint, const struct vgg_train_arrays *arrays)
{
    enum vgg_status status = VGG_OK;
    CHECK(read_array(arrays->params, arrays->param_count, checkpoint, VGG_CHECKPOINT_PARAMS));
    CHECK(read_array(arrays->moments, arrays->moment_count, checkpoint, VGG_CHECKPOINT_MOMENTS));
    if (arrays->best) {
        bool apart = vgg_st_find(checkpoint->file, VGG_CHECKPOINT_BEST);
        CHECK(read_array(arrays->best, arrays->param_count, checkpoint,
                         apart ? VGG_CHECKPOINT_BEST : VGG_CHECKPOINT_PARAMS));
    }
    vgg_log(VGG_LOG_INFO, "going on from %s", checkpoint->path);
fail:
    return status;
}

void vgg_checkpoint_close(struct vgg_checkpoint *checkpoint)
{
    vgg_st_close(checkpoint->file);
    free(checkpoint->path);
    *checkpoint = (struct vgg_checkpoint) { 0 };
}
