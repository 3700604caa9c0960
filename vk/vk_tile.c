#include "vk/vk_tile.h"

#include "core/base/log.h"
#include "vk/vk_matrix.h"

static size_t shared_size(const struct vk_tile *t)
{
    return (size_t)(t->bk * (t->bm / 4 + 1 + t->bn / 4 + 1) + (t->bk - 1) / 8 * 4) * 16;
}

bool vk_tile_fits(const struct vk *vk, int index)
{
    const struct vk_tile *t = &vk_tiles[index];
    return (uint32_t)t->threads <= vk->limits.invocations && shared_size(t) <= vk->limits.shared;
}

static size_t tile_count(const struct vk_tile *t, size_t m, size_t n)
{
    return (m + (size_t)t->bm - 1) / (size_t)t->bm * ((n + (size_t)t->bn - 1) / (size_t)t->bn);
}

static bool forced(const struct vk *vk)
{
    return vk->limits.tile >= 0 && vk->limits.tile < VK_TILES && vk_tile_fits(vk, vk->limits.tile);
}

int vk_tile_choose(const struct vk *vk, size_t m, size_t n)
{
    size_t busy = vk->gpu.class->busy;
    if (forced(vk)) return vk->limits.tile;
    if (m <= 8) return VK_TILE_THIN;
    int first = m <= 32 ? VK_TILE_LOW : vk_gpu_first_tile(&vk->gpu);
    for (int i = first; i < VK_TILE_SMALLEST; i++) {
        if (vk_tile_fits(vk, i) && tile_count(&vk_tiles[i], m, n) >= busy && n > (size_t)vk_tiles[i].bn / 2) {
            return i;
        }
    }
    return m <= 32 && vk_tile_fits(vk, VK_TILE_LOW)            ? VK_TILE_LOW
           : vk_tile_fits(vk, VK_TILE_NARROW) && m * n >= 4096 ? VK_TILE_NARROW
                                                               : VK_TILE_SMALLEST;
}

/* The longer of what the arithmetic takes, at the share of the device that has something to do, and what the memory
 * does meanwhile; then adding the parts. */
static double predict(const struct vk *vk, const struct vk_product *p, int index, size_t parts)
{
    /* Over the best tile: multiply-adds are 88, 82, 82, 75, 80 and 73 % of the instructions in conv.comp's loop (RADV,
     * RDNA 2 and 3), and the smaller tiles load more for each: from shared memory, where 4x4 takes twice of what 8x8
     * does and as long as to multiply, and from the caches. */
    static const double speed[VK_TILES] = { 1, 0.92, 0.92, 0.72, 0.9, 0.68, 0.5 };
    const struct vk_class *machine = vk->gpu.class;
    const struct vk_tile *t = &vk_tiles[index];
    size_t groups = tile_count(t, p->m, p->n) * p->batch * parts;
    double at_work = t->threads < 128 ? 0.5 * (double)groups : (double)groups; /* too few threads to hide latencies */
    double work = 2.0 * (double)(groups / parts) * t->bm * t->bn * (double)p->k / speed[index];
    double memory = p->bytes * machine->per_byte;
    if (at_work < (double)machine->busy) work *= (double)machine->busy / at_work;
    double cost = (work > memory ? work : memory) + machine->per_call;
    if (parts == 1 || p->part_bytes > 0) return cost + (double)(parts - 1) * p->part_bytes * machine->per_byte;
    double written = 4.0 * (double)(parts * p->batch) * (double)p->m * (double)p->n;
    return cost + 2 * written * machine->per_byte + machine->per_call;
}

struct vk_plan vk_tile_plan(const struct vk *vk, const struct vk_product *p)
{
    /* The thin tile is for dense layers. */
    size_t least = p->parts ? p->parts : 1, most = p->k / (p->part_bytes > 0 ? 128 : 256);
    struct vk_plan best = { .tile = vk_tile_choose(vk, p->m > 9 ? p->m : 9, p->n), .parts = least };
    if (most > p->most_parts) most = p->most_parts;
    best.cost = predict(vk, p, best.tile, least);
    if (!vk->gpu.class->predicted) return best;
    if (p->parts) most = least;
    for (int i = vk_gpu_first_tile(&vk->gpu); i <= VK_TILE_SMALLEST; i++) {
        if (!vk_tile_fits(vk, i) || (forced(vk) && i != best.tile)) continue;
        size_t busy = vk->gpu.class->busy, count = tile_count(&vk_tiles[i], p->m, p->n) * p->batch;
        for (size_t parts = least; parts == least || (parts <= most && count * (parts - 1) < 2 * busy); parts++) {
            struct vk_plan plan = { i, parts, predict(vk, p, i, parts) };
            if (plan.cost < best.cost) best = plan;
        }
    }
    return best;
}

static bool takes(const struct vk *vk, enum vk_tiling tiling)
{
    bool lanes = tiling == VK_TILING_LANE || tiling == VK_TILING_TEXEL;
    if (tiling == VK_TILING_MATRIX) return vk->matrix;
    return !lanes || (vk->limits.tile < 0 && !vk->half);
}

const struct vk_way *vk_tile_next(const struct vk *vk, enum vk_task task, size_t channels, const struct vk_way *last)
{
    const struct vk_way *way = last;
    do {
        way = vk_class_next(vk->gpu.class, task, channels, way);
    } while (way && !takes(vk, way->tiling));
    return way;
}

enum vgg_status vk_tile_block(struct vk *vk, struct vk_variant *variant, const struct vk_way *way, int index,
                              struct vk_block *block)
{
    if (way->tiling == VK_TILING_MATRIX) return vk_matrix_block(vk, variant, way, index, block);
    variant->shader = way->shader;
    for (int i = index;;) {
        const struct vk_tile *t = &vk_tiles[i];
        variant->spec[VK_SPEC_TILE] = (uint32_t)i;
        variant->spec[VK_SPEC_HALF] = vk->half;
        *block = (struct vk_block) { .way = way, .bm = (size_t)t->bm, .bn = (size_t)t->bn };
        enum vgg_status status = VGG_ERR_UNSUPPORTED;
        if (vk_tile_fits(vk, i)) status = vk_pipe_get(vk, variant, &block->pipeline);
        if (status != VGG_ERR_UNSUPPORTED) return status;
        if (i == VK_TILE_SMALLEST) break;
        i = i == VK_TILE_THIN || i > VK_TILE_SMALLEST ? VK_TILE_SMALLEST : i + 1;
    }
    return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: the driver refuses every variant of shader %s; use --backend cpu",
                    vk->gpu.properties.deviceName, variant->shader);
}
