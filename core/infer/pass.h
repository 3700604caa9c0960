/* pass.h: one pass of a data set through a network, batch by batch, while worker threads prepare the next ones. */
#ifndef CORE_INFER_PASS_H
#define CORE_INFER_PASS_H

#include "core/data/loader.h"
#include "core/engine/net.h"

struct vgg_pass {
    struct vgg_net *net;
    const struct vgg_data *data;
    struct vgg_image_options images; /* nothing DEFAULT */
    int batch;
    bool loss;         /* the network has a loss: labels are its targets */
    const int *labels; /* of vgg_match_labels; NULL: the data's own numbers */
    const char *phase; /* of progress */
    int epoch, epochs;
    vgg_progress_fn *progress;
    void *user;
    struct vgg_ranks *ranks; /* NULL: alone */
    bool may_be_none;        /* it is no failure when all images were skipped */
};

/* Receives each batch, its labels numbered by pass->labels, with its outputs and, with a loss, the losses; x may be
 * NULL. */
typedef enum vgg_status vgg_pass_fn(void *sink, const struct vgg_batch *batch, const float *y, const float *loss);

/* In the data set's order, nothing random. Stops with what fn returns when that is a failure. With ranks, which all
 * call it, each runs its part of the images, and fn is called on rank 0 alone, with those of all. */
enum vgg_status vgg_pass_run(const struct vgg_pass *pass, vgg_pass_fn *fn, void *sink);

#endif
