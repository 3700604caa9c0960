/* weights.h: pretrained weights by layer, whatever file they come from: Keras HDF5 (old and new names, full models,
 * Keras 3 .weights.h5), safetensors and PyTorch's .pth with torchvision, timm or Keras names, checkpoints. */
#ifndef CORE_WEIGHTS_WEIGHTS_H
#define CORE_WEIGHTS_WEIGHTS_H

#include "core/op/op.h"

struct vgg_weights;

/* Opens any supported file; the content decides, not the extension. A folder is its newest whole checkpoint. */
enum vgg_status vgg_weights_open(struct vgg_weights **out, const char *path);
/* The file that was opened. */
const char *vgg_weights_path(const struct vgg_weights *weights);
void vgg_weights_close(struct vgg_weights *weights);

/* Layers found, by Keras name, in network order (block1_conv1 .. fc1, fc2, predictions, dense_1 ..). */
size_t vgg_weights_count(const struct vgg_weights *weights);
const char *vgg_weights_layer(const struct vgg_weights *weights, size_t index);
/* Stored shape of a layer's kernel as the library sees it: rank 4 (3,3,in,out) or rank 2 (in,out). False: not there. */
bool vgg_weights_shape(const struct vgg_weights *weights, const char *layer, int *rank, int shape[4]);
/* "vgg11" ... "vgg19" as far as the layers tell (metadata first; block3_conv4 means vgg19); NULL: cannot tell. */
const char *vgg_weights_arch(const struct vgg_weights *weights);
/* What the weights were trained on: TORCH for torchvision and timm names, CAFFE for Keras files, or metadata's word. */
enum vgg_preprocess vgg_weights_preprocess(const struct vgg_weights *weights);
/* Value of a metadata key (models saved by this library), or NULL. */
const char *vgg_weights_meta(const struct vgg_weights *weights, const char *key);
/* The index-th pair of the metadata; false beyond the last. */
bool vgg_weights_meta_at(const struct vgg_weights *weights, size_t index, const char **key, const char **value);
/* The layer's kernel (HWIO or (in, out), rows of the first dense layer in HWC order) and bias as fp32. The shapes must
 * be exactly these; `feature_h` and `feature_w` are the spatial extents that Flatten saw (7 x 7 for the ImageNet top),
 * needed to turn torchvision's CHW order. A missing tensor is named as the file would name it. */
enum vgg_status vgg_weights_read(const struct vgg_weights *weights, const char *layer, float *kernel, int rank,
                                 const int shape[4], float *bias, int feature_h, int feature_w);

/* Scales of int8 in a file, where it is safetensors with Keras names: a tensor block1_conv2/int8 for each convolution,
 * F32 of VGG_QUANT_COUNT values, which other programs pass over; and how they were found, as metadata. *found:
 * has the layer any? Those of another type, shape or number than can be: VGG_ERR_FORMAT. */
#define VGG_WEIGHTS_INT8_IMAGES "int8_images"
#define VGG_WEIGHTS_INT8_PREPROCESS "int8_preprocess"
enum vgg_status vgg_weights_scales(bool *found, float scales[VGG_QUANT_COUNT], const struct vgg_weights *weights,
                                   const char *layer);
/* Does a layout keep them? */
bool vgg_weights_keeps_scales(enum vgg_weights_layout layout);

/* What classifies in a file. */
struct vgg_weights_dense {
    size_t count;   /* dense layers, those with names of no known network included */
    bool imagenet;  /* they are ImageNet's own: fc1, fc2, predictions of 1000 classes */
    char list[640]; /* the first few as the file calls them: "dense_7 (512x256), dense_8 (256x3)" */
};
void vgg_weights_dense(struct vgg_weights_dense *dense, const struct vgg_weights *weights);

/* The shapes (in, out) of all dense layers of a file, in an order in which each takes what the one before gives. False:
 * there is no such order, or more than VGG_WEIGHTS_HEAD. */
enum { VGG_WEIGHTS_HEAD = 8 };
bool vgg_weights_head(int shape[VGG_WEIGHTS_HEAD][2], int *count, const struct vgg_weights *weights);
/* Calls the dense layers of these shapes dense_1, dense_2 ... as the library calls those of a head, and leaves out the
 * others. `name`: what the file calls each, which decides between layers of one shape; NULL: not known.
 * VGG_ERR_MISSING when the file has none that follow each other so. */
enum vgg_status vgg_weights_take_head(struct vgg_weights *weights, const int (*shape)[2], const char *const *name,
                                      int count);
/* A tensor of batch normalisation in the file, or NULL: outside of the convolutions that is no error by itself. */
const char *vgg_weights_norm(const struct vgg_weights *weights);

/* One layer to write: kernel in the library's layout. */
struct vgg_weights_layer {
    const char *name;
    int rank, shape[4];
    const float *kernel, *bias; /* NULL: a layer without parameters (written to Keras' layer_names) */
    const float *scales;        /* VGG_QUANT_COUNT of int8, or NULL; left out where the layout does not keep them */
};
/* Writes layers in network order. `meta`: key, value pairs ended by NULL; kept by safetensors, in HDF5 as root
 * attributes. F16: see vgg_weights_convert. */
enum vgg_status vgg_weights_write(const char *path, enum vgg_weights_layout layout,
                                  enum vgg_weights_precision precision, const struct vgg_weights_layer *layers,
                                  size_t count, int feature_h, int feature_w, const char *const *meta);

/* Where "imagenet" is on this machine (with or without the top), or VGG_ERR_MISSING without a message. *out by malloc.
 * top: true wants fc1, fc2 and predictions too. */
enum vgg_status vgg_weights_find(char **out, bool top);
/* Where the starter weights are: the file that $VGG16_STARTER names, else share/vgg16 below the prefix that the library
 * or the program that holds it stands in, wherever that was moved to, else the data folder of `cmake --install`.
 * VGG_ERR_MISSING without a message. *out by malloc. */
enum vgg_status vgg_weights_starter(char **out);
/* The same with a message. */
enum vgg_status vgg_weights_need_starter(char **out);
/* The 1000 ImageNet class names, index 0..999; NULL outside. */
const char *vgg_imagenet_class(int label);

#endif
