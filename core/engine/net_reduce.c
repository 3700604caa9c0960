/* The gradients of several ranks: recursive halving, in which each rank comes to add one part of them in the order of
 * the shards' tree, and recursive doubling, in which all get all parts. Neighbours come first, so that what a group of
 * ranks has are sums of neighbouring shards. Of ranks that are no power of two the first few act in pairs. Additions
 * are the backend's own, with its rounding and its treatment of the smallest numbers. Source: R. Thakur, R.
 * Rabenseifner, W. Gropp, "Optimization of collective communication operations in MPICH", 2005, 4.5, without its
 * assumption that the order of additions is free. */
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/net_store.h"

/* Floats of a piece, those that a view begins at a multiple of, and the most stages of halving. */
enum {
    PIECE = 1 << 22,
    STEP = VGG_VIEW_ALIGN / sizeof(float),
    STAGES = 24,
    ARRIVALS = sizeof(((struct vgg_net_reduce *)0)->arrived) / sizeof(struct vgg_buf *)
};

/* A node of the tree as far as this rank has it. */
struct node {
    struct vgg_share leaves;
    struct vgg_buf *buf;
    size_t offset; /* bytes, of the piece's first value */
};

/* Of one piece on its way. */
struct journey {
    struct vgg_net *net;
    int shards;
    int pairs, pairs_end; /* the first ranks act as pairs: how many, and the rank after them */
    int powers;           /* acting ranks, a power of two */
    int self;             /* this rank's number among them; -1: it is the second of a pair */
    size_t first, count;  /* values of the piece */
    struct node node[VGG_SHARE_NODES];
    int nodes;
    bool used[ARRIVALS];    /* of net->reduce.arrived */
    enum vgg_status status; /* of the device: a rank that failed goes on moving bytes, until all can be told */
};

static void plan_ranks(struct journey *j)
{
    const struct vgg_ranks *ranks = j->net->ranks;
    j->powers = 1;
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
    return vgg_share_of(j->shards, rank_of(j, acting), rank_of(j, acting + count), j->net->ranks->size);
}

/* ---- host and device ---- */

static void keep(struct journey *j, enum vgg_status status)
{
    if (j->status == VGG_OK) j->status = status;
}

/* The values from .. from + count - 1 of a piece of a node. */
static void fetch(struct journey *j, const struct node *node, size_t from, size_t count, float *to)
{
    if (j->status != VGG_OK || count == 0) return;
    keep(j, vgg_buf_download(node->buf, node->offset + from * sizeof *to, to, count * sizeof *to));
}

static void put(struct journey *j, struct vgg_buf *buf, size_t offset, const float *from, size_t count)
{
    if (j->status != VGG_OK || count == 0) return;
    keep(j, vgg_buf_upload(buf, offset, from, count * sizeof *from));
}

/* y += x, or y = 0 without x. */
static void add(struct journey *j, const struct node *y, const struct node *x, size_t from, size_t count)
{
    if (j->status != VGG_OK || count == 0) return;
    struct vgg_op op = { .kind = x ? VGG_OP_ADD : VGG_OP_ZERO };
    struct vgg_list list = { .op = &op, .count = 1 };
    op.y = (struct vgg_view) { y->offset + from * sizeof(float), VGG_ARENA_GRAD, VGG_F32, 1, 1, 1, (int)count };
    list.arena[VGG_ARENA_GRAD] = y->buf;
    if (x) {
        op.x = (struct vgg_view) { x->offset + from * sizeof(float), VGG_ARENA_SUM, VGG_F32, 1, 1, 1, (int)count };
        list.arena[VGG_ARENA_SUM] = x->buf;
    }
    keep(j, vgg_backend_run(j->net->backend, &list, &(struct vgg_step) { 0 }));
}

/* A buffer for one piece of a sum of other ranks. */
static struct vgg_buf *arrive(struct journey *j)
{
    struct vgg_buf **arrived = j->net->reduce.arrived;
    int i = 0;
    while (j->used[i])
        i++;
    j->used[i] = true;
    if (j->status == VGG_OK && !arrived[i])
        keep(j, vgg_buf_create(j->net->backend, &arrived[i], j->net->reduce.piece * sizeof(float)));
    return arrived[i];
}

static void depart(struct journey *j, const struct vgg_buf *buf)
{
    for (int i = 0; i < ARRIVALS; i++)
        if (buf && j->net->reduce.arrived[i] == buf) j->used[i] = false;
}

/* The nodes that came, from `received`, stand before this rank's own or behind them; neighbours are joined, in the
 * values from .. from + count - 1 that are still this rank's to add. */
static void merge(struct journey *j, const struct vgg_share *leaves, int came, bool before, size_t from, size_t count)
{
    struct node all[2 * VGG_SHARE_NODES];
    const float *received = j->net->reduce.received;
    int own = before ? came : 0, other = before ? 0 : j->nodes, total = 0;
    memcpy(all + own, j->node, (size_t)j->nodes * sizeof *all);
    for (int i = 0; i < came; i++) {
        all[other + i] = (struct node) { leaves[i], arrive(j), 0 };
        put(j, all[other + i].buf, from * sizeof(float), received + (size_t)i * count, count);
    }
    for (int i = 0; i < j->nodes + came; i++) {
        struct node node = all[i];
        while (total && vgg_share_join(j->node[total - 1].leaves, node.leaves, j->shards)) {
            struct node left = j->node[--total];
            add(j, &left, &node, from, count);
            depart(j, node.buf);
            left.leaves.to = node.leaves.to;
            node = left;
        }
        j->node[total++] = node;
    }
    j->nodes = total;
}

/* ---- the journey ---- */

/* Sends the values of all own nodes in one range, and receives those of another range from the same rank. */
static enum vgg_status swap(struct journey *j, int rank, struct vgg_share out, struct vgg_share in, int came)
{
    size_t sent = (size_t)(out.to - out.from), received = (size_t)(in.to - in.from);
    struct vgg_net_reduce *r = &j->net->reduce;
    for (int i = 0; i < j->nodes; i++)
        fetch(j, &j->node[i], (size_t)out.from, sent, r->sent + (size_t)i * sent);
    return vgg_ranks_exchange(j->net->ranks, rank, r->sent, (size_t)j->nodes * sent * sizeof *r->sent, rank,
                              r->received, (size_t)came * received * sizeof *r->received);
}

/* The second of a pair gives all that it has to the first. */
static enum vgg_status pair_up(struct journey *j)
{
    struct vgg_ranks *ranks = j->net->ranks;
    struct vgg_share leaves[VGG_SHARE_NODES], whole = { 0, (int)j->count }, none = { 0, 0 };
    if (ranks->rank >= j->pairs_end) return VGG_OK;
    if (j->self < 0) return swap(j, ranks->rank - 1, whole, none, 0);
    struct vgg_share theirs = vgg_share_of(j->shards, ranks->rank + 1, ranks->rank + 2, ranks->size);
    int came = vgg_share_nodes(leaves, theirs, j->shards);
    float *received = j->net->reduce.received;
    enum vgg_status status =
        vgg_ranks_exchange(ranks, -1, NULL, 0, ranks->rank + 1, received, (size_t)came * j->count * sizeof *received);
    if (status == VGG_OK) merge(j, leaves, came, false, 0, j->count);
    return status;
}

/* The lower part of so many values: where it ends the upper one can be a tensor. */
static int half_of(int count)
{
    return (count / 2 + STEP - 1) / STEP * STEP < count ? (count / 2 + STEP - 1) / STEP * STEP : count;
}

/* segment[s]: the values that are this rank's to add before stage s. */
static enum vgg_status halve(struct journey *j, struct vgg_share segment[STAGES])
{
    enum vgg_status status = VGG_OK;
    int stage = 0;
    segment[0] = (struct vgg_share) { 0, (int)j->count };
    for (int span = 1; span < j->powers; span *= 2, stage++) {
        struct vgg_share leaves[VGG_SHARE_NODES], now = segment[stage], low = now, high = now;
        int partner = j->self ^ span, block = partner & ~(span - 1);
        bool before = partner < j->self;
        low.to = high.from = now.from + half_of(now.to - now.from);
        int came = vgg_share_nodes(leaves, shards_of(j, block, span), j->shards);
        struct vgg_share keeps = before ? high : low;
        CHECK(swap(j, rank_of(j, partner), before ? low : high, keeps, came));
        merge(j, leaves, came, before, (size_t)keeps.from, (size_t)(keeps.to - keeps.from));
        segment[stage + 1] = keeps;
    }
fail:
    return status;
}

/* From its own part each rank comes to have all of net->reduce.whole. */
static enum vgg_status redouble(struct journey *j, const struct vgg_share segment[STAGES])
{
    enum vgg_status status = VGG_OK;
    float *whole = j->net->reduce.whole;
    int stage = 0;
    for (int span = 1; span < j->powers; span *= 2)
        stage++;
    fetch(j, &j->node[0], (size_t)segment[stage].from, (size_t)(segment[stage].to - segment[stage].from),
          whole + segment[stage].from);
    for (int span = j->powers / 2; span; span /= 2) {
        struct vgg_share own = segment[stage], both = segment[--stage];
        struct vgg_share other =
            own.from == both.from ? (struct vgg_share) { own.to, both.to } : (struct vgg_share) { both.from, own.from };
        int partner = rank_of(j, j->self ^ span);
        CHECK(vgg_ranks_exchange(j->net->ranks, partner, whole + own.from, (size_t)(own.to - own.from) * sizeof *whole,
                                 partner, whole + other.from, (size_t)(other.to - other.from) * sizeof *whole));
    }
fail:
    return status;
}

/* The first of a pair gives the second the whole. */
static enum vgg_status pair_down(struct journey *j)
{
    struct vgg_ranks *ranks = j->net->ranks;
    float *whole = j->net->reduce.whole;
    size_t size = j->count * sizeof *whole;
    if (ranks->rank >= j->pairs_end) return VGG_OK;
    if (j->self < 0) return vgg_ranks_exchange(ranks, -1, NULL, 0, ranks->rank - 1, whole, size);
    return vgg_ranks_exchange(ranks, ranks->rank + 1, whole, size, -1, NULL, 0);
}

static enum vgg_status reduce_piece(struct journey *j, const struct vgg_net_held *held)
{
    enum vgg_status status = VGG_OK;
    struct vgg_share segment[STAGES];
    struct vgg_net *net = j->net;
    j->nodes = held->count;
    memset(j->used, 0, sizeof j->used);
    for (int i = 0; i < held->count; i++)
        j->node[i] = (struct node) { held->node[i], net->sum[i], j->first * sizeof(float) };
    CHECK(pair_up(j));
    if (j->self >= 0) {
        CHECK(halve(j, segment));
        CHECK(redouble(j, segment));
    }
    CHECK(pair_down(j));
    put(j, net->sum[0], j->first * sizeof(float), net->reduce.whole, j->count);
fail:
    return status;
}

/* ---- room ---- */

/* The nodes that this rank sends and receives at most in one stage, times the part of a piece that each is then of. */
static void measure(const struct journey *j, size_t piece, size_t *sent, size_t *received)
{
    const struct vgg_ranks *ranks = j->net->ranks;
    struct vgg_share nodes[VGG_SHARE_NODES], own = vgg_share_of(j->shards, ranks->rank, ranks->rank + 1, ranks->size);
    *sent = *received = 0;
    if (j->self < 0) {
        *sent = (size_t)vgg_share_nodes(nodes, own, j->shards) * piece;
        return;
    }
    if (j->self < j->pairs) {
        struct vgg_share other = vgg_share_of(j->shards, ranks->rank + 1, ranks->rank + 2, ranks->size);
        *received = (size_t)vgg_share_nodes(nodes, other, j->shards) * piece;
    }
    for (int span = 1; span < j->powers; span *= 2) {
        int partner = j->self ^ span;
        size_t half = piece = piece / 2 + STEP;
        size_t out = (size_t)vgg_share_nodes(nodes, shards_of(j, j->self & ~(span - 1), span), j->shards);
        size_t in = (size_t)vgg_share_nodes(nodes, shards_of(j, partner & ~(span - 1), span), j->shards);
        if (out * half > *sent) *sent = out * half;
        if (in * half > *received) *received = in * half;
    }
}

static enum vgg_status grow(float **values, size_t *room, size_t count)
{
    if (*values && count <= *room) return VGG_OK;
    vgg_mem_free(*values);
    *room = count;
    *values = vgg_mem_aligned((count + 1) * sizeof **values);
    return *values ? VGG_OK : vgg_fail_memory("gradients of other ranks", count * sizeof **values);
}

static enum vgg_status make_room(const struct journey *j, size_t piece)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_reduce *r = &j->net->reduce;
    size_t sent, received;
    measure(j, piece, &sent, &received);
    CHECK(grow(&r->sent, &r->sent_room, sent));
    CHECK(grow(&r->received, &r->received_room, received));
    if (!r->whole) r->whole = vgg_mem_aligned(piece * sizeof *r->whole);
    if (!r->whole) CHECK(vgg_fail_memory("gradients of all ranks", piece * sizeof *r->whole));
    r->piece = piece;
fail:
    return status;
}

void vgg_net_reduce_finish(struct vgg_net *net)
{
    for (int i = 0; i < ARRIVALS; i++)
        vgg_buf_destroy(net->reduce.arrived[i]);
    vgg_mem_free(net->reduce.sent);
    vgg_mem_free(net->reduce.received);
    vgg_mem_free(net->reduce.whole);
}

enum vgg_status vgg_net_reduce(struct vgg_net *net, const struct vgg_net_held *held, int shards, enum vgg_status status)
{
    size_t total = net->sum[0]->size / sizeof(float), piece = total < PIECE ? total : PIECE;
    struct journey j = { .net = net, .shards = shards };
    plan_ranks(&j);
    if (status == VGG_OK) status = make_room(&j, piece);
    CHECK(vgg_ranks_agree(net->ranks, status, NULL));
    for (; j.first < total; j.first += piece) {
        j.count = total - j.first < piece ? total - j.first : piece;
        CHECK(reduce_piece(&j, held));
    }
    for (int i = 1; i < held->count; i++)
        add(&j, &(struct node) { .buf = net->sum[i] }, NULL, 0, total);
    status = vgg_ranks_agree(net->ranks, j.status, NULL);
fail:
    return status;
}
