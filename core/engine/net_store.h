/* net_store.h: the inside of a network, shared by the net*.c files. */
#ifndef CORE_ENGINE_NET_STORE_H
#define CORE_ENGINE_NET_STORE_H

#include "core/engine/net.h"
#include "core/engine/net_times.h"

/* Plans kept: whole parts and the rest of the last one, for training (of a whole batch and of an epoch's last) and for
 * evaluation. */
enum { VGG_NET_KEPT = 6 };

/* Sums of gradients that wait for their partners, and the one being made: enough for 2^17 shards of any rank's. */
enum { VGG_NET_SUMS = VGG_SHARE_NODES };

/* What the ranks' gradients are added with, a piece at a time. */
struct vgg_net_reduce {
    float *sent, *received, *whole;               /* on the host */
    struct vgg_buf *arrived[2 * VGG_SHARE_NODES]; /* sums of other ranks, one piece each; NULL: not yet needed */
    size_t sent_room, received_room, piece;       /* floats */
};

/* A plan for n images and its lists: `pass` without the update, one for each place that its gradients may go to;
 * `whole` with the update, `update` alone, `fore` and `back` the two stretches of a pass; where spec.gradient asks for
 * one, pass[0] is the forward stretch. With spec.scaled `judge` is VGG_OP_UNSCALE, `judged` a pass and that, `update`
 * what comes after it, and `clear` its end, which clears the gradients. */
struct vgg_net_bound {
    int n;
    bool training;
    struct vgg_plan *plan;
    struct vgg_list pass[VGG_NET_SUMS], whole, update, fore, back, judge, judged, clear;
    struct vgg_net_times times;
};

struct vgg_net {
    struct vgg_backend *backend;
    struct vgg_arch arch;
    struct vgg_plan_spec spec; /* batch: the most that one call may train */
    int evaluate_first;
    int shard;   /* images of one training pass */
    int forward; /* images of one forward pass */
    struct vgg_buf *arena[VGG_ARENA_COUNT];
    struct vgg_ranks *ranks; /* NULL: alone */
    struct vgg_net_reduce reduce;
    struct vgg_buf *sum[VGG_NET_SUMS]; /* of gradients; sum[0] is the arena's */
    int sums;
    struct vgg_op join_op[2];           /* sum k += sum k + 1; sum k + 1 = 0 */
    struct vgg_list join[VGG_NET_SUMS]; /* for each k */
    struct vgg_net_bound bound[VGG_NET_KEPT];
    int next;             /* the place to take when all are used */
    int batches;          /* trained in several shards, */
    double seconds_apart; /* and what adding and updating took in the last */
    size_t output;
    float *ones; /* as many default weights as images run at once */
};

/* The plan's specification for n images. */
struct vgg_plan_spec vgg_net_spec(const struct vgg_net *net, int n, bool training);
bool vgg_net_trains(const struct vgg_net *net);

/* Finds how many images are run at once, which for training is `net->shard` whatever the memory, and creates arenas and
 * sums of at most `memory` bytes (0: no limit). VGG_ERR_MEMORY names the numbers and what would fit. */
enum vgg_status vgg_net_arenas_create(struct vgg_net *net, uint64_t memory);
void vgg_net_arenas_destroy(struct vgg_net *net);

/* Sums of shards that are added so far: number i of `count` is in net->sum[i]. */
struct vgg_net_held {
    struct vgg_share node[VGG_NET_SUMS];
    int count;
};
/* Adds the sums of all ranks' shards in the order of their tree; net->sum[0] then has the whole sum on all of them, and
 * the others are clear. `status`: what came of this rank's shards. */
enum vgg_status vgg_net_reduce(struct vgg_net *net, const struct vgg_net_held *held, int shards,
                               enum vgg_status status);
void vgg_net_reduce_finish(struct vgg_net *net);

#endif
