/* From dispatches to command buffers: descriptors, barriers where something depends, pieces of bounded work. */
#include "vk/vk_emit.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_cmd.h"

/* Predicted seconds in one command buffer; far below every watchdog (about 2 s) even when the prediction is poor. */
static const double SUBMIT_SECONDS = 0.1;

/* The buffer of parameters: struct vk_step, then a few bytes for each dispatch, which its unused bindings show: a
 * module names all its bindings whatever its constants leave of them, and each must be something. */
enum { PARAMS_SIZE = (sizeof(struct vk_step) + VGG_VIEW_ALIGN - 1) / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN };

/* Ranges used since the last barrier. */
enum { HAZARDS = 256 };
struct hazards {
    struct vk_bind list[HAZARDS];
    int count;
};

static bool overlap(const struct vk_bind *a, const struct vk_bind *b)
{
    return a->buf == b->buf && a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

/* Does `call` depend on anything since the last barrier? */
static bool depends(const struct hazards *hazards, const struct vk_call *call)
{
    if (hazards->count + VK_BINDINGS > HAZARDS) return true;
    for (int i = 0; i < VK_BINDINGS; i++) {
        const struct vk_bind *bind = &call->bind[i];
        if (!bind->buf) continue;
        for (int k = 0; k < hazards->count; k++) {
            if ((bind->write || hazards->list[k].write) && overlap(bind, &hazards->list[k])) return true;
        }
    }
    return false;
}

static void remember(struct hazards *hazards, const struct vk_call *call)
{
    for (int i = 0; i < VK_BINDINGS; i++) {
        if (call->bind[i].buf) hazards->list[hazards->count++] = call->bind[i];
    }
}

/* The views of a call with texels, appended to rec->views; for a binding of less than a texel it shows the
 * first. */
static enum vgg_status create_views(struct vk *vk, struct vk_rec *rec, const struct vk_call *call)
{
    for (int i = 0; i < VK_TEXELS; i++) {
        const struct vk_bind *bind = &call->bind[call->bind[i].size >= 16 ? i : 0];
        VkBufferViewCreateInfo info = { .sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                        .buffer = bind->buf->buffer,
                                        .format = VK_FORMAT_R32G32B32A32_SFLOAT,
                                        .offset = bind->offset,
                                        .range = bind->size / 16 * 16 };
        VkResult result = vk->lib.fn.CreateBufferView(vk->device, &info, NULL, &rec->views[rec->view_count]);
        if (result != VK_SUCCESS) return vk_device_status(vk, result, "vkCreateBufferView");
        rec->view_count++;
    }
    return VGG_OK;
}

static enum vgg_status create_pool(struct vk *vk, struct vk_rec *rec)
{
    uint32_t count = (uint32_t)rec->call_count, texels = 0;
    for (uint32_t i = 0; i < count; i++)
        texels += rec->calls[i].texels ? VK_TEXELS : 0;
    VkDescriptorPoolSize sizes[3] = { { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_BINDINGS * count },
                                      { VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, count },
                                      { VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_TEXELS * count } };
    VkDescriptorPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                        .maxSets = count,
                                        .poolSizeCount = vk->gpu.class->lanes ? 3 : 2,
                                        .pPoolSizes = sizes };
    if (texels) {
        rec->views = vgg_mem_calloc(texels, sizeof(VkBufferView));
        if (!rec->views) return vgg_fail_memory("a recording", texels * sizeof(VkBufferView));
    }
    return vk_device_status(vk, vk->lib.fn.CreateDescriptorPool(vk->device, &pool, NULL, &rec->sets),
                            "vkCreateDescriptorPool");
}

/* Fills the set of call i. */
static enum vgg_status write_set(struct vk *vk, struct vk_rec *rec, uint32_t i, VkDescriptorSet set)
{
    const struct vk_call *call = &rec->calls[i];
    VkDescriptorBufferInfo ranges[VK_BINDINGS + 1];
    VkWriteDescriptorSet writes[VK_BINDINGS + 2];
    uint32_t count = VK_BINDINGS + 1;
    for (uint32_t b = 0; b <= VK_BINDINGS; b++) {
        bool uniform = b == VK_BINDINGS, used_here = !uniform && call->bind[b].buf;
        const VkDescriptorBufferInfo unused = { rec->params->buffer, PARAMS_SIZE + i * VGG_VIEW_ALIGN, VGG_VIEW_ALIGN };
        ranges[b] = uniform      ? (VkDescriptorBufferInfo) { rec->params->buffer, 0, sizeof(struct vk_step) }
                    : !used_here ? unused
                                 : (VkDescriptorBufferInfo) { call->bind[b].buf->buffer, call->bind[b].offset,
                                                              call->bind[b].size };
        writes[b] = (VkWriteDescriptorSet) { .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                             .dstSet = set,
                                             .dstBinding = b,
                                             .descriptorCount = 1,
                                             .descriptorType = uniform ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
                                                                       : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                             .pBufferInfo = &ranges[b] };
    }
    if (call->texels) {
        enum vgg_status status = create_views(vk, rec, call);
        if (status != VGG_OK) return status;
        writes[count++] = (VkWriteDescriptorSet) { .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                                   .dstSet = set,
                                                   .dstBinding = VK_BINDING_TEXEL,
                                                   .descriptorCount = VK_TEXELS, /* goes on in the next binding */
                                                   .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
                                                   .pTexelBufferView = &rec->views[rec->view_count - VK_TEXELS] };
    }
    vk->lib.fn.UpdateDescriptorSets(vk->device, count, writes, 0, NULL);
    return VGG_OK;
}

/* One descriptor set a dispatch. */
static enum vgg_status create_sets(struct vk *vk, struct vk_rec *rec, VkDescriptorSet *sets)
{
    enum vgg_status status;
    CHECK(create_pool(vk, rec));
    for (uint32_t i = 0; i < rec->call_count; i++) {
        if (!rec->calls[i].pipeline) continue;
        VkDescriptorSetAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                             .descriptorPool = rec->sets,
                                             .descriptorSetCount = 1,
                                             .pSetLayouts = &vk->set_layout };
        VkResult result = vk->lib.fn.AllocateDescriptorSets(vk->device, &info, &sets[i]);
        CHECK(vk_device_status(vk, result, "vkAllocateDescriptorSets"));
        CHECK(write_set(vk, rec, i, sets[i]));
    }
fail:
    return status;
}

static enum vgg_status create_queries(struct vk *vk, struct vk_rec *rec)
{
    if (vk->gpu.timestamp_bits == 0) return VGG_OK;
    VkQueryPoolCreateInfo info = { .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                   .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                   .queryCount = rec->timed ? 2 * (uint32_t)rec->ops : 2 };
    VkResult result = vk->lib.fn.CreateQueryPool(vk->device, &info, NULL, &rec->queries);
    return vk_device_status(vk, result, "vkCreateQueryPool");
}

/* First call of the next command buffer. */
static size_t piece_end(const struct vk *vk, const struct vk_rec *rec, size_t begin)
{
    double flops = 0;
    size_t end = begin;
    while (end < rec->call_count && (end == begin || flops + rec->calls[end].flops < SUBMIT_SECONDS * vk->rate)) {
        flops += rec->calls[end++].flops;
    }
    return end;
}

static void stamp(struct vk *vk, struct vk_rec *rec, VkCommandBuffer cmd, uint32_t query)
{
    if (rec->queries) {
        vk->lib.fn.CmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, rec->queries, query);
    }
}

static void emit_call(struct vk *vk, VkCommandBuffer cmd, const struct vk_call *call, VkDescriptorSet set)
{
    struct vk_fn *fn = &vk->lib.fn;
    if (!call->pipeline) {
        const struct vk_bind *bind = &call->bind[0];
        fn->CmdFillBuffer(cmd, bind->buf->buffer, bind->offset, (bind->size + 3) / 4 * 4, 0);
        return;
    }
    fn->CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, call->pipeline);
    fn->CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, vk->layout, 0, 1, &set, 0, NULL);
    fn->CmdPushConstants(cmd, vk->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, VK_PUSH_SIZE, call->push.bytes);
    fn->CmdDispatch(cmd, call->groups[0], call->groups[1], call->groups[2]);
}

static enum vgg_status emit_piece(struct vk *vk, struct vk_rec *rec, VkCommandBuffer cmd, const VkDescriptorSet *sets,
                                  size_t begin, size_t end)
{
    enum vgg_status status;
    struct hazards hazards = { .count = 0 };
    CHECK(vk_cmd_begin(vk, cmd));
    if (begin == 0 && rec->queries) {
        uint32_t count = rec->timed ? 2 * (uint32_t)rec->ops : 2;
        vk->lib.fn.CmdResetQueryPool(cmd, rec->queries, 0, count);
        if (!rec->timed) stamp(vk, rec, cmd, 0);
    }
    for (size_t i = begin; i < end; i++) {
        const struct vk_call *call = &rec->calls[i];
        bool first = i == 0 || rec->calls[i - 1].op != call->op;
        bool last = i + 1 == rec->call_count || rec->calls[i + 1].op != call->op;
        if (depends(&hazards, call) || (rec->timed && first)) {
            vk_cmd_barrier(vk, cmd, false);
            hazards.count = 0;
        }
        if (rec->timed && first) stamp(vk, rec, cmd, 2 * (uint32_t)call->op);
        emit_call(vk, cmd, call, sets[i]);
        remember(&hazards, call);
        if (rec->timed && last) stamp(vk, rec, cmd, 2 * (uint32_t)call->op + 1);
    }
    if (end == rec->call_count && !rec->timed) stamp(vk, rec, cmd, 1);
    CHECK(vk_cmd_end(vk, cmd));
fail:
    return status;
}

enum vgg_status vk_emit(struct vk *vk, struct vk_rec *rec)
{
    enum vgg_status status;
    if (rec->call_count == 0) return VGG_OK;
    VkDescriptorSet *sets = vgg_mem_calloc(rec->call_count, sizeof(VkDescriptorSet));
    if (!sets) return vgg_fail_memory("a recording", rec->call_count * sizeof(VkDescriptorSet));
    CHECK(vk_mem_create(vk, &rec->params, PARAMS_SIZE + rec->call_count * VGG_VIEW_ALIGN, VK_MEM_HOST));
    CHECK(create_sets(vk, rec, sets));
    CHECK(create_queries(vk, rec));
    for (size_t begin = 0; begin < rec->call_count; begin = piece_end(vk, rec, begin))
        rec->cmd_count++;
    rec->cmds = vgg_mem_calloc(rec->cmd_count, sizeof(VkCommandBuffer));
    if (!rec->cmds) {
        status = vgg_fail_memory("a recording", rec->cmd_count * sizeof(VkCommandBuffer));
        rec->cmd_count = 0;
        goto fail;
    }
    CHECK(vk_cmd_allocate(vk, rec->cmds, rec->cmd_count));
    size_t begin = 0;
    for (uint32_t i = 0; i < rec->cmd_count; i++) {
        size_t end = piece_end(vk, rec, begin);
        CHECK(emit_piece(vk, rec, rec->cmds[i], sets, begin, end));
        begin = end;
    }
fail:
    free(sets);
    return status;
}
