/* vk_wino.h: convolution by Winograd's F(4x4, 3x3) on GPUs; for devices of CPU type see vk_cpu.h. */
#ifndef VK_WINO_H
#define VK_WINO_H

#include "vk/vk_conv_part.h"

/* Has the device the scratch for Winograd's way, and is the map large enough for its tiles? */
bool vk_wino_possible(const struct vk *vk, const struct vk_conv *conv);
/* Is it also shorter than the direct way, by prediction (vk_tile.h) for a batch that stands for all: one gives the same
 * bits in one piece and in many. conv->op tells the pass; for the kernel's gradient conv->out is dy. */
bool vk_wino_wanted(const struct vk *vk, const struct vk_conv *conv);
double vk_wino_predict(const struct vk *vk, const struct vk_conv *conv, int images);

/* VGG_ERR_UNSUPPORTED, with nothing recorded, when the driver refuses one of its shaders. */
enum vgg_status vk_wino_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);
/* The same for the gradient of the kernel, dw +=; conv->out is dy. */
enum vgg_status vk_wino_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);

/* In how many groups, of images or of rows of one, it is made, one after the other: those that the class's cache holds,
 * where that is shorter. */
size_t vk_wino_groups(const struct vk *vk, const struct vk_conv *conv);
/* How the products of the first are made. */
struct vk_plan vk_wino_plan(const struct vk *vk, const struct vk_conv *conv);

#endif
