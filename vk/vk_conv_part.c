#include "vk/vk_conv_part.h"

struct vk_cut vk_conv_cut(const struct vk *vk, const struct vk_conv *conv)
{
    size_t w = (size_t)conv->x->w, c = (size_t)(conv->x->c > conv->co ? conv->x->c : conv->co);
    double row_flops = 18.0 * (double)w * conv->x->c * conv->co;
    /* Whole pooled rows; an odd last row is computed with them, then dropped. */
    int h = conv->pool ? conv->x->h / 2 * 2 : conv->x->h;
    return (struct vk_cut) { .n = conv->x->n,
                             .h = h,
                             .x_h = conv->x->h,
                             .row_bytes = 4 * w * c,
                             .halo = 2,
                             .quantum = conv->pool ? 2 : 1,
                             .images = 1,
                             .most_rows = (size_t)(VK_DISPATCH_SECONDS * vk->rate / row_flops) + 1 };
}

struct vk_bind vk_conv_bind_rows(const struct vk_rec *rec, const struct vgg_view *view, const struct vk_part *part,
                                 int y0, int rows, bool write)
{
    size_t row = vgg_type_size(view->type) * (size_t)view->w * (size_t)view->c;
    size_t offset = ((size_t)part->n0 * (size_t)view->h + (size_t)y0) * row;
    size_t count = part->images > 1 ? (size_t)part->images * (size_t)view->h : (size_t)rows;
    return vk_ops_bind(rec, view, offset, count * row, write);
}

enum vgg_status vk_conv_bias_gradient(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op,
                                      const struct vk_part *part)
{
    const struct vgg_view *dy = &op->dy;
    size_t co = (size_t)dy->c, pixels = (size_t)part->images * (size_t)part->rows * (size_t)dy->w;
    return vk_ops_colsum(vk, rec, vk_conv_bind_rows(rec, dy, part, part->y0, part->rows, false),
                         vk_ops_bind(rec, &op->db, 0, 4 * co, true), pixels, co, dy->type == VGG_F16);
}

struct vk_push_conv vk_conv_push(const struct vk_conv *conv, const struct vk_part *part)
{
    return (struct vk_push_conv) { .images = part->images,
                                   .rows = part->rows,
                                   .w = conv->x->w,
                                   .h = conv->x->h,
                                   .y0 = part->y0,
                                   .x0 = part->x0,
                                   .x_rows = part->images > 1 ? conv->x->h : part->x_rows,
                                   .ci = conv->x->c,
                                   .co = conv->co };
}

size_t vk_conv_rows(const struct vk_conv *conv, int images, int rows)
{
    size_t w = (size_t)conv->x->w;
    return conv->pool ? (size_t)images * (size_t)(rows / 2) * (w / 2) * 4 : (size_t)images * (size_t)rows * w;
}

struct vk_plan vk_conv_wgrad_plan(const struct vk *vk, const struct vk_conv *conv, size_t pixels)
{
    size_t m = 9 * (size_t)conv->x->c, n = (size_t)conv->co, room = vk_ops_scratch_size(vk) / (4 * m * n);
    size_t maps = pixels * ((size_t)conv->x->c + n);
    const struct vk_product product = {
        .m = m, .n = n, .k = pixels, .batch = 1, .bytes = 4.0 * (double)(maps + 2 * m * n), .most_parts = room
    };
    return vk_tile_plan(vk, &product);
}

static struct vk_product forward_product(const struct vk_conv *conv, int images, size_t parts)
{
    size_t m = vk_conv_rows(conv, images, conv->x->h), n = (size_t)conv->co, c = (size_t)conv->x->c;
    return (struct vk_product) { .m = m,
                                 .n = n,
                                 .k = 9 * c,
                                 .batch = 1,
                                 .bytes = 4.0 * ((double)m * (double)(n + c) + 9.0 * (double)(c * n)),
                                 .parts = parts };
}

/* Parts of the sum that suit one image, so that a batch gives the same bits in one piece and in many. */
static size_t forward_parts(const struct vk *vk, const struct vk_conv *conv)
{
    struct vk_product one = forward_product(conv, 1, 0);
    one.most_parts = vk_ops_scratch_size(vk) / (4 * (size_t)conv->x->h * (size_t)conv->x->w * one.n);
    size_t parts = vk->limits.split ? (size_t)vk->limits.split : vk_tile_plan(vk, &one).parts;
    if (parts > one.most_parts) parts = one.most_parts;
    return parts ? parts : 1;
}

struct vk_plan vk_conv_plan(const struct vk *vk, const struct vk_conv *conv, int images)
{
    if (conv->op->kind == VGG_OP_CONV_BWD_WEIGHT) {
        return vk_conv_wgrad_plan(vk, conv, (size_t)images * (size_t)conv->x->h * (size_t)conv->x->w);
    }
    const struct vk_product product = forward_product(conv, images, forward_parts(vk, conv));
    return vk_tile_plan(vk, &product);
}
