/* calibrate.h: the scales of int8, found from images that go through the network in fp32. */
#ifndef CORE_QUANT_CALIBRATE_H
#define CORE_QUANT_CALIBRATE_H

#include "core/engine/net.h"

/* Inputs of the network's first layer that runs, one after the other. */
struct vgg_quant_source {
    /* The next one, valid until the next call; NULL after the last. */
    enum vgg_status (*next)(void *user, const float **x);
    /* From the first one again. */
    enum vgg_status (*again)(void *user);
    void *user;
};

/* `count` inputs of `size` values in memory as a source; *place is its memory. */
struct vgg_quant_array {
    const float *x;
    size_t size, count, at;
};
struct vgg_quant_source vgg_quant_array(struct vgg_quant_array *place, const float *x, size_t size, size_t count);

/* What is calibrated: layers `first` up to `last` (one past it) of a network on a backend, which computes in fp32 for
 * this; its arenas take at most `memory` bytes (0: no limit). */
struct vgg_quant_target {
    struct vgg_backend *backend;
    const struct vgg_arch *arch;
    int first, last;
    const float *params;        /* arch->param_size bytes; NULL: */
    const struct vgg_net *from; /* a network of `arch` that has them and has not run yet */
    uint64_t memory;
    bool direct; /* convolutions of bytes will not run by Winograd's algorithm: no clips */
};

/* Runs the source twice, for direct convolutions once, one input at a time, and of the network a few blocks at a time,
 * so that their filters alone are in memory: for each convolution the spread of its output (after the pool above it)
 * gives the step of least squared error (vgg_spread_step), then the magnitudes of the transformed bytes with that step
 * give the 16 clips (vgg_taps_clip); of maps with more than 14 tiles a side every second, third ... tile, from a place
 * that goes on with each input. The result depends on the inputs alone, not on threads or batches. scales: a row for
 * each layer, of which those of convolutions from `first` to `last` are written; that of a convolution whose input is
 * no other's output has no clips. VGG_ERR_NUMERIC: an output is not finite. */
enum vgg_status vgg_quant_calibrate(float (*scales)[VGG_QUANT_COUNT], const struct vgg_quant_target *target,
                                    const struct vgg_quant_source *source);

/* Do the scales (NULL: none) serve an int8 pass over these layers? */
bool vgg_quant_complete(const float (*scales)[VGG_QUANT_COUNT], const struct vgg_arch *arch, int first, int last);

#endif
