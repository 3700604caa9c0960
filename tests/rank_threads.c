#include "tests/rank_threads.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 };

/* One letter-box for each pair of ranks. */
struct box {
    const void *data;
    size_t size;
    bool full;
};

struct world {
    pthread_mutex_t lock;
    int size;
    bool any_thread;
    struct box box[MOST][MOST]; /* from, to */
    rank_threads_fn *fn;
    void *user;
};

struct member {
    struct world *world;
    int rank;
    bool good, sent, received;
    struct vgg_ranks_transfer now;
    pthread_t thread;
};

static int start(void *self, const struct vgg_ranks_transfer *t, char why[VGG_RANKS_WHY])
{
    struct member *m = self;
    (void)why;
    m->now = *t;
    m->sent = t->to < 0, m->received = t->from < 0;
    pthread_mutex_lock(&m->world->lock);
    if (t->to >= 0) m->world->box[m->rank][t->to] = (struct box) { t->sent, t->send_size, true };
    pthread_mutex_unlock(&m->world->lock);
    return 0;
}

/* A message of another size than is waited for is a failure. */
static int test(void *self, int *done, char why[VGG_RANKS_WHY])
{
    struct member *m = self;
    int failed = 0;
    pthread_mutex_lock(&m->world->lock);
    struct box *in = m->received ? NULL : &m->world->box[m->now.from][m->rank];
    if (in && in->full) {
        failed = in->size != m->now.receive_size;
        if (failed) snprintf(why, VGG_RANKS_WHY, "%zu bytes came, not %zu", in->size, m->now.receive_size);
        if (!failed) memcpy(m->now.received, in->data, in->size);
        in->full = false;
        m->received = true;
    }
    if (!m->sent && !m->world->box[m->rank][m->now.to].full) m->sent = true;
    *done = m->sent && m->received;
    pthread_mutex_unlock(&m->world->lock);
    return failed;
}

static void leave(void *self)
{
    (void)self;
}

static const struct vgg_ranks_component threads = { VGG_RANKS_COMPONENT, "threads", NULL, start, test, leave, leave };

static void *run(void *argument)
{
    struct member *m = argument;
    struct vgg_ranks *ranks;
    const struct vgg_ranks_place place = { m->rank, m->world->size, m->rank, m->world->size, m->world->any_thread };
    m->good = vgg_ranks_create(&ranks, &threads, m, &place) == VGG_OK;
    if (m->good) m->good = m->world->fn(ranks, m->world->user);
    if (m->good) vgg_ranks_leave(ranks, VGG_OK, NULL);
    return NULL;
}

static bool run_world(int size, bool any_thread, rank_threads_fn *fn, void *user)
{
    struct world *world = calloc(1, sizeof *world);
    struct member *member = calloc((size_t)size, sizeof *member);
    bool good = true;
    world->size = size, world->any_thread = any_thread, world->fn = fn, world->user = user;
    pthread_mutex_init(&world->lock, NULL);
    for (int i = 0; i < size; i++) {
        member[i] = (struct member) { .world = world, .rank = i };
        pthread_create(&member[i].thread, NULL, run, &member[i]);
    }
    for (int i = 0; i < size; i++) {
        pthread_join(member[i].thread, NULL);
        good = good && member[i].good;
    }
    pthread_mutex_destroy(&world->lock);
    free(world);
    free(member);
    return good;
}

bool rank_threads_run(int size, rank_threads_fn *fn, void *user)
{
    return run_world(size, true, fn, user);
}

bool rank_threads_run_single(int size, rank_threads_fn *fn, void *user)
{
    return run_world(size, false, fn, user);
}
