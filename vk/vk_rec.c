#include "vk/vk_rec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_cmd.h"

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

struct vk_rec *vk_rec_find(struct vk *vk, uint64_t key)
{
    struct vk_rec *rec = vk->recs;
    while (rec && rec->key != key)
        rec = rec->next;
    return rec;
}

void vk_rec_free(struct vk *vk, struct vk_rec *rec)
{
    vk_device_settle(vk, rec->ticket);
    if (rec->cmd_count && rec->cmds[0]) vk->lib.fn.FreeCommandBuffers(vk->device, vk->pool, rec->cmd_count, rec->cmds);
    if (rec->sets) vk->lib.fn.DestroyDescriptorPool(vk->device, rec->sets, NULL);
    for (size_t i = 0; i < rec->view_count; i++)
        vk->lib.fn.DestroyBufferView(vk->device, rec->views[i], NULL);
    free(rec->views);
    if (rec->queries) vk->lib.fn.DestroyQueryPool(vk->device, rec->queries, NULL);
    vk_mem_destroy(vk, rec->params);
    free(rec->writes);
    free(rec->kept);
    free(rec->cmds);
    free(rec->calls);
    free(rec);
}

void vk_rec_destroy(struct vk *vk, struct vk_rec *rec)
{
    struct vk_rec **link = &vk->recs;
    while (*link != rec)
        link = &(*link)->next;
    *link = rec->next;
    vk_rec_free(vk, rec);
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
                              .learning_rate = step->learning_rate,
                              .unscale = step->unscale };
    double t = (double)(step->step - step->skipped) + 1;
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

static const double LEARNED = 1e8; /* operations; less says nothing about a device's speed */

/* Refines the guess of the device's speed by what the last run took. */
static void learn_rate(struct vk *vk, struct vk_rec *rec)
{
    uint64_t stamps[2];
    if (!rec->queries || rec->timed || rec->flops < LEARNED) return;
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

/* For queues without timestamps: the first run by the clock, waited for. */
static enum vgg_status clock_rate(struct vk *vk, struct vk_rec *rec, double begin)
{
    if (vk->gpu.timestamp_bits || rec->timed || rec->rate > 0 || rec->flops < LEARNED) return VGG_OK;
    enum vgg_status status = vk_device_wait(vk, rec->ticket);
    double seconds = vgg_clock_seconds() - begin;
    if (status == VGG_OK && seconds > 1e-4) vk->rate = rec->rate = rec->flops / seconds;
    return status;
}

enum vgg_status vk_rec_submit(struct vk *vk, struct vk_rec *rec, const struct vgg_step *step, uint64_t *ticket)
{
    write_params(rec, step);
    double begin = vgg_clock_seconds();
    enum vgg_status status = vk_cmd_submit(vk, rec->cmds, rec->cmd_count, &rec->ticket);
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        if (rec->arena[i]) rec->arena[i]->ticket = rec->ticket;
    }
    if (vk->scratch) vk->scratch->ticket = rec->ticket;
    if (status == VGG_OK) status = clock_rate(vk, rec, begin);
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
