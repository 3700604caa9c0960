/* vk_lower.h: from operations to dispatches, from lists of them to recordings. */
#ifndef VK_LOWER_H
#define VK_LOWER_H

#include "vk/vk_rec.h"

/* Adds the dispatches of one operation to a recording. */
enum vgg_status vk_ops_lower(struct vk *vk, struct vk_rec *rec, const struct vgg_op *op);
/* False where a tensor cannot be cut to what one binding may cover. */
bool vk_ops_supports(const struct vk *vk, const struct vgg_op *op);

/* Lowers every operation of `list` and records the result; kept in vk->recs. timed: times of each operation. */
enum vgg_status vk_rec_create(struct vk *vk, struct vk_rec **out, const struct vgg_list *list, bool timed);

#endif
