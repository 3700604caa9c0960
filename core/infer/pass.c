#include "core/infer/pass.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"

/* What a pass holds. */
struct run {
    const struct vgg_pass *pass;
    struct vgg_loader *loader;
    int batch; /* images of one rank at once */
    float *y, *loss, *t;
    uint64_t done;
    bool stop; /* an interruption was asked for */
};

/* With ranks the fewest rounds that the batch allows, of one size each, so that none is left to some ranks alone. */
static int batch_of(const struct vgg_pass *pass)
{
    size_t ranks = (size_t)vgg_ranks_size(pass->ranks), share = (vgg_data_count(pass->data) + ranks - 1) / ranks;
    size_t batch = (size_t)pass->batch, rounds = (share + batch - 1) / batch;
    return ranks == 1 || rounds == 0 ? pass->batch : (int)((share + rounds - 1) / rounds);
}

static enum vgg_status start(struct run *r)
{
    enum vgg_status status;
    const struct vgg_pass *pass = r->pass;
    size_t batch = (size_t)r->batch, ranks = (size_t)vgg_ranks_size(pass->ranks), all = vgg_mem_mul(batch, ranks);
    r->y = vgg_mem_calloc(vgg_mem_mul(batch, vgg_net_output(pass->net)), sizeof *r->y);
    r->loss = vgg_mem_calloc(batch, sizeof *r->loss);
    r->t = vgg_mem_calloc(batch, sizeof *r->t);
    if (!r->y || !r->loss || !r->t)
        return vgg_fail_memory("one batch of outputs", batch * vgg_net_output(pass->net) * sizeof *r->y);
    struct vgg_loader_options options = { .images = pass->images,
                                          .batch = all < 1 << 30 ? (int)all : 1 << 30,
                                          .labels = pass->labels,
                                          .may_be_none = pass->may_be_none,
                                          .ranks = pass->ranks,
                                          .shard = r->batch };
    CHECK(vgg_loader_create(&r->loader, pass->data, &options));
fail:
    return status;
}

/* This rank's part of the next batch. */
static enum vgg_status run_batch(struct run *r, struct vgg_batch *batch)
{
    enum vgg_status status = vgg_loader_next(r->loader, batch);
    if (status != VGG_OK || batch->share.from == batch->share.to) return status;
    struct vgg_net_io io = { .n = batch->share.to - batch->share.from, .x = batch->x, .y = r->y };
    for (int i = 0; i < io.n; i++)
        r->t[i] = (float)batch->labels[batch->share.from + i];
    if (r->pass->loss) io.t = r->t, io.loss = r->loss;
    return vgg_net_forward(r->pass->net, &io);
}

/* Hands one rank's part of a batch to fn, on rank 0; what is there of other ranks is received first, be it in vain. */
static enum vgg_status take(struct run *r, const struct vgg_batch *batch, struct vgg_share share, int rank,
                            enum vgg_status before, vgg_pass_fn *fn, void *sink)
{
    enum vgg_status status = VGG_OK;
    struct vgg_ranks *ranks = r->pass->ranks;
    size_t count = (size_t)(share.to - share.from), size = count * vgg_net_output(r->pass->net) * sizeof *r->y;
    const struct vgg_batch part = { .count = (int)count,
                                    .x = rank ? NULL : batch->x,
                                    .share = { 0, (int)count },
                                    .labels = batch->labels + share.from,
                                    .index = batch->index + share.from,
                                    .pass = batch->pass,
                                    .number = batch->number };
    if (count == 0) return before;
    if (rank) {
        CHECK(vgg_ranks_exchange(ranks, -1, NULL, 0, rank, r->y, size));
        if (r->pass->loss) CHECK(vgg_ranks_exchange(ranks, -1, NULL, 0, rank, r->loss, count * sizeof *r->loss));
    }
    if (before == VGG_OK) status = fn(sink, &part, r->y, r->loss);
fail:
    return before == VGG_OK ? status : before;
}

/* The outputs of all ranks to rank 0, in the order of the images. */
static enum vgg_status deliver(struct run *r, const struct vgg_batch *batch, vgg_pass_fn *fn, void *sink)
{
    enum vgg_status status = VGG_OK;
    struct vgg_ranks *ranks = r->pass->ranks;
    size_t count = (size_t)(batch->share.to - batch->share.from), output = vgg_net_output(r->pass->net);
    if (vgg_ranks_first(ranks)) {
        status = take(r, batch, batch->share, 0, VGG_OK, fn, sink);
        for (int rank = 1; rank < vgg_ranks_size(ranks); rank++) {
            struct vgg_share share = vgg_share_items(batch->count, r->batch, rank, ranks->size);
            status = take(r, batch, share, rank, status, fn, sink);
        }
        return status;
    }
    CHECK(vgg_ranks_exchange(ranks, 0, r->y, count * output * sizeof *r->y, -1, NULL, 0));
    if (r->pass->loss) CHECK(vgg_ranks_exchange(ranks, 0, r->loss, count * sizeof *r->loss, -1, NULL, 0));
fail:
    return status;
}

static bool report(const struct run *r, uint64_t total)
{
    const struct vgg_pass *pass = r->pass;
    struct vgg_progress progress = { pass->phase, "images",     r->done,     total - vgg_loader_skipped(r->loader),
                                     pass->epoch, pass->epochs, (double)NAN, (double)NAN };
    return !pass->progress || pass->progress(pass->user, &progress);
}

enum vgg_status vgg_pass_run(const struct vgg_pass *pass, vgg_pass_fn *fn, void *sink)
{
    enum vgg_status status = VGG_OK;
    struct run r = { .pass = pass, .batch = batch_of(pass) };
    uint64_t total = vgg_data_count(pass->data);
    CHECK(start(&r));
    for (;;) {
        struct vgg_batch batch;
        CHECK(vgg_ranks_agree(pass->ranks, run_batch(&r, &batch), NULL));
        if (batch.count == 0) break;
        CHECK(deliver(&r, &batch, fn, sink));
        r.done += (uint64_t)batch.count;
        if (!report(&r, total)) CHECK(VGG_INTERRUPTED);
    }
    if (r.done == 0 && !pass->may_be_none) {
        CHECK(vgg_fail(VGG_ERR_MISSING, "no image could be read: all %llu were skipped", (unsigned long long)total));
    }
    if (vgg_loader_skipped(r.loader)) {
        vgg_log(VGG_LOG_WARNING, "%llu of %llu images were skipped", (unsigned long long)vgg_loader_skipped(r.loader),
                (unsigned long long)total);
    }
fail:
    status = vgg_ranks_agree(pass->ranks, status, NULL);
    vgg_loader_destroy(r.loader);
    free(r.y);
    free(r.loss);
    free(r.t);
    return status;
}
