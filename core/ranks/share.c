#include "core/ranks/share.h"

int vgg_share_shards(int items, int shard)
{
    return items / shard + (items % shard != 0);
}

uint64_t vgg_share_begin(uint64_t items, int rank, int ranks)
{
    return items * (uint64_t)rank / (uint64_t)ranks;
}

static int begin_of(int shards, int rank, int ranks)
{
    return (int)vgg_share_begin((uint64_t)shards, rank, ranks);
}

struct vgg_share vgg_share_of(int shards, int first, int last, int ranks)
{
    return (struct vgg_share) { begin_of(shards, first, ranks), begin_of(shards, last, ranks) };
}

struct vgg_share vgg_share_items(int items, int shard, int rank, int ranks)
{
    struct vgg_share own = vgg_share_of(vgg_share_shards(items, shard), rank, rank + 1, ranks);
    int64_t from = (int64_t)own.from * shard, to = (int64_t)own.to * shard;
    return (struct vgg_share) { from < items ? (int)from : items, to < items ? (int)to : items };
}

bool vgg_share_join(struct vgg_share left, struct vgg_share right, int shards)
{
    int64_t count = left.to - left.from, end = left.from + 2 * count;
    bool whole = (count & (count - 1)) == 0 && left.from % (2 * count) == 0;
    return whole && right.to == (end < shards ? end : shards);
}

/* Puts one more leaf behind the nodes that are there and joins what can be joined; their number. */
static int push(struct vgg_share *nodes, int count, int leaf, int shards)
{
    nodes[count++] = (struct vgg_share) { leaf, leaf + 1 };
    for (; count > 1 && vgg_share_join(nodes[count - 2], nodes[count - 1], shards); count--)
        nodes[count - 2].to = nodes[count - 1].to;
    return count;
}

int vgg_share_nodes(struct vgg_share nodes[VGG_SHARE_NODES], struct vgg_share range, int shards)
{
    int count = 0;
    for (int leaf = range.from; leaf < range.to; leaf++)
        count = push(nodes, count, leaf, shards);
    return count;
}

int vgg_share_depth(struct vgg_share range, int shards)
{
    struct vgg_share nodes[VGG_SHARE_NODES];
    int count = 0, most = 1;
    for (int leaf = range.from; leaf < range.to; leaf++) {
        if (count + 1 > most) most = count + 1;
        count = push(nodes, count, leaf, shards);
    }
    return most;
}
