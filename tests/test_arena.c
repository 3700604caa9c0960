/* Memory shared by things whose lifetimes do not meet: places by hand, and many random ones beside the rule. */
#include "core/plan/arena.h"

#include <criterion/criterion.h>

#include "core/base/rng.h"
#include "core/op/op.h"

enum { A = VGG_VIEW_ALIGN, MOST = 40 };

Test(arena, places_by_hand)
{
    static const struct {
        int count;
        struct vgg_span span[5]; /* size, wanted offset, first, last */
        size_t total;
    } cases[] = {
        { 0, { { 0 } }, 0 },
        { 1, { { 1, 0, 0, 0 } }, A },
        { 1, { { A, 0, 3, 9 } }, A },
        { 1, { { A + 1, 0, 3, 9 } }, 2 * A },
        /* The last step of one is the first of the other: both are alive in it. */
        { 2, { { A, 0, 0, 1 }, { A, A, 1, 2 } }, 2 * A },
        { 2, { { A, 0, 0, 1 }, { A, 0, 2, 3 } }, A },
        { 2, { { A, 0, 2, 3 }, { A, 0, 0, 1 } }, A },
        /* Of one size the first comes first; a larger one before. */
        { 3, { { A, 3 * A, 0, 5 }, { 3 * A, 0, 0, 5 }, { A, 4 * A, 0, 5 } }, 5 * A },
        /* A hole between two that stay is taken by what fits in it, and left by what does not. */
        { 4, { { 4 * A, 0, 0, 9 }, { 3 * A, 4 * A, 0, 2 }, { 2 * A, 7 * A, 0, 9 }, { A, 4 * A, 3, 9 } }, 9 * A },
        { 5,
          { { 5 * A, 0, 0, 9 },
            { 4 * A, 5 * A, 0, 2 },
            { 3 * A, 9 * A, 0, 9 },
            { 2 * A, 5 * A, 3, 9 },
            { 2 * A, 7 * A, 5, 6 } },
          12 * A },
        { 2, { { 0, 0, 0, 1 }, { A, 0, 0, 1 } }, A },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_span spans[5];
        for (int k = 0; k < 5; k++)
            spans[k] = cases[i].span[k], spans[k].offset = 77;
        cr_expect_eq(vgg_arena_place(spans, cases[i].count), cases[i].total, "case %zu", i);
        for (int k = 0; k < cases[i].count; k++) {
            if (spans[k].size == 0) continue; /* anywhere */
            cr_expect_eq(spans[k].offset, cases[i].span[k].offset, "case %zu, %d: at %zu", i, k, spans[k].offset);
        }
    }
}

static bool meet(const struct vgg_span *a, const struct vgg_span *b)
{
    bool alive = a->first <= b->last && b->first <= a->last;
    return alive && a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

/* None that are alive together overlap, each is where it cannot be lower, among those that are no smaller. */
Test(arena, many_random_ones)
{
    for (uint64_t round = 0; round < 300; round++) {
        struct vgg_span spans[MOST];
        int count = 1 + (int)vgg_rng_below(1, VGG_RNG_INIT, round, 0, MOST);
        size_t total = 0;
        for (int i = 0; i < count; i++) {
            uint64_t at = 4 * (uint64_t)i + 4;
            spans[i].size = 1 + vgg_rng_below(1, VGG_RNG_INIT, round, at, 6 * A);
            spans[i].first = (int)vgg_rng_below(1, VGG_RNG_INIT, round, at + 1, 12);
            spans[i].last = spans[i].first + (int)vgg_rng_below(1, VGG_RNG_INIT, round, at + 2, 6);
        }
        size_t said = vgg_arena_place(spans, count);
        for (int i = 0; i < count; i++) {
            struct vgg_span *s = &spans[i];
            cr_assert(s->size % A == 0 && s->offset % A == 0);
            if (s->offset + s->size > total) total = s->offset + s->size;
            for (int k = 0; k < i; k++)
                cr_assert_not(meet(s, &spans[k]), "round %d: %d and %d overlap", (int)round, i, k);
            size_t where = s->offset;
            for (s->offset = 0; s->offset < where; s->offset += A) {
                bool free = true;
                for (int k = 0; k < count && free; k++) {
                    bool before = spans[k].size > s->size || (spans[k].size == s->size && k < i);
                    free = k == i || !before || !meet(s, &spans[k]);
                }
                cr_assert_not(free, "round %d: %d could be lower", (int)round, i);
            }
            s->offset = where;
        }
        cr_assert_eq(said, total);
    }
}
