/* torch.h: the layers of a network by PyTorch's names, in a file whose tensors are listed: weights->tensor. */
#ifndef CORE_WEIGHTS_TORCH_H
#define CORE_WEIGHTS_TORCH_H

#include "core/weights/store.h"

/* Adds the convolutions of a numbered Sequential (torchvision's and timm's features.N), whatever all of its names have
 * in front of them, and the dense layers beside it where each follows from the other. *found: are there any? `ordered`:
 * the file keeps the order of the network. */
enum vgg_status vgg_weights_torch_open(struct vgg_weights *weights, bool ordered, bool *found);

#endif
