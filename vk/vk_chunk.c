#include "vk/vk_chunk.h"

static int rows_read(const struct vk_cut *cut)
{
    return cut->x_h > cut->h ? cut->x_h : cut->h;
}

static size_t round_down(size_t value, int quantum)
{
    return value / (size_t)quantum * (size_t)quantum;
}

bool vk_chunk_possible(const struct vk *vk, const struct vk_cut *cut)
{
    size_t rows = vk->limits.range / cut->row_bytes;
    if (rows >= (size_t)rows_read(cut) * (size_t)cut->n) return true;
    if (cut->images > 1) return rows >= (size_t)rows_read(cut) * (size_t)cut->images;
    return rows >= (size_t)rows_read(cut) || rows >= (size_t)(cut->quantum + cut->halo);
}

/* Rows, halo included, that one part may have. */
static size_t most_rows(const struct vk *vk, const struct vk_cut *cut)
{
    size_t rows = vk->limits.range / cut->row_bytes, least = (size_t)(cut->quantum + cut->halo);
    if (!cut->most_rows || cut->most_rows >= rows) return rows;
    if (cut->images > 1) least = (size_t)rows_read(cut) * (size_t)cut->images;
    return cut->most_rows > least ? cut->most_rows : least < rows ? least : rows;
}

void vk_chunk_most(struct vk_cut *cut, size_t rows)
{
    if (!cut->most_rows || rows < cut->most_rows) cut->most_rows = rows ? rows : 1;
}

bool vk_chunk_next(const struct vk *vk, const struct vk_cut *cut, struct vk_part *part)
{
    size_t rows = most_rows(vk, cut), h = (size_t)rows_read(cut);
    if (part->images) { /* on to the next */
        part->y0 += part->rows;
        if (part->y0 >= cut->h) {
            part->y0 = 0;
            part->n0 += part->images;
        }
    }
    if (part->n0 >= cut->n) return false;
    size_t images = rows / h, left = (size_t)(cut->n - part->n0);
    if (images >= left) {
        images = left;
    } else if (cut->images > 1) {
        images = round_down(images, cut->images);
    }
    if (images) {
        part->images = (int)images;
        part->rows = cut->h;
        part->x_rows = rows_read(cut);
        part->x0 = 0;
        return true;
    }
    int most = (int)round_down(rows - (size_t)cut->halo, cut->quantum), reach = cut->halo / 2;
    part->images = 1;
    part->rows = cut->h - part->y0 < most ? cut->h - part->y0 : most;
    part->x0 = part->y0 > reach ? part->y0 - reach : 0;
    int end = part->y0 + part->rows + reach;
    part->x_rows = (end < rows_read(cut) ? end : rows_read(cut)) - part->x0;
    return true;
}
