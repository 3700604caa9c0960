#include "vk/vk_pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os_thread.h"
#include "vk/vk_cache.h"
#include "vk/vk_shader.h"

struct vk_pipe {
    struct vk_pipe *next;
    struct vk_variant variant;
    VkPipeline pipeline; /* NULL: refused */
    VkResult result;     /* of creating it */
};

static enum vgg_status create_layouts(struct vk *vk)
{
    uint32_t count = vk->gpu.class->lanes ? VK_BINDING_TEXEL + VK_TEXELS : VK_BINDINGS + 1;
    VkDescriptorSetLayoutBinding bindings[VK_BINDING_TEXEL + VK_TEXELS];
    memset(bindings, 0, sizeof bindings);
    for (uint32_t i = 0; i < count; i++) {
        bindings[i].binding = i;
        bindings[i].descriptorType = i < VK_BINDINGS    ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
                                     : i == VK_BINDINGS ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
                                                        : VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
        bindings[i].descriptorCount = 1;
        bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
    }
    VkDescriptorSetLayoutCreateInfo set = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                            .bindingCount = count,
                                            .pBindings = bindings };
    VkResult result = vk->lib.fn.CreateDescriptorSetLayout(vk->device, &set, NULL, &vk->set_layout);
    if (result != VK_SUCCESS) return vk_device_status(vk, result, "vkCreateDescriptorSetLayout");
    VkPushConstantRange push = { .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = VK_PUSH_SIZE };
    VkPipelineLayoutCreateInfo layout = { .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                          .setLayoutCount = 1,
                                          .pSetLayouts = &vk->set_layout,
                                          .pushConstantRangeCount = 1,
                                          .pPushConstantRanges = &push };
    result = vk->lib.fn.CreatePipelineLayout(vk->device, &layout, NULL, &vk->layout);
    return vk_device_status(vk, result, "vkCreatePipelineLayout");
}

static enum vgg_status create_cache(struct vk *vk)
{
    void *data = NULL;
    size_t size = 0;
    vk_cache_load(vk, &data, &size);
    VkPipelineCacheCreateInfo info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                       .initialDataSize = size,
                                       .pInitialData = data };
    VkResult result = vk->lib.fn.CreatePipelineCache(vk->device, &info, NULL, &vk->cache);
    free(data);
    return vk_device_status(vk, result, "vkCreatePipelineCache");
}

enum vgg_status vk_pipe_init(struct vk *vk)
{
    enum vgg_status status;
    CHECK(create_layouts(vk));
    CHECK(create_cache(vk));
fail:
    return status;
}

static void save_cache(struct vk *vk)
{
    size_t size = 0;
    if (vk->lib.fn.GetPipelineCacheData(vk->device, vk->cache, &size, NULL) != VK_SUCCESS || size == 0) return;
    void *data = vgg_mem_calloc(size, 1);
    if (data && vk->lib.fn.GetPipelineCacheData(vk->device, vk->cache, &size, data) == VK_SUCCESS) {
        vk_cache_save(vk, data, size);
    }
    free(data);
}

void vk_pipe_save(struct vk *vk)
{
    if (vk->cache && vk->cache_dirty && !vk->lost) save_cache(vk);
    vk->cache_dirty = false;
}

static void destroy(struct vk *vk, struct vk_pipe **list)
{
    while (*list) {
        struct vk_pipe *pipe = *list;
        *list = pipe->next;
        if (pipe->pipeline) vk->lib.fn.DestroyPipeline(vk->device, pipe->pipeline, NULL);
        free(pipe);
    }
}

void vk_pipe_finish(struct vk *vk)
{
    vk_pipe_save(vk);
    destroy(vk, &vk->pipes);
    destroy(vk, &vk->wanted);
    if (vk->cache) vk->lib.fn.DestroyPipelineCache(vk->device, vk->cache, NULL);
    if (vk->layout) vk->lib.fn.DestroyPipelineLayout(vk->device, vk->layout, NULL);
    if (vk->set_layout) vk->lib.fn.DestroyDescriptorSetLayout(vk->device, vk->set_layout, NULL);
}

const struct vk_shader *vk_pipe_shader(const struct vk_variant *variant)
{
    char tiled[64];
    snprintf(tiled, sizeof tiled, "%s.%u", variant->shader, variant->spec[VK_SPEC_TILE]);
    const struct vk_shader *shader = vk_shader_list;
    while (shader->name && strcmp(shader->name, variant->shader) != 0 && strcmp(shader->name, tiled) != 0)
        shader++;
    return shader->name ? shader : NULL;
}

static VkResult create_pipeline(struct vk *vk, const struct vk_variant *variant, VkPipeline *out)
{
    const struct vk_shader *shader = vk_pipe_shader(variant);
    VkSpecializationMapEntry entry[VK_SPEC_COUNT];
    for (uint32_t i = 0; i < VK_SPEC_COUNT; i++)
        entry[i] = (VkSpecializationMapEntry) { i, 4 * i, 4 };
    VkSpecializationInfo spec = { VK_SPEC_COUNT, entry, sizeof variant->spec, variant->spec };
    VkShaderModuleCreateInfo code = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                      .codeSize = shader->size,
                                      .pCode = shader->code };
    VkShaderModule module;
    *out = NULL;
    VkResult result = vk->lib.fn.CreateShaderModule(vk->device, &code, NULL, &module);
    if (result != VK_SUCCESS) return result;
    uint32_t subgroup = variant->spec[VK_SPEC_SUBGROUP]; /* that a shader counts on */
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = subgroup
    };
    VkComputePipelineCreateInfo info = { .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                         .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                    .module = module,
                                                    .pName = "main",
                                                    .pSpecializationInfo = &spec },
                                         .layout = vk->layout };
    if (subgroup) {
        info.stage.pNext = &size;
        info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    }
    result = vk->lib.fn.CreateComputePipelines(vk->device, vk->cache, 1, &info, NULL, out);
    if (result != VK_SUCCESS) *out = NULL;
    vk->lib.fn.DestroyShaderModule(vk->device, module, NULL);
    return result;
}

static bool same(const struct vk_variant *a, const struct vk_variant *b)
{
    return !strcmp(a->shader, b->shader) && !memcmp(a->spec, b->spec, sizeof a->spec);
}

/* Tells once why nothing seems to happen. */
static void note_time(struct vk *vk, double seconds)
{
    static const double LONG = 2;
    bool before = vk->compiling > LONG;
    vk->compiling += seconds;
    if (before || vk->compiling <= LONG) return;
    vgg_log(VGG_LOG_INFO, "%s: its driver compiles the shaders, once; the next start finds them in the cache",
            vk->gpu.properties.deviceName);
}

/* ---- those that are wanted, on several threads ---- */

enum { THREADS = 32 }; /* at most */

struct work {
    struct vk *vk;
    struct vgg_os_mutex mutex;
    struct vk_pipe *next; /* to be created; NULL: none is left */
};

static struct vk_pipe *take(struct work *work)
{
    vgg_os_mutex_lock(&work->mutex);
    struct vk_pipe *pipe = work->next;
    if (pipe) work->next = pipe->next;
    vgg_os_mutex_unlock(&work->mutex);
    return pipe;
}

/* Nothing follows on a device that is lost. */
static void create_one(struct work *work, struct vk_pipe *pipe)
{
    pipe->result = create_pipeline(work->vk, &pipe->variant, &pipe->pipeline);
    if (pipe->result != VK_ERROR_DEVICE_LOST) return;
    vgg_os_mutex_lock(&work->mutex);
    work->next = NULL;
    vgg_os_mutex_unlock(&work->mutex);
}

static void *help(void *argument)
{
    struct work *work = argument;
    for (struct vk_pipe *pipe; (pipe = take(work));)
        create_one(work, pipe);
    return NULL;
}

static int threads_for(const struct vk_pipe *list)
{
    int count = 0, most = vgg_limits_processors();
    for (; list && count < THREADS; list = list->next)
        count++;
    return count < most ? count : most;
}

/* Creates them in any order; the calling thread alone logs. */
static void create_all(struct vk *vk)
{
    struct work work = { .vk = vk, .next = vk->wanted };
    struct vgg_os_thread thread[THREADS];
    int helpers = 0, wanted = threads_for(vk->wanted) - 1;
    double begin = vgg_clock_seconds();
    vgg_os_mutex_init(&work.mutex);
    while (helpers < wanted && vgg_os_thread_start(&thread[helpers], help, &work))
        helpers++;
    for (struct vk_pipe *pipe; (pipe = take(&work));) {
        create_one(&work, pipe);
        double now = vgg_clock_seconds();
        note_time(vk, now - begin);
        begin = now;
    }
    for (int i = 0; i < helpers; i++)
        vgg_os_thread_join(&thread[i]);
    note_time(vk, vgg_clock_seconds() - begin);
    vgg_os_mutex_finish(&work.mutex);
}

enum vgg_status vk_pipe_create(struct vk *vk)
{
    create_all(vk);
    const struct vk_pipe *lost = vk->wanted;
    while (lost && lost->result != VK_ERROR_DEVICE_LOST)
        lost = lost->next;
    if (lost) {
        destroy(vk, &vk->wanted);
        return vk_device_status(vk, VK_ERROR_DEVICE_LOST, "vkCreateComputePipelines");
    }
    while (vk->wanted) {
        struct vk_pipe *pipe = vk->wanted;
        if (!pipe->pipeline) {
            vgg_log(VGG_LOG_DEBUG, "%s: refuses a variant of shader %s (error %d)", vk->gpu.properties.deviceName,
                    pipe->variant.shader, (int)pipe->result);
        }
        vk->wanted = pipe->next;
        pipe->next = vk->pipes;
        vk->pipes = pipe;
    }
    vk->cache_dirty = true;
    return VGG_OK;
}

static struct vk_pipe *find(struct vk_pipe *list, const struct vk_variant *variant)
{
    while (list && !same(&list->variant, variant))
        list = list->next;
    return list;
}

/* In the order in which they are asked for. */
static enum vgg_status want(struct vk *vk, const struct vk_variant *variant)
{
    struct vk_pipe **last = &vk->wanted, *pipe = vgg_mem_calloc(1, sizeof *pipe);
    if (!pipe) return vgg_fail_memory("a Vulkan pipeline", sizeof *pipe);
    pipe->variant = *variant;
    while (*last)
        last = &(*last)->next;
    *last = pipe;
    return VGG_OK;
}

enum vgg_status vk_pipe_get(struct vk *vk, const struct vk_variant *variant, VkPipeline *out)
{
    enum vgg_status status = VGG_OK;
    const struct vk_pipe *pipe = find(vk->pipes, variant);
    *out = NULL;
    if (!pipe && vk->gathering) {
        *out = VK_PIPE_LATER;
        return find(vk->wanted, variant) ? VGG_OK : want(vk, variant);
    }
    if (!pipe) {
        CHECK(want(vk, variant));
        CHECK(vk_pipe_create(vk));
        pipe = find(vk->pipes, variant);
    }
    *out = pipe->pipeline;
    status = pipe->pipeline ? VGG_OK : VGG_ERR_UNSUPPORTED;
fail:
    return status;
}
