/* Winograd's way here goes by texel buffers and 64-bit words; vk_wino.c serves GPUs. */
#include "vk/vk_cpu.h"

#include "core/base/log.h"
#include "vk/vk_wino_part.h"

enum vgg_status vk_cpu_block(struct vk *vk, struct vk_variant *variant, const struct vk_way *way, size_t m, size_t n,
                             struct vk_block *block)
{
    bool texels = way->tiling == VK_TILING_TEXEL;
    size_t tm = texels ? m > 8 ? 16 : 8 : m > 40 ? 64 : m > 24 ? 32 : 8;
    size_t tn = texels ? n > 32 ? 8 : 4 : n > 32 && tm <= 32 ? 8 : n > 16 ? 4 : 1;
    variant->shader = way->shader;
    variant->spec[VK_SPEC_TM] = (uint32_t)tm;
    variant->spec[VK_SPEC_TN] = (uint32_t)tn;
    *block = (struct vk_block) { .way = way, .bm = tm, .bn = 8 * tn };
    return vk_pipe_get(vk, variant, &block->pipeline);
}

static struct vk_wino_layout layout_of(const struct vk_conv *conv, size_t tiles)
{
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co;
    return vk_wino_layout(VK_WINO_PLANE(ci * co), VK_WINO_PLANE(tiles * ci), VK_WINO_PLANE(tiles * co));
}

/* Bytes of Winograd's domain that are worked on at a time where there is a choice: they stay in the cache. */
static const size_t CACHED = (size_t)4 << 20;

/* Rows of tiles, four pixels high, that scratch holds; few enough for the cache, unless the kernels alone are not. */
static size_t tile_rows(const struct vk *vk, const struct vk_conv *conv)
{
    struct vk_wino_layout row = layout_of(conv, vk_wino_tiles(1, 4, conv->x->w));
    size_t cached = CACHED / (row.v + row.m) + 1, rows = vk_wino_rows(vk, row, conv->x->w, 8);
    return row.u > CACHED || rows < cached ? rows : cached;
}

/* Lines of kernels, `line` words each in every matrix, that stay in the cache: a multiple of what a workgroup makes. */
static size_t lines_cached(size_t lines, size_t line)
{
    size_t most = CACHED / (4 * VK_WINO_POINTS * line) / 64 * 64;
    return lines < most ? lines : most ? most : 64;
}

bool vk_cpu_wino_wanted(const struct vk *vk, const struct vk_conv *conv)
{
    const struct vgg_view *x = conv->x;
    int pixels = x->h * x->w;
    bool eights = x->c % 8 == 0 && conv->co % 8 == 0, wide = x->c >= 32 && conv->co >= 32 && x->w >= 8 && pixels >= 64;
    if (vk->direct || !vk_tile_next(vk, VK_TASK_WINO_PRODUCT, 0, NULL)->texels) return false;
    if (!eights || !wide || tile_rows(vk, conv) == 0) return false;
    /* The transforms cost as much as they save on small maps and few channels; there the direct sums stay: their
     * rounding errors are a few times smaller. By the map, not by the images: a batch gives the same in one part and in
     * many. Only kernel's gradients are sums over a batch. */
    if (conv->op->kind == VGG_OP_CONV_BWD_WEIGHT) return (size_t)x->n * (size_t)pixels >= 400;
    return pixels >= 256 && x->c * conv->co >= 64 * 64;
}

struct pipes {
    VkPipeline weight, input, output;
    struct vk_block product;
};

static enum vgg_status get_product(struct vk *vk, size_t m, size_t n, bool transposed, struct vk_block *product)
{
    struct vk_variant variant = { NULL, { [VK_SPEC_TRANSPOSED] = transposed } };
    return vk_cpu_block(vk, &variant, vk_tile_next(vk, VK_TASK_WINO_PRODUCT, 0, NULL), m, n, product);
}

static enum vgg_status get_pipes(struct vk *vk, const struct vk_conv *conv, struct pipes *pipes)
{
    enum vgg_status status;
    size_t tiles = vk_wino_tiles(conv->x->n, conv->x->h, conv->x->w);
    struct vk_variant input = { 0 }, weight = { NULL, { [VK_SPEC_TRANSPOSED] = conv->transposed } };
    struct vk_variant output = { NULL,
                                 { [VK_SPEC_TRANSPOSED] = conv->transposed,
                                   [VK_SPEC_RELU] = conv->relu,
                                   [VK_SPEC_POOL] = conv->pool,
                                   [VK_SPEC_ARG] = conv->arg } };
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_WEIGHT, weight, &pipes->weight));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_INPUT, input, &pipes->input));
    CHECK(get_product(vk, tiles, (size_t)conv->co, false, &pipes->product));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_OUTPUT, output, &pipes->output));
fail:
    return status;
}

static enum vgg_status add_flat(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                                const void *push, size_t push_size, size_t count, double work)
{
    call->texels = true;
    return vk_wino_flat(vk, rec, call, pipeline, push, push_size, count, work);
}

static enum vgg_status add_product(struct vk *vk, struct vk_rec *rec, struct vk_call *call, const struct pipes *pipes,
                                   const struct vk_push_gemm *push)
{
    const struct vk_block *product = &pipes->product;
    call->pipeline = product->pipeline;
    call->texels = true;
    call->groups[0] = (uint32_t)(((size_t)push->m + product->bm - 1) / product->bm);
    call->groups[1] = (uint32_t)(((size_t)push->n + product->bn - 1) / product->bn);
    call->groups[2] = VK_WINO_POINTS;
    call->flops = 2.0 * VK_WINO_POINTS * (double)push->m * (double)push->n * (double)push->k;
    return vk_rec_add(vk, rec, call, push, sizeof *push);
}

static enum vgg_status lower_input(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                   const struct pipes *pipes, const struct vk_part *part,
                                   const struct vk_wino_layout *layout)
{
    size_t tiles = vk_wino_tiles(part->images, part->rows, conv->x->w);
    struct vk_push_conv push = vk_conv_push(conv, part);
    struct vk_call call = { .bind = { vk_conv_bind_rows(rec, conv->x, part, part->x0, part->x_rows, false),
                                      vk_wino_scratch(vk, layout->u, layout->v, true) } };
    return add_flat(vk, rec, &call, pipes->input, &push, sizeof push, tiles * (size_t)conv->x->c / 4, 800);
}

/* The kernels of `now` channels made, from n0 on, to *out. */
static enum vgg_status lower_weight(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                    const struct pipes *pipes, size_t n0, size_t now, struct vk_bind *out)
{
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co, at = conv->transposed ? n0 * ci : n0;
    struct vk_push_kernels push = {
        .ci = (int)ci, .co = (int)now, .line = conv->transposed ? (int)ci : (int)co, .tap = (int)(ci * co)
    };
    struct vk_call call = { .bind = { vk_ops_bind(rec, &conv->op->w, 4 * at, 4 * (9 * ci * co - at), false),
                                      vk_wino_scratch(vk, 0, 4 * VK_WINO_POINTS * VK_WINO_PLANE(ci * now), true) } };
    call.texels = true;
    return vk_wino_kernels(vk, rec, &call, pipes->weight, &push, sizeof push, ci * now / 4, 800, out);
}

static enum vgg_status lower_product(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                     const struct pipes *pipes, const struct vk_wino_layout *layout,
                                     struct vk_bind kernels, size_t tiles, size_t n0, size_t now)
{
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co;
    struct vk_push_gemm push = {
        .m = (int)tiles, .n = (int)now, .k = (int)ci, .lda = (int)ci, .ldb = (int)now, .ldc = (int)co
    };
    struct vk_call call = { .bind = { vk_wino_scratch(vk, layout->u, layout->v, false), kernels,
                                      vk_wino_scratch(vk, layout->u + layout->v + 4 * n0, layout->m - 4 * n0, true) } };
    return add_product(vk, rec, &call, pipes, &push);
}

static enum vgg_status lower_output(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                    const struct pipes *pipes, const struct vk_part *part,
                                    const struct vk_wino_layout *layout)
{
    const struct vgg_op *op = conv->op;
    size_t tiles = vk_wino_tiles(part->images, part->rows, conv->x->w), co = (size_t)conv->co;
    struct vk_push_conv push = vk_conv_push(conv, part);
    int divide = conv->pool ? 2 : 1;
    struct vk_call call = { .bind = { vk_wino_scratch(vk, layout->u + layout->v, layout->m, false) } };
    if (!conv->transposed) call.bind[1] = vk_ops_bind(rec, &op->b, 0, 4 * co, false);
    call.bind[2] = vk_conv_bind_rows(rec, conv->out, part, part->y0 / divide, part->rows / divide, true);
    if (conv->transposed && conv->relu)
        call.bind[3] = vk_conv_bind_rows(rec, &op->x, part, part->y0, part->rows, false);
    if (conv->arg) call.bind[3] = vk_conv_bind_rows(rec, &op->arg, part, part->y0 / 2, part->rows / 2, true);
    return add_flat(vk, rec, &call, pipes->output, &push, sizeof push, tiles * co / 4, 800);
}

enum vgg_status vk_cpu_wino_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv)
{
    enum vgg_status status;
    struct pipes pipes;
    CHECK(get_pipes(vk, conv, &pipes));
    CHECK(vk_ops_scratch(vk));
    struct vk_cut cut = vk_wino_cut(vk, conv, tile_rows(vk, conv));
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co;
    struct vk_bind kernels = { 0 };
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        bool whole = part.images == cut.n && part.rows == cut.h, first = part.n0 == 0 && part.y0 == 0;
        size_t tiles = vk_wino_tiles(part.images, part.rows, conv->x->w), step = whole ? lines_cached(co, ci) : co;
        struct vk_wino_layout layout = layout_of(conv, tiles);
        CHECK(lower_input(vk, rec, conv, &pipes, &part, &layout));
        for (size_t n0 = 0; n0 < co; n0 += step) {
            size_t now = co - n0 < step ? co - n0 : step;
            if (first) CHECK(lower_weight(vk, rec, conv, &pipes, n0, now, &kernels));
            CHECK(lower_product(vk, rec, conv, &pipes, &layout, kernels, tiles, n0, now));
        }
        CHECK(lower_output(vk, rec, conv, &pipes, &part, &layout));
    }
fail:
    return status;
}

/* dw += of the `now` channels of x from c0 on. */
static enum vgg_status lower_wgrad_lines(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                         const struct pipes *pipes, const struct vk_wino_layout *layout, size_t tiles,
                                         size_t c0, size_t now)
{
    enum vgg_status status;
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co, size = 4 * VK_WINO_POINTS * VK_WINO_PLANE(now * co);
    struct vk_push_gemm gemm = {
        .m = (int)now, .n = (int)co, .k = (int)tiles, .lda = (int)ci, .ldb = (int)co, .ldc = (int)co
    };
    struct vk_call product = { .bind = { vk_wino_scratch(vk, layout->u + 4 * c0, layout->v - 4 * c0, false),
                                         vk_wino_scratch(vk, layout->u + layout->v, layout->m, false),
                                         vk_wino_scratch(vk, 0, size, true) } };
    CHECK(add_product(vk, rec, &product, pipes, &gemm));
    struct vk_push_kernels push = { .ci = (int)now, .co = (int)co, .line = (int)co, .tap = (int)(ci * co) };
    struct vk_call dw = { .bind = { vk_wino_scratch(vk, 0, size, false),
                                    vk_ops_bind(rec, &conv->op->dw, 4 * c0 * co, 4 * (9 * ci - c0) * co, true) } };
    CHECK(add_flat(vk, rec, &dw, pipes->weight, &push, sizeof push, now * co / 4, 800));
fail:
    return status;
}

static enum vgg_status lower_wgrad_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                        const struct pipes *pipes, const struct vk_part *part)
{
    enum vgg_status status;
    size_t tiles = vk_wino_tiles(part->images, part->rows, conv->x->w), ci = (size_t)conv->x->c, co = (size_t)conv->co;
    size_t step = lines_cached(ci, co);
    struct vk_wino_layout layout = layout_of(conv, tiles);
    struct vk_push_conv push = vk_conv_push(conv, part);
    CHECK(lower_input(vk, rec, conv, pipes, part, &layout));
    struct vk_call dy = { .bind = { vk_conv_bind_rows(rec, conv->out, part, part->y0, part->rows, false),
                                    vk_wino_scratch(vk, layout.u + layout.v, layout.m, true) } };
    CHECK(add_flat(vk, rec, &dy, pipes->output, &push, sizeof push, tiles * co / 4, 800));
    for (size_t c0 = 0; c0 < ci; c0 += step) {
        CHECK(lower_wgrad_lines(vk, rec, conv, pipes, &layout, tiles, c0, ci - c0 < step ? ci - c0 : step));
    }
fail:
    return status;
}

enum vgg_status vk_cpu_wino_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv)
{
    enum vgg_status status;
    struct pipes pipes;
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_INPUT, (struct vk_variant) { 0 }, &pipes.input));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_DY, (struct vk_variant) { 0 }, &pipes.output));
    CHECK(get_product(vk, (size_t)conv->x->c, (size_t)conv->co, true, &pipes.product));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_DW, (struct vk_variant) { 0 }, &pipes.weight));
    CHECK(vk_ops_scratch(vk));
    struct vk_cut cut = vk_wino_cut(vk, conv, tile_rows(vk, conv));
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        CHECK(lower_wgrad_part(vk, rec, conv, &pipes, &part));
        CHECK(vk_conv_bias_gradient(vk, rec, conv->op, &part));
    }
fail:
    return status;
}
