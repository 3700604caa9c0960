/* The gradients of several ranks: recursive halving, in which each rank comes to add one part of them in the order of
 * the shards' tree, and recursive doubling, in which all get all parts. Neighbours come first, so that what a group of
 * ranks has are sums of neighbouring shards. Of ranks that are no power of two the first few act in pairs. All of it
 * is done on the host. Source: R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication
 * operations in MPICH", 2005, 4.5, without its assumption that the order of additions is free. */
#include <string.h>

#include "core/base/log.h"
#include "core/engine/net_store.h"

enum { STAGES = 24 }; /* the most of halving */

/* A node of the tree as far as this rank has it: the piece's values from number `first` on. */
struct node {
    struct vgg_share leaves;
    float *values;
    int first;
};

/* Of one piece on its way. */
struct journey {
    struct vgg_ranks *ranks;
    struct vgg_net_sum *sum;
    int shards;
    int pairs, pairs_end; /* the first ranks act as pairs: how many, and the rank after them */
    int powers;           /* acting ranks, a power of two */
    int self;             /* this rank's number among them; -1: it is the second of a pair */
    int count;            /* values of the piece */
    struct node node[VGG_SHARE_NODES];
    int nodes;
    float *sent, *received; /* room; received: for what comes next */
    enum vgg_status status; /* of additions: a rank that failed goes on moving bytes, until all can be told */
};

static void plan_ranks(struct journey *j, struct vgg_ranks *ranks, int shards)
{
    *j = (struct journey) { .ranks = ranks, .shards = shards, .powers = 1 };
    while (2 * j->powers <= ranks->size)
        j->powers *= 2;
    j->pairs = ranks->size - j->powers;
    j->pairs_end = 2 * j->pairs;
    j->self = ranks->rank >= j->pairs_end ? ranks->rank - j->pairs : ranks->rank % 2 ? -1 : ranks->rank / 2;
}

/* The rank that acts as number `acting`; the one after the last has the number of ranks. */
static int rank_of(const struct journey *j, int acting)
{
    return acting < j->pairs ? 2 * acting : acting + j->pairs;
}

/* The shards of `count` acting ranks from one on. */
static struct vgg_share shards_of(const struct journey *j, int acting, int count)
{
    return vgg_share_of(j->shards, rank_of(j, acting), rank_of(j, acting + count), j->ranks->size);
}

static int length(struct vgg_share range)
{
    return range.to - range.from;
}

/* The value number `i` of the piece and those behind it. */
static float *values_at(const struct node *node, int i)
{
    return node->values + (i - node->first);
}

/* The nodes that came stand before this rank's own or behind them; neighbours are joined, in the values of `range`,
 * which are still this rank's to add. */
static void merge(struct journey *j, const struct vgg_share *leaves, int came, bool before, struct vgg_share range)
{
    struct node all[2 * VGG_SHARE_NODES];
    int own = before ? came : 0, other = before ? 0 : j->nodes, total = 0;
    memcpy(all + own, j->node, (size_t)j->nodes * sizeof *all);
    for (int i = 0; i < came; i++) {
        all[other + i] = (struct node) { leaves[i], j->received, range.from };
        j->received += length(range);
    }
    for (int i = 0; i < j->nodes + came; i++) {
        struct node node = all[i];
        while (total && vgg_share_join(j->node[total - 1].leaves, node.leaves, j->shards)) {
            struct node left = j->node[--total];
            enum vgg_status status = vgg_net_sum_add(j->sum, values_at(&left, range.from), values_at(&node, range.from),
                                                     (size_t)length(range));
            if (j->status == VGG_OK) j->status = status;
            left.leaves.to = node.leaves.to;
            node = left;
        }
        j->node[total++] = node;
    }
    j->nodes = total;
}

/* ---- the journey ---- */

/* Sends the values of all own nodes in one range to a rank, and receives those of so many nodes in another range. */
static enum vgg_status swap(struct journey *j, int rank, struct vgg_share out, struct vgg_share in, int came)
{
    size_t sent = (size_t)length(out);
    const float *from = j->nodes == 1 ? values_at(&j->node[0], out.from) : j->sent;
    for (int i = 0; i < j->nodes && j->nodes > 1 && sent; i++)
        memcpy(j->sent + (size_t)i * sent, values_at(&j->node[i], out.from), sent * sizeof *from);
    return vgg_ranks_exchange(j->ranks, rank, from, (size_t)j->nodes * sent * sizeof *from, rank, j->received,
                              (size_t)came * (size_t)length(in) * sizeof *from);
}

/* The second of a pair gives all that it has to the first. */
static enum vgg_status pair_up(struct journey *j)
{
    struct vgg_ranks *ranks = j->ranks;
    struct vgg_share leaves[VGG_SHARE_NODES], whole = { 0, j->count }, none = { 0, 0 };
    if (ranks->rank >= j->pairs_end) return VGG_OK;
    if (j->self < 0) return swap(j, ranks->rank - 1, whole, none, 0);
    struct vgg_share theirs = vgg_share_of(j->shards, ranks->rank + 1, ranks->rank + 2, ranks->size);
    int came = vgg_share_nodes(leaves, theirs, j->shards);
    enum vgg_status status = vgg_ranks_exchange(ranks, -1, NULL, 0, ranks->rank + 1, j->received,
                                                (size_t)came * (size_t)j->count * sizeof *j->received);
    if (status == VGG_OK) merge(j, leaves, came, false, whole);
    return status;
}

/* segment[s]: the values that are this rank's to add before stage s. */
static enum vgg_status halve(struct journey *j, struct vgg_share segment[STAGES])
{
    enum vgg_status status = VGG_OK;
    int stage = 0;
    segment[0] = (struct vgg_share) { 0, j->count };
    for (int span = 1; span < j->powers; span *= 2, stage++) {
        struct vgg_share leaves[VGG_SHARE_NODES], now = segment[stage], low = now, high = now;
        int partner = j->self ^ span, block = partner & ~(span - 1);
        bool before = partner < j->self;
        low.to = high.from = now.from + length(now) / 2;
        int came = vgg_share_nodes(leaves, shards_of(j, block, span), j->shards);
        struct vgg_share keeps = before ? high : low;
        CHECK(swap(j, rank_of(j, partner), before ? low : high, keeps, came));
        merge(j, leaves, came, before, keeps);
        segment[stage + 1] = keeps;
    }
fail:
    return status;
}

/* From its own part each rank comes to have all of `whole`. */
static enum vgg_status redouble(struct journey *j, const struct vgg_share segment[STAGES], float *whole)
{
    enum vgg_status status = VGG_OK;
    int stage = 0;
    for (int span = 1; span < j->powers; span *= 2)
        stage++;
    const float *own_values = values_at(&j->node[0], segment[stage].from);
    if (own_values != whole + segment[stage].from)
        memcpy(whole + segment[stage].from, own_values, (size_t)length(segment[stage]) * sizeof *whole);
    for (int span = j->powers / 2; span; span /= 2) {
        struct vgg_share own = segment[stage], both = segment[--stage];
        struct vgg_share other =
            own.from == both.from ? (struct vgg_share) { own.to, both.to } : (struct vgg_share) { both.from, own.from };
        int partner = rank_of(j, j->self ^ span);
        CHECK(vgg_ranks_exchange(j->ranks, partner, whole + own.from, (size_t)length(own) * sizeof *whole, partner,
                                 whole + other.from, (size_t)length(other) * sizeof *whole));
    }
fail:
    return status;
}

/* The first of a pair gives the second the whole. */
static enum vgg_status pair_down(struct journey *j, float *whole)
{
    struct vgg_ranks *ranks = j->ranks;
    size_t size = (size_t)j->count * sizeof *whole;
    if (ranks->rank >= j->pairs_end) return VGG_OK;
    if (j->self < 0) return vgg_ranks_exchange(ranks, -1, NULL, 0, ranks->rank - 1, whole, size);
    return vgg_ranks_exchange(ranks, ranks->rank + 1, whole, size, -1, NULL, 0);
}

enum vgg_status vgg_net_reduce_piece(struct vgg_net *net, float *values, int count, enum vgg_status *added)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_reduce *r = &net->reduce;
    struct vgg_share segment[STAGES];
    struct journey j;
    plan_ranks(&j, net->ranks, r->shards);
    j.sum = &r->sum, j.sent = r->sent, j.received = r->received, j.count = count;
    j.nodes = r->held.count;
    for (int i = 0; i < j.nodes; i++)
        j.node[i] = (struct node) { r->held.node[i], values + (size_t)i * r->piece, 0 };
    CHECK(pair_up(&j));
    if (j.self >= 0) {
        CHECK(halve(&j, segment));
        CHECK(redouble(&j, segment, values));
    }
    CHECK(pair_down(&j, values));
    *added = j.status;
fail:
    return status;
}

/* ---- room ---- */

void vgg_net_reduce_measure(struct vgg_ranks *ranks, int shards, size_t piece, size_t *sent, size_t *received)
{
    struct journey j;
    struct vgg_share nodes[VGG_SHARE_NODES], own = vgg_share_of(shards, ranks->rank, ranks->rank + 1, ranks->size);
    plan_ranks(&j, ranks, shards);
    *sent = *received = 0;
    if (j.self < 0) {
        *sent = (size_t)vgg_share_nodes(nodes, own, shards) * piece;
        return;
    }
    if (j.self < j.pairs) {
        struct vgg_share other = vgg_share_of(shards, ranks->rank + 1, ranks->rank + 2, ranks->size);
        *received = (size_t)vgg_share_nodes(nodes, other, shards) * piece;
    }
    for (int span = 1; span < j.powers; span *= 2) {
        int partner = j.self ^ span;
        piece = (piece + 1) / 2;
        size_t out = (size_t)vgg_share_nodes(nodes, shards_of(&j, j.self & ~(span - 1), span), shards) * piece;
        if (out > *sent) *sent = out;
        *received += (size_t)vgg_share_nodes(nodes, shards_of(&j, partner & ~(span - 1), span), shards) * piece;
    }
}
