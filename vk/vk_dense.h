/* vk_dense.h: dense layers. */
#ifndef VK_DENSE_H
#define VK_DENSE_H

#include "vk/vk_rec.h"

/* vk_ops_lower and vk_ops_supports for these kinds. */
enum vgg_status vk_dense_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);
bool vk_dense_supports(const struct vk *vk, const struct vgg_op *op);

#endif
