/* vk_pool.h: pools. */
#ifndef VK_POOL_H
#define VK_POOL_H

#include "vk/vk_rec.h"

/* vk_ops_lower and vk_ops_supports for these kinds. */
enum vgg_status vk_pool_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);
bool vk_pool_supports(const struct vk *vk, const struct vgg_op *op);

#endif
