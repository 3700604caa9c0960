/* shard.h: how many images' gradients are one sum. */
#ifndef CORE_PLAN_SHARD_H
#define CORE_PLAN_SHARD_H

#include "core/arch/arch.h"

/* Images of one shard where the user names none: the largest power of two whose activations and gradients take at most
 * 1 GiB, 65536 at most, 1 at least. The bits of a training depend on it, so that it follows from the shape of the work
 * alone, never from memory, processors or device: the outputs of all layers from `trainable`, the first with weights,
 * on count twice (value and gradient), its input once, and where the layers from `from` to `trainable` run in each step
 * the largest of their tensors twice. VGG16 wholly trained: 8 images at 224x224, 16 at 150x150, 256 at 32x32. */
int vgg_shard_size(const struct vgg_arch *arch, int from, int trainable);

#endif
