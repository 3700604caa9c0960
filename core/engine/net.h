/* net.h: a network on a backend: its four arenas, its parameters, and batches of any size run through it. */
#ifndef CORE_ENGINE_NET_H
#define CORE_ENGINE_NET_H

#include "core/op/backend.h"
#include "core/plan/plan.h"
#include "core/ranks/ranks.h"

struct vgg_net;

/* Puts a network where `spec` says. A batch of at most spec->batch images trains in shards of `shard` (0, or more than
 * there are: in one): the gradient of each is a sum of its own, and these are added as a balanced binary tree in their
 * order, so that the result depends on the shard and on nothing of the machine. Forward passes run as many images at
 * once as fit, with the same result for any number. All arenas together take at most `memory` bytes (0: no limit).
 * *spec and its arch are copied. evaluate_first: the first layer of evaluation passes (vgg_net_forward), when it
 * differs from spec->first because frozen features were kept; else spec->first. VGG_ERR_MEMORY, with the numbers and
 * the shard that would fit, when this one does not. */
enum vgg_status vgg_net_create(struct vgg_net **out, struct vgg_backend *backend, const struct vgg_plan_spec *spec,
                               int evaluate_first, int shard, uint64_t memory);
void vgg_net_destroy(struct vgg_net *net);
/* Trains with all ranks (NULL: alone): each runs its own shards of a batch (vgg_share_items), and the gradients of all
 * are added in the same tree. Before the first batch. */
void vgg_net_set_ranks(struct vgg_net *net, struct vgg_ranks *ranks);
/* What the batches so far took to add the gradients of all ranks. */
struct vgg_net_traffic {
    double seconds; /* that messages were waited for, */
    double waited;  /* and those of them that no backward pass hid */
    uint64_t bytes; /* sent by this rank */
    int pieces;     /* in which the gradients of a batch travel; 0 before the first */
};
struct vgg_net_traffic vgg_net_traffic(const struct vgg_net *net);
/* Images of one shard. */
int vgg_net_shard(const struct vgg_net *net);
/* Before the first run: what copies of kernels may take (vgg_buf_spare), instead of what the limit leaves; and what
 * they take now. */
void vgg_net_spare(struct vgg_net *net, size_t size);
size_t vgg_net_kept(const struct vgg_net *net);
/* Values of one image's output: pooled or plain features, or probabilities. */
size_t vgg_net_output(const struct vgg_net *net);
/* The moments' arena in bytes (0: the optimiser has none). */
size_t vgg_net_moment_size(const struct vgg_net *net);

/* The scales of spec.precision INT8, a row for each layer, of which those of convolutions count; without them there is
 * nothing to run. Others have none. */
enum vgg_status vgg_net_set_scales(struct vgg_net *net, const float (*scales)[VGG_QUANT_COUNT]);
/* The parameters, arch->param_size bytes; NULL: VGG_ERR_ARGUMENT. Of a network that only infers they cannot be got. */
enum vgg_status vgg_net_set_params(struct vgg_net *net, const float *params);
enum vgg_status vgg_net_get_params(struct vgg_net *net, float *params);
/* The same from those of another network, from byte `offset` on, before that one has run for the first time. */
enum vgg_status vgg_net_take_params(struct vgg_net *net, const struct vgg_net *from, size_t offset);
enum vgg_status vgg_net_set_moments(struct vgg_net *net, const float *moments);
enum vgg_status vgg_net_get_moments(struct vgg_net *net, float *moments);

/* One batch on the host. When it trains with ranks: the whole batch, but x begins with the first image of this rank's
 * shards, and y and loss are filled for these alone. */
struct vgg_net_io {
    int n;          /* images */
    const float *x; /* n inputs */
    const float *t; /* n class numbers; NULL without loss */
    const float *w; /* n weights; NULL: ones */
    float *y;       /* n outputs; may be NULL when loss is wanted only */
    float *loss;    /* n losses; NULL without loss */
    bool *skipped;  /* NULL, or set where spec.scaled: were gradients not finite, so that nothing was updated? */
};

/* Forward, nothing random, nothing changed. */
enum vgg_status vgg_net_forward(struct vgg_net *net, const struct vgg_net_io *io);
/* Forward, backward, update with step->step, skipped, seed and learning_rate, with spec.scaled also unscale (first and
 * loss_scale are set here); at most as many images as the network was made for. With spec.scaled the host reads what
 * VGG_OP_UNSCALE found and then submits the update, or clears the gradients alone. With ranks all call it, and nothing
 * is updated where one fails. */
enum vgg_status vgg_net_train(struct vgg_net *net, const struct vgg_net_io *io, const struct vgg_step *step);

/* ---- for those who measure: parts of a batch of spec->batch images, run at once, whatever the shard ---- */

/* Stretches of the plan: of the training one where the network trains, else of the evaluation's. */
enum vgg_net_stretch { VGG_NET_FORWARD, VGG_NET_BACKWARD, VGG_NET_GRADIENTS /* both */, VGG_NET_STEP /* and update */ };

/* That plan, which lives as long as the network. */
enum vgg_status vgg_net_plan(const struct vgg_plan **out, struct vgg_net *net);
/* Puts io->x, t and w there. */
enum vgg_status vgg_net_put(struct vgg_net *net, const struct vgg_net_io *io);
/* Runs one stretch on what is there; backward needs a forward before it. Gradients are added to those of the stretches
 * before, until an update has used them. seconds: NULL, or room for one time an operation of the stretch. */
enum vgg_status vgg_net_run(struct vgg_net *net, enum vgg_net_stretch stretch, const struct vgg_step *step,
                            double *seconds);
/* With spec.keep_all: the output of a layer after VGG_NET_FORWARD, as plan->activation views it: floats or bytes. */
enum vgg_status vgg_net_get_activation(struct vgg_net *net, int layer, void *values);
/* The gradients of the trainable parameters, as plan->grads views them. */
enum vgg_status vgg_net_get_grads(struct vgg_net *net, float *grads);

/* One batch for a network whose spec asks for a gradient. */
struct vgg_net_slopes {
    int n;               /* images */
    const float *x;      /* n inputs */
    float *y;            /* n outputs: probabilities */
    float *kept, *slope; /* n outputs of the layer below spec->gradient, and the gradients there */
    /* Chooses the gradient of the n scores of images first, first + 1, ... by their outputs: as many values. */
    void (*seed)(void *user, int first, int n, const float *y, float *seed);
    void *user;
};
/* Forward, then the backward stretch from the chosen gradient. */
enum vgg_status vgg_net_slopes(struct vgg_net *net, const struct vgg_net_slopes *io);

#endif
