/* keras.h: what the configuration of a whole model of Keras says of its network. */
#ifndef CORE_WEIGHTS_KERAS_H
#define CORE_WEIGHTS_KERAS_H

#include "core/weights/weights.h"

enum { VGG_KERAS_HEAD = 512, VGG_KERAS_NAME = 128 };
struct vgg_weights_keras {
    char head[VGG_KERAS_HEAD];                    /* as vgg_arch_head takes it; "": the file has no configuration */
    char dense[VGG_WEIGHTS_HEAD][VGG_KERAS_NAME]; /* what Keras calls its dense layers */
    bool pooled;                                  /* a pool stands between the last convolution and the head */
    int height, width;                            /* of the input; 0: free */
    enum vgg_preprocess preprocess;               /* RESCALE where the network begins with that, else DEFAULT */
};
/* Reads model_config of an .h5 or config.json of a .keras: Sequential, functional, and one inside the other.
 * VGG_ERR_UNSUPPORTED, with the layer's name, for what is no convolutional base of a VGG with a head that is run here.
 */
enum vgg_status vgg_weights_keras(struct vgg_weights_keras *out, const struct vgg_weights *weights);

#endif
