/* vk_conv.h: what the ways of computing a convolution share. */
#ifndef VK_CONV_H
#define VK_CONV_H

#include "vk/vk_chunk.h"
#include "vk/vk_ops.h"
#include "vk/vk_tile.h"

/* vk_ops_lower and vk_ops_supports for these kinds. */
enum vgg_status vk_conv_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);
bool vk_conv_supports(const struct vk *vk, const struct vgg_op *op);
enum vgg_status vk_wgrad_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);

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

/* Predicted seconds that one dispatch may take. */
#define VK_DISPATCH_SECONDS 0.05

/* Has the device the shaders and the scratch for Winograd's way, and is the map large enough for its tiles? */
bool vk_wino_possible(const struct vk *vk, const struct vk_conv *conv);
/* Is it also shorter than the direct way? On GPUs by prediction, see vk_tile.h, for a batch that
 * stands for all: one gives the same bits in one piece and in many. conv->op tells the pass; for the
 * kernel's gradient conv->out is dy. */
bool vk_wino_wanted(const struct vk *vk, const struct vk_conv *conv);
double vk_wino_predict(const struct vk *vk, const struct vk_conv *conv, int images);

/* The same on devices of CPU type, vk_texel.c; vk_wino.c asks them there. */
bool vk_texel_fits(const struct vk *vk, const struct vk_conv *conv);
enum vgg_status vk_texel_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);
enum vgg_status vk_texel_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);

/* The shader that the device gets for a step. */
enum vk_wino_step { VK_WINO_WEIGHT, VK_WINO_INPUT, VK_WINO_PRODUCT, VK_WINO_OUTPUT, VK_WINO_DY, VK_WINO_DW };
const char *vk_wino_shader(const struct vk *vk, enum vk_wino_step step);

/* VGG_ERR_UNSUPPORTED, with nothing recorded, when the driver refuses one of its shaders. */
enum vgg_status vk_wino_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);
/* The same for the gradient of the kernel, dw +=; conv->out is dy. */
enum vgg_status vk_wino_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);

/* ---- what vk_wino.c and vk_texel.c share ---- */

enum { VK_WINO_POINTS = 36 };

/* Bytes in scratch of kernels, then inputs, then products, each VK_WINO_POINTS matrices in Winograd's domain. */
struct vk_wino_layout {
    size_t u, v, m;
};
struct vk_wino_layout vk_wino_layout(size_t u, size_t v, size_t m); /* from the words of a matrix of each */
struct vk_bind vk_wino_scratch(const struct vk *vk, size_t offset, size_t size, bool write);
size_t vk_wino_tiles(int images, int rows, int w); /* of 4x4 pixels */
/* Whole images when their rows of tiles are among those that `fit`, else parts that begin with a row of tiles: by the
 * shape alone. */
struct vk_cut vk_wino_cut(const struct vk *vk, const struct vk_conv *conv, size_t fit);
/* A transform over `count` items of `work` operations each. */
enum vgg_status vk_wino_flat(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                             const void *push, size_t push_size, size_t count, double work);

#endif
