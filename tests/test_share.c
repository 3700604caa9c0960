/* Who computes which shards, and in which tree their sums are added. */
#include <criterion/criterion.h>

#include "core/ranks/share.h"

enum { MOST = 70 };

/* The nodes of the tree over [from, to) that lie in [a, b) and in no larger one that does; the larger half, a power of
 * two, comes first. */
static int cover(struct vgg_share *out, int from, int to, int a, int b)
{
    if (b <= from || to <= a) return 0;
    if (a <= from && to <= b) {
        out[0] = (struct vgg_share) { from, to };
        return 1;
    }
    int half = 1;
    while (2 * half < to - from)
        half *= 2;
    int n = cover(out, from, from + half, a, b);
    return n + cover(out + n, from + half, to, a, b);
}

Test(share, nodes_are_those_of_the_tree)
{
    struct vgg_share nodes[VGG_SHARE_NODES], wanted[MOST];
    for (int shards = 1; shards <= MOST; shards++) {
        for (int a = 0; a < shards; a++) {
            for (int b = a; b <= shards; b++) {
                int n = vgg_share_nodes(nodes, (struct vgg_share) { a, b }, shards);
                cr_assert_eq(n, cover(wanted, 0, shards, a, b), "%d of %d to %d", shards, a, b);
                for (int i = 0; i < n; i++)
                    cr_assert(nodes[i].from == wanted[i].from && nodes[i].to == wanted[i].to);
            }
        }
    }
}

Test(share, ranks_take_contiguous_shards_one_apart_in_number)
{
    for (int items = 1; items < 40; items++) {
        for (int shard = 1; shard < 7; shard++) {
            for (int ranks = 1; ranks < 12; ranks++) {
                int at = 0, shards = vgg_share_shards(items, shard);
                cr_assert_eq(shards, (items + shard - 1) / shard);
                for (int r = 0; r < ranks; r++) {
                    struct vgg_share own = vgg_share_items(items, shard, r, ranks),
                                     count = vgg_share_of(shards, r, r + 1, ranks);
                    cr_assert_eq(own.from, at);
                    cr_assert(count.to - count.from == shards / ranks || count.to - count.from == shards / ranks + 1);
                    cr_assert(own.to == items || own.to == count.to * shard);
                    at = own.to;
                }
                cr_assert_eq(at, items);
            }
        }
    }
}

/* Waiting sums and the one being made: with s shards from 0 on as many as ones in the binary number of the last. */
Test(share, depth_is_what_waits)
{
    for (int shards = 1; shards <= MOST; shards++) {
        int most = 0;
        for (int i = 0; i < shards; i++)
            if (__builtin_popcount((unsigned)i) >= most) most = __builtin_popcount((unsigned)i) + 1;
        cr_expect_eq(vgg_share_depth((struct vgg_share) { 0, shards }, shards), most);
    }
    cr_expect_eq(vgg_share_depth((struct vgg_share) { 1, 8 }, 8), 5); /* 1, 23, 45, 6, 7 */
    cr_expect_eq(vgg_share_depth((struct vgg_share) { 4, 8 }, 8), 3); /* 45, 6, 7 */
    cr_expect_eq(vgg_share_depth((struct vgg_share) { 5, 5 }, 8), 1);
}
