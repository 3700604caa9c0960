#include "core/plan/arena.h"

#include <stdbool.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "core/op/op.h"

static bool alive_together(const struct vgg_span *a, const struct vgg_span *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which `span` meets no placed span that is alive with it. */
static size_t lowest_free(const struct vgg_span *spans, int count, const struct vgg_span *span)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct vgg_span *other = &spans[i];
            if (other->offset == SIZE_MAX || !alive_together(other, span)) continue;
            if (offset < other->offset + other->size && other->offset < offset + span->size) {
                offset = other->offset + other->size;
                moved = true;
            }
        }
    }
    return offset;
}

size_t vgg_arena_place(struct vgg_span *spans, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        spans[i].size = vgg_mem_round_up(spans[i].size, VGG_VIEW_ALIGN);
        spans[i].offset = SIZE_MAX;
    }
    for (int placed = 0; placed < count; placed++) {
        int largest = -1;
        for (int i = 0; i < count; i++) {
            if (spans[i].offset == SIZE_MAX && (largest < 0 || spans[i].size > spans[largest].size)) largest = i;
        }
        spans[largest].offset = lowest_free(spans, count, &spans[largest]);
        size_t end = spans[largest].offset + spans[largest].size;
        if (end > total) total = end;
    }
    return total;
}
