/* vk_lower.h: from lists of operations to recordings. */
#ifndef VK_LOWER_H
#define VK_LOWER_H

#include "vk/vk_rec.h"

/* Lowers every operation of `list` and records the result; kept in vk->recs. timed: times of each operation. */
enum vgg_status vk_rec_create(struct vk *vk, struct vk_rec **out, const struct vgg_list *list, bool timed);

#endif
