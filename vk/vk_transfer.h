/* vk_transfer.h: the ways of bytes between host and device. */
#ifndef VK_TRANSFER_H
#define VK_TRANSFER_H

#include "vk/vk_mem.h"

enum vgg_status vk_mem_zero(struct vk *vk, struct vk_buf *buf);
enum vgg_status vk_mem_upload(struct vk *vk, struct vk_buf *buf, size_t offset, const void *data, size_t size);
enum vgg_status vk_mem_download(struct vk *vk, struct vk_buf *buf, size_t offset, void *data, size_t size);

#endif
