/* share.h: who computes which shards of a batch, and in which tree their sums are added. */
#ifndef CORE_RANKS_SHARE_H
#define CORE_RANKS_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* From one shard, or one item, up to another. */
struct vgg_share {
    int from, to;
};

/* Where the part of rank `rank` of `ranks` begins, and that of the one before ends, among fewer than 2^32 items. */
uint64_t vgg_share_begin(uint64_t items, int rank, int ranks);
/* Shards of `items` items, the last perhaps smaller. */
int vgg_share_shards(int items, int shard);
/* The shards of ranks first .. last - 1 of `ranks`: contiguous, in the ranks' order, one apart in number at most. */
struct vgg_share vgg_share_of(int shards, int first, int last, int ranks);
/* The items of one rank's shards. */
struct vgg_share vgg_share_items(int items, int shard, int rank, int ranks);

/* Shards are the leaves of a balanced binary tree in their order: two neighbours that begin at a multiple of twice the
 * left one's number of shards, a power of two, make one node, the right one cut where the shards end. */

/* Do left and right, which begins where left ends, make one node of a tree of `shards` leaves? */
bool vgg_share_join(struct vgg_share left, struct vgg_share right, int shards);

enum { VGG_SHARE_NODES = 36 }; /* the most that shards of one range can be, for up to 2^17 shards */
/* The fewest nodes whose leaves are those of `range`, in order; their number. */
int vgg_share_nodes(struct vgg_share nodes[VGG_SHARE_NODES], struct vgg_share range, int shards);
/* The most nodes there are at once while the leaves of `range` come one by one and are joined when they can be. */
int vgg_share_depth(struct vgg_share range, int shards);

#endif
