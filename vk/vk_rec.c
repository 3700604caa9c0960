#include "vk/vk_rec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

enum vgg_status vk_rec_add(struct vk *vk, struct vk_rec *rec, const struct vk_call *call, const void *push,
                           size_t push_size)
{
    if (rec->call_count == rec->call_room) {
        size_t room = rec->call_room ? 2 * rec->call_room : 256;
        struct vk_call *calls = realloc(rec->calls, room * sizeof *calls);
        if (!calls) return vgg_fail_memory("a recording", room * sizeof *calls);
        rec->calls = calls;
        rec->call_room = room;
    }
    struct vk_call *added = &rec->calls[rec->call_count];
    *added = *call;
    memset(&added->push, 0, sizeof added->push);
    if (push) memcpy(added->push.bytes, push, push_size);
    for (int i = 0; i < VK_BINDINGS && added->pipeline; i++) {
        struct vk_bind *bind = &added->bind[i];
        if (!bind->buf) continue;
        size_t aligned = bind->offset / vk->limits.align * vk->limits.align;
        added->push.base[i] = (uint32_t)((bind->offset - aligned) / 4);
        bind->size = (bind->size + (bind->offset - aligned) + 3) / 4 * 4;
        bind->offset = aligned;
        if (bind->size > vk->gpu.properties.limits.maxStorageBufferRange || bind->size == 0 ||
            bind->offset + bind->size > (bind->buf->base.size + VGG_VIEW_ALIGN - 1) / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN) {
            return vgg_fail(VGG_ERR_UNSUPPORTED, "vulkan: operation %zu binds %zu bytes, more than the device allows",
                            rec->op, bind->size);
        }
    }
    for (int i = 0; i < 3; i++) {
        if (added->pipeline && (added->groups[i] == 0 || added->groups[i] > vk->limits.groups)) {
            return vgg_fail(VGG_ERR_UNSUPPORTED, "vulkan: operation %zu needs %u workgroups, more than allowed",
                            rec->op, added->groups[i]);
        }
    }
    added->op = rec->op;
    rec->flops += added->flops;
    rec->call_count++;
    return VGG_OK;
}

enum vgg_status vk_rec_slot(struct vk_rec *rec, const struct vgg_hyper *hyper, uint32_t *slot)
{
    for (uint32_t i = 0; i < rec->slots; i++) {
        if (rec->beta[i][0] == hyper->beta1 && rec->beta[i][1] == hyper->beta2) {
            *slot = i;
            return VGG_OK;
        }
    }
    if (rec->slots == VK_ADAM_SLOTS) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "vulkan: more than %d different Adam settings in one list", VK_ADAM_SLOTS);
    }
    rec->beta[rec->slots][0] = hyper->beta1;
    rec->beta[rec->slots][1] = hyper->beta2;
    *slot = rec->slots++;
    return VGG_OK;
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

enum vgg_status vk_rec_emit(struct vk *vk, struct vk_rec *rec)
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
        rec->cmd_count = 0;
        status = vgg_fail_memory("a recording", rec->cmd_count * sizeof(VkCommandBuffer));
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

struct vk_rec *vk_rec_find(struct vk *vk, uint64_t key)
{
    struct vk_rec *rec = vk->recs;
    while (rec && rec->key != key)
        rec = rec->next;
    return rec;
}

void vk_rec_destroy(struct vk *vk, struct vk_rec *rec)
{
    struct vk_rec **link = &vk->recs;
    while (*link != rec)
        link = &(*link)->next;
    *link = rec->next;
    vk_device_settle(vk, rec->ticket);
    if (rec->cmd_count && rec->cmds[0]) vk->lib.fn.FreeCommandBuffers(vk->device, vk->pool, rec->cmd_count, rec->cmds);
    if (rec->sets) vk->lib.fn.DestroyDescriptorPool(vk->device, rec->sets, NULL);
    for (size_t i = 0; i < rec->view_count; i++)
        vk->lib.fn.DestroyBufferView(vk->device, rec->views[i], NULL);
    free(rec->views);
    if (rec->queries) vk->lib.fn.DestroyQueryPool(vk->device, rec->queries, NULL);
    vk_mem_destroy(vk, rec->params);
    free(rec->cmds);
    free(rec->calls);
    free(rec);
}

static bool uses(const struct vk_rec *rec, const struct vk_buf *buf)
{
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        if (rec->arena[i] == buf) return true;
    }
    return false;
}

void vk_rec_drop(struct vk *vk, const struct vk_buf *buf)
{
    uint64_t done = 0;
    if (!buf && vk->lib.fn.GetSemaphoreCounterValue(vk->device, vk->timeline, &done) != VK_SUCCESS) return;
    for (struct vk_rec *rec = vk->recs, *next; rec; rec = next) {
        next = rec->next;
        if (buf ? uses(rec, buf) : rec->key == 0 && rec->ticket <= done) vk_rec_destroy(vk, rec);
    }
}

/* The corrections of bias in double: 1 - beta^t cancels in float. */
static void write_params(struct vk_rec *rec, const struct vgg_step *step)
{
    struct vk_step params = { .seed_low = (uint32_t)step->seed,
                              .seed_high = (uint32_t)(step->seed >> 32),
                              .step_low = (uint32_t)step->step,
                              .step_high = (uint32_t)(step->step >> 32),
                              .first = step->first,
                              .loss_scale = step->loss_scale,
                              .learning_rate = step->learning_rate };
    double t = (double)step->step + 1;
    for (uint32_t i = 0; i < rec->slots; i++) {
        params.adam[i][0] = (float)(1 / (1 - pow(rec->beta[i][0], t)));
        params.adam[i][1] = (float)(1 / (1 - pow(rec->beta[i][1], t)));
    }
    if (rec->params) memcpy(rec->params->map, &params, sizeof params);
}

/* Seconds between two timestamps, of which the queue counts timestamp_bits bits round and round. */
static double seconds_between(const struct vk *vk, const uint64_t stamps[2])
{
    uint32_t bits = vk->gpu.timestamp_bits;
    uint64_t ticks = stamps[1] - stamps[0];
    if (bits < 64) ticks &= (1ull << bits) - 1;
    return (double)ticks * vk->gpu.properties.limits.timestampPeriod * 1e-9;
}

/* Refines the guess of the device's speed by what the last run took. */
static void learn_rate(struct vk *vk, struct vk_rec *rec)
{
    uint64_t stamps[2];
    if (!rec->queries || rec->timed || rec->flops < 1e8) return;
    VkResult result = vk->lib.fn.GetQueryPoolResults(vk->device, rec->queries, 0, 2, sizeof stamps, stamps,
                                                     sizeof *stamps, VK_QUERY_RESULT_64_BIT);
    double seconds = result == VK_SUCCESS ? seconds_between(vk, stamps) : 0;
    if (seconds > 1e-4) vk->rate = rec->rate = rec->flops / seconds;
}

enum vgg_status vk_rec_settle(struct vk *vk, struct vk_rec *rec, bool *stale)
{
    *stale = false;
    if (!rec->ticket) return VGG_OK;
    enum vgg_status status = vk_device_wait(vk, rec->ticket); /* its parameters may still be read */
    if (status != VGG_OK) return status;
    learn_rate(vk, rec);
    bool measured = rec->rate > 0 && !vk->gpu.class->host;
    *stale = measured && (rec->rate < rec->cut_rate / 4 || rec->rate > rec->cut_rate * 4);
    return VGG_OK;
}

enum vgg_status vk_rec_submit(struct vk *vk, struct vk_rec *rec, const struct vgg_step *step, uint64_t *ticket)
{
    write_params(rec, step);
    enum vgg_status status = vk_cmd_submit(vk, rec->cmds, rec->cmd_count, &rec->ticket);
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        if (rec->arena[i]) rec->arena[i]->ticket = rec->ticket;
    }
    if (vk->scratch) vk->scratch->ticket = rec->ticket;
    if (status == VGG_OK) *ticket = rec->ticket;
    return status;
}

enum vgg_status vk_rec_times(struct vk *vk, struct vk_rec *rec, double *seconds)
{
    for (uint32_t i = 0; i < rec->ops; i++) {
        uint64_t stamps[2] = { 0, 0 };
        if (rec->queries) {
            VkResult result = vk->lib.fn.GetQueryPoolResults(vk->device, rec->queries, 2 * i, 2, sizeof stamps, stamps,
                                                             sizeof *stamps, VK_QUERY_RESULT_64_BIT);
            if (result == VK_NOT_READY)
                stamps[0] = stamps[1] = 0; /* an operation without work */
            else if (result != VK_SUCCESS)
                return vk_device_status(vk, result, "vkGetQueryPoolResults");
        }
        seconds[i] = seconds_between(vk, stamps);
    }
    return VGG_OK;
}
