/* vk_winograd.h: the door to Winograd's way, as the class of device takes it. */
#ifndef VK_WINOGRAD_H
#define VK_WINOGRAD_H

#include "vk/vk_conv_part.h"

/* Records a convolution, or the gradient of its kernel where conv->op is that. VGG_ERR_UNSUPPORTED, with nothing
 * recorded, when direct sums are better or the driver refuses one of its shaders. */
enum vgg_status vk_winograd_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);

#endif
