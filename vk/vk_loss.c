#include "vk/vk_loss.h"

#include "core/base/log.h"
#include "vk/vk_ops.h"

/* Dispatch with one workgroup a row, `rows` rows. */
static enum vgg_status rows_call(struct vk *vk, struct vk_rec *rec, const struct vk_variant *variant,
                                 struct vk_call *call, const struct vk_push_rows *push)
{
    return vk_ops_flat(vk, rec, variant, call, push, sizeof *push, (size_t)push->rows * VK_FLAT_THREADS);
}

/* y = softmax or sigmoid of rows of x. */
static enum vgg_status lower_activation(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op, bool sigmoid,
                                        size_t at, size_t rows)
{
    size_t c = (size_t)op->x.c;
    struct vk_variant variant = { NULL, { [VK_SPEC_SIGMOID] = sigmoid } };
    vk_ops_way(vk, VK_TASK_SOFTMAX, 0, &variant);
    struct vk_push_rows push = { .rows = (uint32_t)rows, .c = (uint32_t)c };
    struct vk_call call = { .bind = { vk_ops_bind(rec, &op->x, 4 * at * c, 4 * rows * c, false),
                                      vk_ops_bind(rec, &op->y, 4 * at * c, 4 * rows * c, true) } };
    return rows_call(vk, rec, &variant, &call, &push);
}

/* The loss of each row, or its gradient. */
static enum vgg_status lower_xent(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op, bool gradient, size_t at,
                                  size_t rows)
{
    size_t c = (size_t)op->x.c, out = gradient ? c : 1;
    struct vk_variant variant = { "xent",
                                  { [VK_SPEC_SIGMOID] = op->kind == VGG_OP_SIGMOID_XENT,
                                    [VK_SPEC_GRADIENT] = gradient,
                                    [VK_SPEC_SMOOTH] = op->smoothing != 0.0f } };
    vk_ops_way(vk, VK_TASK_XENT, 0, &variant);
    struct vk_push_rows push = {
        .rows = (uint32_t)rows, .c = (uint32_t)c, .weighted = op->sw.n != 0, .smoothing = op->smoothing
    };
    struct vk_call call = { .bind = { vk_ops_bind(rec, &op->x, 4 * at * c, 4 * rows * c, false),
                                      vk_ops_bind(rec, &op->t, 4 * at, 4 * rows, false),
                                      vk_ops_bind(rec, op->sw.n ? &op->sw : &op->t, 4 * at, 4 * rows, false),
                                      vk_ops_bind(rec, gradient ? &op->dx : &op->loss, 4 * at * out, 4 * rows * out,
                                                  true) } };
    return rows_call(vk, rec, &variant, &call, &push);
}

enum vgg_status vk_loss_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op)
{
    enum vgg_status status = VGG_OK;
    bool sigmoid = op->kind == VGG_OP_SIGMOID || op->kind == VGG_OP_SIGMOID_XENT;
    bool loss = op->kind == VGG_OP_SOFTMAX_XENT || op->kind == VGG_OP_SIGMOID_XENT;
    size_t rows = vgg_view_count(&op->x) / (size_t)op->x.c;
    size_t part = vk->limits.range / (4 * (size_t)op->x.c);
    for (size_t at = 0; at < rows; at += part) {
        size_t now = rows - at < part ? rows - at : part;
        CHECK(lower_activation(vk, rec, op, sigmoid, at, now));
        if (loss) CHECK(lower_xent(vk, rec, op, false, at, now));
        if (loss && op->dx.n) CHECK(lower_xent(vk, rec, op, true, at, now));
    }
fail:
    return status;
}
