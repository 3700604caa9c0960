#include "vk/vk_flat.h"

#include "core/base/log.h"
#include "core/base/rng.h"
#include "vk/vk_ops.h"

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
    struct vk_variant variant = { NULL, { [VK_SPEC_ADD] = true } };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(&op->y), part = flat_part(vk);
    vk_ops_way(vk, VK_TASK_REDUCE, 0, &variant);
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
    struct vk_variant variant = { 0 };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(x), part = flat_part(vk);
    vk_ops_way(vk, VK_TASK_DROPOUT, 0, &variant);
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
    enum { GROUP = VK_FLAT_THREADS * VK_FMA_SUMS };
    struct vk_variant variant = { 0 };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(&op->x), part = flat_part(vk), most = (size_t)vk->limits.groups * GROUP;
    vk_ops_way(vk, VK_TASK_FMA, 0, &variant);
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

enum { CLIP_PART = 16384 }; /* elements whose squares are one sum */

/* A binding must hold a part, and scratch the sums of all. */
bool vk_flat_supports(const struct vk *vk, const struct vgg_op *op)
{
    size_t parts = (vgg_view_count(&op->dw) + CLIP_PART - 1) / CLIP_PART;
    return op->kind != VGG_OP_CLIP || (vk->limits.range >= 4 * CLIP_PART && 4 * (parts + 1) <= vk->limits.scratch);
}

/* The sums of squares stand at the beginning of scratch, the factor after them. */
static enum vgg_status lower_clip(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum { PART = CLIP_PART, SQUARES = 0, FACTOR = 1, SCALE = 2, THREADS = VK_FLAT_THREADS };
    struct vk_variant variant = { 0 };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(&op->dw), parts = (count + PART - 1) / PART;
    size_t range = vk->limits.range / 4 / PART * PART;
    vk_ops_way(vk, VK_TASK_CLIP, 0, &variant);
    CHECK(vk_ops_scratch(vk));
    struct vk_push_clip push = { .count = (uint32_t)parts, .per_part = PART, .limit = op->limit };
    struct vk_bind sums = vk_ops_scratch_bind(vk, 4 * (parts + 1), true);
    struct vk_call factor = { .bind = { { 0 }, sums } };
    for (size_t stage = SQUARES; stage <= SCALE; stage++) {
        variant.spec[VK_SPEC_STAGE] = (uint32_t)stage;
        if (stage == FACTOR) CHECK(vk_ops_flat(vk, rec, &variant, &factor, &push, sizeof push, THREADS));
        for (size_t at = 0; at < count && stage != FACTOR; at += range) {
            size_t now = count - at < range ? count - at : range, groups = (now + PART - 1) / PART;
            struct vk_push_clip part = { .count = (uint32_t)now, .per_part = PART };
            part.first = (uint32_t)(stage == SQUARES ? at / PART : parts);
            sums.write = stage == SQUARES;
            struct vk_call call = { .bind = { vk_ops_bind(rec, &op->dw, 4 * at, 4 * now, stage == SCALE), sums },
                                    .flops = 2.0 * (double)now };
            CHECK(vk_ops_flat(vk, rec, &variant, &call, &part, sizeof part, stage == SQUARES ? groups * THREADS : now));
        }
    }
fail:
    return status;
}

/* The answer is 0 until a thread finds what makes it 1. */
static enum vgg_status lower_unscale(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    struct vk_variant variant = { 0 };
    enum vgg_status status;
    size_t count = vgg_view_count(&op->dw), part = flat_part(vk);
    vk_ops_way(vk, VK_TASK_UNSCALE, 0, &variant);
    CHECK(lower_zero(vk, rec, op));
    for (size_t at = 0; at < count; at += part) {
        size_t now = count - at < part ? count - at : part;
        struct vk_push_unscale push = { .count = (uint32_t)now };
        struct vk_call call = { .bind = { vk_ops_bind(rec, &op->dw, 4 * at, 4 * now, true),
                                          vk_ops_bind(rec, &op->y, 0, 4, true) },
                                .flops = 2.0 * (double)now };
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, (now + 3) / 4));
    }
fail:
    return status;
}

static enum vgg_status lower_update(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    const struct vgg_hyper *hyper = &op->hyper;
    bool adam = op->kind == VGG_OP_ADAM || op->kind == VGG_OP_ADAMW;
    bool momentum = op->kind == VGG_OP_SGD && op->m.n && hyper->momentum != 0.0f;
    struct vk_variant variant = { NULL,
                                  { [VK_SPEC_KIND] = (uint32_t)op->kind - VGG_OP_SGD,
                                    [VK_SPEC_MOMENTUM] = momentum,
                                    [VK_SPEC_NESTEROV] = (op->flags & VGG_OP_NESTEROV) != 0 } };
    enum vgg_status status = VGG_OK;
    size_t count = vgg_view_count(&op->w), part = flat_part(vk);
    uint32_t slot = 0;
    if (adam) CHECK(vk_rec_slot(rec, hyper, &slot));
    /* A last thread may have fewer than its items, the only one may not: a texel is the least that can be shown. */
    const struct vk_way *way = vk_ops_way(vk, VK_TASK_UPDATE, count < 8 ? count : 0, &variant);
    size_t items = (size_t)way->items;
    for (size_t at = 0; at < count; at += part) {
        size_t now = count - at < part ? count - at : part;
        struct vk_push_update push = { .count = (uint32_t)now,
                                       .slot = slot,
                                       .momentum = hyper->momentum,
                                       .rho = hyper->rho,
                                       .beta1 = hyper->beta1,
                                       .beta2 = hyper->beta2,
                                       .epsilon = hyper->epsilon,
                                       .weight_decay = hyper->weight_decay,
                                       .rate = hyper->rate != 0.0f ? hyper->rate : 1.0f };
        struct vk_call call = { .bind = { vk_ops_bind(rec, &op->w, 4 * at, 4 * now, true),
                                          vk_ops_bind(rec, &op->dw, 4 * at, 4 * now, false) } };
        if (adam || momentum) call.bind[2] = vk_ops_bind(rec, &op->m, 4 * at, 4 * now, true);
        if (op->kind != VGG_OP_SGD) call.bind[3] = vk_ops_bind(rec, &op->v, 4 * at, 4 * now, true);
        call.texels = way->texels;
        call.flops = 8.0 * (double)now;
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, (now + items - 1) / items));
    }
fail:
    return status;
}

enum vgg_status vk_flat_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    switch (op->kind) {
    case VGG_OP_ZERO: return lower_zero(vk, rec, op);
    case VGG_OP_ADD: return lower_add(vk, rec, op);
    case VGG_OP_DROPOUT:
    case VGG_OP_DROPOUT_BWD: return lower_dropout(vk, rec, op);
    case VGG_OP_FMA: return lower_fma(vk, rec, op);
    case VGG_OP_CLIP: return lower_clip(vk, rec, op);
    case VGG_OP_UNSCALE: return lower_unscale(vk, rec, op);
    default: return lower_update(vk, rec, op);
    }
}
