/* vk_conv_part.h: what the ways of computing a convolution share. */
#ifndef VK_CONV_PART_H
#define VK_CONV_PART_H

#include "vk/vk_chunk.h"
#include "vk/vk_ops.h"
#include "vk/vk_tile.h"

/* One convolution, forward or with respect to the input. */
struct vk_conv {
    const struct vgg_op *op;
    const struct vgg_view *x, *out; /* read with a halo; written */
    int co;                         /* channels made */
    bool transposed, relu, pool, arg;
};

/* Bytes of rows [y0, y0 + rows) of image part->n0, or of all rows of part->images images. */
struct vk_bind vk_conv_bind_rows(const struct vk_rec *rec, const struct vgg_view *view, const struct vk_part *part,
                                 int y0, int rows, bool write);
/* The rows to make, whole pooled ones. */
struct vk_cut vk_conv_cut(const struct vk *vk, const struct vk_conv *conv);
/* The description of a part as the shaders take it; the bias is left to the caller. */
struct vk_push_conv vk_conv_push(const struct vk_conv *conv, const struct vk_part *part);

/* For the kernel's gradient: db += the sums of a part of dy. */
enum vgg_status vk_conv_bias_gradient(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op,
                                      const struct vk_part *part);

/* How conv.comp or, for the kernel's gradient, wgrad.comp makes it: the tile and, on GPUs whose cores the tiles are too
 * few for, a sum in parts. Their number is that of one image, but for the kernel's gradient, a sum over images. */
struct vk_plan vk_conv_plan(const struct vk *vk, const struct vk_conv *conv, int images);

/* wgrad.comp over `pixels` of the images. */
struct vk_plan vk_conv_wgrad_plan(const struct vk *vk, const struct vk_conv *conv, size_t pixels);
/* Pixels made from `rows` rows of `images` images; with a pool, those of whole windows. */
size_t vk_conv_rows(const struct vk_conv *conv, int images, int rows);

/* Predicted seconds that one dispatch may take. */
#define VK_DISPATCH_SECONDS 0.05

#endif
