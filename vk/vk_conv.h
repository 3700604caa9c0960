/* vk_conv.h: convolutions, by direct sums or by Winograd's way. */
#ifndef VK_CONV_H
#define VK_CONV_H

#include "vk/vk_rec.h"

/* vk_ops_lower and vk_ops_supports, forward and with respect to the input. */
enum vgg_status vk_conv_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);
bool vk_conv_supports(const struct vk *vk, const struct vgg_op *op);

#endif
