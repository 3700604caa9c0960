#include "vk/vk_wino_part.h"

#include "core/base/mem.h"
#include "vk/vk_kept.h"

size_t vk_wino_tiles(int images, int rows, int w)
{
    return (size_t)images * (size_t)((rows + 3) / 4) * (size_t)((w + 3) / 4);
}

struct vk_wino_layout vk_wino_layout(size_t u, size_t v, size_t m)
{
    return (struct vk_wino_layout) { vgg_mem_round_up(4 * VK_WINO_POINTS * u, VGG_VIEW_ALIGN),
                                     vgg_mem_round_up(4 * VK_WINO_POINTS * v, VGG_VIEW_ALIGN),
                                     vgg_mem_round_up(4 * VK_WINO_POINTS * m, VGG_VIEW_ALIGN) };
}

size_t vk_wino_rows(const struct vk *vk, struct vk_wino_layout row, int w, size_t bm)
{
    size_t room = vk_ops_scratch_size(vk), fit = room > row.u ? (room - row.u) / (row.v + row.m) : 0;
    size_t most = vk->limits.groups * bm / vk_wino_tiles(1, 4, w);
    return fit < most ? fit : most;
}

struct vk_bind vk_wino_scratch(const struct vk *vk, size_t offset, size_t size, bool write)
{
    return (struct vk_bind) { vk->scratch, offset, size, write };
}

enum vgg_status vk_wino_pipe(struct vk *vk, enum vk_task task, struct vk_variant variant, VkPipeline *out)
{
    variant.shader = vk_tile_next(vk, task, 0, NULL)->shader;
    return vk_pipe_get(vk, &variant, out);
}

static void fill(const struct vk *vk, struct vk_call *call, VkPipeline pipeline, size_t count, double work)
{
    call->pipeline = pipeline;
    vk_ops_groups(vk, call, count);
    call->flops = work * (double)count;
}

enum vgg_status vk_wino_flat(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                             const void *push, size_t push_size, size_t count, double work)
{
    fill(vk, call, pipeline, count, work);
    return vk_rec_add(vk, rec, call, push, push_size);
}

enum vgg_status vk_wino_kernels(struct vk *vk, struct vk_rec *rec, struct vk_call *call, VkPipeline pipeline,
                                const void *push, size_t push_size, size_t count, double work, struct vk_bind *out)
{
    fill(vk, call, pipeline, count, work);
    return vk_kept_add(vk, rec, call, push, push_size, out);
}

struct vk_cut vk_wino_cut(const struct vk *vk, const struct vk_conv *conv, size_t fit)
{
    struct vk_cut cut = vk_conv_cut(vk, conv);
    size_t down = (size_t)((cut.h + 3) / 4);
    cut.quantum = 4;
    cut.most_rows = fit >= down ? fit / down * (size_t)conv->x->h : 4 * fit + 2;
    return cut;
}
