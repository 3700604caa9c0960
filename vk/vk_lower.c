#include "vk/vk_lower.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_conv.h"
#include "vk/vk_dense.h"
#include "vk/vk_emit.h"
#include "vk/vk_flat.h"
#include "vk/vk_loss.h"
#include "vk/vk_pool.h"
#include "vk/vk_wgrad.h"

enum vgg_status vk_ops_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    switch (op->kind) {
    case VGG_OP_CONV:
    case VGG_OP_CONV_BWD_DATA: return vk_conv_lower(vk, rec, op);
    case VGG_OP_CONV_BWD_WEIGHT: return vk_wgrad_lower(vk, rec, op);
    case VGG_OP_POOL2:
    case VGG_OP_POOL2_BWD:
    case VGG_OP_AVGPOOL:
    case VGG_OP_AVGPOOL_BWD:
    case VGG_OP_GMAXPOOL:
    case VGG_OP_GMAXPOOL_BWD: return vk_pool_lower(vk, rec, op);
    case VGG_OP_DENSE:
    case VGG_OP_DENSE_BWD_DATA:
    case VGG_OP_DENSE_BWD_WEIGHT: return vk_dense_lower(vk, rec, op);
    case VGG_OP_SOFTMAX:
    case VGG_OP_SIGMOID:
    case VGG_OP_SOFTMAX_XENT:
    case VGG_OP_SIGMOID_XENT: return vk_loss_lower(vk, rec, op);
    case VGG_OP_ZERO:
    case VGG_OP_ADD:
    case VGG_OP_DROPOUT:
    case VGG_OP_DROPOUT_BWD:
    case VGG_OP_FMA:
    case VGG_OP_CLIP:
    case VGG_OP_UNSCALE:
    case VGG_OP_SGD:
    case VGG_OP_RMSPROP:
    case VGG_OP_ADAM:
    case VGG_OP_ADAMW: return vk_flat_lower(vk, rec, op);
    case VGG_OP_KIND_COUNT: break;
    }
    return VGG_ERR_UNSUPPORTED;
}

bool vk_ops_supports(const struct vk *vk, const struct vgg_op *op)
{
    if (op->q.n || (!vk->half && vgg_op_has_halves(op))) return false;
    switch (op->kind) {
    case VGG_OP_CONV:
    case VGG_OP_CONV_BWD_DATA: return vk_conv_supports(vk, op);
    case VGG_OP_CONV_BWD_WEIGHT: return vk_wgrad_supports(vk, op);
    case VGG_OP_DENSE:
    case VGG_OP_DENSE_BWD_DATA:
    case VGG_OP_DENSE_BWD_WEIGHT: return vk_dense_supports(vk, op);
    case VGG_OP_POOL2:
    case VGG_OP_POOL2_BWD:
    case VGG_OP_AVGPOOL:
    case VGG_OP_AVGPOOL_BWD:
    case VGG_OP_GMAXPOOL:
    case VGG_OP_GMAXPOOL_BWD: return vk_pool_supports(vk, op);
    case VGG_OP_SOFTMAX:
    case VGG_OP_SIGMOID:
    case VGG_OP_SOFTMAX_XENT:
    case VGG_OP_SIGMOID_XENT: return (size_t)op->x.c * 4 <= vk->limits.range;
    default: return vk_flat_supports(vk, op);
    }
}

/* Notes what the list writes in buffers of which something may be kept. */
static enum vgg_status note_writes(struct vk_rec *rec, const struct vgg_list *list)
{
    for (size_t i = 0; i < list->count * VGG_OP_VIEW_COUNT; i++) {
        const struct vgg_op *op = &list->op[i / VGG_OP_VIEW_COUNT];
        enum vgg_op_view which = (enum vgg_op_view)(i % VGG_OP_VIEW_COUNT);
        const struct vgg_view *view = vgg_op_view(op, which);
        struct vk_buf *buf = vgg_op_changes(op, which) ? rec->arena[view->arena] : NULL;
        if (!buf || !buf->base.spare) continue;
        size_t size = (rec->write_count + 1) * sizeof *rec->writes;
        struct vk_bind *writes = realloc(rec->writes, size);
        if (!writes) return vgg_fail_memory("a recording", size);
        rec->writes = writes;
        rec->writes[rec->write_count++] = (struct vk_bind) { buf, view->offset, vgg_view_size(view), true };
    }
    return VGG_OK;
}

static enum vgg_status lower_all(struct vk *vk, struct vk_rec *rec, const struct vgg_list *list)
{
    enum vgg_status status = VGG_OK;
    rec->call_count = 0;
    rec->slots = 0;
    rec->flops = 0;
    rec->kept_count = 0;
    for (rec->op = 0; rec->op < list->count && status == VGG_OK; rec->op++)
        status = vk_ops_lower(vk, rec, &list->op[rec->op]);
    return status;
}

/* Lowers for the sake of the pipelines that are wanted, until all are there: what the driver refuses is asked for in
 * another way the next time. */
static enum vgg_status lower(struct vk *vk, struct vk_rec *rec, const struct vgg_list *list)
{
    enum vgg_status status;
    do {
        vk->gathering = true;
        status = lower_all(vk, rec, list);
        vk->gathering = false;
        if (status != VGG_OK || !vk->wanted) return status;
        status = vk_pipe_create(vk);
    } while (status == VGG_OK);
    return status;
}

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
    rec->repeated = list->key != 0;
    CHECK(note_writes(rec, list));
    CHECK(lower(vk, rec, list));
    CHECK(vk_emit(vk, rec));
    if (!vk->recorded) vk_pipe_save(vk); /* a network's first list needs most of what it ever will */
    vk->recorded = true;
    free(rec->calls);
    rec->calls = NULL;
    *out = rec;
    return VGG_OK;
fail:
    vk_pipe_save(vk);
    vk_rec_destroy(vk, rec);
    return status;
}
