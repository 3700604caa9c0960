#include "vk/vk_conv.h"

#include "core/base/log.h"
#include "vk/vk_cpu.h"
#include "vk/vk_pool.h"
#include "vk/vk_winograd.h"

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

/* How it is made: by which shader and, for a sum in more parts than one, what adds them and finishes. */
struct making {
    struct vk_block block;
    size_t parts;
    struct vk_variant add;
};

/* The tile of the plan or the largest below that the driver takes. */
static enum vgg_status choose_tile(struct vk *vk, const struct vk_conv *conv, const struct vk_way *way,
                                   struct vk_variant variant, struct making *making)
{
    struct vk_plan plan = vk_conv_plan(vk, conv, conv->x->n);
    bool split = plan.parts > 1;
    variant.spec[VK_SPEC_C_VEC] = conv->co % 4 == 0;
    *making = (struct making) { .parts = plan.parts, .add = variant };
    variant.spec[VK_SPEC_A_VEC] = conv->x->c % 16 == 0;
    variant.spec[VK_SPEC_SPLIT] = split;
    making->add.spec[VK_SPEC_HALVES] = vk_ops_halves(conv->out, 2);
    if (split) {
        variant.spec[VK_SPEC_HALVES] = vk_ops_halves(conv->x, 0);
        variant.spec[VK_SPEC_RELU] = variant.spec[VK_SPEC_ARG] = false;
        vk_ops_way(vk, VK_TASK_CONV_SUM, 0, &making->add);
        enum vgg_status status = vk_ops_scratch(vk);
        if (status != VGG_OK) return status;
    }
    return vk_tile_block(vk, &variant, way, plan.tile, &making->block);
}

static enum vgg_status choose_shader(struct vk *vk, const struct vk_conv *conv, struct making *making)
{
    enum vgg_status status = VGG_ERR_UNSUPPORTED;
    struct vk_variant variant = { NULL,
                                  { [VK_SPEC_TRANSPOSED] = conv->transposed,
                                    [VK_SPEC_RELU] = conv->relu,
                                    [VK_SPEC_POOL] = conv->pool,
                                    [VK_SPEC_ARG] = conv->arg,
                                    [VK_SPEC_HALVES] = vk_ops_halves(conv->x, 0) | vk_ops_halves(conv->out, 2) } };
    size_t pixels = (size_t)conv->x->n * (size_t)conv->x->h * (size_t)conv->x->w, co = (size_t)conv->co;
    const struct vk_way *way = NULL;
    while (status == VGG_ERR_UNSUPPORTED && (way = vk_tile_next(vk, VK_TASK_CONV, (size_t)conv->x->c | co, way))) {
        *making = (struct making) { .parts = 1 };
        bool tile = way->tiling == VK_TILING_SHARED || way->tiling == VK_TILING_MATRIX;
        status = tile ? choose_tile(vk, conv, way, variant, making)
                      : vk_cpu_block(vk, &variant, way, pixels, co, &making->block);
    }
    return status;
}

static enum vgg_status lower_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                  const struct making *making, const struct vk_part *part)
{
    enum vgg_status status;
    const struct vgg_op *op = conv->op;
    const struct vgg_view *x = conv->x;
    const struct vk_block *block = &making->block;
    struct vk_call call = { .pipeline = block->pipeline, .texels = block->way->texels }, add = { 0 };
    bool split = making->parts > 1;
    struct vk_call *last = split ? &add : &call;
    struct vk_push_conv push = vk_conv_push(conv, part);
    int divide = conv->pool ? 2 : 1;
    size_t rows = vk_conv_rows(conv, part->images, part->rows), co = (size_t)conv->co, k = 9 * (size_t)x->c;
    size_t step = block->bk ? block->bk : 16, per_part = (k + making->parts - 1) / making->parts;
    per_part = (per_part + step - 1) / step * step;
    push.per_part = (int)per_part;
    push.parts = (int)((k + per_part - 1) / per_part);
    push.part_size = (uint32_t)(rows * co);
    call.bind[0] = vk_conv_bind_rows(rec, x, part, part->x0, part->x_rows, false);
    call.bind[1] = bind_weights(rec, op, &push.bias);
    if (split) {
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
        last->bind[3] = vk_conv_bind_rows(rec, &op->x, part, part->y0, part->rows, block->way->texels);
    }
    call.groups[0] = (uint32_t)((rows + block->bm - 1) / block->bm);
    call.groups[1] = (uint32_t)((co + block->bn - 1) / block->bn);
    call.groups[2] = split ? (uint32_t)push.parts : 1;
    call.flops = 2.0 * (double)rows * (double)k * (double)co;
    CHECK(vk_rec_add(vk, rec, &call, &push, sizeof push));
    if (split) {
        add.flops = 8.0 * (double)rows * (double)co * push.parts;
        CHECK(vk_ops_flat(vk, rec, &making->add, &add, &push, sizeof push,
                          (conv->pool ? rows / 4 : rows) * ((co + 3) / 4)));
    }
fail:
    return status;
}

enum vgg_status vk_conv_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    struct vk_conv conv = describe(op);
    if (conv.pool && conv.co % 4) return lower_pool_apart(vk, rec, op);
    enum vgg_status status = vk_winograd_lower(vk, rec, &conv);
    if (status != VGG_ERR_UNSUPPORTED) return status;
    struct vk_cut cut = vk_conv_cut(vk, &conv);
    struct making making;
    CHECK(choose_shader(vk, &conv, &making));
    vk_chunk_most(&cut, vk->limits.groups * making.block.bm / (size_t)conv.x->w);
    if (making.parts > 1) { /* whole images, whose parts scratch holds */
        vk_chunk_most(&cut, vk_ops_scratch_size(vk) / (4 * making.parts * (size_t)conv.x->w * (size_t)conv.co));
    }
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        CHECK(lower_part(vk, rec, &conv, &making, &part));
    }
fail:
    return status;
}
