/* vk_flat.h: what goes element by element: zeros, sums, dropout, multiply-adds, updates of parameters. */
#ifndef VK_FLAT_H
#define VK_FLAT_H

#include "vk/vk_rec.h"

/* vk_ops_lower and vk_ops_supports for these kinds. */
enum vgg_status vk_flat_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);
bool vk_flat_supports(const struct vk *vk, const struct vgg_op *op);

#endif
