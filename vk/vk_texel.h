/* vk_texel.h: Winograd's way on devices of CPU type. */
#ifndef VK_TEXEL_H
#define VK_TEXEL_H

#include "vk/vk_conv_part.h"

/* Do the channels come in eights, and does scratch hold a row of tiles? */
bool vk_texel_fits(const struct vk *vk, const struct vk_conv *conv);
/* vk_wino_lower and vk_wino_lower_wgrad there. */
enum vgg_status vk_texel_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);
enum vgg_status vk_texel_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);

#endif
