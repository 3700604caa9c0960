#include "core/data/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os_thread.h"
#include "core/base/rng.h"
#include "core/image/image.h"

enum { MIN_WORKERS = 2, MAX_WORKERS = 8, LIMIT_WORKERS = 256 };

/* One batch of the ring. While it is being made, its items belong to the workers that took them. */
struct slot {
    float *x;
    int *labels;
    size_t *index;
    enum vgg_status *status;
    char **why; /* of items that failed, by malloc; NULL without memory for it */
    int count, done;
    struct vgg_share own; /* what is made of it; x has room for as many */
};

struct vgg_loader {
    const struct vgg_data *data;
    struct vgg_loader_options options;
    size_t items, item_size; /* item_size: floats */
    uint64_t batches, end;   /* batches of a pass; the sequence number (pass * batches + number) at which all ends */
    int rows;                /* items of a batch that this rank makes at most */
    struct slot *slots;
    int slot_count;
    struct vgg_os_thread *threads;
    int thread_count;

    struct vgg_os_mutex lock; /* over everything below */
    struct vgg_os_cond work, ready;
    bool stop;
    uint64_t opened;   /* batches before this sequence number have been given out, the last one up to item `taken` */
    uint64_t consumed; /* batches before this one are free */
    int taken;
    size_t *order; /* the order of order_pass */
    uint64_t order_pass;

    /* The consumer's own. */
    bool holding; /* slot `consumed` is in the caller's hands */
    enum vgg_status failed;
    uint64_t skipped, empty_run;
    float *spare; /* x of a batch whose items move; NULL: not yet needed */
};

static struct slot *slot_of(const struct vgg_loader *l, uint64_t sequence)
{
    return &l->slots[sequence % (uint64_t)l->slot_count];
}

/* Fisher-Yates from (seed, VGG_RNG_SHUFFLE, stream = pass). */
static void make_order(struct vgg_loader *l, uint64_t pass)
{
    for (size_t i = 0; i < l->items; i++)
        l->order[i] = i;
    for (size_t i = l->items; l->options.shuffle && i-- > 1;) {
        size_t j = vgg_rng_below(l->options.seed, VGG_RNG_SHUFFLE, pass, i, (uint32_t)(i + 1));
        size_t other = l->order[j];
        l->order[j] = l->order[i], l->order[i] = other;
    }
    l->order_pass = pass;
}

/* What a rank makes of `count` items. */
static struct vgg_share share_of(const struct vgg_loader *l, int count, int rank)
{
    const struct vgg_ranks *ranks = l->options.ranks;
    if (!ranks) return (struct vgg_share) { 0, count };
    return vgg_share_items(count, l->options.shard, rank, ranks->size);
}

/* What this one makes. */
static struct vgg_share own_share(const struct vgg_loader *l, int count)
{
    return share_of(l, count, vgg_ranks_rank(l->options.ranks));
}

/* Prepares the slot of batch `sequence`; lock held. */
static void open_batch(struct vgg_loader *l, uint64_t sequence)
{
    struct slot *slot = slot_of(l, sequence);
    uint64_t pass = sequence / l->batches, number = sequence % l->batches;
    if (l->order_pass != pass) make_order(l, pass);
    size_t begin = number * (size_t)l->options.batch, left = l->items - begin;
    slot->count = left < (size_t)l->options.batch ? (int)left : l->options.batch;
    slot->own = own_share(l, slot->count);
    slot->done = slot->own.from;
    memcpy(slot->index, l->order + begin, (size_t)slot->count * sizeof *slot->index);
    for (int i = 0; i < slot->count; i++) {
        int label = vgg_data_label(l->data, slot->index[i]);
        slot->labels[i] = label >= 0 && l->options.labels ? l->options.labels[label] : label;
    }
    if (slot->done == slot->own.to) vgg_os_cond_wake_one(&l->ready);
}

/* The next item to make, or false when the loader is to stop; lock held, released while waiting. */
static bool take_item(struct vgg_loader *l, uint64_t *sequence, int *item)
{
    for (;;) {
        if (l->stop) return false;
        if (l->opened > 0 && l->opened > l->consumed && l->taken < slot_of(l, l->opened - 1)->own.to) {
            *sequence = l->opened - 1;
            *item = l->taken++;
            return true;
        }
        if (l->opened < l->end && l->opened < l->consumed + (uint64_t)l->slot_count) {
            open_batch(l, l->opened++);
            l->taken = slot_of(l, l->opened - 1)->own.from;
        } else {
            vgg_os_cond_wait(&l->work, &l->lock);
        }
    }
}

static enum vgg_status fetch(const struct vgg_loader *l, float *x, size_t index, uint64_t pass, char why[VGG_IMAGE_WHY])
{
    return vgg_data_fetch_quiet(l->data, index, &l->options.images, &l->options.augment, l->options.seed, pass, x, why);
}

static void *work(void *argument)
{
    struct vgg_loader *l = argument;
    char why[VGG_IMAGE_WHY];
    uint64_t sequence;
    int item;
    vgg_os_mutex_lock(&l->lock);
    while (take_item(l, &sequence, &item)) {
        vgg_os_mutex_unlock(&l->lock);
        struct slot *slot = slot_of(l, sequence);
        slot->status[item] = fetch(l, slot->x + (size_t)(item - slot->own.from) * l->item_size, slot->index[item],
                                   sequence / l->batches, why);
        if (slot->status[item] != VGG_OK) slot->why[item] = vgg_mem_strdup(why);
        vgg_os_mutex_lock(&l->lock);
        if (++slot->done == slot->own.to) vgg_os_cond_wake_one(&l->ready);
    }
    vgg_os_mutex_unlock(&l->lock);
    return NULL;
}

static int default_workers(const struct vgg_ranks *ranks)
{
    int n = vgg_limits_processors() / vgg_ranks_locals(ranks);
    return n < MIN_WORKERS ? MIN_WORKERS : n > MAX_WORKERS ? MAX_WORKERS : n;
}

static enum vgg_status create_slots(struct vgg_loader *l)
{
    size_t batch = (size_t)l->options.batch;
    size_t size = vgg_mem_mul(vgg_mem_mul((size_t)l->rows, l->item_size), sizeof(float));
    l->slots = vgg_mem_calloc((size_t)l->slot_count, sizeof *l->slots);
    for (int i = 0; l->slots && i < l->slot_count; i++) {
        struct slot *slot = &l->slots[i];
        slot->x = size == SIZE_MAX ? NULL : vgg_mem_aligned(size);
        slot->labels = vgg_mem_calloc(batch, sizeof *slot->labels);
        slot->index = vgg_mem_calloc(batch, sizeof *slot->index);
        slot->status = vgg_mem_calloc(batch, sizeof *slot->status);
        slot->why = vgg_mem_calloc(batch, sizeof *slot->why);
        if (!slot->x || !slot->labels || !slot->index || !slot->status || !slot->why)
            return vgg_fail_memory("batches of images; a smaller batch needs less", vgg_mem_mul(size, 3));
    }
    l->order = vgg_mem_calloc(l->items, sizeof *l->order);
    return l->slots && l->order ? VGG_OK : vgg_fail_memory("the order of a data set", l->items * sizeof *l->order);
}

static enum vgg_status start_threads(struct vgg_loader *l, int wanted)
{
    l->threads = vgg_mem_calloc((size_t)wanted, sizeof *l->threads);
    if (!l->threads) return vgg_fail_memory("loader threads", (size_t)wanted * sizeof *l->threads);
    while (l->thread_count < wanted && vgg_os_thread_start(&l->threads[l->thread_count], work, l))
        l->thread_count++;
    return l->thread_count ? VGG_OK : vgg_fail(VGG_ERR_MEMORY, "no thread can be started for reading images");
}

static enum vgg_status check(const struct vgg_data *data, const struct vgg_loader_options *o, bool features)
{
    size_t count = vgg_data_count(data);
    if (o->batch < 1) return vgg_fail(VGG_ERR_ARGUMENT, "batch %d: must be 1 or more", o->batch);
    if (count == 0 || count > UINT32_MAX)
        return vgg_fail(VGG_ERR_ARGUMENT, "a data set of %zu items cannot be read", count);
    if (o->workers < 0 || o->workers > LIMIT_WORKERS)
        return vgg_fail(VGG_ERR_ARGUMENT, "%d workers: must be 0 to %d", o->workers, LIMIT_WORKERS);
    return features ? VGG_OK : vgg_image_check_options(&o->images);
}

enum vgg_status vgg_loader_create(struct vgg_loader **out, const struct vgg_data *data,
                                  const struct vgg_loader_options *options)
{
    *out = NULL;
    enum vgg_status status = VGG_OK;
    struct vgg_data_shape shape;
    vgg_data_shape(data, &shape);
    CHECK(check(data, options, shape.features));
    struct vgg_loader *l = vgg_mem_calloc(1, sizeof *l);
    if (!l) return vgg_fail_memory("a loader", sizeof *l);
    vgg_os_mutex_init(&l->lock);
    vgg_os_cond_init(&l->work);
    vgg_os_cond_init(&l->ready);
    l->data = data;
    l->options = *options;
    l->items = vgg_data_count(data);
    if ((size_t)l->options.batch > l->items) l->options.batch = (int)l->items;
    l->item_size = shape.features ? (size_t)shape.h * (size_t)shape.w * (size_t)shape.c
                                  : (size_t)options->images.height * (size_t)options->images.width * 3;
    int workers = options->workers ? options->workers : default_workers(options->ranks);
    l->rows = l->options.batch;
    if (options->ranks) {
        int shards = vgg_share_shards(l->options.batch, options->shard), most = shards / options->ranks->size + 1;
        if (most < l->rows / options->shard) l->rows = most * options->shard;
    }
    l->slot_count = 2 + (workers + l->rows - 1) / l->rows;
    l->batches = (l->items + (size_t)l->options.batch - 1) / (size_t)l->options.batch;
    l->opened = l->consumed = options->pass * l->batches + options->start;
    l->end = options->repeat ? UINT64_MAX : (options->pass + 1) * l->batches;
    l->order_pass = UINT64_MAX;
    status = create_slots(l);
    if (status == VGG_OK) status = start_threads(l, workers);
    if (status != VGG_OK) {
        vgg_loader_destroy(l);
        return status;
    }
    *out = l;
fail:
    return status;
}

static void slot_finish(struct slot *slot, int batch)
{
    for (int i = 0; slot->why && i < batch; i++)
        free(slot->why[i]);
    vgg_mem_free(slot->x);
    free(slot->labels);
    free(slot->index);
    free(slot->status);
    free(slot->why);
}

void vgg_loader_destroy(struct vgg_loader *l)
{
    if (!l) return;
    vgg_os_mutex_lock(&l->lock);
    l->stop = true;
    vgg_os_cond_wake_all(&l->work);
    vgg_os_mutex_unlock(&l->lock);
    for (int i = 0; i < l->thread_count; i++)
        vgg_os_thread_join(&l->threads[i]);
    for (int i = 0; l->slots && i < l->slot_count; i++)
        slot_finish(&l->slots[i], l->options.batch);
    vgg_os_cond_finish(&l->ready);
    vgg_os_cond_finish(&l->work);
    vgg_os_mutex_finish(&l->lock);
    vgg_mem_free(l->spare);
    free(l->slots);
    free(l->order);
    free(l->threads);
    free(l);
}

uint64_t vgg_loader_batches(const struct vgg_loader *loader)
{
    return loader->batches;
}

uint64_t vgg_loader_skipped(const struct vgg_loader *loader)
{
    return loader->skipped;
}

/* What is told of item i, which failed. */
static const char *why_of(const struct vgg_loader *l, const struct slot *slot, int i)
{
    return slot->why[i] ? slot->why[i] : vgg_data_path(l->data, slot->index[i]);
}

/* Reports items of this rank that failed, unless they are to be left out. */
static enum vgg_status check_items(const struct vgg_loader *l, const struct slot *slot)
{
    for (int i = slot->own.from; i < slot->own.to; i++) {
        bool left_out = l->options.images.skip_bad && slot->status[i] != VGG_ERR_MEMORY;
        if (slot->status[i] != VGG_OK && !left_out) return vgg_fail(slot->status[i], "%s", why_of(l, slot, i));
    }
    return VGG_OK;
}

/* A warning for each item that is left out, in their order: what failed is known on the rank that made it. bad: of each
 * item of the batch. */
static enum vgg_status warn(const struct vgg_loader *l, const struct slot *slot, const char *bad)
{
    enum vgg_status status = VGG_OK;
    int size = vgg_ranks_size(l->options.ranks), left_out = 0;
    for (int i = 0; i < slot->count; i++)
        left_out += bad[i] != 0;
    if (!left_out) return VGG_OK;
    size_t *offset = vgg_mem_calloc((size_t)size + 1, sizeof *offset);
    char(*line)[VGG_IMAGE_WHY] = vgg_mem_calloc((size_t)left_out, sizeof *line);
    if (!offset || !line) CHECK(vgg_fail_memory("the names of bad images", (size_t)left_out * sizeof *line));
    for (int rank = 0, at = 0; rank < size; rank++) {
        struct vgg_share share = share_of(l, slot->count, rank);
        for (int i = share.from; i < share.to; i++) {
            if (!bad[i]) continue;
            if (rank == vgg_ranks_rank(l->options.ranks)) snprintf(line[at], sizeof *line, "%s", why_of(l, slot, i));
            at++;
        }
        offset[rank + 1] = (size_t)at * sizeof *line;
    }
fail:
    status = vgg_ranks_collect(l->options.ranks, status, line, offset);
    for (int i = 0; status == VGG_OK && i < left_out; i++)
        vgg_log(VGG_LOG_WARNING, "%s (left out)", line[i]);
    free(offset);
    free(line);
    return status;
}

/* Marks what is bad among all items of the batch. */
static enum vgg_status agree_on_bad(const struct vgg_loader *l, const struct slot *slot, char *bad)
{
    enum vgg_status status = check_items(l, slot);
    const struct vgg_ranks *ranks = l->options.ranks;
    size_t *offset = vgg_mem_calloc((size_t)vgg_ranks_size(ranks) + 1, sizeof *offset);
    if (!offset && status == VGG_OK) status = vgg_fail_memory("a batch", sizeof *offset);
    for (int rank = 0; offset && rank < vgg_ranks_size(ranks); rank++)
        offset[rank + 1] = (size_t)share_of(l, slot->count, rank).to;
    for (int i = slot->own.from; i < slot->own.to; i++)
        bad[i] = slot->status[i] != VGG_OK;
    status = vgg_ranks_collect(l->options.ranks, status, bad, offset);
    free(offset);
    return status;
}

/* Closes the gaps that bad items leave. The shards of what remains are others than they were made for: items that now
 * are this rank's, and were not, are made here. */
static enum vgg_status close_gaps(struct vgg_loader *l, struct slot *slot, const char *bad)
{
    enum vgg_status status = VGG_OK;
    char why[VGG_IMAGE_WHY];
    struct vgg_share made = slot->own;
    int count = 0, kept = 0;
    for (int i = 0; i < slot->count; i++)
        count += !bad[i];
    struct vgg_share own = own_share(l, count);
    size_t size = l->item_size * sizeof(float);
    if (!l->spare) l->spare = vgg_mem_aligned(vgg_mem_mul((size_t)l->rows, size));
    if (!l->spare) return vgg_fail_memory("a batch of images", vgg_mem_mul((size_t)l->rows, size));
    for (int i = 0; i < slot->count; i++) {
        if (bad[i]) continue;
        if (kept >= own.from && kept < own.to) {
            float *to = l->spare + (size_t)(kept - own.from) * l->item_size;
            if (i >= made.from && i < made.to)
                memcpy(to, slot->x + (size_t)(i - made.from) * l->item_size, size);
            else if ((status = fetch(l, to, slot->index[i], l->consumed / l->batches, why)) != VGG_OK)
                return vgg_fail(status, "%s", why);
        }
        slot->labels[kept] = slot->labels[i];
        slot->index[kept++] = slot->index[i];
    }
    float *x = slot->x;
    slot->x = l->spare, l->spare = x;
    l->skipped += (uint64_t)(slot->count - count);
    slot->count = count;
    vgg_os_mutex_lock(&l->lock); /* workers look whether there is more of it to make: there is not */
    slot->own = own;
    vgg_os_mutex_unlock(&l->lock);
    return VGG_OK;
}

/* Reports failed items, or leaves them out. */
static enum vgg_status settle(struct vgg_loader *l, struct slot *slot)
{
    enum vgg_status status = VGG_OK;
    char *bad = NULL;
    struct vgg_share made = slot->own;
    if (!l->options.images.skip_bad) {
        CHECK(check_items(l, slot));
    } else {
        bad = vgg_mem_calloc((size_t)l->options.batch, 1);
        if (!bad) status = vgg_fail_memory("a batch", (size_t)l->options.batch);
        CHECK(vgg_ranks_agree(l->options.ranks, status, NULL));
        CHECK(agree_on_bad(l, slot, bad));
        CHECK(warn(l, slot, bad));
        if (memchr(bad, 1, (size_t)slot->count)) CHECK(close_gaps(l, slot, bad));
    }
fail:
    for (int i = made.from; i < made.to; i++) {
        free(slot->why[i]);
        slot->why[i] = NULL;
    }
    free(bad);
    return status;
}

/* Waits for the next batch and takes it; NULL at the end. */
static struct slot *wait_batch(struct vgg_loader *l)
{
    struct slot *slot = NULL;
    vgg_os_mutex_lock(&l->lock);
    if (l->holding) {
        l->consumed++;
        l->holding = false;
        vgg_os_cond_wake_all(&l->work);
    }
    if (l->consumed < l->end) {
        slot = slot_of(l, l->consumed);
        while (l->opened <= l->consumed || slot->done < slot->own.to)
            vgg_os_cond_wait(&l->ready, &l->lock);
        l->holding = true;
    }
    vgg_os_mutex_unlock(&l->lock);
    return slot;
}

enum vgg_status vgg_loader_next(struct vgg_loader *l, struct vgg_batch *batch)
{
    *batch = (struct vgg_batch) { 0 };
    while (l->failed == VGG_OK) {
        struct slot *slot = wait_batch(l);
        if (!slot) return VGG_OK;
        l->failed = settle(l, slot);
        if (l->failed == VGG_OK && slot->count > 0) {
            l->empty_run = 0;
            *batch = (struct vgg_batch) { .count = slot->count,
                                          .x = slot->x,
                                          .share = slot->own,
                                          .labels = slot->labels,
                                          .index = slot->index,
                                          .pass = l->consumed / l->batches,
                                          .number = l->consumed % l->batches };
            return VGG_OK;
        }
        if (l->failed == VGG_OK && ++l->empty_run >= l->batches && !l->options.may_be_none)
            l->failed = vgg_fail(VGG_ERR_FORMAT, "%s and all others: no readable image in the data set",
                                 vgg_data_path(l->data, 0));
    }
    return l->failed;
}
