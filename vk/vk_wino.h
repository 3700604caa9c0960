/* vk_wino.h: convolution by Winograd's F(4x4, 3x3). */
#ifndef VK_WINO_H
#define VK_WINO_H

#include "vk/vk_conv_part.h"

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
