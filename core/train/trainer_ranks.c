/* What a training on several ranks does beside the steps: see to it that all do the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/train/trainer.h"

/* ---- one setting for all ---- */

/* What this rank's settings say otherwise than rank 0's. */
static enum vgg_status compare(const struct vgg_trainer *t, const char *first)
{
    char difference[VGG_SETTINGS_DIFFERENCE];
    const struct vgg_ranks *ranks = t->ranks;
    if (vgg_settings_same(difference, first, t->settings.text)) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s (\"then\" is on %s, rank 0); all ranks need the same options, data and weights", difference,
                    ranks->hosts[0]);
}

static enum vgg_status compare_texts(struct vgg_trainer *t, enum vgg_status status)
{
    char *first = NULL;
    size_t length = status == VGG_OK ? t->settings.used : 0;
    CHECK(vgg_ranks_broadcast(t->ranks, status, &length, sizeof length));
    first = vgg_mem_calloc(length + 1, 1);
    if (!first)
        status = vgg_fail_memory("the settings", length);
    else if (vgg_ranks_first(t->ranks))
        memcpy(first, t->settings.text, length);
    CHECK(vgg_ranks_broadcast(t->ranks, status, first, length));
    CHECK(vgg_ranks_agree(t->ranks, compare(t, first), NULL));
fail:
    free(first);
    return status;
}

enum vgg_status vgg_trainer_alike(struct vgg_trainer *t, enum vgg_status status)
{
    char crc[16] = "";
    if (vgg_ranks_size(t->ranks) == 1) return status;
    if (status == VGG_OK)
        snprintf(crc, sizeof crc, "%08lx",
                 crc32_z(0, (const Bytef *)t->model->params, (z_size_t)t->model->arch.param_size));
    CHECK(compare_texts(t, status));
    status = vgg_ranks_same(t->ranks, VGG_OK, "checksum of the weights", crc, "all ranks need the same");
fail:
    return status;
}

void vgg_trainer_warn_idle(const struct vgg_trainer *t)
{
    int size = vgg_ranks_size(t->ranks), shards = vgg_share_shards(t->o.batch, t->shard), fitting = 1;
    if (shards >= size) return;
    while (2 * fitting <= t->o.batch && vgg_share_shards(t->o.batch, 2 * fitting) >= size)
        fitting *= 2;
    char other[64] = "";
    if (vgg_share_shards(t->o.batch, fitting) >= size)
        snprintf(other, sizeof other, ", or --shard %d (other last bits)", fitting);
    vgg_log(VGG_LOG_WARNING,
            "batches of %d in shards of %d: %d of %d ranks have nothing to do; --batch %lld%s would use all",
            t->o.batch, t->shard, size - shards, size, (long long)t->shard * size, other);
}

/* ---- going on from a checkpoint that rank 0 has read ---- */

static enum vgg_status make_history(struct vgg_trainer *t)
{
    size_t room = (size_t)(t->o.epochs > t->state.epoch ? t->o.epochs : t->state.epoch);
    t->state.history = vgg_mem_calloc(room, sizeof *t->state.history);
    return t->state.history ? VGG_OK : vgg_fail_memory("the history", room * sizeof *t->state.history);
}

enum vgg_status vgg_trainer_spread(struct vgg_trainer *t, enum vgg_status status)
{
    struct vgg_ranks *ranks = t->ranks;
    struct vgg_epoch *own = t->state.history;
    const struct vgg_train_arrays *a = &t->arrays;
    if (vgg_ranks_size(ranks) == 1) return status;
    CHECK(vgg_ranks_broadcast(ranks, status, &t->state, sizeof t->state));
    t->state.history = own;
    if (!vgg_ranks_first(ranks)) {
        free(own);
        status = make_history(t);
    }
    CHECK(vgg_ranks_broadcast(ranks, status, t->state.history, (size_t)t->state.epoch * sizeof *t->state.history));
    CHECK(vgg_ranks_broadcast(ranks, VGG_OK, a->params, a->param_count * sizeof *a->params));
    CHECK(vgg_ranks_broadcast(ranks, VGG_OK, a->moments, a->moment_count * sizeof *a->moments));
    if (a->best) CHECK(vgg_ranks_broadcast(ranks, VGG_OK, a->best, a->param_count * sizeof *a->best));
fail:
    return status;
}

/* ---- what a step tells ---- */

enum vgg_status vgg_trainer_collect(struct vgg_trainer *t, int count, enum vgg_status status)
{
    int size = vgg_ranks_size(t->ranks);
    if (size == 1) return status;
    for (int rank = 0; rank < size; rank++)
        t->offset_of[rank + 1] = (size_t)vgg_share_items(count, vgg_net_shard(t->net), rank, size).to * sizeof *t->loss;
    CHECK(vgg_ranks_collect(t->ranks, status, t->loss, t->offset_of));
    status = vgg_ranks_collect(t->ranks, status, t->predicted, t->offset_of);
fail:
    return status;
}
