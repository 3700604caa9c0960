#include "core/train/history.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/file.h"
#include "core/base/log.h"

static enum vgg_status write_csv(struct vgg_file *file, const struct vgg_epoch *epochs, int count, bool validation)
{
    enum vgg_status status = VGG_OK;
    CHECK(vgg_file_printf(file, "epoch,accuracy,learning_rate,loss%s\n", validation ? ",val_accuracy,val_loss" : ""));
    for (int i = 0; i < count; i++) {
        const struct vgg_epoch *e = &epochs[i];
        CHECK(vgg_file_printf(file, "%d,%.9g,%.9g,%.9g", e->epoch - 1, e->accuracy, e->learning_rate, e->loss));
        if (validation) CHECK(vgg_file_printf(file, ",%.9g,%.9g", e->val_accuracy, e->val_loss));
        CHECK(vgg_file_printf(file, "\n"));
    }
fail:
    return status;
}

/* `, "name": value`, where JSON knows no NAN. */
static enum vgg_status write_member(struct vgg_file *file, const char *name, double value)
{
    if (!isfinite(value)) return vgg_file_printf(file, ", \"%s\": null", name);
    return vgg_file_printf(file, ", \"%s\": %.9g", name, value);
}

static enum vgg_status write_json(struct vgg_file *file, const struct vgg_epoch *epochs, int count)
{
    enum vgg_status status = VGG_OK;
    for (int i = 0; i < count; i++) {
        const struct vgg_epoch *e = &epochs[i];
        CHECK(vgg_file_printf(file, "{\"epoch\": %d", e->epoch));
        CHECK(write_member(file, "loss", e->loss));
        CHECK(write_member(file, "accuracy", e->accuracy));
        CHECK(write_member(file, "val_loss", e->val_loss));
        CHECK(write_member(file, "val_accuracy", e->val_accuracy));
        CHECK(write_member(file, "learning_rate", e->learning_rate));
        CHECK(vgg_file_printf(file, ", \"images\": %" PRIu64, e->images));
        CHECK(write_member(file, "seconds", e->seconds));
        CHECK(write_member(file, "seconds_load", e->seconds_load));
        CHECK(write_member(file, "seconds_train", e->seconds_train));
        CHECK(write_member(file, "seconds_validate", e->seconds_validate));
        CHECK(vgg_file_printf(file, "}\n"));
    }
fail:
    return status;
}

enum vgg_status vgg_history_write(const char *path, const struct vgg_epoch *epochs, int count, bool validation)
{
    struct vgg_file *file;
    enum vgg_status status = vgg_file_create(&file, path);
    if (status != VGG_OK) return status;
    if (vgg_file_has_extension(path, ".jsonl")) {
        CHECK(write_json(file, epochs, count));
    } else {
        CHECK(write_csv(file, epochs, count, validation));
    }
    return vgg_file_commit(file);
fail:
    vgg_file_abort(file);
    return status;
}

void vgg_history_finish(struct vgg_history *history)
{
    free(history->epochs);
    *history = (struct vgg_history) { 0 };
}
