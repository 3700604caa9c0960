/* A batch of several ranks: pieces of the gradients leave for the other ranks as soon as the backward pass of the last
 * shard has made them, by a thread that touches memory of the host alone, while the pass goes on. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/net_store.h"

/* Gradients travel in so many pieces, unless these would be of fewer or of more floats; how many are on the host at
 * once. */
enum { PIECES = 16, SMALLEST = 1 << 14, LARGEST = 1 << 22, SLOTS = 4 };

static float *slot_of(struct vgg_net_reduce *r, int number)
{
    size_t sums = r->held.count ? (size_t)r->held.count : 1;
    return r->slots + (size_t)(number % SLOTS) * sums * r->piece;
}

/* Where piece `number`, counted as they travel, begins, and its values. */
static size_t piece_at(const struct vgg_net_reduce *r, int number, int *count)
{
    size_t first = (size_t)(r->pieces - 1 - number) * r->piece, left = r->total - first;
    *count = (int)(left < r->piece ? left : r->piece);
    return first;
}

/* ---- the steps of a piece ---- */

static enum vgg_status stage(struct vgg_net *net, int number)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_reduce *r = &net->reduce;
    int count;
    size_t first = piece_at(r, number, &count), size = (size_t)count * sizeof(float);
    float *slot = slot_of(r, number);
    for (int i = 0; i < r->held.count; i++)
        CHECK(vgg_buf_download(net->sum[i], first * sizeof *slot, slot + (size_t)i * r->piece, size));
fail:
    return status;
}

static enum vgg_status move(struct vgg_net *net, int number, enum vgg_status *added)
{
    int count;
    piece_at(&net->reduce, number, &count);
    return vgg_net_reduce_piece(net, slot_of(&net->reduce, number), count, added);
}

static enum vgg_status put_back(struct vgg_net *net, int number)
{
    int count;
    size_t first = piece_at(&net->reduce, number, &count);
    return vgg_buf_upload(net->sum[0], first * sizeof(float), slot_of(&net->reduce, number),
                          (size_t)count * sizeof(float));
}

static void keep(enum vgg_status *status, enum vgg_status more)
{
    if (*status == VGG_OK) *status = more;
}

/* ---- the thread ---- */

/* Called with the lock held, which is open while bytes move. */
static void work_once(struct vgg_net *net)
{
    struct vgg_net_reduce *r = &net->reduce;
    enum vgg_status status, added = VGG_OK;
    bool agreed = r->agreed;
    int number = r->moved;
    vgg_os_mutex_unlock(&r->lock);
    status = agreed ? move(net, number, &added) : vgg_ranks_agree(net->ranks, VGG_OK, NULL);
    vgg_os_mutex_lock(&r->lock);
    if (status != VGG_OK) snprintf(r->why, sizeof r->why, "%s", vgg_log_last());
    r->status = status;
    keep(&r->added, added);
    r->agreed = true;
    r->moved += agreed && status == VGG_OK;
    vgg_os_cond_wake_all(&r->changed);
}

static void *work(void *argument)
{
    struct vgg_net *net = argument;
    struct vgg_net_reduce *r = &net->reduce;
    vgg_os_mutex_lock(&r->lock);
    while (!r->stop) {
        if (r->begun && r->status == VGG_OK && (!r->agreed || r->moved < r->staged))
            work_once(net);
        else
            vgg_os_cond_wait(&r->changed, &r->lock);
    }
    vgg_os_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- room ---- */

static enum vgg_status grow(float **values, size_t *room, size_t count)
{
    if (*values && count <= *room) return VGG_OK;
    vgg_mem_free(*values);
    *room = count;
    *values = vgg_mem_aligned((count + 1) * sizeof **values);
    return *values ? VGG_OK : vgg_fail_memory("gradients of other ranks", count * sizeof **values);
}

/* Once for a network. */
static enum vgg_status prepare(struct vgg_net *net)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_reduce *r = &net->reduce;
    enum { STEP = VGG_VIEW_ALIGN / sizeof(float) };
    if (r->pieces) return VGG_OK;
    r->total = net->sum[0]->size / sizeof(float);
    r->piece = (r->total / PIECES / STEP + 1) * STEP;
    if (r->piece < SMALLEST) r->piece = SMALLEST;
    if (r->piece > LARGEST) r->piece = LARGEST;
    CHECK(vgg_net_sum_init(&r->sum, net->backend, r->piece));
    r->pieces = (int)((r->total + r->piece - 1) / r->piece);
    if (!net->ranks->any_thread || r->sum.way == VGG_NET_SUM_DEVICE) {
        vgg_log(VGG_LOG_INFO, "gradients of ranks are added after the backward pass: %s",
                net->ranks->any_thread ? "this device adds otherwise than the processor"
                                       : "this MPI leaves other threads none");
        return VGG_OK;
    }
    vgg_os_mutex_init(&r->lock);
    vgg_os_cond_init(&r->changed);
    r->threaded = vgg_os_thread_start(&r->thread, work, net);
    if (r->threaded) return VGG_OK;
    vgg_os_cond_finish(&r->changed);
    vgg_os_mutex_finish(&r->lock);
fail:
    return status;
}

static enum vgg_status make_room(struct vgg_net *net)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_reduce *r = &net->reduce;
    size_t sent, received, sums = r->held.count ? (size_t)r->held.count : 1;
    CHECK(prepare(net));
    vgg_net_reduce_measure(net->ranks, r->shards, r->piece, &sent, &received);
    CHECK(grow(&r->sent, &r->sent_room, sent));
    CHECK(grow(&r->received, &r->received_room, received));
    CHECK(grow(&r->slots, &r->slots_room, SLOTS * sums * r->piece));
fail:
    return status;
}

void vgg_net_reduce_finish(struct vgg_net *net)
{
    struct vgg_net_reduce *r = &net->reduce;
    if (r->threaded) {
        vgg_os_mutex_lock(&r->lock);
        r->stop = true;
        vgg_os_cond_wake_all(&r->changed);
        vgg_os_mutex_unlock(&r->lock);
        vgg_os_thread_join(&r->thread);
        vgg_os_cond_finish(&r->changed);
        vgg_os_mutex_finish(&r->lock);
    }
    vgg_net_sum_finish(&r->sum);
    vgg_mem_free(r->slots);
    vgg_mem_free(r->sent);
    vgg_mem_free(r->received);
}

/* ---- a batch ---- */

static void lock(struct vgg_net_reduce *r)
{
    if (r->threaded) vgg_os_mutex_lock(&r->lock);
}

static void unlock(struct vgg_net_reduce *r)
{
    if (r->threaded) vgg_os_mutex_unlock(&r->lock);
}

enum vgg_status vgg_net_reduce_begin(struct vgg_net *net, const struct vgg_net_held *held, int shards,
                                     enum vgg_status status)
{
    struct vgg_net_reduce *r = &net->reduce;
    r->held = *held;
    r->shards = shards;
    if (status == VGG_OK) status = make_room(net);
    /* A rank that fails says so itself, with the line that this thread logged. */
    bool alone = status != VGG_OK || !r->threaded;
    if (alone) status = vgg_ranks_agree(net->ranks, status, NULL);
    lock(r);
    r->staged = r->moved = r->stored = 0;
    r->status = status;
    r->added = VGG_OK;
    r->agreed = alone;
    r->begun = true;
    if (r->threaded) vgg_os_cond_wake_all(&r->changed);
    unlock(r);
    return status;
}

size_t vgg_net_reduce_above(const struct vgg_net *net, size_t from)
{
    const struct vgg_net_reduce *r = &net->reduce;
    return (from + r->piece - 1) / r->piece * r->piece;
}

/* What came of a piece that has to go on its way in spite of it. */
static void note(struct vgg_net_reduce *r, enum vgg_status status)
{
    lock(r);
    keep(&r->added, status);
    unlock(r);
}

/* Do pieces move? */
static bool is_good(struct vgg_net_reduce *r)
{
    lock(r);
    bool good = r->status == VGG_OK;
    unlock(r);
    return good;
}

/* Lets through what can be let through without waiting; has anything changed? */
static bool advance(struct vgg_net *net, size_t from)
{
    struct vgg_net_reduce *r = &net->reduce;
    int count;
    lock(r);
    int moved = r->moved;
    unlock(r);
    if (!is_good(r)) return false;
    if (r->stored < moved) {
        note(r, put_back(net, r->stored++));
        return true;
    }
    if (r->staged == r->pieces || r->staged - r->stored == SLOTS || piece_at(r, r->staged, &count) < from) return false;
    note(r, stage(net, r->staged));
    lock(r);
    r->staged++;
    if (r->threaded) vgg_os_cond_wake_all(&r->changed);
    unlock(r);
    return true;
}

void vgg_net_reduce_ready(struct vgg_net *net, size_t from)
{
    while (net->reduce.threaded && advance(net, from)) {
    }
}

/* Moves the next piece, or waits until the thread has. */
static void await(struct vgg_net *net)
{
    struct vgg_net_reduce *r = &net->reduce;
    double begin = vgg_clock_seconds();
    if (r->threaded) {
        vgg_os_mutex_lock(&r->lock);
        while (r->status == VGG_OK && (!r->agreed || r->moved == r->stored))
            vgg_os_cond_wait(&r->changed, &r->lock);
        vgg_os_mutex_unlock(&r->lock);
    } else {
        r->status = move(net, r->moved, &r->added);
        r->moved++;
    }
    r->traffic.waited += vgg_clock_seconds() - begin;
}

static enum vgg_status clear(struct vgg_net *net)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net_reduce *r = &net->reduce;
    struct vgg_op op = { .kind = VGG_OP_ZERO, .y = { 0, VGG_ARENA_GRAD, VGG_F32, 1, 1, 1, (int)r->total } };
    struct vgg_list list = { .op = &op, .count = 1 };
    for (int i = 1; i < r->held.count; i++) {
        list.arena[VGG_ARENA_GRAD] = net->sum[i];
        CHECK(vgg_backend_run(net->backend, &list, &(struct vgg_step) { 0 }));
    }
fail:
    return status;
}

/* The failure of the thread as one of this thread, which it has logged. */
static enum vgg_status repeat(const struct vgg_net_reduce *r)
{
    if (!r->threaded || !*r->why) return r->status;
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_DEBUG);
    (void)vgg_fail(r->status, "%s", r->why);
    vgg_log_failures(level);
    return r->status;
}

enum vgg_status vgg_net_reduce_end(struct vgg_net *net, enum vgg_status status)
{
    struct vgg_net_reduce *r = &net->reduce;
    while (r->stored < r->pieces && is_good(r))
        if (!advance(net, 0)) await(net);
    lock(r);
    r->begun = false;
    enum vgg_status moved = r->status;
    if (status == VGG_OK && moved == VGG_OK) status = r->added;
    unlock(r);
    if (moved != VGG_OK) return status == VGG_OK ? repeat(r) : status;
    if (status == VGG_OK) status = clear(net);
    return vgg_ranks_agree(net->ranks, status, NULL);
}
