#include "vk/vk_tile.h"

#include "core/log.h"

/* From large to small; a thin one for matrices of few rows last. Registers: 8x8 takes about 96 to 120 of a GPU's vector
 * registers, 8x4 about 80; 16x8 spills. */
static const struct vk_tile tiles[VK_TILE_COUNT] = {
    { 256, 128, 128, 16, 8, 8 }, { 256, 128, 64, 16, 8, 4 }, { 128, 64, 64, 16, 8, 4 }, { 256, 64, 64, 16, 4, 4 },
    { 128, 32, 128, 16, 4, 8 },  { 64, 32, 32, 16, 4, 4 },   { 32, 4, 128, 16, 4, 4 },
};
enum { LARGEST = 0, MIDDLE = 1, NARROW = 2, LOW = 4, SMALLEST = 5, THIN = 6 };

const struct vk_tile *vk_tile_at(int index)
{
    return &tiles[index];
}

static size_t shared_size(const struct vk_tile *t)
{
    return (size_t)t->bk * (size_t)(t->bm / 4 + 1 + t->bn / 4 + 1) * 16;
}

bool vk_tile_fits(const struct vk *vk, int index)
{
    const struct vk_tile *t = &tiles[index];
    return (uint32_t)t->threads <= vk->limits.invocations && shared_size(t) <= vk->limits.shared;
}

static size_t tile_count(const struct vk_tile *t, size_t m, size_t n)
{
    return (m + (size_t)t->bm - 1) / (size_t)t->bm * ((n + (size_t)t->bn - 1) / (size_t)t->bn);
}

int vk_tile_choose(const struct vk *vk, size_t m, size_t n)
{
    /* Workgroups that keep a device of this class busy: several for each of its cores. */
    static const size_t busy[] = { 192, 32, 64, 32, 2 };
    if (vk->limits.tile >= 0 && vk->limits.tile < VK_TILE_COUNT && vk_tile_fits(vk, vk->limits.tile)) {
        return vk->limits.tile;
    }
    if (m <= 8) return THIN;
    /* GCN has the registers for 8x4 only; integrated GPUs of Intel and Apple are best with 64 x 64 by 128 threads. */
    int first = vk->gpu.class == VK_CLASS_INTEGRATED ? NARROW : LARGEST;
    if (m <= 32) first = LOW;
    for (int i = first; i < SMALLEST; i++) {
        if (vk_tile_fits(vk, i) && tile_count(&tiles[i], m, n) >= busy[vk->gpu.class] && n > (size_t)tiles[i].bn / 2) {
            return i;
        }
    }
    return m <= 32 && vk_tile_fits(vk, LOW) ? LOW : vk_tile_fits(vk, NARROW) && m * n >= 4096 ? NARROW : SMALLEST;
}

void vk_tile_texel(size_t m, size_t n, int *tm, int *tn)
{
    *tm = m > 8 ? 16 : 8;
    *tn = n > 32 ? 8 : 4;
}

bool vk_tile_lanes(const struct vk *vk, size_t m, size_t n, int *tm, int *tn)
{
    if (!vk->gpu.lanes || vk->limits.tile >= 0) return false;
    *tm = m > 24 ? 64 : 8;
    *tn = n > 16 ? 4 : 1;
    return true;
}

enum vgg_status vk_tile_pipe(struct vk *vk, struct vk_variant *variant, int index, const struct vk_tile **tile,
                             VkPipeline *pipeline)
{
    for (int i = index;;) {
        const struct vk_tile *t = &tiles[i];
        const uint32_t spec[] = { (uint32_t)t->threads, (uint32_t)t->bm, (uint32_t)t->bn,
                                  (uint32_t)t->bk,      (uint32_t)t->tm, (uint32_t)t->tn };
        for (int k = 0; k < 6; k++)
            variant->spec[k] = spec[k];
        enum vgg_status status = VGG_ERR_UNSUPPORTED;
        if (vk_tile_fits(vk, i)) status = vk_pipe_get(vk, variant, pipeline);
        *tile = t;
        if (status != VGG_ERR_UNSUPPORTED) return status;
        if (i == SMALLEST) break;
        i = i == THIN || i > SMALLEST ? SMALLEST : i + 1;
    }
    return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: the driver refuses every variant of shader %s; use --backend cpu",
                    vk->gpu.properties.deviceName, variant->shader);
}
