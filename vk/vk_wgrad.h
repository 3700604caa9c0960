/* vk_wgrad.h: gradients of the convolutions' kernels, by direct sums or by Winograd's way. */
#ifndef VK_WGRAD_H
#define VK_WGRAD_H

#include "vk/vk_rec.h"

/* vk_ops_lower and vk_ops_supports. */
enum vgg_status vk_wgrad_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);
bool vk_wgrad_supports(const struct vk *vk, const struct vgg_op *op);

#endif
