/* Convolution by Winograd's F(4x4, 3x3): 36 products of a quarter of the size; see shaders/common/wino.glsl. Only on
 * devices of CPU type so far: others have no shader for the products. */
#include "core/log.h"
#include "vk/vk_conv.h"
#include "vk/vk_tile.h"

enum { POINTS = 36 };

static size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static size_t tiles_of(int images, int rows, int w)
{
    return (size_t)images * (size_t)((rows + 3) / 4) * (size_t)((w + 3) / 4);
}

/* Scratch: kernels, then inputs, then products, each in Winograd's domain. */
struct layout {
    size_t u, v, m; /* bytes */
};

static struct layout layout_of(const struct vk_conv *conv, size_t tiles)
{
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co;
    return (struct layout) { round_up(4 * POINTS * ci * co, VGG_VIEW_ALIGN),
                             round_up(4 * POINTS * tiles * ci, VGG_VIEW_ALIGN),
                             round_up(4 * POINTS * tiles * co, VGG_VIEW_ALIGN) };
}

/* Rows of tiles, four pixels high, that scratch holds. */
static size_t tile_rows(const struct vk *vk, const struct vk_conv *conv)
{
    struct layout row = layout_of(conv, tiles_of(1, 4, conv->x->w));
    size_t room = vk_ops_scratch_size(vk);
    return room > row.u ? (room - row.u) / (row.v + row.m) : 0;
}

bool vk_wino_possible(const struct vk *vk, const struct vk_conv *conv)
{
    const struct vgg_view *x = conv->x;
    int tm, tn;
    bool eights = x->c % 8 == 0 && conv->co % 8 == 0;
    bool wide = x->c >= 32 && conv->co >= 32 && x->w >= 8 && x->h * x->w >= 128;
    return !vk->direct && eights && wide && vk_tile_lanes(vk, 64, 64, &tm, &tn) && tile_rows(vk, conv) > 0;
}

bool vk_wino_wanted(const struct vk *vk, const struct vk_conv *conv)
{
    /* The transforms cost as much as they save on small maps and few channels; there the direct sums stay: their
     * rounding errors are a few times smaller. */
    bool worth = conv->x->h * conv->x->w >= 400 && conv->x->c * conv->co >= 64 * 128;
    return worth && vk_wino_possible(vk, conv);
}

struct pipes {
    VkPipeline weight, input, product, output;
    int tm, tn;
};

static enum vgg_status get_pipes(struct vk *vk, const struct vk_conv *conv, struct pipes *pipes)
{
    enum vgg_status status;
    size_t tiles = tiles_of(conv->x->n, conv->x->h, conv->x->w);
    vk_tile_texel(tiles, (size_t)conv->co, &pipes->tm, &pipes->tn);
    struct vk_variant weight = { "wino_weight", 1, { conv->transposed } };
    struct vk_variant input = { "wino_input", 0, { 0 } };
    struct vk_variant product = { "wino_lane", 3, { (uint32_t)pipes->tm, (uint32_t)pipes->tn, false } };
    struct vk_variant output = { "wino_output", 4, { conv->transposed, conv->relu, conv->pool, conv->arg } };
    CHECK(vk_pipe_get(vk, &weight, &pipes->weight));
    CHECK(vk_pipe_get(vk, &input, &pipes->input));
    CHECK(vk_pipe_get(vk, &product, &pipes->product));
    CHECK(vk_pipe_get(vk, &output, &pipes->output));
fail:
    return status;
}

static struct vk_bind scratch(const struct vk *vk, size_t offset, size_t size, bool write)
{
    return (struct vk_bind) { vk->scratch, offset, size, write };
}

static enum vgg_status add_flat(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                                const struct vk_push_conv *push, size_t count, double work)
{
    call->pipeline = pipeline;
    call->groups[0] = (uint32_t)((count + 127) / 128 < vk->limits.groups ? (count + 127) / 128 : vk->limits.groups);
    call->groups[1] = call->groups[2] = 1;
    call->flops = work * (double)count;
    return vk_rec_add(vk, rec, call, push, sizeof *push);
}

static enum vgg_status lower_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                  const struct pipes *pipes, const struct vk_part *part)
{
    enum vgg_status status;
    const struct vgg_op *op = conv->op;
    size_t tiles = tiles_of(part->images, part->rows, conv->x->w), ci = (size_t)conv->x->c, co = (size_t)conv->co;
    struct layout layout = layout_of(conv, tiles);
    struct vk_push_conv push = vk_conv_push(conv, part);
    int divide = conv->pool ? 2 : 1;

    struct vk_call input = { .bind = { vk_conv_bind_rows(rec, conv->x, part, part->x0, part->x_rows, false),
                                       scratch(vk, layout.u, layout.v, true) } };
    CHECK(add_flat(vk, rec, &input, pipes->input, &push, tiles * ci, 200));

    struct vk_push_gemm gemm = { .m = (int)tiles, .n = (int)co, .k = (int)ci };
    struct vk_call product = { .pipeline = pipes->product,
                               .texels = true,
                               .bind = { scratch(vk, layout.u, layout.v, false), scratch(vk, 0, layout.u, false),
                                         scratch(vk, layout.u + layout.v, layout.m, true) },
                               .groups = { (uint32_t)((tiles + (size_t)pipes->tm - 1) / (size_t)pipes->tm),
                                           (uint32_t)((co + 8 * (size_t)pipes->tn - 1) / (8 * (size_t)pipes->tn)),
                                           POINTS },
                               .flops = 2.0 * POINTS * (double)tiles * (double)ci * (double)co };
    CHECK(vk_rec_add(vk, rec, &product, &gemm, sizeof gemm));

    struct vk_call output = { .bind = { scratch(vk, layout.u + layout.v, layout.m, false) } };
    if (!conv->transposed) output.bind[1] = vk_ops_bind(rec, &op->b, 0, 4 * co, false);
    output.bind[2] = vk_conv_bind_rows(rec, conv->out, part, part->y0 / divide, part->rows / divide, true);
    if (conv->arg) output.bind[3] = vk_conv_bind_rows(rec, &op->arg, part, part->y0 / 2, part->rows / 2, true);
    if (conv->transposed && conv->relu) {
        output.bind[3] = vk_conv_bind_rows(rec, &op->x, part, part->y0, part->rows, false);
    }
    CHECK(add_flat(vk, rec, &output, pipes->output, &push, tiles * co / 4, 800));
fail:
    return status;
}

/* Whole images when their rows of tiles fit, else parts that begin with a row of tiles: by the shape alone. */
static struct vk_cut wino_cut(const struct vk *vk, const struct vk_conv *conv)
{
    struct vk_cut cut = vk_conv_cut(vk, conv);
    size_t down = (size_t)((cut.h + 3) / 4), fit = tile_rows(vk, conv);
    cut.quantum = 4;
    cut.most_rows = fit >= down ? fit / down * (size_t)conv->x->h : 4 * fit + 2;
    return cut;
}

enum vgg_status vk_wino_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv)
{
    enum vgg_status status;
    struct pipes pipes;
    CHECK(get_pipes(vk, conv, &pipes));
    CHECK(vk_ops_scratch(vk));
    struct vk_cut cut = wino_cut(vk, conv);
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co;
    struct vk_push_conv push = { .ci = (int)ci, .co = (int)co };
    struct vk_call weight = { .bind = { vk_ops_bind(rec, &conv->op->w, 0, 4 * 9 * ci * co, false),
                                        scratch(vk, 0, layout_of(conv, 0).u, true) } };
    CHECK(add_flat(vk, rec, &weight, pipes.weight, &push, ci * co, 200));
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        CHECK(lower_part(vk, rec, conv, &pipes, &part));
    }
fail:
    return status;
}

static enum vgg_status lower_wgrad_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                        const struct pipes *pipes, const struct vk_part *part)
{
    enum vgg_status status;
    size_t tiles = tiles_of(part->images, part->rows, conv->x->w), ci = (size_t)conv->x->c, co = (size_t)conv->co;
    struct layout layout = layout_of(conv, tiles);
    struct vk_push_conv push = vk_conv_push(conv, part);

    struct vk_call input = { .bind = { vk_conv_bind_rows(rec, conv->x, part, part->x0, part->x_rows, false),
                                       scratch(vk, layout.u, layout.v, true) } };
    CHECK(add_flat(vk, rec, &input, pipes->input, &push, tiles * ci, 200));
    struct vk_call dy = { .bind = { vk_conv_bind_rows(rec, conv->out, part, part->y0, part->rows, false),
                                    scratch(vk, layout.u + layout.v, layout.m, true) } };
    CHECK(add_flat(vk, rec, &dy, pipes->output, &push, tiles * co, 200));

    struct vk_push_gemm gemm = { .m = (int)ci, .n = (int)co, .k = (int)tiles };
    struct vk_call product = {
        .pipeline = pipes->product,
        .texels = true,
        .bind = { scratch(vk, layout.u, layout.v, false), scratch(vk, layout.u + layout.v, layout.m, false),
                  scratch(vk, 0, layout.u, true) },
        .groups = { (uint32_t)((ci + (size_t)pipes->tm - 1) / (size_t)pipes->tm),
                    (uint32_t)((co + 8 * (size_t)pipes->tn - 1) / (8 * (size_t)pipes->tn)), POINTS },
        .flops = 2.0 * POINTS * (double)tiles * (double)ci * (double)co
    };
    CHECK(vk_rec_add(vk, rec, &product, &gemm, sizeof gemm));

    struct vk_call dw = { .bind = { scratch(vk, 0, layout.u, false),
                                    vk_ops_bind(rec, &conv->op->dw, 0, 4 * 9 * ci * co, true) } };
    CHECK(add_flat(vk, rec, &dw, pipes->weight, &push, ci * co, 200));
fail:
    return status;
}

enum vgg_status vk_wino_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv)
{
    enum vgg_status status;
    struct pipes pipes;
    vk_tile_texel((size_t)conv->x->c, (size_t)conv->co, &pipes.tm, &pipes.tn);
    struct vk_variant input = { "wino_input", 0, { 0 } }, dy = { "wino_dy", 0, { 0 } }, dw = { "wino_dw", 0, { 0 } };
    struct vk_variant product = { "wino_lane", 3, { (uint32_t)pipes.tm, (uint32_t)pipes.tn, true } };
    CHECK(vk_pipe_get(vk, &input, &pipes.input));
    CHECK(vk_pipe_get(vk, &dy, &pipes.output));
    CHECK(vk_pipe_get(vk, &product, &pipes.product));
    CHECK(vk_pipe_get(vk, &dw, &pipes.weight));
    CHECK(vk_ops_scratch(vk));
    struct vk_cut cut = wino_cut(vk, conv);
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        CHECK(lower_wgrad_part(vk, rec, conv, &pipes, &part));
        struct vk_bind dy_part = vk_conv_bind_rows(rec, conv->out, &part, part.y0, part.rows, false);
        size_t co = (size_t)conv->co, pixels = (size_t)part.images * (size_t)part.rows * (size_t)conv->x->w;
        CHECK(vk_ops_colsum(vk, rec, dy_part, vk_ops_bind(rec, &conv->op->db, 0, 4 * co, true), pixels, co));
    }
fail:
    return status;
}
