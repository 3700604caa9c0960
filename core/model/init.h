/* init.h: what layers hold before they have learnt anything. */
#ifndef CORE_MODEL_INIT_H
#define CORE_MODEL_INIT_H

#include "core/model/model.h"

/* Random parameters for the layers of [from, to) that have any: He normal for convolutions, Glorot uniform for dense
 * layers, zero biases. The same numbers for a seed and layer whatever the number of threads. */
void vgg_model_init(struct vgg_model *model, int from, int to, uint64_t seed);

/* A convolution with as many channels in as out that passes its input on: behind a ReLU the network computes what it
 * computed without the layer. Source: Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016. */
void vgg_model_init_identity(struct vgg_model *model, int layer);

#endif
