/* loader.h: batches made by worker threads while the network runs. The sequence of batches depends on the options
 * alone, never on threads or timing. */
#ifndef CORE_DATA_LOADER_H
#define CORE_DATA_LOADER_H

#include "core/data/data.h"
#include "core/ranks/ranks.h"

struct vgg_loader_options {
    struct vgg_image_options images; /* height, width and preprocess given, not DEFAULT */
    struct vgg_augment_options augment;
    int batch;
    const int *labels; /* what batches show for each class of the data; NULL: the data's own numbers */
    bool shuffle;      /* a new order each pass, from the seed */
    bool repeat;       /* pass after pass; else the stream ends after one pass */
    bool may_be_none;  /* a pass in which all items are skipped is no failure */
    uint64_t seed;
    uint64_t pass; /* start here: pass and batch within it, for resuming */
    uint64_t start;
    int workers; /* 0: a fitting number */
    /* NULL: the whole of each batch is made; else this rank's shards of `shard` items alone. With skip_bad the ranks
     * then agree on what is left of each batch, so that all have to ask for the next. */
    struct vgg_ranks *ranks;
    int shard;
};

struct vgg_batch {
    int count;              /* items; the last batch of a pass may be smaller, and with skip_bad any batch */
    const float *x;         /* items share.from .. share.to - 1 */
    struct vgg_share share; /* all count of them without ranks */
    const int *labels;      /* count, as the options number them; -1 without labels */
    const size_t *index;    /* position of each in the data set */
    uint64_t pass, number;  /* of this batch: number counts from 0 in each pass */
};

struct vgg_loader;
enum vgg_status vgg_loader_create(struct vgg_loader **out, const struct vgg_data *data,
                                  const struct vgg_loader_options *options);
void vgg_loader_destroy(struct vgg_loader *loader); /* joins the threads */
/* Batches of one pass. */
uint64_t vgg_loader_batches(const struct vgg_loader *loader);
/* Waits for the next batch, valid until the next call. count 0: the stream has ended. Of batches with ranks the items
 * of other ranks have no x. A bad item fails with its path and reason, or is skipped (skip_bad); the error comes at the
 * batch that holds it. */
enum vgg_status vgg_loader_next(struct vgg_loader *loader, struct vgg_batch *batch);
/* Items left out so far because of skip_bad. */
uint64_t vgg_loader_skipped(const struct vgg_loader *loader);

#endif
