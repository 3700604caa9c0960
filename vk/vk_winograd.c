#include "vk/vk_winograd.h"

#include "vk/vk_cpu.h"
#include "vk/vk_wino.h"

struct winograd {
    bool (*wanted)(const struct vk *vk, const struct vk_conv *conv);
    enum vgg_status (*lower)(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);
    enum vgg_status (*lower_wgrad)(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv);
};

enum vgg_status vk_winograd_lower(struct vk *vk, struct vk_rec *rec, const struct vk_conv *conv)
{
    static const struct winograd ways[] = {
        [VK_WINO_NEVER] = { 0 },
        [VK_WINO_GPU] = { vk_wino_wanted, vk_wino_lower, vk_wino_lower_wgrad },
        [VK_WINO_CPU] = { vk_cpu_wino_wanted, vk_cpu_wino_lower, vk_cpu_wino_lower_wgrad },
    };
    const struct winograd *way = &ways[vk->gpu.class->wino];
    if (!way->wanted || !way->wanted(vk, conv)) return VGG_ERR_UNSUPPORTED;
    return conv->op->kind == VGG_OP_CONV_BWD_WEIGHT ? way->lower_wgrad(vk, rec, conv) : way->lower(vk, rec, conv);
}
