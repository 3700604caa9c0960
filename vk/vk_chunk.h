/* vk_chunk.h: image tensors cut into parts that fit one binding each. */
#ifndef VK_CHUNK_H
#define VK_CHUNK_H

#include "vk/vk_base.h"

/* How a tensor may be cut: into whole images, or else into rows of one image. */
struct vk_cut {
    int n, h;         /* images and rows made */
    int x_h;          /* rows of an image that is read, where these are more; else 0 */
    size_t row_bytes; /* of the largest tensor involved, for one row */
    int halo;         /* further rows that are read with a part of an image */
    int quantum;      /* parts of an image begin at multiples of this many rows */
    int images;       /* above 1: only whole images, and parts begin at multiples of this many */
    size_t most_rows; /* in one part where that is possible, 0: no limit but the binding's */
};

/* `images` whole images from n0 on (y0 = 0, rows = h), or `rows` rows of image n0 from y0 on. What is read with the
 * halo begins at row x0 and has x_rows rows an image. */
struct vk_part {
    int n0, images, y0, rows, x0, x_rows;
};

/* Can the smallest part be bound? */
bool vk_chunk_possible(const struct vk *vk, const struct vk_cut *cut);

/* No part has more rows than that, where it can. */
void vk_chunk_most(struct vk_cut *cut, size_t rows);

/* Steps from one part to the next; begin with a zeroed one. False after the last. */
bool vk_chunk_next(const struct vk *vk, const struct vk_cut *cut, struct vk_part *part);

#endif
