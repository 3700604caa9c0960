#include "core/ranks/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"

/* CHUNK: bytes of one transfer. POLLS: of a transfer before the processor is given to others in between. */
enum { CHUNK = 1 << 30, POLLS = 2000, LINE = 512 };

static const double patience = 1800, rest = 2e-5; /* seconds */

/* ---- moving bytes ---- */

static enum vgg_status broken(struct vgg_ranks *ranks, const struct vgg_ranks_transfer *t, const char *why)
{
    int other = t->from >= 0 ? t->from : t->to;
    ranks->over = ranks->broken = true;
    return vgg_fail(VGG_ERR_IO, "rank %d on %s cannot reach rank %d on %s: %s", ranks->rank, ranks->hosts[ranks->rank],
                    other, ranks->hosts[other], why);
}

/* One transfer; what is waited for long costs little time of the processor. */
static enum vgg_status transfer(struct vgg_ranks *ranks, const struct vgg_ranks_transfer *t)
{
    char why[VGG_RANKS_WHY] = "";
    int done = 0;
    double begin = vgg_clock_seconds();
    if (ranks->component->start(ranks->self, t, why)) return broken(ranks, t, why);
    for (int polls = 0; !done; polls++) {
        if (ranks->component->test(ranks->self, &done, why)) return broken(ranks, t, why);
        if (done) break;
        vgg_os_rest(polls < POLLS ? 0 : rest);
        if (polls % POLLS == POLLS - 1 && vgg_clock_seconds() - begin > ranks->patience) {
            snprintf(why, sizeof why, "nothing came for %.0f s (VGG16_RANKS_TIMEOUT)", ranks->patience);
            return broken(ranks, t, why);
        }
    }
    ranks->seconds += vgg_clock_seconds() - begin;
    if (t->to >= 0) ranks->bytes += t->send_size;
    return VGG_OK;
}

static size_t chunk(size_t left)
{
    return left < CHUNK ? left : CHUNK;
}

enum vgg_status vgg_ranks_exchange(struct vgg_ranks *ranks, int to, const void *sent, size_t send_size, int from,
                                   void *received, size_t receive_size)
{
    enum vgg_status status = ranks->broken ? VGG_ERR_IO : VGG_OK;
    if (to < 0) send_size = 0;
    if (from < 0) receive_size = 0;
    while (status == VGG_OK && (send_size || receive_size)) {
        struct vgg_ranks_transfer t = { send_size ? to : -1, receive_size ? from : -1, sent, received,
                                        chunk(send_size),    chunk(receive_size) };
        status = transfer(ranks, &t);
        sent = (const char *)sent + t.send_size;
        received = (char *)received + t.receive_size;
        send_size -= t.send_size, receive_size -= t.receive_size;
    }
    return status;
}

static enum vgg_status send_to(struct vgg_ranks *ranks, int to, const void *data, size_t size)
{
    return vgg_ranks_exchange(ranks, to, data, size, -1, NULL, 0);
}

static enum vgg_status receive_from(struct vgg_ranks *ranks, int from, void *data, size_t size)
{
    return vgg_ranks_exchange(ranks, -1, NULL, 0, from, data, size);
}

/* Rank 0's bytes to all, along a binomial tree. */
static enum vgg_status spread(struct vgg_ranks *ranks, void *data, size_t size)
{
    enum vgg_status status = VGG_OK;
    int span = 1;
    while (span < ranks->size && !(ranks->rank & span))
        span *= 2;
    if (ranks->rank) CHECK(receive_from(ranks, ranks->rank - span, data, size));
    for (span /= 2; span; span /= 2)
        if (ranks->rank + span < ranks->size) CHECK(send_to(ranks, ranks->rank + span, data, size));
fail:
    return status;
}

/* ---- agreeing ---- */

/* What a subtree of ranks says. */
struct word {
    int status, rank;
    int any;
    char line[LINE];
};

/* Failures count before interruptions, lower ranks before higher ones. */
static bool outdoes(const struct word *word, const struct word *other)
{
    if (word->status == VGG_OK) return false;
    if (other->status == VGG_OK) return true;
    return other->status == VGG_INTERRUPTED && word->status != VGG_INTERRUPTED;
}

static enum vgg_status gather_words(struct vgg_ranks *ranks, struct word *word)
{
    enum vgg_status status = VGG_OK;
    for (int span = 1; span < ranks->size; span *= 2) {
        struct word other;
        if (ranks->rank & span) return send_to(ranks, ranks->rank - span, word, sizeof *word);
        if (ranks->rank + span >= ranks->size) continue;
        CHECK(receive_from(ranks, ranks->rank + span, &other, sizeof other));
        int any = word->any | other.any;
        if (outdoes(&other, word)) *word = other;
        word->any = any;
    }
fail:
    return status;
}

enum vgg_status vgg_ranks_agree(struct vgg_ranks *ranks, enum vgg_status status, bool *any)
{
    if (vgg_ranks_size(ranks) == 1 || ranks->over) return status;
    struct word word = { .status = (int)status, .rank = ranks->rank, .any = any && *any };
    if (status != VGG_OK) snprintf(word.line, sizeof word.line, "%s", vgg_log_last());
    enum vgg_status moved = gather_words(ranks, &word);
    if (moved == VGG_OK) moved = spread(ranks, &word, sizeof word);
    if (moved != VGG_OK) return status == VGG_OK ? moved : status;
    if (any) *any = word.any;
    ranks->over = word.status != VGG_OK;
    if (status != VGG_OK && status != VGG_INTERRUPTED) return status; /* and this rank has said why */
    if (word.status == VGG_OK || word.status == VGG_INTERRUPTED) return (enum vgg_status)word.status;
    return vgg_fail((enum vgg_status)word.status, "rank %d on %s: %s", word.rank, ranks->hosts[word.rank], word.line);
}

/* Before bytes move. */
static enum vgg_status begin(struct vgg_ranks *ranks, enum vgg_status status)
{
    status = vgg_ranks_agree(ranks, status, NULL);
    return status == VGG_OK && ranks->over ? VGG_ERR_IO : status;
}

enum vgg_status vgg_ranks_broadcast(struct vgg_ranks *ranks, enum vgg_status status, void *data, size_t size)
{
    if (vgg_ranks_size(ranks) == 1) return status;
    CHECK(begin(ranks, status));
    CHECK(spread(ranks, data, size));
fail:
    return status;
}

enum vgg_status vgg_ranks_collect(struct vgg_ranks *ranks, enum vgg_status status, void *data, const size_t *offset)
{
    if (vgg_ranks_size(ranks) == 1) return status;
    CHECK(begin(ranks, status));
    char *bytes = data;
    int end = ranks->rank + 1; /* what is here are the parts of ranks from this one up to `end` */
    for (int span = 1; span < ranks->size; span *= 2) {
        if (ranks->rank & span) {
            CHECK(send_to(ranks, ranks->rank - span, bytes + offset[ranks->rank], offset[end] - offset[ranks->rank]));
            break;
        }
        int from = ranks->rank + span, to = from + span < ranks->size ? from + span : ranks->size;
        if (from >= ranks->size) continue;
        CHECK(receive_from(ranks, from, bytes + offset[from], offset[to] - offset[from]));
        end = to;
    }
    CHECK(spread(ranks, data, offset[ranks->size]));
fail:
    return status;
}

enum vgg_status vgg_ranks_same(struct vgg_ranks *ranks, enum vgg_status status, const char *what, const char *text,
                               const char *advice)
{
    char first[LINE] = "", own[LINE];
    if (vgg_ranks_size(ranks) == 1) return status;
    snprintf(own, sizeof own, "%s", text);
    if (ranks->rank == 0) memcpy(first, own, sizeof first);
    CHECK(vgg_ranks_broadcast(ranks, status, first, sizeof first));
    if (strcmp(first, own) != 0) {
        status =
            vgg_fail(VGG_ERR_ARGUMENT, "%s: %s, but %s on %s (rank 0); %s", what, own, first, ranks->hosts[0], advice);
    }
    status = vgg_ranks_agree(ranks, status, NULL);
fail:
    return status;
}

/* ---- coming and going ---- */

static double patience_asked(void)
{
    const char *text = getenv("VGG16_RANKS_TIMEOUT");
    double seconds = text ? strtod(text, NULL) : 0;
    return seconds > 0 ? seconds : patience;
}

enum vgg_status vgg_ranks_create(struct vgg_ranks **out, const struct vgg_ranks_component *component, void *self,
                                 const struct vgg_ranks_place *place)
{
    enum vgg_status status = VGG_OK;
    size_t size = (size_t)place->size, *offset = NULL;
    struct vgg_ranks *ranks = vgg_mem_calloc(1, sizeof *ranks);
    *out = NULL;
    if (ranks) ranks->hosts = vgg_mem_calloc(size, sizeof *ranks->hosts);
    offset = vgg_mem_calloc(size + 1, sizeof *offset);
    if (!ranks || !ranks->hosts || !offset) CHECK(vgg_fail_memory("ranks", size * sizeof *ranks->hosts));
    ranks->rank = place->rank, ranks->size = place->size;
    ranks->local = place->local, ranks->locals = place->locals;
    ranks->any_thread = place->any_thread;
    ranks->component = component, ranks->self = self;
    ranks->patience = patience_asked();
    vgg_os_host(ranks->hosts[ranks->rank], VGG_RANKS_HOST);
    for (size_t i = 0; i <= size; i++)
        offset[i] = i * sizeof *ranks->hosts;
    CHECK(vgg_ranks_collect(ranks, VGG_OK, ranks->hosts, offset));
    free(offset);
    *out = ranks;
    return VGG_OK;
fail:
    free(offset);
    if (ranks) free(ranks->hosts);
    free(ranks);
    return status;
}

int vgg_ranks_number(const struct vgg_ranks *ranks)
{
    return vgg_ranks_rank(ranks);
}

int vgg_ranks_count(const struct vgg_ranks *ranks)
{
    return vgg_ranks_size(ranks);
}

bool vgg_ranks_broken(const struct vgg_ranks *ranks)
{
    return ranks && ranks->broken;
}

enum vgg_status vgg_ranks_leave(struct vgg_ranks *ranks, enum vgg_status status, const char *why)
{
    if (!ranks) return status;
    if (why && status != VGG_OK && !ranks->over) {
        enum vgg_log_level level = vgg_log_failures(VGG_LOG_DEBUG);
        (void)vgg_fail(status, "%s", why); /* what agreeing tells the others */
        vgg_log_failures(level);
    }
    status = vgg_ranks_agree(ranks, status, NULL);
    if (ranks->broken)
        ranks->component->abort(ranks->self);
    else
        ranks->component->leave(ranks->self);
    free(ranks->hosts);
    free(ranks);
    return status;
}
