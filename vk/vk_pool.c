#include "vk/vk_pool.h"

#include "core/base/log.h"
#include "vk/vk_chunk.h"
#include "vk/vk_ops.h"

/* Cuts by rows of the pooled map, the odd last row of the full one included. Bytes of arg lie four to a word: where
 * rows are no whole words, parts are multiples of four images. */
static struct vk_cut pool_cut(const struct vgg_view *full, const struct vgg_view *pooled)
{
    size_t row = 4 * (size_t)full->w * (size_t)full->c;
    int images = (size_t)pooled->w * (size_t)pooled->c % 4 ? 4 : 1;
    return (struct vk_cut) { .n = full->n, .h = pooled->h, .row_bytes = 3 * row, .quantum = 1, .images = images };
}

struct pool_part {
    size_t full_at, full, pooled_at, pooled; /* elements */
    int in_rows;
};

static struct pool_part pool_part(const struct vk_part *part, const struct vgg_view *full,
                                  const struct vgg_view *pooled)
{
    size_t row = (size_t)full->w * (size_t)full->c, pooled_row = (size_t)pooled->w * (size_t)pooled->c;
    size_t images = (size_t)part->images, n0 = (size_t)part->n0;
    bool last = part->y0 + part->rows == pooled->h; /* an odd last row belongs to the last part */
    struct pool_part p;
    p.in_rows = last ? full->h - 2 * part->y0 : 2 * part->rows;
    p.full_at = (n0 * (size_t)full->h + 2 * (size_t)part->y0) * row;
    p.full = images * (size_t)p.in_rows * row;
    p.pooled_at = (n0 * (size_t)pooled->h + (size_t)part->y0) * pooled_row;
    p.pooled = images * (size_t)part->rows * pooled_row;
    return p;
}

static enum vgg_status lower_pool(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum vgg_status status = VGG_OK;
    struct vk_cut cut = pool_cut(&op->x, &op->y);
    struct vk_variant variant = { NULL, { [VK_SPEC_ARG] = op->arg.n != 0 } };
    vk_ops_way(vk, VK_TASK_POOL, 0, &variant);
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        struct pool_part p = pool_part(&part, &op->x, &op->y);
        struct vk_push_pool push = { .count = (uint32_t)p.pooled,
                                     .in_rows = (uint32_t)p.in_rows,
                                     .w = (uint32_t)op->x.w,
                                     .oh = (uint32_t)part.rows,
                                     .ow = (uint32_t)op->y.w,
                                     .c = (uint32_t)op->x.c };
        struct vk_call call = { .bind = { vk_ops_bind(rec, &op->x, 4 * p.full_at, 4 * p.full, false),
                                          vk_ops_bind(rec, &op->y, 4 * p.pooled_at, 4 * p.pooled, true),
                                          vk_ops_bind(rec, &op->arg, p.pooled_at, p.pooled, true) } };
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, (p.pooled + 3) / 4));
    }
fail:
    return status;
}

static enum vgg_status lower_pool_bwd(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum vgg_status status = VGG_OK;
    struct vk_cut cut = pool_cut(&op->dx, &op->dy);
    bool mask = op->flags & VGG_OP_RELU, four = op->dx.c % 4 == 0;
    uint32_t halves = vk_ops_halves(&op->dy, 0) | vk_ops_halves(&op->dx, 2);
    size_t pooled_unit = vgg_type_size(op->dy.type), full_unit = vgg_type_size(op->dx.type);
    struct vk_variant variant = { NULL, { [VK_SPEC_MASK] = mask, [VK_SPEC_FOUR] = four, [VK_SPEC_HALVES] = halves } };
    const struct vk_way *way =
        vk_ops_way(vk, VK_TASK_POOL_BWD, halves ? 1 : (size_t)op->dx.c, &variant); /* no texels */
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        struct pool_part p = pool_part(&part, &op->dx, &op->dy);
        struct vk_push_pool push = { .count = (uint32_t)p.full,
                                     .in_rows = (uint32_t)p.in_rows,
                                     .w = (uint32_t)op->dx.w,
                                     .oh = (uint32_t)part.rows,
                                     .ow = (uint32_t)op->dy.w,
                                     .c = (uint32_t)op->dx.c };
        size_t pooled_at = pooled_unit * p.pooled_at, pooled_size = pooled_unit * p.pooled;
        struct vk_call call = { .bind = {
                                    vk_ops_bind(rec, &op->dy, pooled_at, pooled_size, false),
                                    vk_ops_bind(rec, &op->arg, p.pooled_at, p.pooled, false),
                                    vk_ops_bind(rec, &op->dx, full_unit * p.full_at, full_unit * p.full, true) } };
        if (mask) call.bind[3] = vk_ops_bind(rec, &op->y, pooled_at, pooled_size, false);
        size_t threads = four ? p.full / 4 : p.full;
        if (way->texels) { /* a thread takes a window of eight channels */
            size_t across = ((size_t)op->dx.w + 1) / 2, down = ((size_t)p.in_rows + 1) / 2;
            threads = (size_t)part.images * down * across * (size_t)op->dx.c / 8;
            push.count = (uint32_t)threads;
        }
        call.texels = way->texels;
        call.flops = 8.0 * (double)p.full;
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, threads));
    }
fail:
    return status;
}

static enum vgg_status lower_global(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum vgg_status status = VGG_OK;
    bool maximum = op->kind == VGG_OP_GMAXPOOL || op->kind == VGG_OP_GMAXPOOL_BWD;
    bool backward = op->kind == VGG_OP_AVGPOOL_BWD || op->kind == VGG_OP_GMAXPOOL_BWD;
    bool mask = backward && (op->flags & VGG_OP_RELU);
    const struct vgg_view *full = backward ? &op->dx : &op->x;
    size_t pixels = (size_t)full->h * (size_t)full->w, c = (size_t)full->c;
    struct vk_variant variant = {
        NULL, { [VK_SPEC_MAXIMUM] = maximum, [VK_SPEC_BACKWARD] = backward, [VK_SPEC_MASK] = mask }
    };
    vk_ops_way(vk, VK_TASK_GLOBAL_POOL, 0, &variant);
    size_t most = vk->limits.range / (4 * pixels * c);
    for (size_t at = 0; at < (size_t)full->n; at += most) {
        size_t images = (size_t)full->n - at < most ? (size_t)full->n - at : most;
        struct vk_push_gpool push = { .images = (uint32_t)images, .pixels = (uint32_t)pixels, .c = (uint32_t)c };
        struct vk_bind big = vk_ops_bind(rec, full, 4 * at * pixels * c, 4 * images * pixels * c, backward);
        struct vk_bind x = vk_ops_bind(rec, &op->x, 4 * at * pixels * c, 4 * images * pixels * c, false);
        struct vk_call call = { 0 };
        if (backward) {
            if (maximum || mask) call.bind[0] = x;
            call.bind[1] = vk_ops_bind(rec, &op->dy, 4 * at * c, 4 * images * c, false);
            call.bind[2] = big;
        } else {
            call.bind[0] = big;
            call.bind[2] = vk_ops_bind(rec, &op->y, 4 * at * c, 4 * images * c, true);
        }
        CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, images * c));
    }
fail:
    return status;
}

enum vgg_status vk_pool_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    if (op->kind == VGG_OP_POOL2) return lower_pool(vk, rec, op);
    if (op->kind == VGG_OP_POOL2_BWD) return lower_pool_bwd(vk, rec, op);
    return lower_global(vk, rec, op);
}

bool vk_pool_supports(const struct vk *vk, const struct vgg_op *op)
{
    if (op->kind == VGG_OP_POOL2 || op->kind == VGG_OP_POOL2_BWD) {
        bool backward = op->kind == VGG_OP_POOL2_BWD;
        struct vk_cut cut = pool_cut(backward ? &op->dx : &op->x, backward ? &op->dy : &op->y);
        return vk_chunk_possible(vk, &cut);
    }
    bool backward = op->kind == VGG_OP_AVGPOOL_BWD || op->kind == VGG_OP_GMAXPOOL_BWD;
    struct vgg_view one = backward ? op->dx : op->x;
    one.n = 1;
    return vgg_view_size(&one) <= vk->limits.range;
}
