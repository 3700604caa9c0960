/* vk_mem.h: buffers in few large allocations. */
#ifndef VK_MEM_H
#define VK_MEM_H

#include "vk/vk_base.h"

struct vk_buf {
    struct vgg_buf base; /* the size asked for */
    VkBuffer buffer;     /* VGG_VIEW_ALIGN-rounded size */
    struct vk_block *block;
    struct vk_buf *next; /* in the block, by offset */
    size_t offset, size; /* in the block */
    char *map;           /* NULL: not visible to the host */
    uint64_t ticket;     /* last submission that uses it */
};

enum vk_mem_kind {
    VK_MEM_DEVICE, /* fast for shaders; mapped too where host and device share cached memory */
    VK_MEM_HOST,   /* always mapped: staging, parameters of a step */
};

/* Not zeroed. VGG_ERR_MEMORY, with the numbers, before the device's budget would be exceeded. */
enum vgg_status vk_mem_create(struct vk *vk, struct vk_buf **out, size_t size, enum vk_mem_kind kind);
/* Waits for the buffer's last use; accepts NULL. */
void vk_mem_destroy(struct vk *vk, struct vk_buf *buf);

/* Bytes of all blocks. */
uint64_t vk_mem_total(const struct vk *vk);
/* Number of VkDeviceMemory objects. */
int vk_mem_block_count(const struct vk *vk);

/* Frees staging, scratch and every block. */
void vk_mem_finish(struct vk *vk);

#endif
