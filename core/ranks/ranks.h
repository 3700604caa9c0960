/* ranks.h: the processes that a launcher started to do one computation together. NULL is one rank, which is alone.
 *
 * All ranks call the same functions of this header in the same order, each with what came of its own work until then
 * (`status`). Unless that is VGG_OK on all of them nothing is moved, and all get the same failure: that of the lowest
 * rank that failed, which the others log with its number and machine, or VGG_INTERRUPTED where nothing failed. From
 * then on no rank waits for another: agreeing gives back what it is given, the rest fails. So a rank that fails in any
 * place needs but one such call to be understood by all others, whatever they wait for. */
#ifndef CORE_RANKS_RANKS_H
#define CORE_RANKS_RANKS_H

#include "core/ranks/component.h"
#include "core/ranks/share.h"
#include "core/vgg16_ranks.h"

enum { VGG_RANKS_HOST = 64 };

struct vgg_ranks {
    int rank, size, local, locals;
    bool any_thread; /* other threads may do what this header has, one at a time */
    const struct vgg_ranks_component *component;
    void *self;
    char (*hosts)[VGG_RANKS_HOST]; /* size: the ranks' machines */
    bool over;                     /* a rank has failed, or all are to stop */
    bool broken;                   /* a message did not arrive */
    double patience;               /* seconds that a message is waited for */
    double seconds;                /* spent in exchanges so far */
    uint64_t bytes;                /* sent so far */
};

static inline int vgg_ranks_size(const struct vgg_ranks *ranks)
{
    return ranks ? ranks->size : 1;
}
static inline int vgg_ranks_rank(const struct vgg_ranks *ranks)
{
    return ranks ? ranks->rank : 0;
}
static inline bool vgg_ranks_first(const struct vgg_ranks *ranks)
{
    return vgg_ranks_rank(ranks) == 0;
}
static inline int vgg_ranks_locals(const struct vgg_ranks *ranks)
{
    return ranks ? ranks->locals : 1;
}

/* A group that `component` has made already; vgg_ranks_leave frees it. */
enum vgg_status vgg_ranks_create(struct vgg_ranks **out, const struct vgg_ranks_component *component, void *self,
                                 const struct vgg_ranks_place *place);

/* One status for all. any: NULL, or a flag of each rank, which becomes true on all where it is on one. */
enum vgg_status vgg_ranks_agree(struct vgg_ranks *ranks, enum vgg_status status, bool *any);
/* The same bytes on all: those of rank 0. */
enum vgg_status vgg_ranks_broadcast(struct vgg_ranks *ranks, enum vgg_status status, void *data, size_t size);
/* Each rank has its own part of `data`, from byte offset[rank] to offset[rank + 1]; then all have all of it. */
enum vgg_status vgg_ranks_collect(struct vgg_ranks *ranks, enum vgg_status status, void *data, const size_t *offset);
/* Is `text` the same on all? Else a VGG_ERR_ARGUMENT names the first rank with another one: "WHAT: X on HOST (rank R),
 * Y on HOST (rank 0); ADVICE". */
enum vgg_status vgg_ranks_same(struct vgg_ranks *ranks, enum vgg_status status, const char *what, const char *text,
                               const char *advice);

/* Moves bytes between two ranks, agreed on before by one of the above; -1: to or from none. Returns when both are done.
 * VGG_ERR_IO: it cannot be done, or not in time; nothing more can be moved then. */
enum vgg_status vgg_ranks_exchange(struct vgg_ranks *ranks, int to, const void *sent, size_t send_size, int from,
                                   void *received, size_t receive_size);

#endif
