/* vk_pipe.h: compute pipelines, made when first needed from the SPIR-V in the program, those of a list at once, kept,
 * and cached on disk. */
#ifndef VK_PIPE_H
#define VK_PIPE_H

#include "shaders/common/params.h"
#include "vk/vk_base.h"

struct vk_shader;

/* A shader and its specialisation constants, by their numbers; its module may know few of them. */
struct vk_variant {
    const char *shader;
    uint32_t spec[VK_SPEC_COUNT];
};

/* The module of a variant; NULL: there is none. */
const struct vk_shader *vk_pipe_shader(const struct vk_variant *variant);

/* Layouts and the disk cache. */
enum vgg_status vk_pipe_init(struct vk *vk);
/* Writes the disk cache when something was added; what was compiled is not lost with the process then. */
void vk_pipe_save(struct vk *vk);
/* The same, and the end of all pipelines. */
void vk_pipe_finish(struct vk *vk);

/* Stands for a pipeline that vk_pipe_create will create. */
#define VK_PIPE_LATER ((VkPipeline)1)

/* The pipeline of a variant. VGG_ERR_UNSUPPORTED, logged at debug level only, when the driver refuses it: the caller
 * tries a smaller one. While vk->gathering, one that is not there yet is wanted, and *out VK_PIPE_LATER. */
enum vgg_status vk_pipe_get(struct vk *vk, const struct vk_variant *variant, VkPipeline *out);
/* Creates all that are wanted, on as many threads as there are processors for this process. Those that the driver
 * refuses are so when asked for; on a lost device none is kept. */
enum vgg_status vk_pipe_create(struct vk *vk);

#endif
