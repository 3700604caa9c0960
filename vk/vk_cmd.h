/* vk_cmd.h: command buffers: begin, barrier, end, submit; and the two transfers. */
#ifndef VK_CMD_H
#define VK_CMD_H

#include "vk/vk_mem.h"

enum vgg_status vk_cmd_allocate(struct vk *vk, VkCommandBuffer *list, uint32_t count);
/* Begins with a barrier after, and ends with one for the host behind, everything that ran before. */
enum vgg_status vk_cmd_begin(struct vk *vk, VkCommandBuffer cmd);
enum vgg_status vk_cmd_end(struct vk *vk, VkCommandBuffer cmd);
/* All writes so far become visible to what follows; or, host, to the host. */
void vk_cmd_barrier(struct vk *vk, VkCommandBuffer cmd, bool host);
/* Submits each command buffer by itself, in order: watchdogs count the time of a submission. *ticket is done when all
 * that was submitted is, also where a later one fails: those before it run. */
enum vgg_status vk_cmd_submit(struct vk *vk, const VkCommandBuffer *list, uint32_t count, uint64_t *ticket);

/* Zeroes a buffer, copies between two; one of two command buffers (`half`) serves copies in turn. */
enum vgg_status vk_cmd_fill(struct vk *vk, struct vk_buf *buf, uint64_t *ticket);
enum vgg_status vk_cmd_copy(struct vk *vk, struct vk_buf *to, size_t to_offset, struct vk_buf *from, size_t from_offset,
                            size_t size, int half, uint64_t *ticket);

#endif
