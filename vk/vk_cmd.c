#include "vk/vk_cmd.h"

#include "core/base/log.h"

enum vgg_status vk_cmd_begin(struct vk *vk, VkCommandBuffer cmd)
{
    VkCommandBufferBeginInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO };
    enum vgg_status status = vk_device_status(vk, vk->lib.fn.BeginCommandBuffer(cmd, &info), "vkBeginCommandBuffer");
    if (status == VGG_OK) vk_cmd_barrier(vk, cmd, false);
    return status;
}

enum vgg_status vk_cmd_end(struct vk *vk, VkCommandBuffer cmd)
{
    vk_cmd_barrier(vk, cmd, true);
    return vk_device_status(vk, vk->lib.fn.EndCommandBuffer(cmd), "vkEndCommandBuffer");
}

void vk_cmd_barrier(struct vk *vk, VkCommandBuffer cmd, bool host)
{
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    VkMemoryBarrier barrier = { .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                .dstAccessMask = host
                                                     ? VK_ACCESS_HOST_READ_BIT
                                                     : VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                                           VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT };
    vk->lib.fn.CmdPipelineBarrier(cmd, stages, host ? VK_PIPELINE_STAGE_HOST_BIT : stages, 0, 1, &barrier, 0, NULL, 0,
                                  NULL);
}

enum vgg_status vk_cmd_allocate(struct vk *vk, VkCommandBuffer *list, uint32_t count)
{
    VkCommandBufferAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                         .commandPool = vk->pool,
                                         .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                         .commandBufferCount = count };
    return vk_device_status(vk, vk->lib.fn.AllocateCommandBuffers(vk->device, &info, list), "vkAllocateCommandBuffers");
}

enum vgg_status vk_cmd_submit(struct vk *vk, const VkCommandBuffer *list, uint32_t count, uint64_t *ticket)
{
    enum vgg_status status = VGG_OK;
    if (vk->lost) return VGG_ERR_DEVICE_LOST;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = vk->ticket + 1;
        VkTimelineSemaphoreSubmitInfo timeline = { .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                                   .signalSemaphoreValueCount = 1,
                                                   .pSignalSemaphoreValues = &value };
        VkSubmitInfo info = { .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                              .pNext = &timeline,
                              .commandBufferCount = 1,
                              .pCommandBuffers = &list[i],
                              .signalSemaphoreCount = 1,
                              .pSignalSemaphores = &vk->timeline };
        CHECK(vk_device_status(vk, vk->lib.fn.QueueSubmit(vk->queue, 1, &info, VK_NULL_HANDLE), "vkQueueSubmit"));
        vk->ticket = value;
    }
fail:
    *ticket = vk->ticket;
    return status;
}

/* The command buffer of a half, free for recording. */
static enum vgg_status transfer_take(struct vk *vk, int half, VkCommandBuffer *cmd)
{
    enum vgg_status status;
    if (!vk->transfer[half]) CHECK(vk_cmd_allocate(vk, &vk->transfer[half], 1));
    CHECK(vk_device_wait(vk, vk->transfer_ticket[half]));
    *cmd = vk->transfer[half];
    CHECK(vk_cmd_begin(vk, *cmd));
fail:
    return status;
}

static enum vgg_status transfer_put(struct vk *vk, int half, uint64_t *ticket)
{
    enum vgg_status status;
    CHECK(vk_cmd_end(vk, vk->transfer[half]));
    CHECK(vk_cmd_submit(vk, &vk->transfer[half], 1, &vk->transfer_ticket[half]));
    *ticket = vk->transfer_ticket[half];
fail:
    return status;
}

enum vgg_status vk_cmd_fill(struct vk *vk, struct vk_buf *buf, uint64_t *ticket)
{
    VkCommandBuffer cmd;
    enum vgg_status status = transfer_take(vk, 0, &cmd);
    if (status != VGG_OK) return status;
    vk->lib.fn.CmdFillBuffer(cmd, buf->buffer, 0, VK_WHOLE_SIZE, 0);
    return transfer_put(vk, 0, ticket);
}

enum vgg_status vk_cmd_copy(struct vk *vk, struct vk_buf *to, size_t to_offset, struct vk_buf *from, size_t from_offset,
                            size_t size, int half, uint64_t *ticket)
{
    VkCommandBuffer cmd;
    enum vgg_status status = transfer_take(vk, half, &cmd);
    if (status != VGG_OK) return status;
    VkBufferCopy region = { from_offset, to_offset, size };
    vk->lib.fn.CmdCopyBuffer(cmd, from->buffer, to->buffer, 1, &region);
    return transfer_put(vk, half, ticket);
}
