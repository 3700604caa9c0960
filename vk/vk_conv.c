#include "vk/vk_conv.h"

#include "core/base/log.h"
#include "vk/vk_conv_part.h"
#include "vk/vk_pool.h"
#include "vk/vk_wino.h"

static struct vk_conv describe(const struct vgg_op *op)
{
    bool forward = op->kind == VGG_OP_CONV;
    return (struct vk_conv) { .op = op,
                              .x = forward ? &op->x : &op->dy,
                              .out = forward ? &op->y : &op->dx,
                              .co = forward ? op->w.c : op->dx.c,
                              .transposed = !forward,
                              .relu = op->flags & VGG_OP_RELU,
                              .pool = op->flags & VGG_OP_POOL,
                              .arg = op->arg.n != 0 };
}

/* The kernel and its bias in one binding: a shader has four, and a fused pool needs two for its outputs. */
static struct vk_bind bind_weights(const struct vk_rec *rec, const struct vgg_op *op, int *bias)
{
    size_t begin = op->w.offset, end = begin + vgg_view_size(&op->w);
    if (op->kind == VGG_OP_CONV) {
        size_t bias_end = op->b.offset + vgg_view_size(&op->b);
        if (op->b.offset < begin) begin = op->b.offset;
        if (bias_end > end) end = bias_end;
        *bias = (int)((op->b.offset - begin) / 4);
    }
    return (struct vk_bind) { rec->arena[op->w.arena], begin, end - begin, false };
}

static bool weights_fit(const struct vk *vk, const struct vgg_op *op)
{
    struct vk_rec none = { 0 };
    int bias;
    if (op->kind == VGG_OP_CONV && op->b.arena != op->w.arena) return false;
    return bind_weights(&none, op, &bias).size <= vk->limits.range;
}

bool vk_conv_supports(const struct vk *vk, const struct vgg_op *op)
{
    if (op->kind == VGG_OP_CONV_BWD_WEIGHT) {
        struct vk_cut cut = { .n = op->x.n,
                              .h = op->x.h,
                              .row_bytes = 4 * (size_t)op->x.w * (size_t)(op->x.c > op->dy.c ? op->x.c : op->dy.c),
                              .halo = 2,
                              .quantum = 1 };
        return vk_chunk_possible(vk, &cut) && vgg_view_size(&op->dw) <= vk_ops_scratch_size(vk);
    }
    struct vk_conv conv = describe(op);
    struct vk_cut cut = vk_conv_cut(vk, &conv);
    size_t map = 4 * (size_t)op->x.h * (size_t)op->x.w * (size_t)conv.co;
    bool apart = conv.pool && conv.co % 4;
    return vk_chunk_possible(vk, &cut) && weights_fit(vk, op) && (!apart || 4 * map <= vk_ops_scratch_size(vk));
}

/* Forward with a pool whose channels are no multiple of four: the whole map in scratch, then pool.comp. */
static enum vgg_status lower_pool_apart(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum vgg_status status;
    struct vgg_op conv = *op, pool = { .kind = VGG_OP_POOL2, .layer = op->layer };
    size_t image = 4 * (size_t)op->x.h * (size_t)op->x.w * (size_t)op->w.c;
    size_t pooled = vgg_view_count(&op->y) / (size_t)op->y.n;
    size_t step = vk_ops_scratch_size(vk) / image;
    if (op->arg.n && pooled % 4 && step < (size_t)op->x.n) step = step / 4 * 4;
    if (step == 0) return vgg_fail(VGG_ERR_UNSUPPORTED, "vulkan: a map of %zu bytes is too large to pool", image);
    CHECK(vk_ops_scratch(vk));
    rec->arena[VK_ARENA_SCRATCH] = vk->scratch;
    for (size_t n0 = 0; n0 < (size_t)op->x.n; n0 += step) {
        int images = (size_t)op->x.n - n0 < step ? op->x.n - (int)n0 : (int)step;
        conv.flags &= ~(unsigned)VGG_OP_POOL;
        conv.arg.n = 0;
        conv.x.n = images;
        conv.x.offset = op->x.offset + n0 * 4 * vgg_view_count(&op->x) / (size_t)op->x.n;
        conv.y = op->x;
        conv.y.arena = (enum vgg_arena)VK_ARENA_SCRATCH;
        conv.y.offset = 0;
        conv.y.n = images;
        conv.y.c = op->w.c;
        pool.x = conv.y;
        pool.y = op->y;
        pool.y.n = images;
        pool.y.offset += n0 * 4 * pooled;
        pool.arg = op->arg;
        if (op->arg.n) pool.arg.n = images;
        pool.arg.offset += n0 * pooled;
        CHECK(vk_conv_lower(vk, rec, &conv));
        CHECK(vk_pool_lower(vk, rec, &pool));
    }
fail:
    return status;
}

/* What one workgroup of the shader chosen makes: bm pixels (or rows of the kernel) of bn channels. */
struct block {
    int bm, bn;
    bool texels;
    VkPipeline pipeline;
    size_t parts;          /* of the sum */
    struct vk_variant add; /* for more than one: adds them and finishes */
};

/* conv_texel.comp or, for odd channels, conv_lane.comp. */
static enum vgg_status choose_lanes(struct vk *vk, const struct vk_conv *conv, int tm, int tn, struct block *block)
{
    size_t pixels = (size_t)conv->x->n * (size_t)conv->x->h * (size_t)conv->x->w;
    bool texels = conv->x->c % 8 == 0 && conv->co % 8 == 0;
    if (texels) vk_tile_texel(pixels, (size_t)conv->co, &tm, &tn);
    struct vk_variant lane = { texels ? "cpu/conv_texel" : "cpu/conv_lane",
                               { [VK_SPEC_TM] = (uint32_t)tm,
                                 [VK_SPEC_TN] = (uint32_t)tn,
                                 [VK_SPEC_TRANSPOSED] = conv->transposed,
                                 [VK_SPEC_RELU] = conv->relu,
                                 [VK_SPEC_POOL] = conv->pool,
                                 [VK_SPEC_ARG] = conv->arg } };
    *block = (struct block) { .bm = tm, .bn = 8 * tn, .texels = texels, .parts = 1 };
    return vk_pipe_get(vk, &lane, &block->pipeline);
}

/* conv.comp with the tile of the plan or the largest below that the driver takes. */
static enum vgg_status choose_tile(struct vk *vk, const struct vk_conv *conv, struct block *block)
{
    enum vgg_status status;
    struct vk_plan plan = vk_conv_plan(vk, conv, conv->x->n);
    const struct vk_tile *tile;
    bool split = plan.parts > 1;
    struct vk_variant variant = { "conv",
                                  { [VK_SPEC_C_VEC] = conv->co % 4 == 0,
                                    [VK_SPEC_TRANSPOSED] = conv->transposed,
                                    [VK_SPEC_RELU] = conv->relu,
                                    [VK_SPEC_POOL] = conv->pool,
                                    [VK_SPEC_ARG] = conv->arg } };
    *block = (struct block) { .parts = plan.parts, .add = variant };
    block->add.shader = "conv_sum";
    variant.spec[VK_SPEC_A_VEC] = conv->x->c % 16 == 0;
    variant.spec[VK_SPEC_SPLIT] = split;
    if (split) variant.spec[VK_SPEC_RELU] = variant.spec[VK_SPEC_ARG] = false;
    if (split) CHECK(vk_ops_scratch(vk));
    CHECK(vk_tile_pipe(vk, &variant, plan.tile, &tile, &block->pipeline));
    block->bm = tile->bm;
    block->bn = tile->bn;
fail:
    return status;
}

static enum vgg_status choose_shader(struct vk *vk, const struct vk_conv *conv, struct block *block)
{
    size_t pixels = (size_t)conv->x->n * (size_t)conv->x->h * (size_t)conv->x->w;
    int tm, tn;
    if (vk_tile_lanes(vk, pixels, (size_t)conv->co, &tm, &tn)) {
        enum vgg_status status = choose_lanes(vk, conv, tm, tn, block);
        if (status != VGG_ERR_UNSUPPORTED) return status;
    }
    return choose_tile(vk, conv, block);
}

static enum vgg_status lower_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                  const struct block *block, const struct vk_part *part)
{
    enum vgg_status status;
    const struct vgg_op *op = conv->op;
    const struct vgg_view *x = conv->x;
    struct vk_call call = { .pipeline = block->pipeline, .texels = block->texels }, add = { 0 };
    struct vk_call *last = block->parts > 1 ? &add : &call;
    struct vk_push_conv push = vk_conv_push(conv, part);
    int divide = conv->pool ? 2 : 1;
    size_t rows = vk_conv_rows(conv, part->images, part->rows), co = (size_t)conv->co, k = 9 * (size_t)x->c;
    size_t per_part = ((k + block->parts - 1) / block->parts + 15) / 16 * 16;
    push.per_part = (int)per_part;
    push.parts = (int)((k + per_part - 1) / per_part);
    push.part_size = (uint32_t)(rows * co);
    call.bind[0] = vk_conv_bind_rows(rec, x, part, part->x0, part->x_rows, false);
    call.bind[1] = bind_weights(rec, op, &push.bias);
    if (block->parts > 1) {
        call.bind[2] = vk_ops_scratch_bind(vk, 4 * rows * co * (size_t)push.parts, true);
        add.bind[0] = vk_ops_scratch_bind(vk, 4 * rows * co * (size_t)push.parts, false);
        add.bind[1] = call.bind[1];
    }
    last->bind[2] = vk_conv_bind_rows(rec, conv->out, part, part->y0 / divide, part->rows / divide, true);
    if (conv->arg) last->bind[3] = vk_conv_bind_rows(rec, &op->arg, part, part->y0 / 2, part->rows / 2, true);
    if (conv->transposed && conv->relu) {
        /* conv_texel.comp declares this binding for argmax as well, which it writes. Taken as written, it gets a
         * barrier that costs devices of CPU type nothing, and the validation layer, which reads declarations, is
         * content. */
        last->bind[3] = vk_conv_bind_rows(rec, &op->x, part, part->y0, part->rows, block->texels);
    }
    call.groups[0] = (uint32_t)((rows + (size_t)block->bm - 1) / (size_t)block->bm);
    call.groups[1] = (uint32_t)((co + (size_t)block->bn - 1) / (size_t)block->bn);
    call.groups[2] = block->parts > 1 ? (uint32_t)push.parts : 1;
    call.flops = 2.0 * (double)rows * (double)k * (double)co;
    CHECK(vk_rec_add(vk, rec, &call, &push, sizeof push));
    if (block->parts > 1) {
        add.flops = 8.0 * (double)rows * (double)co * push.parts;
        CHECK(vk_ops_flat(vk, rec, &block->add, &add, &push, sizeof push,
                          (conv->pool ? rows / 4 : rows) * ((co + 3) / 4)));
    }
fail:
    return status;
}

enum vgg_status vk_conv_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum vgg_status status = VGG_OK;
    struct vk_conv conv = describe(op);
    if (conv.pool && conv.co % 4) return lower_pool_apart(vk, rec, op);
    if (vk_wino_wanted(vk, &conv)) {
        status = vk_wino_lower(vk, rec, &conv);
        if (status != VGG_ERR_UNSUPPORTED) return status;
    }
    struct vk_cut cut = vk_conv_cut(vk, &conv);
    struct block block;
    CHECK(choose_shader(vk, &conv, &block));
    if (block.parts > 1) { /* whole images, whose parts scratch holds */
        size_t most = vk_ops_scratch_size(vk) / (4 * block.parts * (size_t)conv.x->w * (size_t)conv.co);
        if (most < cut.most_rows) cut.most_rows = most;
    }
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        CHECK(lower_part(vk, rec, &conv, &block, &part));
    }
fail:
    return status;
}

/* wgrad_texel.comp; add: to the gradient itself, not to a part of it. */
static enum vgg_status choose_wgrad_texel(struct vk *vk, const struct vgg_op *op, bool add, struct block *block,
                                          VkPipeline *pipeline)
{
    int tm, tn;
    vk_tile_texel(9 * (size_t)op->x.c, (size_t)op->dy.c, &tm, &tn);
    struct vk_variant variant = { "cpu/wgrad_texel",
                                  { [VK_SPEC_TM] = (uint32_t)tm, [VK_SPEC_TN] = (uint32_t)tn, [VK_SPEC_ADD] = add } };
    *block = (struct block) { .bm = tm, .bn = 8 * tn, .texels = true };
    return vk_pipe_get(vk, &variant, pipeline);
}

static enum vgg_status choose_wgrad(struct vk *vk, const struct vgg_op *op, int index, struct block *block,
                                    VkPipeline *pipeline)
{
    size_t rows = 9 * (size_t)op->x.c, co = (size_t)op->dy.c;
    int tm, tn;
    if (vk_tile_lanes(vk, rows, co, &tm, &tn)) {
        if (op->x.c % 8 == 0 && co % 8 == 0) {
            enum vgg_status status = choose_wgrad_texel(vk, op, false, block, pipeline);
            if (status != VGG_ERR_UNSUPPORTED) return status;
        }
        struct vk_variant lane = { "cpu/wgrad_lane", { [VK_SPEC_TM] = (uint32_t)tm, [VK_SPEC_TN] = (uint32_t)tn } };
        enum vgg_status status = vk_pipe_get(vk, &lane, pipeline);
        *block = (struct block) { .bm = tm, .bn = 8 * tn };
        if (status != VGG_ERR_UNSUPPORTED) return status;
    }
    struct vk_variant variant = { "wgrad",
                                  { [VK_SPEC_A_VEC] = op->x.c % 4 == 0, [VK_SPEC_C_VEC] = op->dy.c % 4 == 0 } };
    const struct vk_tile *tile;
    enum vgg_status status = vk_tile_pipe(vk, &variant, index, &tile, pipeline);
    *block = (struct block) { .bm = tile->bm, .bn = tile->bn };
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
    struct block block;
    struct vk_plan plan = vk_conv_wgrad_plan(vk, conv, pixels);
    CHECK(choose_wgrad(vk, op, plan.tile, &block, &call.pipeline));
    size_t across = (rows + (size_t)block.bm - 1) / (size_t)block.bm,
           down = (co + (size_t)block.bn - 1) / (size_t)block.bn;
    /* Enough parts to fill the device and to keep sums short; a function of the shape only. */
    size_t parts = vk->gpu.class == VK_CLASS_CPU ? 512 / (across * down) : plan.parts;
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
    VkPipeline adding;
    bool add = block.texels && parts == 1 && choose_wgrad_texel(vk, op, true, &block, &adding) == VGG_OK;
    if (add) call.pipeline = adding;
    CHECK(vk_ops_scratch(vk));
    call.texels = block.texels;
    call.bind[0] = vk_conv_bind_rows(rec, x, part, part->x0, part->x_rows, false);
    call.bind[1] = vk_conv_bind_rows(rec, dy, part, part->y0, part->rows, false);
    call.bind[2] = add ? dw : vk_ops_scratch_bind(vk, 4 * parts * count, true);
    /* As many parts in one dispatch as its time allows. */
    double flops = 18.0 * (double)per_part * x->c * dy->c;
    size_t step = (size_t)(VK_DISPATCH_SECONDS * vk->rate / flops) + 1;
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
    enum vgg_status status = VGG_OK;
    const struct vk_conv conv = { .op = op, .x = &op->x, .out = &op->dy, .co = op->dy.c };
    if (vk_wino_wanted(vk, &conv)) {
        status = vk_wino_lower_wgrad(vk, rec, &conv);
        if (status != VGG_ERR_UNSUPPORTED) return status;
    }
    struct vk_cut cut = { .n = op->x.n,
                          .h = op->x.h,
                          .row_bytes = 4 * (size_t)op->x.w * (size_t)(op->x.c > op->dy.c ? op->x.c : op->dy.c),
                          .halo = 2,
                          .quantum = 1 };
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);)
        CHECK(lower_wgrad_part(vk, rec, &conv, &part));
fail:
    return status;
}
