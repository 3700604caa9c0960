/* names.h: layers' names in the files of every framework. */
#ifndef CORE_WEIGHTS_NAMES_H
#define CORE_WEIGHTS_NAMES_H

#include "core/arch/arch.h"
#include "core/weights/store.h"

enum { VGG_WEIGHTS_NAME = 128 };

/* What follows a layer's name in that of its scales of int8. */
#define VGG_WEIGHTS_INT8 "/int8"

/* The networks in the order in which a file that leaves it open is taken for one, "vgg16" first; NULL outside. */
const char *vgg_weights_names_arch(int index);
/* The k-th convolution of an architecture: its Keras name and torchvision's number in `features`. False beyond the
 * last one or for an unknown architecture. */
bool vgg_weights_names_conv(const char *arch, int k, char name[VGG_WEIGHTS_NAME], int *number);
/* timm's name of a layer of the ImageNet top, "pre_logits.fc1" for 0. */
const char *vgg_weights_names_timm(int index);
/* Is it a name of the ImageNet networks: blockB_convC, fc1, fc2, predictions? */
bool vgg_weights_names_known(const char *layer);
/* Splits a tensor's name in a Keras file, as "block1_conv1/kernel:0", "vgg16/block1_conv1/bias" or
 * "block1_conv1_W_1:0". False when it is neither kernel nor bias; layer may be "" where the name tells none. */
bool vgg_weights_names_split(const char *tensor, char layer[VGG_WEIGHTS_NAME], bool *bias, bool *old);
/* Is it a tensor of batch normalisation in a Keras file? */
bool vgg_weights_names_norm(const char *tensor);
/* Order of texts by bytes, but of runs of digits by their number: dense_2 before dense_10. As strcmp. */
int vgg_weights_names_order(const char *s, const char *t);
/* What a tensor that is not there would be called in this file. */
void vgg_weights_names_missing(const struct vgg_weights *weights, const char *layer, bool bias,
                               char name[VGG_WEIGHTS_NAME]);
/* Renames numbered layers (conv2d_1, dense) by their position, sorts into network order, finds the architecture. */
enum vgg_status vgg_weights_names_settle(struct vgg_weights *weights);

#endif
