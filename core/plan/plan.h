/* plan.h: from an architecture to one list of operations: forward, backward and update are its three stretches. */
#ifndef CORE_PLAN_PLAN_H
#define CORE_PLAN_PLAN_H

#include "core/arch/arch.h"
#include "core/op/backend.h"

struct vgg_plan_spec {
    const struct vgg_arch *arch;
    int batch;
    int first;                /* first layer that runs: 0 takes images, k the output of layer k - 1 */
    int last;                 /* one past the last layer that runs */
    enum vgg_pooling pooling; /* of the last layer's output */
    bool loss;     /* ends in the loss: targets and sample weights are inputs, loss and probabilities outputs */
    int trainable; /* first layer that trains; arch->count: none. Needs loss. */
    /* Every layer's output (and gradient) stays readable and nothing is fused across layers, but with int8 a pool with
     * the convolution below it, whose output then has no view. */
    bool keep_all;
    /* 0: none; k: instead of training, the backward stretch goes from a given gradient of the scores down to the input
     * of layer k, which is the output of layer k - 1. Dropout stays off. */
    int gradient;
    /* The output of the lowest layer that trains, where that and the one above are convolutions, is not kept for the
     * backward stretch but computed again there: the same bits, less memory, more time. */
    bool again;
    enum vgg_optimizer optimizer;
    bool nesterov;
    struct vgg_hyper hyper;
    float smoothing; /* of the labels of a softmax while it trains: VGG_OP_SOFTMAX_XENT */
    bool scaled;     /* the gradients are of a loss times S: an update begins with VGG_OP_UNSCALE */
    float clip;      /* largest norm of all gradients together, 0: none: VGG_OP_CLIP */
    /* 0: none; else layers of the base in block b have the learning rate times lr_decay^(B - b), B the base's last
     * block; the head's is the whole one */
    float lr_decay;
    /* INT8: what one convolution hands to the next is bytes, and the list's q views are in VGG_ARENA_PARAM behind the
     * parameters (vgg_plan_scales); it cannot train or give gradients. Of the others the list is the same. */
    enum vgg_precision precision;
    /* Without keep_all, what one convolution hands to the next and the gradients of convolutions' outputs are of
     * VGG_F16. */
    bool halves;
};

struct vgg_plan {
    struct vgg_op *op;
    size_t forward, backward, update;       /* op[0, forward), [forward, forward + backward), then update */
    size_t arena_size[VGG_ARENA_COUNT];     /* bytes */
    struct vgg_view input, output;          /* output: features, or probabilities with loss or a classifying head */
    struct vgg_view targets, weights, loss; /* of each image */
    /* gradient: that of the scores (before softmax or sigmoid), put there between the forward stretch and the backward
     * one. */
    struct vgg_view seed;
    struct vgg_view kept, slope;   /* gradient: the output of layer k - 1 (after its ReLU) and its gradient */
    struct vgg_view params, grads; /* the trainable range of the parameters and its gradients: flat, one count */
    struct vgg_view found;         /* scaled: what VGG_OP_UNSCALE found, one value */
    struct vgg_view m, v;          /* moments, absent where the optimiser has none */
    struct vgg_view activation[VGG_MAX_LAYERS]; /* keep_all: output of each layer that ran, int8's as bytes */
    /* keep_all: gradient with respect to that layer's output (before its ReLU) */
    struct vgg_view delta[VGG_MAX_LAYERS];
};

/* Builds the list; views of activations share memory when their lifetimes do not meet. Backward and update are empty
 * when nothing trains; with `gradient` there is a backward and no update. Gradients accumulate over any number of
 * forward + backward runs; the update uses and then clears them (fresh buffers are zero). */
enum vgg_status vgg_plan_build(struct vgg_plan **out, const struct vgg_plan_spec *spec);
/* Where the VGG_QUANT_COUNT scales of layer `index`, a convolution, stand in VGG_ARENA_PARAM. */
struct vgg_view vgg_plan_scales(const struct vgg_arch *arch, int index);
void vgg_plan_destroy(struct vgg_plan *plan);

#endif
