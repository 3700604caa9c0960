#include "vk/vk_wgrad.h"

#include "core/base/log.h"
#include "vk/vk_cpu.h"
#include "vk/vk_winograd.h"

static struct vk_cut whole_cut(const struct vgg_op *op)
{
    return (struct vk_cut) { .n = op->x.n,
                             .h = op->x.h,
                             .row_bytes = 4 * (size_t)op->x.w * (size_t)(op->x.c > op->dy.c ? op->x.c : op->dy.c),
                             .halo = 2,
                             .quantum = 1 };
}

bool vk_wgrad_supports(const struct vk *vk, const struct vgg_op *op)
{
    struct vk_cut cut = whole_cut(op);
    return vk_chunk_possible(vk, &cut) && vgg_view_size(&op->dw) <= vk_ops_scratch_size(vk);
}

/* add: to the gradient itself, not to a part of it; only by texels. */
static enum vgg_status choose_cpu(struct vk *vk, const struct vgg_op *op, const struct vk_way *way, bool add,
                                  struct vk_block *block)
{
    struct vk_variant variant = { NULL, { [VK_SPEC_ADD] = add } };
    return vk_cpu_block(vk, &variant, way, 9 * (size_t)op->x.c, (size_t)op->dy.c, block);
}

static enum vgg_status choose_shader(struct vk *vk, const struct vgg_op *op, int tile, struct vk_block *block)
{
    enum vgg_status status = VGG_ERR_UNSUPPORTED;
    size_t channels = (size_t)op->x.c | (size_t)op->dy.c;
    struct vk_variant variant = { NULL,
                                  { [VK_SPEC_A_VEC] = op->x.c % 4 == 0,
                                    [VK_SPEC_C_VEC] = op->dy.c % 4 == 0,
                                    [VK_SPEC_HALVES] = vk_ops_halves(&op->x, 0) | vk_ops_halves(&op->dy, 1) } };
    const struct vk_way *way = NULL;
    while (status == VGG_ERR_UNSUPPORTED && (way = vk_tile_next(vk, VK_TASK_WGRAD, channels, way))) {
        bool tiles = way->tiling == VK_TILING_SHARED || way->tiling == VK_TILING_MATRIX;
        status = tiles ? vk_tile_block(vk, &variant, way, tile, block) : choose_cpu(vk, op, way, false, block);
    }
    return status;
}

/* Adds the kernel's gradient over one part of the images to dw, and the bias's to db. */
static enum vgg_status lower_wgrad_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                        const struct vk_part *part)
{
    enum vgg_status status;
    const struct vgg_op *op = conv->op;
    const struct vgg_view *x = &op->x, *dy = &op->dy;
    size_t count = vgg_view_count(&op->dw), rows = 9 * (size_t)x->c, co = (size_t)dy->c;
    size_t pixels = (size_t)part->images * (size_t)part->rows * (size_t)x->w;
    struct vk_call call = { 0 };
    struct vk_block block;
    struct vk_plan plan = vk_conv_wgrad_plan(vk, conv, pixels);
    CHECK(choose_shader(vk, op, plan.tile, &block));
    size_t across = (rows + block.bm - 1) / block.bm, down = (co + block.bn - 1) / block.bn;
    /* Enough parts to fill the device and to keep sums short; a function of the shape only. */
    size_t parts = vk->gpu.class->predicted ? plan.parts : 512 / (across * down);
    size_t room = vk_ops_scratch_size(vk) / (4 * count);
    if (parts > pixels / 256) parts = pixels / 256;
    if (parts < pixels / 8192) parts = pixels / 8192;
    if (vk->limits.split) parts = (size_t)vk->limits.split;
    if (parts > room) parts = room;
    if (parts < 1) parts = 1;
    size_t per_part = ((pixels + parts - 1) / parts + 15) / 16 * 16;
    parts = (pixels + per_part - 1) / per_part;
    struct vk_push_wgrad push = { .images = part->images,
                                  .rows = part->rows,
                                  .w = x->w,
                                  .h = x->h,
                                  .y0 = part->y0,
                                  .x0 = part->x0,
                                  .x_rows = part->images > 1 ? x->h : part->x_rows,
                                  .ci = x->c,
                                  .co = dy->c,
                                  .per_part = (int)per_part };
    struct vk_bind dw = vk_ops_bind(rec, &op->dw, 0, 4 * count, true);
    struct vk_block adding;
    bool add = block.way->texels && parts == 1 && choose_cpu(vk, op, block.way, true, &adding) == VGG_OK;
    if (add) block = adding;
    CHECK(vk_ops_scratch(vk));
    call.pipeline = block.pipeline;
    call.texels = block.way->texels;
    call.bind[0] = vk_conv_bind_rows(rec, x, part, part->x0, part->x_rows, false);
    call.bind[1] = vk_conv_bind_rows(rec, dy, part, part->y0, part->rows, false);
    call.bind[2] = add ? dw : vk_ops_scratch_bind(vk, 4 * parts * count, true);
    /* As many parts in one dispatch as its time allows. */
    double flops = 18.0 * (double)per_part * x->c * dy->c;
    size_t step = (size_t)(VK_DISPATCH_SECONDS * vk->rate / flops) + 1;
    if (step > vk->limits.groups) step = vk->limits.groups;
    for (size_t z = 0; z < parts; z += step) {
        size_t now = parts - z < step ? parts - z : step;
        push.first_part = (int)z;
        call.groups[0] = (uint32_t)across;
        call.groups[1] = (uint32_t)down;
        call.groups[2] = (uint32_t)now;
        call.flops = flops * (double)now;
        CHECK(vk_rec_add(vk, rec, &call, &push, sizeof push));
    }
    if (!add) CHECK(vk_ops_reduce(vk, rec, dw, NULL, count, parts, true, false, 1));
    CHECK(vk_conv_bias_gradient(vk, rec, op, part));
fail:
    return status;
}

enum vgg_status vk_wgrad_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    const struct vk_conv conv = { .op = op, .x = &op->x, .out = &op->dy, .co = op->dy.c };
    enum vgg_status status = vk_winograd_lower(vk, rec, &conv);
    if (status != VGG_ERR_UNSUPPORTED) return status;
    struct vk_cut cut = whole_cut(op);
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);)
        CHECK(lower_wgrad_part(vk, rec, &conv, &part));
fail:
    return status;
}
