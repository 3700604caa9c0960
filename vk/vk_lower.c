#include "vk/vk_lower.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_ops.h"

enum vgg_status vk_rec_create(struct vk *vk, struct vk_rec **out, const struct vgg_list *list, bool timed)
{
    enum vgg_status status;
    *out = NULL;
    struct vk_rec *rec = vgg_mem_calloc(1, sizeof *rec);
    if (!rec) return vgg_fail_memory("a recording", sizeof *rec);
    rec->next = vk->recs;
    vk->recs = rec;
    rec->key = timed ? 0 : list->key;
    rec->timed = timed;
    rec->cut_rate = vk->rate;
    rec->ops = list->count;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        rec->arena[i] = (struct vk_buf *)list->arena[i];
    for (rec->op = 0; rec->op < list->count; rec->op++)
        CHECK(vk_ops_lower(vk, rec, &list->op[rec->op]));
    CHECK(vk_rec_emit(vk, rec));
    free(rec->calls);
    rec->calls = NULL;
    *out = rec;
    return VGG_OK;
fail:
    vk_rec_destroy(vk, rec);
    return status;
}
