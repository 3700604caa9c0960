#include "vk/vk_ops.h"

#include "core/base/log.h"

/* Scratch: partial sums in the first part, sums of columns in the last sixteenth. */
size_t vk_ops_scratch_size(const struct vk *vk)
{
    return vk->limits.scratch / 16 * 15 / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN;
}

enum vgg_status vk_ops_scratch(struct vk *vk)
{
    return vk->scratch ? VGG_OK : vk_mem_create(vk, &vk->scratch, vk->limits.scratch, VK_MEM_DEVICE);
}

struct vk_bind vk_ops_scratch_bind(const struct vk *vk, size_t size, bool write)
{
    return (struct vk_bind) { vk->scratch, 0, size, write };
}

uint32_t vk_ops_halves(const struct vgg_view *view, int binding)
{
    return view->type == VGG_F16 ? 1u << binding : 0;
}

struct vk_bind vk_ops_bind(const struct vk_rec *rec, const struct vgg_view *view, size_t offset, size_t size,
                           bool write)
{
    if (!view->n) return (struct vk_bind) { 0 };
    return (struct vk_bind) { rec->arena[view->arena], view->offset + offset, size, write };
}

void vk_ops_groups(const struct vk *vk, struct vk_call *call, size_t count)
{
    size_t groups = (count + VK_FLAT_THREADS - 1) / VK_FLAT_THREADS;
    call->groups[0] = groups < vk->limits.groups ? (uint32_t)groups : vk->limits.groups;
    call->groups[1] = call->groups[2] = 1;
}

enum vgg_status vk_ops_flat(struct vk *vk, struct vk_rec *rec, const struct vk_variant *variant, struct vk_call *call,
                            const void *push, size_t push_size, size_t count)
{
    enum vgg_status status = vk_pipe_get(vk, variant, &call->pipeline);
    if (status == VGG_ERR_UNSUPPORTED) {
        return vgg_fail(status, "%s: the driver refuses shader %s; use --backend cpu", vk->gpu.properties.deviceName,
                        variant->shader);
    }
    if (status != VGG_OK) return status;
    vk_ops_groups(vk, call, count);
    if (call->flops == 0) call->flops = 8.0 * (double)count;
    return vk_rec_add(vk, rec, call, push, push_size);
}

const struct vk_way *vk_ops_way(struct vk *vk, enum vk_task task, size_t channels, struct vk_variant *variant)
{
    VkPipeline pipeline;
    const struct vk_way *way = NULL, *next;
    enum vgg_status status = VGG_ERR_UNSUPPORTED;
    while (status == VGG_ERR_UNSUPPORTED && (next = vk_class_next(vk->gpu.class, task, channels, way))) {
        way = next;
        variant->shader = way->shader;
        status = vk_pipe_get(vk, variant, &pipeline);
    }
    return way;
}

enum vgg_status vk_ops_reduce(struct vk *vk, struct vk_rec *rec, struct vk_bind out, const struct vk_bind *bias,
                              size_t count, size_t parts, bool add, bool relu, size_t n)
{
    struct vk_variant variant = { NULL, { [VK_SPEC_ADD] = add, [VK_SPEC_BIAS] = bias != NULL, [VK_SPEC_RELU] = relu } };
    vk_ops_way(vk, VK_TASK_REDUCE, 0, &variant);
    struct vk_push_reduce push = {
        .count = (uint32_t)count, .parts = (uint32_t)parts, .part_size = (uint32_t)count, .n = (uint32_t)n
    };
    struct vk_call call = { .bind = { vk_ops_scratch_bind(vk, parts * count * 4, false), out } };
    if (bias) call.bind[2] = *bias;
    return vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, count);
}

enum vgg_status vk_ops_colsum(struct vk *vk, struct vk_rec *rec, struct vk_bind x, struct vk_bind out, size_t rows,
                              size_t c, bool halves)
{
    enum vgg_status status;
    CHECK(vk_ops_scratch(vk));
    size_t room = vk->limits.scratch - vk_ops_scratch_size(vk);
    size_t parts = (rows + 511) / 512, most = room / (4 * c);
    if (parts > 256) parts = 256;
    if (parts > most) parts = most ? most : 1;
    size_t per_part = (rows + parts - 1) / parts;
    parts = (rows + per_part - 1) / per_part;
    struct vk_variant variant = { NULL, { [VK_SPEC_ADD] = parts == 1, [VK_SPEC_HALVES] = halves } };
    struct vk_push_colsum push = { .rows = (uint32_t)rows, .c = (uint32_t)c, .per_part = (uint32_t)per_part };
    struct vk_bind sums = { vk->scratch, vk_ops_scratch_size(vk), parts * c * 4, true };
    struct vk_call call = { .bind = { x, parts == 1 ? out : sums } };
    const struct vk_way *way = vk_ops_way(vk, VK_TASK_COLSUM, halves ? 1 : c, &variant); /* no texels */
    call.texels = way->texels;
    CHECK(vk_ops_flat(vk, rec, &variant, &call, &push, sizeof push, parts * (c / (size_t)way->items)));
    if (parts > 1) {
        struct vk_variant add = { NULL, { [VK_SPEC_ADD] = true } };
        vk_ops_way(vk, VK_TASK_REDUCE, 0, &add);
        struct vk_push_reduce reduce = { .count = (uint32_t)c, .parts = (uint32_t)parts, .part_size = (uint32_t)c };
        sums.write = false;
        struct vk_call second = { .bind = { sums, out } };
        CHECK(vk_ops_flat(vk, rec, &add, &second, &reduce, sizeof reduce, c));
    }
fail:
    return status;
}
