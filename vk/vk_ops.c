#include "vk/vk_ops.h"

#include <string.h>

#include "core/base/log.h"
#include "core/base/rng.h"

enum { FLAT_THREADS = 128 };

/* Scratch: partial sums in the first part, sums of columns in the last sixteenth. */
size_t vk_ops_scratch_size(const struct vk *vk)
{
    return vk->limits.scratch / 16 * 15 / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN;
}

enum vgg_status vk_ops_scratch(struct vk *vk)
{
    return vk->scratch ? VGG_OK : vk_mem_create(vk, &vk->scratch, vk->limits.scratch, VK_MEM_DEVICE);
}

struct vk_bind vk_ops_scratch_bind(const struct vk *vk, size_t size, bool write)
{
    return (struct vk_bind) { vk->scratch, 0, size, write };
}

struct vk_bind vk_ops_bind(const struct vk_rec *rec, const struct vgg_view *view, size_t offset, size_t size,
                           bool write)
{
    if (!view->n) return (struct vk_bind) { 0 };
    return (struct vk_bind) { rec->arena[view->arena], view->offset + offset, size, write };
}

enum vgg_status vk_ops_flat(struct vk *vk, struct vk_rec *rec, const struct vk_variant *variant, struct vk_call *call,
                            const void *push, size_t push_size, size_t count)
{
    enum vgg_status status = vk_pipe_get(vk, variant, &call->pipeline);
    if (status == VGG_ERR_UNSUPPORTED) {
        return vgg_fail(status, "%s: the driver refuses shader %s; use --backend cpu", vk->gpu.properties.deviceName,
                        variant->shader);
    }
    if (status != VGG_OK) return status;
    size_t groups = (count + FLAT_THREADS - 1) / FLAT_THREADS;
    call->groups[0] = groups < vk->limits.groups ? (uint32_t)groups : vk->limits.groups;
    call->groups[1] = call->groups[2] = 1;
    if (call->flops == 0) call->flops = 8.0 * (double)count;
    return vk_rec_add(vk, rec, call, push, push_size);
}

bool vk_ops_texel(struct vk *vk, struct vk_variant *variant, const char *texel, bool suits)
{
    struct vk_variant other = *variant;
    VkPipeline pipeline;
    other.shader = texel;
    if (!vk->gpu.lanes || !suits || vk_pipe_get(vk, &other, &pipeline) != VGG_OK) return false;
    *variant = other;
    return true;
}

enum vgg_status vk_ops_reduce(struct vk *vk, struct vk_rec *rec, struct vk_bind out, const struct vk_bind *bias,
                              size_t count, size_t parts, bool add, bool relu, size_t n)
{
    struct vk_variant variant = { "reduce", 3, { add, bias != NULL, relu } };
    struct vk_push_reduce push = {
        .count = (uint32_t)count, .parts = (uint32_t)parts, .part_size = (uint32_t)count, .n = (uint32_t)n
    };
    struct vk_call call = { .bind = { vk_ops_scratch_bind(vk, parts * count * 4, false), out } };
    if (bias) call.bind[2] = *bias;
    return vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, count);
}

enum vgg_status vk_ops_colsum(struct vk *vk, struct vk_rec *rec, struct vk_bind x, struct vk_bind out, size_t rows,
                              size_t c)
{
    enum vgg_status status;
    CHECK(vk_ops_scratch(vk));
    size_t room = vk->limits.scratch - vk_ops_scratch_size(vk);
    size_t parts = (rows + 511) / 512, most = room / (4 * c);
    if (parts > 256) parts = 256;
    if (parts > most) parts = most ? most : 1;
    size_t per_part = (rows + parts - 1) / parts;
    parts = (rows + per_part - 1) / per_part;
    struct vk_variant variant = { "colsum", 1, { parts == 1 } };
    struct vk_push_colsum push = { .rows = (uint32_t)rows, .c = (uint32_t)c, .per_part = (uint32_t)per_part };
    struct vk_bind sums = { vk->scratch, vk_ops_scratch_size(vk), parts * c * 4, true };
    struct vk_call call = { .bind = { x, parts == 1 ? out : sums } };
    call.texels = vk_ops_texel(vk, &variant, "colsum_texel", c % 4 == 0);
    CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, parts * (call.texels ? c / 4 : c)));
    if (parts > 1) {
        struct vk_variant add = { "reduce", 3, { true, false, false } };
        struct vk_push_reduce reduce = { .count = (uint32_t)c, .parts = (uint32_t)parts, .part_size = (uint32_t)c };
        sums.write = false;
        struct vk_call second = { .bind = { sums, out } };
        CHECK(vk_ops_flat(vk, rec, &add, &second, &reduce, sizeof reduce, c));
    }
fail:
    return status;
}

static enum vgg_status lower_zero(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    size_t size = vgg_view_size(&op->y);
    struct vk_call fill = { .bind = { vk_ops_bind(rec, &op->y, 0, size, true) }, .flops = (double)size };
    return vk_rec_add(vk, rec, &fill, NULL, 0);
}

/* Elements of a flat range that one binding holds. */
static size_t flat_part(const struct vk *vk)
{
    return vk->limits.range / 4 / 1024 * 1024;
}

static enum vgg_status lower_add(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    const struct vk_variant variant = { "reduce", 3, { true, false, false } };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(&op->y), part = flat_part(vk);
    for (size_t at = 0; at < count; at += part) {
        size_t now = count - at < part ? count - at : part;
        struct vk_push_reduce push = { .count = (uint32_t)now, .parts = 1, .part_size = (uint32_t)now };
        struct vk_call call = { .bind = { vk_ops_bind(rec, &op->x, 4 * at, 4 * now, false),
                                          vk_ops_bind(rec, &op->y, 4 * at, 4 * now, true) },
                                .flops = (double)now };
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, now));
    }
fail:
    return status;
}

static enum vgg_status lower_dropout(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    const struct vgg_view *x = op->kind == VGG_OP_DROPOUT ? &op->x : &op->dy;
    const struct vgg_view *y = op->kind == VGG_OP_DROPOUT ? &op->y : &op->dx;
    struct vk_variant variant = { "dropout", 0, { 0 } };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(x), part = flat_part(vk);
    for (size_t at = 0; at < count; at += part) {
        size_t now = count - at < part ? count - at : part;
        struct vk_push_dropout push = { .count = (uint32_t)now,
                                        .index_low = (uint32_t)at,
                                        .index_high = (uint32_t)((uint64_t)at >> 32),
                                        .per_image = (uint32_t)(count / (size_t)x->n),
                                        .threshold = vgg_rng_dropout_threshold(op->rate),
                                        .layer = (uint32_t)op->layer,
                                        .rate = op->rate };
        struct vk_call call = { .bind = { vk_ops_bind(rec, x, 4 * at, 4 * now, false),
                                          vk_ops_bind(rec, y, 4 * at, 4 * now, true) } };
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, now));
    }
fail:
    return status;
}

static enum vgg_status lower_fma(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum { GROUP = FLAT_THREADS * VK_FMA_SUMS };
    struct vk_variant variant = { "peak", 0, { 0 } };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(&op->x), part = flat_part(vk), most = (size_t)vk->limits.groups * GROUP;
    if (part > most) part = most; /* no thread takes a second turn */
    for (size_t at = 0; at < count; at += part) {
        size_t now = count - at < part ? count - at : part;
        struct vk_push_fma push = { .count = (uint32_t)now, .rounds = (uint32_t)op->rounds };
        struct vk_call call = { .bind = { vk_ops_bind(rec, &op->x, 4 * at, 4 * now, false),
                                          vk_ops_bind(rec, &op->y, 4 * at, 4 * now, true) },
                                .flops = 2.0 * op->rounds * (double)now };
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, (now + VK_FMA_SUMS - 1) / VK_FMA_SUMS));
    }
fail:
    return status;
}

static enum vgg_status lower_update(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    const struct vgg_hyper *hyper = &op->hyper;
    bool adam = op->kind == VGG_OP_ADAM || op->kind == VGG_OP_ADAMW;
    bool momentum = op->kind == VGG_OP_SGD && op->m.n && hyper->momentum != 0.0f;
    struct vk_variant variant = { "update",
                                  3,
                                  { (uint32_t)op->kind - VGG_OP_SGD, momentum, (op->flags & VGG_OP_NESTEROV) != 0 } };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(&op->w), part = flat_part(vk);
    uint32_t slot = 0;
    if (adam) CHECK(vk_rec_slot(rec, hyper, &slot));
    bool texels = vk_ops_texel(vk, &variant, "update_texel", count >= 8);
    for (size_t at = 0; at < count; at += part) {
        size_t now = count - at < part ? count - at : part;
        struct vk_push_update push = { .count = (uint32_t)now,
                                       .slot = slot,
                                       .momentum = hyper->momentum,
                                       .rho = hyper->rho,
                                       .beta1 = hyper->beta1,
                                       .beta2 = hyper->beta2,
                                       .epsilon = hyper->epsilon,
                                       .weight_decay = hyper->weight_decay };
        struct vk_call call = { .bind = { vk_ops_bind(rec, &op->w, 4 * at, 4 * now, true),
                                          vk_ops_bind(rec, &op->dw, 4 * at, 4 * now, false) } };
        if (adam || momentum) call.bind[2] = vk_ops_bind(rec, &op->m, 4 * at, 4 * now, true);
        if (op->kind != VGG_OP_SGD) call.bind[3] = vk_ops_bind(rec, &op->v, 4 * at, 4 * now, true);
        call.texels = texels;
        call.flops = 8.0 * (double)now;
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, texels ? (now + 7) / 8 : (now + 3) / 4));
    }
fail:
    return status;
}

enum vgg_status vk_ops_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    switch (op->kind) {
    case VGG_OP_ZERO: return lower_zero(vk, rec, op);
    case VGG_OP_ADD: return lower_add(vk, rec, op);
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
    case VGG_OP_DROPOUT:
    case VGG_OP_DROPOUT_BWD: return lower_dropout(vk, rec, op);
    case VGG_OP_SOFTMAX:
    case VGG_OP_SIGMOID:
    case VGG_OP_SOFTMAX_XENT:
    case VGG_OP_SIGMOID_XENT: return vk_loss_lower(vk, rec, op);
    case VGG_OP_FMA: return lower_fma(vk, rec, op);
    case VGG_OP_SGD:
    case VGG_OP_RMSPROP:
    case VGG_OP_ADAM:
    case VGG_OP_ADAMW: return lower_update(vk, rec, op);
    case VGG_OP_KIND_COUNT: break;
    }
    return VGG_ERR_UNSUPPORTED;
}

bool vk_ops_supports(const struct vk *vk, const struct vgg_op *op)
{
    switch (op->kind) {
    case VGG_OP_CONV:
    case VGG_OP_CONV_BWD_DATA:
    case VGG_OP_CONV_BWD_WEIGHT: return vk_conv_supports(vk, op);
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
    default: return true;
    }
}
