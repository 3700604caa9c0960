/* Convolution by Winograd's F(4x4, 3x3): 36 products of a quarter of the size; see shaders/common/wino.glsl. GPUs make
 * the products by gemm.comp; for devices of CPU type see vk_cpu.c. */
#include "vk/vk_wino.h"

#include "core/base/log.h"
#include "vk/vk_wino_part.h"

/* Time of a byte that stays in the cache, over that of one to or from memory. */
static const double CACHED = 0.25;

static bool is_wgrad(const struct vk_conv *conv)
{
    return conv->op->kind == VGG_OP_CONV_BWD_WEIGHT;
}

/* parts: of the products' sums, each with matrices of its own where kernels would stand. */
static struct vk_wino_layout layout_of(const struct vk_conv *conv, size_t tiles, size_t parts)
{
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co;
    return vk_wino_layout(ci * co * parts, tiles * ci, tiles * co);
}

/* Parts of the sum over tiles, of a kernel's gradient, that there is to be room for: as many as give every core a
 * 64 x 64 tile. */
static size_t parts_wanted(const struct vk *vk, const struct vk_conv *conv)
{
    size_t blocks = (size_t)((conv->x->c + 63) / 64) * (size_t)((conv->co + 63) / 64) * VK_WINO_POINTS;
    return is_wgrad(conv) ? (vk->gpu.class->busy + blocks - 1) / blocks : 1;
}

/* Rows of tiles, four pixels high, that scratch holds; no matrix tile has fewer than 32 of them. */
static size_t tile_rows(const struct vk *vk, const struct vk_conv *conv)
{
    struct vk_wino_layout row = layout_of(conv, vk_wino_tiles(1, 4, conv->x->w), parts_wanted(vk, conv));
    return vk_wino_rows(vk, row, conv->x->w, 32);
}

bool vk_wino_possible(const struct vk *vk, const struct vk_conv *conv)
{
    const struct vgg_view *x = conv->x;
    bool even = x->c % 4 == 0 && conv->co % 4 == 0;
    bool wide = x->c >= 32 && conv->co >= 32 && x->w >= 8 && x->h * x->w >= 128;
    return !vk->direct && even && wide && tile_rows(vk, conv) > 0;
}

/* How the work is cut: whole images, or else rows of one, of so many rows of tiles at a time; cached: inputs and
 * products in Winograd's domain stay in the device's cache from one dispatch to the next. */
struct grouping {
    size_t rows;
    bool cached;
};

/* Groups of `images` images. */
static size_t group_count(const struct vk_conv *conv, const struct grouping *group, size_t images)
{
    size_t down = (size_t)((conv->x->h + 3) / 4), whole = group->rows / down;
    if (!whole) return images * ((down + group->rows - 1) / group->rows);
    return (images + whole - 1) / whole;
}

/* The same number of groups, alike in size. */
static void level(const struct vk_conv *conv, struct grouping *group, size_t images)
{
    size_t down = (size_t)((conv->x->h + 3) / 4), groups = group_count(conv, group, images);
    if (group->rows >= down) {
        group->rows = (images + groups - 1) / groups * down;
    } else {
        size_t cuts = (down + group->rows - 1) / group->rows;
        group->rows = (down + cuts - 1) / cuts;
    }
}

static struct vk_product product_of(const struct vk *vk, const struct vk_conv *conv, size_t tiles, bool cached)
{
    bool wgrad = is_wgrad(conv);
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co, scratch = vk_ops_scratch_size(vk);
    struct vk_wino_layout layout = layout_of(conv, tiles, 1);
    double share = cached ? CACHED : 1;
    size_t domain = layout.v + layout.m, room = scratch > domain ? (scratch - domain) / layout.u : 1;
    return (struct vk_product) { .m = wgrad ? ci : tiles,
                                 .n = co,
                                 .k = wgrad ? tiles : ci,
                                 .batch = VK_WINO_POINTS,
                                 .bytes = (double)layout.u + share * (double)domain,
                                 .most_parts = wgrad ? room : 1,
                                 .part_bytes = wgrad ? 2 * share * (double)layout.u : 0 };
}

/* Predicted time: the products, at their tiles' padding, and every byte that the transforms move to and from memory:
 * kernels and their transforms once (the gradient of a kernel, once for each group), inputs, outputs, transforms of
 * both written here and read there. The transforms' arithmetic, which hides behind the bytes, is left out. */
static double predict(const struct vk *vk, const struct vk_conv *conv, size_t images, const struct grouping *group)
{
    const struct vk_class *machine = vk->gpu.class;
    bool wgrad = is_wgrad(conv);
    size_t h = (size_t)conv->x->h, w = (size_t)conv->x->w;
    double groups = (double)group_count(conv, group, images), domain = group->cached ? CACHED : 1;
    double tiles = (double)vk_wino_tiles((int)images, (int)h, (int)w), ci = conv->x->c, co = conv->co;
    struct vk_product product = product_of(vk, conv, (size_t)(tiles / groups + 0.5), group->cached);
    bool masked = conv->transposed && conv->relu;
    double maps =
        4 * (double)(images * h * w) * (ci + co + (masked ? co : 0)) + domain * 4 * VK_WINO_POINTS * tiles * (ci + co);
    double kernels = 4 * ci * co * (VK_WINO_POINTS + (wgrad ? 18 : 9)) * (wgrad ? groups : 1);
    double calls = wgrad ? 3 * groups : 2 * groups + 1;
    return groups * vk_tile_plan(vk, &product).cost + (maps + kernels) * machine->per_byte + calls * machine->per_call;
}

/* As much at a time as scratch holds, or as little as the class's cache does, whichever takes less time. */
static struct grouping choose(const struct vk *vk, const struct vk_conv *conv, size_t images)
{
    struct grouping all = { tile_rows(vk, conv), false }, few = { 0, true };
    size_t cache = vk->gpu.class->cache;
    struct vk_wino_layout row = layout_of(conv, vk_wino_tiles(1, 4, conv->x->w), parts_wanted(vk, conv));
    if (cache > row.u) few.rows = (cache - row.u) / (row.v + row.m);
    if (few.rows == 0) return all;
    if (few.rows >= all.rows) few.rows = all.rows;
    level(conv, &few, images);
    return predict(vk, conv, images, &few) < predict(vk, conv, images, &all) ? few : all;
}

double vk_wino_predict(const struct vk *vk, const struct vk_conv *conv, int images)
{
    struct grouping group = choose(vk, conv, (size_t)images);
    return predict(vk, conv, (size_t)images, &group);
}

size_t vk_wino_groups(const struct vk *vk, const struct vk_conv *conv)
{
    struct grouping group = choose(vk, conv, (size_t)conv->x->n);
    return group_count(conv, &group, (size_t)conv->x->n);
}

bool vk_wino_wanted(const struct vk *vk, const struct vk_conv *conv)
{
    if (!vk_wino_possible(vk, conv)) return false;
    /* A gain that may be none is left: the rounding errors of direct sums are a few times smaller. Eight images stand
     * for all batches: by one, VGG16's last block would go by direct sums, at 1.5 times the speed for a single image
     * and at half of it for sixteen. */
    int images = is_wgrad(conv) ? conv->x->n : 8;
    return 1.1 * vk_wino_predict(vk, conv, images) < vk_conv_plan(vk, conv, images).cost;
}

struct pipes {
    VkPipeline weight, input, output;
    struct vk_block product;
    struct grouping group;
};

/* The way of the products over `tiles` tiles. */
static struct vk_plan plan_of(const struct vk *vk, const struct vk_conv *conv, const struct grouping *group,
                              size_t tiles)
{
    struct vk_product product = product_of(vk, conv, tiles, group->cached);
    struct vk_plan plan = vk_tile_plan(vk, &product);
    if (is_wgrad(conv) && vk->limits.split) plan.parts = (size_t)vk->limits.split;
    if (plan.parts > product.most_parts) plan.parts = product.most_parts;
    return plan;
}

/* Tiles of the first group, which no other exceeds. */
static size_t first_tiles(const struct vk *vk, const struct vk_conv *conv, const struct grouping *group)
{
    struct vk_cut cut = vk_wino_cut(vk, conv, group->rows);
    struct vk_part part = { 0 };
    vk_chunk_next(vk, &cut, &part);
    return vk_wino_tiles(part.images, part.rows, conv->x->w);
}

struct vk_plan vk_wino_plan(const struct vk *vk, const struct vk_conv *conv)
{
    struct grouping group = choose(vk, conv, (size_t)conv->x->n);
    return plan_of(vk, conv, &group, first_tiles(vk, conv, &group));
}

static enum vgg_status get_product(struct vk *vk, const struct vk_conv *conv, struct pipes *pipes)
{
    bool wgrad = is_wgrad(conv);
    pipes->group = choose(vk, conv, (size_t)conv->x->n);
    struct vk_variant variant = { NULL,
                                  { [VK_SPEC_A_VEC] = true,
                                    [VK_SPEC_B_VEC] = true,
                                    [VK_SPEC_C_VEC] = true,
                                    [VK_SPEC_A_K] = !wgrad,
                                    [VK_SPEC_BATCH] = true,
                                    [VK_SPEC_EVEN] = !wgrad && conv->x->c % 16 == 0 } };
    return vk_tile_block(vk, &variant, vk_tile_next(vk, VK_TASK_WINO_PRODUCT, 0, NULL),
                         plan_of(vk, conv, &pipes->group, first_tiles(vk, conv, &pipes->group)).tile, &pipes->product);
}

/* The 36 products of a group with the matrices at b, in scratch, their sums in `parts`; as many in one dispatch as its
 * time allows. */
static enum vgg_status add_product(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                   const struct pipes *pipes, struct vk_bind b, size_t tiles, size_t parts,
                                   size_t per_part)
{
    enum vgg_status status = VGG_OK;
    bool wgrad = is_wgrad(conv);
    struct vk_wino_layout layout = layout_of(conv, tiles, parts);
    struct vk_product p = product_of(vk, conv, tiles, pipes->group.cached);
    size_t v = layout.u, c = wgrad ? 0 : layout.u + layout.v;
    double flops = 2.0 * (double)p.m * (double)p.n * (double)p.k;
    const struct vk_block *product = &pipes->product;
    size_t across = (p.n + product->bn - 1) / product->bn, down = (p.m + product->bm - 1) / product->bm;
    size_t step = (size_t)(VK_DISPATCH_SECONDS * vk->rate / flops) + 1, most = vk->limits.groups / parts;
    struct vk_push_gemm push = { .m = (int)p.m,
                                 .n = (int)p.n,
                                 .k = (int)p.k,
                                 .lda = (int)(wgrad ? p.m : p.k),
                                 .ldb = (int)p.n,
                                 .ldc = (int)p.n,
                                 .per_part = (int)per_part,
                                 .part_size = (uint32_t)(p.m * p.n),
                                 .parts = (int)parts };
    if (step > most) step = most;
    for (size_t z = 0; z < VK_WINO_POINTS; z += step) {
        size_t now = VK_WINO_POINTS - z < step ? VK_WINO_POINTS - z : step, size = 4 * now, made = p.m * p.n * parts;
        struct vk_call call = { .pipeline = product->pipeline,
                                .bind = { vk_wino_scratch(vk, v + 4 * z * p.m * p.k, size * p.m * p.k, false),
                                          { b.buf, b.offset + 4 * z * p.k * p.n, size * p.k * p.n, false },
                                          vk_wino_scratch(vk, c + 4 * z * made, size * made, true) },
                                .groups = { (uint32_t)across, (uint32_t)down, (uint32_t)(now * parts) },
                                .flops = flops * (double)now };
        CHECK(vk_rec_add(vk, rec, &call, &push, sizeof push));
    }
fail:
    return status;
}

static enum vgg_status get_pipes(struct vk *vk, const struct vk_conv *conv, struct pipes *pipes)
{
    enum vgg_status status;
    /* Two channels a thread, so that neighbours' loads touch; a word of argmax holds four. */
    uint32_t channels = conv->arg ? 4 : 2;
    struct vk_variant input = { 0 }, weight = { NULL, { [VK_SPEC_TRANSPOSED] = conv->transposed } };
    struct vk_variant output = { NULL,
                                 { [VK_SPEC_TRANSPOSED] = conv->transposed,
                                   [VK_SPEC_RELU] = conv->relu,
                                   [VK_SPEC_POOL] = conv->pool,
                                   [VK_SPEC_ARG] = conv->arg,
                                   [VK_SPEC_CHANNELS] = channels } };
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_WEIGHT, weight, &pipes->weight));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_INPUT, input, &pipes->input));
    CHECK(get_product(vk, conv, pipes));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_OUTPUT, output, &pipes->output));
fail:
    return status;
}

static enum vgg_status lower_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                  const struct pipes *pipes, struct vk_bind kernels, const struct vk_part *part)
{
    enum vgg_status status;
    const struct vgg_op *op = conv->op;
    size_t tiles = vk_wino_tiles(part->images, part->rows, conv->x->w), ci = (size_t)conv->x->c, co = (size_t)conv->co;
    struct vk_wino_layout layout = layout_of(conv, tiles, 1);
    struct vk_push_conv push = vk_conv_push(conv, part);
    int divide = conv->pool ? 2 : 1;

    struct vk_call input = { .bind = { vk_conv_bind_rows(rec, conv->x, part, part->x0, part->x_rows, false),
                                       vk_wino_scratch(vk, layout.u, layout.v, true) } };
    CHECK(vk_wino_flat(vk, rec, &input, pipes->input, &push, sizeof push, tiles * ci / 2, 400));

    CHECK(add_product(vk, rec, conv, pipes, kernels, tiles, 1, (size_t)conv->x->c));

    struct vk_call output = { .bind = { vk_wino_scratch(vk, layout.u + layout.v, layout.m, false) } };
    if (!conv->transposed) output.bind[1] = vk_ops_bind(rec, &op->b, 0, 4 * co, false);
    output.bind[2] = vk_conv_bind_rows(rec, conv->out, part, part->y0 / divide, part->rows / divide, true);
    if (conv->arg) output.bind[3] = vk_conv_bind_rows(rec, &op->arg, part, part->y0 / 2, part->rows / 2, true);
    if (conv->transposed && conv->relu) {
        output.bind[3] = vk_conv_bind_rows(rec, &op->x, part, part->y0, part->rows, false);
    }
    size_t channels = conv->arg ? 4 : 2;
    CHECK(vk_wino_flat(vk, rec, &output, pipes->output, &push, sizeof push, tiles * co / channels,
                       200.0 * (double)channels));
fail:
    return status;
}

enum vgg_status vk_wino_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv)
{
    enum vgg_status status;
    struct pipes pipes;
    CHECK(get_pipes(vk, conv, &pipes));
    struct vk_cut cut = vk_wino_cut(vk, conv, pipes.group.rows);
    CHECK(vk_ops_scratch(vk));
    size_t ci = (size_t)conv->x->c, co = (size_t)conv->co;
    struct vk_push_conv push = { .ci = (int)ci, .co = (int)co };
    struct vk_call weight = { .bind = { vk_ops_bind(rec, &conv->op->w, 0, 4 * 9 * ci * co, false),
                                        vk_wino_scratch(vk, 0, layout_of(conv, 0, 1).u, true) } };
    struct vk_bind kernels;
    CHECK(vk_wino_kernels(vk, rec, &weight, pipes.weight, &push, sizeof push, ci * co / 2, 400, &kernels));
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        CHECK(lower_part(vk, rec, conv, &pipes, kernels, &part));
    }
fail:
    return status;
}

static enum vgg_status lower_wgrad_part(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv,
                                        const struct pipes *pipes, const struct vk_part *part)
{
    enum vgg_status status;
    size_t tiles = vk_wino_tiles(part->images, part->rows, conv->x->w), ci = (size_t)conv->x->c, co = (size_t)conv->co;
    /* Parts of whole steps; a function of the shape only. */
    size_t parts = plan_of(vk, conv, &pipes->group, tiles).parts,
           per_part = ((tiles + parts - 1) / parts + 15) / 16 * 16;
    parts = (tiles + per_part - 1) / per_part;
    struct vk_wino_layout layout = layout_of(conv, tiles, parts);
    struct vk_push_conv push = vk_conv_push(conv, part);
    push.parts = (int)parts;

    struct vk_call input = { .bind = { vk_conv_bind_rows(rec, conv->x, part, part->x0, part->x_rows, false),
                                       vk_wino_scratch(vk, layout.u, layout.v, true) } };
    CHECK(vk_wino_flat(vk, rec, &input, pipes->input, &push, sizeof push, tiles * ci / 2, 400));
    struct vk_call dy = { .bind = { vk_conv_bind_rows(rec, conv->out, part, part->y0, part->rows, false),
                                    vk_wino_scratch(vk, layout.u + layout.v, layout.m, true) } };
    CHECK(vk_wino_flat(vk, rec, &dy, pipes->output, &push, sizeof push, tiles * co / 2, 400));

    dy.bind[1].write = false;
    CHECK(add_product(vk, rec, conv, pipes, dy.bind[1], tiles, parts, per_part));

    struct vk_call dw = { .bind = { vk_wino_scratch(vk, 0, layout.u, false),
                                    vk_ops_bind(rec, &conv->op->dw, 0, 4 * 9 * ci * co, true) } };
    CHECK(vk_wino_flat(vk, rec, &dw, pipes->weight, &push, sizeof push, ci * co / 2, 400));
fail:
    return status;
}

enum vgg_status vk_wino_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv)
{
    enum vgg_status status;
    struct pipes pipes;
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_INPUT, (struct vk_variant) { 0 }, &pipes.input));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_DY, (struct vk_variant) { 0 }, &pipes.output));
    CHECK(get_product(vk, conv, &pipes));
    CHECK(vk_wino_pipe(vk, VK_TASK_WINO_DW, (struct vk_variant) { 0 }, &pipes.weight));
    CHECK(vk_ops_scratch(vk));
    struct vk_cut cut = vk_wino_cut(vk, conv, pipes.group.rows);
    for (struct vk_part part = { 0 }; vk_chunk_next(vk, &cut, &part);) {
        CHECK(lower_wgrad_part(vk, rec, conv, &pipes, &part));
        CHECK(vk_conv_bias_gradient(vk, rec, conv->op, &part));
    }
fail:
    return status;
}
