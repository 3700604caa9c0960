/* arena.h: memory shared by things whose lifetimes do not meet. */
#ifndef CORE_PLAN_ARENA_H
#define CORE_PLAN_ARENA_H

#include <stddef.h>

/* Something that needs `size` bytes while steps first..last (inclusive) run; offset is the answer. */
struct vgg_span {
    size_t size, offset;
    int first, last;
};

/* Gives every span an offset (a multiple of VGG_VIEW_ALIGN) so that no two spans alive at one step overlap, the largest
 * first at the lowest place that is free. Returns the bytes needed. O(count^2). */
size_t vgg_arena_place(struct vgg_span *spans, int count);

#endif
