/* store.h: an opened weight file, as its readers (st.c, pth.c, h5.c) fill it and weights.c serves it. */
#ifndef CORE_WEIGHTS_STORE_H
#define CORE_WEIGHTS_STORE_H

#include "core/format/hdf.h"
#include "core/format/torch.h"
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
    uint64_t shape[VGG_MAX_RANK]; /* as in the file */
    const struct vgg_tensor *st;  /* one of weights->tensor; NULL in HDF5 */
    uint64_t object;              /* of HDF5 */
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
    const struct vgg_tensor *tensor; /* all of a file of named tensors; NULL: HDF5 */
    size_t tensor_count;
    struct vgg_tensor *listed; /* the same where they belong to this object, and their names where those do, too */
    char *listed_name;
    char *norm; /* the first tensor of batch normalisation, which is not run here; NULL: none */
    struct vgg_st *st;
    struct vgg_st *part[2]; /* a checkpoint, and the file of the layers that did not train; st is NULL then */
    struct vgg_torch *torch;
    struct vgg_zip *zip; /* of a Keras archive */
    void *unpacked;      /* its weights, where they are compressed */
    struct vgg_hdf hdf;  /* not open: all zero */
    struct vgg_h5_meta { /* of HDF5, .pth and checkpoints */
        char *key, *value;
    } * meta;
    size_t meta_count;
};

/* Adds one tensor to a layer, which is made when it is new. A layer that has it already is a VGG_ERR_FORMAT. */
enum vgg_status vgg_weights_add(struct vgg_weights *weights, const char *layer, bool bias,
                                const struct vgg_weights_tensor *tensor);
/* Adds a pair of metadata to those of HDF5, .pth and checkpoints, of which there may be 64. */
enum vgg_status vgg_weights_add_meta(struct vgg_weights *weights, const char *key, const char *value);
/* Remembers a tensor of batch normalisation. */
enum vgg_status vgg_weights_add_norm(struct vgg_weights *weights, const char *name);
/* Is this one of the two namings of PyTorch? */
bool vgg_weights_is_torch(const struct vgg_weights *weights);

#endif
