#include "vk/vk_mem.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"

/* Buffers from LARGE on have a block of their own; smaller ones share blocks of BLOCK bytes. */
#define LARGE ((size_t)16 << 20)
#define BLOCK ((size_t)64 << 20)

struct vk_block {
    struct vk_block *next;
    VkDeviceMemory memory;
    uint32_t type;
    size_t size;
    char *map;
    struct vk_buf *bufs; /* by offset */
};

static bool find_type(const struct vk *vk, uint32_t bits, VkMemoryPropertyFlags want, VkMemoryPropertyFlags avoid,
                      uint32_t *type)
{
    const VkPhysicalDeviceMemoryProperties *memory = &vk->gpu.memory;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = memory->memoryTypes[i].propertyFlags;
        if ((bits >> i & 1) && (flags & want) == want && !(flags & avoid)) {
            *type = i;
            return true;
        }
    }
    return false;
}

/* Direct mapping only of cached memory: reading write-combined memory is slower than a copy by the device. */
static bool choose_type(const struct vk *vk, uint32_t bits, enum vk_mem_kind kind, uint32_t *type)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags coherent = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags cached = coherent | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    if (kind == VK_MEM_HOST) return find_type(vk, bits, cached, 0, type) || find_type(vk, bits, coherent, 0, type);
    bool shared = vk->gpu.class->mapped && !vk->limits.staging;
    return (shared && find_type(vk, bits, local | cached, 0, type)) ||
           find_type(vk, bits, local, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, type) ||
           find_type(vk, bits, local, 0, type) || find_type(vk, bits, 0, 0, type);
}

uint64_t vk_mem_total(const struct vk *vk)
{
    uint64_t total = 0;
    for (const struct vk_block *block = vk->blocks; block; block = block->next)
        total += block->size;
    return total;
}

int vk_mem_block_count(const struct vk *vk)
{
    int count = 0;
    for (const struct vk_block *block = vk->blocks; block; block = block->next)
        count++;
    return count;
}

static enum vgg_status check_budget(const struct vk *vk, size_t size)
{
    const uint64_t mib = 1 << 20;
    uint64_t used = vk_mem_total(vk);
    if (size <= vk->gpu.max_allocation && used + size <= vk->gpu.budget) return VGG_OK;
    return vgg_fail(
        VGG_ERR_MEMORY,
        "%s: %llu MiB more do not fit: %llu of %llu MiB are in use and one allocation may have %llu MiB; use "
        "a smaller --batch",
        vk->gpu.properties.deviceName, (unsigned long long)((size + mib - 1) / mib), (unsigned long long)(used / mib),
        (unsigned long long)(vk->gpu.budget / mib), (unsigned long long)(vk->gpu.max_allocation / mib));
}

static enum vgg_status block_create(struct vk *vk, struct vk_block **out, size_t size, uint32_t type)
{
    *out = NULL;
    enum vgg_status status = check_budget(vk, size);
    if (status != VGG_OK) return status;
    struct vk_block *block = vgg_mem_calloc(1, sizeof *block);
    if (!block) return vgg_fail_memory("a Vulkan allocation", sizeof *block);
    VkMemoryAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                  .allocationSize = size,
                                  .memoryTypeIndex = type };
    VkResult result = vk->lib.fn.AllocateMemory(vk->device, &info, NULL, &block->memory);
    if (result == VK_SUCCESS && vk->gpu.memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) {
        void *map = NULL;
        result = vk->lib.fn.MapMemory(vk->device, block->memory, 0, VK_WHOLE_SIZE, 0, &map);
        block->map = map;
        if (result != VK_SUCCESS) vk->lib.fn.FreeMemory(vk->device, block->memory, NULL);
    }
    if (result != VK_SUCCESS) {
        free(block);
        return vk_device_status(vk, result, "vkAllocateMemory");
    }
    block->type = type;
    block->size = size;
    block->next = vk->blocks;
    vk->blocks = block;
    *out = block;
    return VGG_OK;
}

static void block_destroy(struct vk *vk, struct vk_block *block)
{
    struct vk_block **link = &vk->blocks;
    while (*link != block)
        link = &(*link)->next;
    *link = block->next;
    vk->lib.fn.FreeMemory(vk->device, block->memory, NULL);
    free(block);
}

/* First gap of the block that holds `size` bytes; puts buf there. mapped: where the block is. */
static bool block_take(struct vk_block *block, struct vk_buf *buf, size_t size, size_t align, bool mapped)
{
    size_t at = 0;
    struct vk_buf **link = &block->bufs;
    while (*link && vgg_mem_round_up(at, align) + size > (*link)->offset) {
        at = (*link)->offset + (*link)->size;
        link = &(*link)->next;
    }
    at = vgg_mem_round_up(at, align);
    if (at + size > block->size) return false;
    buf->offset = at;
    buf->size = size;
    buf->block = block;
    buf->map = block->map && mapped ? block->map + at : NULL;
    buf->next = *link;
    *link = buf;
    return true;
}

static enum vgg_status place(struct vk *vk, struct vk_buf *buf, enum vk_mem_kind kind)
{
    VkMemoryRequirements need;
    vk->lib.fn.GetBufferMemoryRequirements(vk->device, buf->buffer, &need);
    uint32_t type;
    if (!choose_type(vk, need.memoryTypeBits, kind, &type)) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: no memory that the host can see", vk->gpu.properties.deviceName);
    }
    const VkMemoryType *types = vk->gpu.memory.memoryTypes;
    bool mapped = kind == VK_MEM_HOST || types[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    size_t align = need.alignment < VGG_VIEW_ALIGN ? VGG_VIEW_ALIGN : (size_t)need.alignment;
    for (struct vk_block *block = vk->blocks; block && need.size < LARGE; block = block->next) {
        if (block->type == type && block->size == BLOCK && block_take(block, buf, need.size, align, mapped))
            return VGG_OK;
    }
    struct vk_block *block;
    enum vgg_status status = block_create(vk, &block, need.size < LARGE ? BLOCK : (size_t)need.size, type);
    if (status == VGG_OK) block_take(block, buf, need.size, align, mapped);
    return status;
}

enum vgg_status vk_mem_create(struct vk *vk, struct vk_buf **out, size_t size, enum vk_mem_kind kind)
{
    enum vgg_status status;
    *out = NULL;
    if (size >= LARGE) { /* before the driver is asked: it would not tell the numbers */
        status = check_budget(vk, size);
        if (status != VGG_OK) return status;
    }
    struct vk_buf *buf = vgg_mem_calloc(1, sizeof *buf);
    if (!buf) return vgg_fail_memory("a Vulkan buffer", sizeof *buf);
    buf->base.backend = &vk->base;
    buf->base.size = size;
    VkBufferCreateInfo info = { .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                .size = vgg_mem_round_up(size ? size : 1, VGG_VIEW_ALIGN),
                                .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                                         VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT };
    if (vk->gpu.class->lanes) info.usage |= VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT;
    CHECK(vk_device_status(vk, vk->lib.fn.CreateBuffer(vk->device, &info, NULL, &buf->buffer), "vkCreateBuffer"));
    CHECK(place(vk, buf, kind));
    VkResult result = vk->lib.fn.BindBufferMemory(vk->device, buf->buffer, buf->block->memory, buf->offset);
    CHECK(vk_device_status(vk, result, "vkBindBufferMemory"));
    *out = buf;
    return VGG_OK;
fail:
    vk_mem_destroy(vk, buf);
    return status;
}

void vk_mem_destroy(struct vk *vk, struct vk_buf *buf)
{
    if (!buf) return;
    vk_device_settle(vk, buf->ticket);
    if (buf->buffer) vk->lib.fn.DestroyBuffer(vk->device, buf->buffer, NULL);
    if (buf->block) {
        struct vk_buf **link = &buf->block->bufs;
        while (*link != buf)
            link = &(*link)->next;
        *link = buf->next;
        if (!buf->block->bufs) block_destroy(vk, buf->block);
    }
    free(buf);
}

void vk_mem_finish(struct vk *vk)
{
    vk_mem_destroy(vk, vk->staging);
    vk_mem_destroy(vk, vk->scratch);
    vk->staging = vk->scratch = NULL;
    while (vk->blocks)
        block_destroy(vk, vk->blocks);
}
