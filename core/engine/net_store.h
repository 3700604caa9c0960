/* net_store.h: the inside of a network, shared by the net*.c files. */
#ifndef CORE_ENGINE_NET_STORE_H
#define CORE_ENGINE_NET_STORE_H

#include "core/base/os_thread.h"
#include "core/engine/net.h"
#include "core/engine/net_times.h"

/* Plans kept: whole parts and the rest of the last one, for training (of a whole batch and of an epoch's last) and for
 * evaluation. */
enum { VGG_NET_KEPT = 6 };

/* Sums of gradients that wait for their partners, and the one being made: enough for 2^17 shards of any rank's. */
enum { VGG_NET_SUMS = VGG_SHARE_NODES };

/* Sums of shards that are added so far: number i of `count` is in net->sum[i]. */
struct vgg_net_held {
    struct vgg_share node[VGG_NET_SUMS];
    int count;
};

/* How values on the host are added with the bits of the device's own additions: as C does, with denormal values and
 * sums as zeros, or on the device. */
enum vgg_net_sum_way { VGG_NET_SUM_EXACT, VGG_NET_SUM_FLUSHED, VGG_NET_SUM_DEVICE };

struct vgg_net_sum {
    enum vgg_net_sum_way way;
    struct vgg_buf *term[2]; /* DEVICE */
};

/* What the ranks' gradients are added with. They travel in pieces, the last values first, through slots on the host. */
struct vgg_net_reduce {
    struct vgg_net_sum sum;
    float *slots, *sent, *received;
    size_t slots_room, sent_room, received_room; /* floats */
    size_t total, piece;                         /* floats; piece number p begins at value p * piece */
    int pieces;                                  /* 0: nothing is prepared */
    /* of the batch */
    struct vgg_net_held held; /* this rank's sums */
    int shards;               /* of all ranks */
    bool begun;
    int staged, moved, stored; /* pieces that came into a slot, were added up, and went back from it */
    enum vgg_status added;     /* what came of additions, */
    enum vgg_status status;    /* and of moving */
    char why[512];
    /* The thread that moves pieces; it alone then speaks with other ranks from begin to end of a batch. */
    struct vgg_os_mutex lock; /* guards staged, moved, agreed, begun, stop, status and added */
    struct vgg_os_cond changed;
    struct vgg_os_thread thread;
    bool threaded, agreed, stop;
    struct vgg_net_traffic traffic;
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

/* The inside of net_part.c: plans, and the lists that join sums, with the arenas as they are. */
void vgg_net_bind_joins(struct vgg_net *net);
void vgg_net_unbind(struct vgg_net_bound *bound);
enum vgg_status vgg_net_bound_for(struct vgg_net_bound **out, struct vgg_net *net, int n, bool training);
/* A rank's shards may take more sums at once than all of them in one process. */
enum vgg_status vgg_net_need_sums(struct vgg_net *net, int count);
/* Between the host and a view, which may be absent. */
enum vgg_status vgg_net_upload(struct vgg_net *net, const struct vgg_view *view, const float *data);
enum vgg_status vgg_net_download(struct vgg_net *net, const struct vgg_view *view, float *data);
/* What gradients are multiplied by; a step that makes none has no unscale. */
float vgg_net_loss_scale(const struct vgg_net *net, const struct vgg_step *step, int images);
/* Runs what no plan's times hold: sums that are joined, and the update after them. */
enum vgg_status vgg_net_run_apart(struct vgg_net *net, const struct vgg_list *list, const struct vgg_step *step);

/* Where `io` goes when its images at .. at + n - 1 are run. */
struct vgg_net_part {
    struct vgg_net_bound *bound;
    int at, n;
    struct vgg_step step;
};
/* At most `most` images from `at` on. range: the images that io->x begins with, and those before which it ends. */
enum vgg_status vgg_net_part_begin(struct vgg_net_part *part, struct vgg_net *net, const struct vgg_net_io *io,
                                   const struct vgg_step *step, int at, int most, struct vgg_share range,
                                   bool training);
enum vgg_status vgg_net_part_end(const struct vgg_net_part *part, struct vgg_net *net, const struct vgg_net_io *io);

/* Runs the shards of a batch from range.from to `until`, where a shard begins or the range ends; what they are added up
 * to is in `held`. */
enum vgg_status vgg_net_run_shards(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step,
                                   struct vgg_net_held *held, int shards, struct vgg_share range, int until);
/* Runs this rank's shards of a batch: then the gradients of all ranks' are in net->sum[0]. */
enum vgg_status vgg_net_run_ranks(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step,
                                  int shards);

/* The sums of all ranks' shards are added in the order of their tree: net->sum[0] then has the whole sum on all of
 * them, and the others are clear. Each rank begins once a batch, when the last of its shards is all that is missing
 * from the sums that it will hold, and ends; `status`: what came of its work until then. */
enum vgg_status vgg_net_reduce_begin(struct vgg_net *net, const struct vgg_net_held *held, int shards,
                                     enum vgg_status status);
/* In between: where the lowest piece begins of those that lie wholly at or above value number `from`. */
size_t vgg_net_reduce_above(const struct vgg_net *net, size_t from);
/* All values from number `from` on, where a piece begins, are in the sums: they may leave. */
void vgg_net_reduce_ready(struct vgg_net *net, size_t from);
enum vgg_status vgg_net_reduce_end(struct vgg_net *net, enum vgg_status status);
void vgg_net_reduce_finish(struct vgg_net *net);

/* Adds one piece of all ranks, which stands at `values`, each sum of net->reduce.held net->reduce.piece floats behind
 * the one before; then its first `count` values are the whole. *added: what came of the additions, in spite of which
 * bytes were moved; the result: of moving. */
enum vgg_status vgg_net_reduce_piece(struct vgg_net *net, float *values, int count, enum vgg_status *added);
/* The floats of room that this takes. */
void vgg_net_reduce_measure(struct vgg_ranks *ranks, int shards, size_t piece, size_t *sent, size_t *received);

/* Tries which way of adding is the device's; most: values of one addition at most. */
enum vgg_status vgg_net_sum_init(struct vgg_net_sum *sum, struct vgg_backend *backend, size_t most);
void vgg_net_sum_finish(struct vgg_net_sum *sum);
/* y += x. Where the way is the device's: in the thread that uses the device. */
enum vgg_status vgg_net_sum_add(struct vgg_net_sum *sum, float *y, const float *x, size_t n);

#endif
