/* weights_file.h: an opened weight file, as its readers (weights_st.c, weights_h5.c) fill it and weights.c serves it.
 */
#ifndef CORE_WEIGHTS_FILE_H
#define CORE_WEIGHTS_FILE_H

#include "core/format/hdf.h"
#include "core/format/safetensors.h"
#include "core/weights/weights.h"

/* Whose names the file uses. They decide how a missing tensor is called and, for the two of PyTorch, the order of the
 * values: OIHW and (out, in), the first dense layer's columns in CHW order. */
enum vgg_weights_naming {
    VGG_NAMING_KERAS,       /* safetensors: block1_conv1/kernel */
    VGG_NAMING_KERAS_H5,    /* block1_conv1/kernel:0 */
    VGG_NAMING_KERAS_OLD,   /* block1_conv1_W_1:0 */
    VGG_NAMING_KERAS_3,     /* layers/conv2d/vars/0 */
    VGG_NAMING_TORCHVISION, /* features.0.weight, classifier.0.weight */
    VGG_NAMING_TIMM,        /* features.0.weight, pre_logits.fc1.weight (a 7x7 convolution), head.fc.weight */
};

struct vgg_weights_tensor {
    char *name; /* the file's; in HDF5 the path of the dataset. NULL: not there */
    int rank;
    uint64_t shape[VGG_MAX_RANK];   /* as in the file */
    const struct vgg_st_tensor *st; /* NULL in HDF5 */
    uint64_t object;                /* of HDF5 */
};

struct vgg_weights_entry {
    char *name; /* Keras' name of the layer */
    size_t order;
    struct vgg_weights_tensor kernel, bias;
};

struct vgg_weights {
    char *path;
    enum vgg_weights_naming naming;
    const char *arch;    /* static, or NULL: cannot tell */
    const char *numbers; /* PyTorch: the architecture whose layer numbers the file uses */
    bool automatic;      /* the file numbers its layers (conv2d_1): they were renamed by their position */
    struct vgg_weights_entry *entry;
    size_t count, capacity;
    struct vgg_st *st;
    struct vgg_hdf hdf;  /* not open: all zero */
    struct vgg_h5_meta { /* of HDF5 */
        char *key, *value;
    } * meta;
    size_t meta_count;
};

/* Adds one tensor to a layer, which is made when it is new. A layer that has it already is a VGG_ERR_FORMAT. */
enum vgg_status vgg_weights_add(struct vgg_weights *weights, const char *layer, bool bias,
                                const struct vgg_weights_tensor *tensor);
/* Is this one of the two namings of PyTorch? */
bool vgg_weights_is_torch(const struct vgg_weights *weights);

/* The error of a file that only Python can read, with the line that converts it. */
enum vgg_status vgg_weights_refuse_pickle(const char *path);

/* Fill an object whose path is set. */
enum vgg_status vgg_weights_st_open(struct vgg_weights *weights);
enum vgg_status vgg_weights_h5_open(struct vgg_weights *weights);
/* All values of a tensor of an HDF5 file, in the file's order; the shape has been checked to be what fits dst. */
enum vgg_status vgg_weights_h5_read(const struct vgg_weights *weights, const struct vgg_weights_tensor *tensor,
                                    float *dst);

/* ---- names (weights_names.c) ---- */

enum { VGG_WEIGHTS_NAME = 128, VGG_ARCH_COUNT = 4, VGG_MAX_CONV = 16 };

/* "vgg16", "vgg19", "vgg13", "vgg11" in this order of preference, NULL outside. */
const char *vgg_weights_names_arch(int index);
/* The k-th convolution of an architecture: its Keras name and torchvision's number in `features`. False beyond the
 * last one or for an unknown architecture. */
bool vgg_weights_names_conv(const char *arch, int k, char name[VGG_WEIGHTS_NAME], int *number);
/* block1_conv1 ... as block and position, both from 1. False for other names. */
bool vgg_weights_names_block(const char *layer, int *block, int *conv);
/* Is it a name of the ImageNet networks: blockB_convC, fc1, fc2, predictions? */
bool vgg_weights_names_known(const char *layer);
/* Splits a tensor's name in a Keras file, as "block1_conv1/kernel:0", "vgg16/block1_conv1/bias" or
 * "block1_conv1_W_1:0". False when it is neither kernel nor bias; layer may be "" where the name tells none. */
bool vgg_weights_names_split(const char *tensor, char layer[VGG_WEIGHTS_NAME], bool *bias, bool *old);
/* What a tensor that is not there would be called in this file. */
void vgg_weights_names_missing(const struct vgg_weights *weights, const char *layer, bool bias,
                               char name[VGG_WEIGHTS_NAME]);
/* Renames numbered layers (conv2d_1, dense) by their position, sorts into network order, finds the architecture. */
enum vgg_status vgg_weights_names_settle(struct vgg_weights *weights);

#endif
