#include "vk/vk_transfer.h"

#include <string.h>

#include "core/base/log.h"
#include "vk/vk_cmd.h"

/* Staging has two halves. */
#define HALF ((size_t)16 << 20)

/* The next half of the staging buffer, free for use, and where it begins. */
static enum vgg_status staging_take(struct vk *vk, size_t *offset)
{
    enum vgg_status status;
    if (!vk->staging) CHECK(vk_mem_create(vk, &vk->staging, 2 * HALF, VK_MEM_HOST));
    vk->staging_half ^= 1;
    CHECK(vk_device_wait(vk, vk->staging_ticket[vk->staging_half]));
    *offset = (size_t)vk->staging_half * HALF;
fail:
    return status;
}

enum vgg_status vk_mem_zero(struct vk *vk, struct vk_buf *buf)
{
    if (buf->map) {
        memset(buf->map, 0, (buf->base.size + VGG_VIEW_ALIGN - 1) / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN);
        return VGG_OK;
    }
    return vk_cmd_fill(vk, buf, &buf->ticket);
}

enum vgg_status vk_mem_upload(struct vk *vk, struct vk_buf *buf, size_t offset, const void *data, size_t size)
{
    enum vgg_status status = VGG_OK;
    if (buf->map) {
        CHECK(vk_device_wait(vk, buf->ticket));
        memcpy(buf->map + offset, data, size);
        return VGG_OK;
    }
    for (size_t done = 0; done < size;) {
        size_t part = size - done < HALF ? size - done : HALF, at;
        CHECK(staging_take(vk, &at));
        memcpy(vk->staging->map + at, (const char *)data + done, part);
        CHECK(vk_cmd_copy(vk, buf, offset + done, vk->staging, at, part, vk->staging_half, &buf->ticket));
        vk->staging_ticket[vk->staging_half] = buf->ticket;
        done += part;
    }
fail:
    return status;
}

enum vgg_status vk_mem_download(struct vk *vk, struct vk_buf *buf, size_t offset, void *data, size_t size)
{
    enum vgg_status status = VGG_OK;
    if (buf->map) {
        CHECK(vk_device_wait(vk, buf->ticket));
        memcpy(data, buf->map + offset, size);
        return VGG_OK;
    }
    for (size_t done = 0; done < size;) {
        size_t part = size - done < HALF ? size - done : HALF, at;
        CHECK(staging_take(vk, &at));
        CHECK(vk_cmd_copy(vk, vk->staging, at, buf, offset + done, part, vk->staging_half, &buf->ticket));
        vk->staging_ticket[vk->staging_half] = buf->ticket;
        CHECK(vk_device_wait(vk, buf->ticket));
        memcpy((char *)data + done, vk->staging->map + at, part);
        done += part;
    }
fail:
    return status;
}
