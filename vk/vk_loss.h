/* vk_loss.h: activations of the last layer and losses. */
#ifndef VK_LOSS_H
#define VK_LOSS_H

#include "vk/vk_rec.h"

/* vk_ops_lower for these kinds. */
enum vgg_status vk_loss_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);

#endif
