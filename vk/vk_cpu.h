/* vk_cpu.h: what shaders/cpu needs, for devices of CPU type with lanes: its tiles, and Winograd's way in pieces that
 * stay in the cache. */
#ifndef VK_CPU_H
#define VK_CPU_H

#include "vk/vk_conv_part.h"

/* For ways of VK_TILING_LANE and VK_TILING_TEXEL: sets shader and tile of a variant for an m x n product and gets its
 * pipeline. VGG_ERR_UNSUPPORTED when the driver refuses it. */
enum vgg_status vk_cpu_block(struct vk *vk, struct vk_variant *variant, const struct vk_way *way, size_t m, size_t n,
                             struct vk_block *block);

/* vk_wino_wanted, vk_wino_lower and vk_wino_lower_wgrad there. */
bool vk_cpu_wino_wanted(const struct vk *vk, const struct vk_conv *conv);
enum vgg_status vk_cpu_wino_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);
enum vgg_status vk_cpu_wino_lower_wgrad(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);

#endif
