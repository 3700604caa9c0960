#include "vk/vk_dense.h"

#include "core/base/log.h"
#include "vk/vk_cpu.h"

/* One product as gemm.comp sees it; the bindings begin at the first element used. */
struct gemm {
    struct vk_bind a, b, c, extra;
    size_t m, n, k, lda, ldb, ldc;
    bool a_k, b_k, add, bias, relu, mask;
    size_t per_part, parts; /* of the sum over k; each to its own copy of c */
};

static enum vgg_status choose_shader(struct vk *vk, const struct gemm *g, struct vk_block *block)
{
    enum vgg_status status = VGG_ERR_UNSUPPORTED;
    size_t across = g->a_k ? g->k : g->m, channels = g->lda | g->ldb | g->ldc | g->n | across;
    struct vk_variant variant = { NULL,
                                  { [VK_SPEC_A_VEC] = g->lda % 4 == 0 && across % 4 == 0,
                                    [VK_SPEC_B_VEC] = g->ldb % 4 == 0 && (g->b_k ? g->k : g->n) % 4 == 0,
                                    [VK_SPEC_C_VEC] = g->ldc % 4 == 0 && g->n % 4 == 0,
                                    [VK_SPEC_A_K] = g->a_k,
                                    [VK_SPEC_B_K] = g->b_k,
                                    [VK_SPEC_ADD] = g->add,
                                    [VK_SPEC_BIAS] = g->bias,
                                    [VK_SPEC_RELU] = g->relu,
                                    [VK_SPEC_MASK] = g->mask,
                                    [VK_SPEC_EVEN] = g->k % 16 == 0 && g->per_part % 16 == 0 } };
    const struct vk_way *way = NULL;
    while (status == VGG_ERR_UNSUPPORTED && (way = vk_tile_next(vk, VK_TASK_DENSE, channels, way))) {
        bool tile = way->tiling == VK_TILING_SHARED || way->tiling == VK_TILING_MATRIX;
        status = tile ? vk_tile_block(vk, &variant, way, vk_tile_choose(vk, g->m, g->n), block)
                      : vk_cpu_block(vk, &variant, way, g->m, g->n, block);
        bool fits = g->m <= block->bm * vk->limits.groups;
        if (!fits && !tile) status = VGG_ERR_UNSUPPORTED;
    }
    return status;
}

static enum vgg_status lower_gemm(struct vk *vk, struct vk_rec *rec, const struct gemm *g)
{
    enum vgg_status status;
    struct vk_call call = { .bind = { g->a, g->b, g->c, g->extra } };
    struct vk_block block;
    CHECK(choose_shader(vk, g, &block));
    struct vk_push_gemm push = { .m = (int)g->m,
                                 .n = (int)g->n,
                                 .k = (int)g->k,
                                 .lda = (int)g->lda,
                                 .ldb = (int)g->ldb,
                                 .ldc = (int)g->ldc,
                                 .per_part = (int)g->per_part,
                                 .part_size = (uint32_t)(g->m * g->n) };
    call.pipeline = block.pipeline;
    call.texels = block.way->texels;
    call.groups[0] = (uint32_t)((g->n + block.bn - 1) / block.bn);
    call.groups[1] = (uint32_t)((g->m + block.bm - 1) / block.bm);
    call.groups[2] = (uint32_t)g->parts;
    call.flops = 2.0 * (double)g->m * (double)g->n * (double)g->k;
    CHECK(vk_rec_add(vk, rec, &call, &push, sizeof push));
fail:
    return status;
}

struct shape {
    size_t in, out;
};

static size_t round_down(size_t value, size_t multiple)
{
    return value / multiple * multiple;
}

/* Every tile has as many columns at least, and rows where a matrix has more than the thin one's eight. */
enum { LEAST = 32 };

/* Rows of the kernel that one binding and one dispatch hold, a multiple of 16 unless they all fit. */
static size_t kernel_rows(const struct vk *vk, const struct shape *s)
{
    size_t rows = vk->limits.range / (4 * s->out), most = (size_t)vk->limits.groups * LEAST;
    if (rows > most) rows = most;
    return rows >= s->in ? s->in : round_down(rows, 16);
}

/* Images whose rows of both sides fit, and whose tiles do. */
static size_t image_rows(const struct vk *vk, const struct shape *s)
{
    size_t rows = vk->limits.range / (4 * (s->in > s->out ? s->in : s->out)), most = (size_t)vk->limits.groups * LEAST;
    return rows < most ? rows : most;
}

static struct shape shape_of(const struct vgg_op *op)
{
    const struct vgg_view *w = op->kind == VGG_OP_DENSE_BWD_WEIGHT ? &op->dw : &op->w;
    return (struct shape) { (size_t)w->w, (size_t)w->c };
}

bool vk_dense_supports(const struct vk *vk, const struct vgg_op *op)
{
    struct shape s = shape_of(op);
    return image_rows(vk, &s) > 0 && kernel_rows(vk, &s) > 0 && s.out / LEAST < vk->limits.groups &&
           s.out * 4 <= vk_ops_scratch_size(vk);
}

/* y = x w + b over the images [n0, n0 + n): the sum is cut where the kernel is, and further so that small layers too
 * fill the device. */
static enum vgg_status lower_forward(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op, const struct shape *s,
                                     size_t n0, size_t n)
{
    enum vgg_status status = VGG_OK;
    bool relu = op->flags & VGG_OP_RELU;
    size_t rows = kernel_rows(vk, s), tiles = (n + 31) / 32 * ((s->out + 127) / 128);
    /* The thin tile's workgroups are of one warp: as many threads as of the others keep the memory busy. */
    size_t groups = n <= 8 && vk->gpu.class->predicted ? 1024 : 256;
    struct vk_bind y = vk_ops_bind(rec, &op->y, 4 * n0 * s->out, 4 * n * s->out, true);
    struct vk_bind bias = vk_ops_bind(rec, &op->b, 0, 4 * s->out, false);
    for (size_t k0 = 0; k0 < s->in; k0 += rows) {
        size_t k = s->in - k0 < rows ? s->in - k0 : rows, room = vk_ops_scratch_size(vk) / (4 * n * s->out);
        bool last = k0 + k == s->in;
        size_t parts = groups / tiles;
        if (parts > k / 256) parts = k / 256;
        if (vk->limits.split) parts = (size_t)vk->limits.split;
        if (parts > room) parts = room;
        if (parts < 1) parts = 1;
        size_t per_part = ((k + parts - 1) / parts + 15) / 16 * 16;
        parts = (k + per_part - 1) / per_part;
        struct gemm g = { .a = vk_ops_bind(rec, &op->x, 4 * (n0 * s->in + k0), 4 * (n * s->in - k0), false),
                          .b = vk_ops_bind(rec, &op->w, 4 * k0 * s->out, 4 * k * s->out, false),
                          .c = y,
                          .m = n,
                          .n = s->out,
                          .k = k,
                          .lda = s->in,
                          .ldb = s->out,
                          .ldc = s->out,
                          .a_k = true,
                          .per_part = per_part,
                          .parts = parts };
        if (parts > 1) {
            CHECK(vk_ops_scratch(vk));
            g.c = vk_ops_scratch_bind(vk, 4 * parts * n * s->out, true);
            CHECK(lower_gemm(vk, rec, &g));
            CHECK(vk_ops_reduce(vk, rec, y, last ? &bias : NULL, n * s->out, parts, k0 > 0, last && relu, s->out));
        } else {
            g.add = k0 > 0;
            g.bias = last;
            g.relu = last && relu;
            if (last) g.extra = bias;
            CHECK(lower_gemm(vk, rec, &g));
        }
    }
fail:
    return status;
}

/* dx = dy w^T, masked by x > 0: columns of dx are cut where rows of the kernel are. */
static enum vgg_status lower_backward(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op, const struct shape *s,
                                      size_t n0, size_t n)
{
    enum vgg_status status = VGG_OK;
    size_t rows = kernel_rows(vk, s);
    for (size_t i0 = 0; i0 < s->in; i0 += rows) {
        size_t now = s->in - i0 < rows ? s->in - i0 : rows, at = 4 * (n0 * s->in + i0), size = 4 * (n * s->in - i0);
        struct gemm g = { .a = vk_ops_bind(rec, &op->dy, 4 * n0 * s->out, 4 * n * s->out, false),
                          .b = vk_ops_bind(rec, &op->w, 4 * i0 * s->out, 4 * now * s->out, false),
                          .c = vk_ops_bind(rec, &op->dx, at, size, true),
                          .m = n,
                          .n = now,
                          .k = s->out,
                          .lda = s->out,
                          .ldb = s->out,
                          .ldc = s->in,
                          .a_k = true,
                          .b_k = true,
                          .mask = op->flags & VGG_OP_RELU,
                          .per_part = s->out,
                          .parts = 1 };
        if (g.mask) g.extra = vk_ops_bind(rec, &op->x, at, size, false);
        CHECK(lower_gemm(vk, rec, &g));
    }
fail:
    return status;
}

/* dw += x^T dy, db += column sums of dy. */
static enum vgg_status lower_weights(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op, const struct shape *s,
                                     size_t n0, size_t n)
{
    enum vgg_status status = VGG_OK;
    size_t rows = kernel_rows(vk, s);
    struct vk_bind dy = vk_ops_bind(rec, &op->dy, 4 * n0 * s->out, 4 * n * s->out, false);
    for (size_t i0 = 0; i0 < s->in; i0 += rows) {
        size_t now = s->in - i0 < rows ? s->in - i0 : rows;
        struct gemm g = { .a = vk_ops_bind(rec, &op->x, 4 * (n0 * s->in + i0), 4 * (n * s->in - i0), false),
                          .b = dy,
                          .c = vk_ops_bind(rec, &op->dw, 4 * i0 * s->out, 4 * now * s->out, true),
                          .m = now,
                          .n = s->out,
                          .k = n,
                          .lda = s->in,
                          .ldb = s->out,
                          .ldc = s->out,
                          .add = true,
                          .per_part = n,
                          .parts = 1 };
        CHECK(lower_gemm(vk, rec, &g));
    }
    CHECK(vk_ops_colsum(vk, rec, dy, vk_ops_bind(rec, &op->db, 0, 4 * s->out, true), n, s->out, false));
fail:
    return status;
}

enum vgg_status vk_dense_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum vgg_status status = VGG_OK;
    struct shape s = shape_of(op);
    size_t n = (size_t)(op->kind == VGG_OP_DENSE_BWD_DATA ? op->dx.n : op->x.n), step = image_rows(vk, &s);
    for (size_t n0 = 0; n0 < n; n0 += step) {
        size_t now = n - n0 < step ? n - n0 : step;
        switch (op->kind) {
        case VGG_OP_DENSE: CHECK(lower_forward(vk, rec, op, &s, n0, now)); break;
        case VGG_OP_DENSE_BWD_DATA: CHECK(lower_backward(vk, rec, op, &s, n0, now)); break;
        default: CHECK(lower_weights(vk, rec, op, &s, n0, now)); break;
        }
    }
fail:
    return status;
}
