/* arch.h: VGG networks as data: one row a layer. */
#ifndef CORE_ARCH_ARCH_H
#define CORE_ARCH_ARCH_H

#include "core/op/op.h"

enum vgg_layer_kind {
    VGG_LAYER_CONV,    /* 3x3, ReLU */
    VGG_LAYER_MAXPOOL, /* 2x2, stride 2 */
    VGG_LAYER_FLATTEN,
    VGG_LAYER_AVGPOOL,  /* global */
    VGG_LAYER_GMAXPOOL, /* global */
    VGG_LAYER_DENSE,
    VGG_LAYER_DROPOUT,
};

enum vgg_activation { VGG_LINEAR, VGG_RELU, VGG_SOFTMAX, VGG_SIGMOID };

enum { VGG_MAX_LAYERS = 64, VGG_NAME_SIZE = 32 };

/* The networks; their names are VGG_NAMES_ARCH, 0 is none. */
enum vgg_arch_id { VGG_ARCH_NONE, VGG_ARCH_11, VGG_ARCH_13, VGG_ARCH_16, VGG_ARCH_19, VGG_ARCH_END };
enum { VGG_ARCH_BLOCKS = 5 };

/* ImageNet's classifier: this many dense layers (VGG_NAMES_TOP), all but the last of that many units. */
enum { VGG_TOP_LAYERS = 3, VGG_TOP_UNITS = 4096, VGG_TOP_CLASSES = 1000 };

struct vgg_layer {
    char name[VGG_NAME_SIZE]; /* Keras' */
    enum vgg_layer_kind kind;
    enum vgg_activation activation;
    float rate;                   /* dropout */
    int h, w, c;                  /* output of one image */
    struct vgg_view kernel, bias; /* in VGG_ARENA_PARAM, in layer order; absent where the layer has none */
};

struct vgg_arch {
    char name[16]; /* "vgg16" */
    int h, w;      /* input, 3 channels */
    int count;
    int base;          /* layers below the head: layer[base - 1] is block5_pool or an earlier last layer */
    size_t param_size; /* bytes of VGG_ARENA_PARAM */
    struct vgg_layer layer[VGG_MAX_LAYERS];
};

/* The convolutional base of "vgg11", "vgg13", "vgg16" or "vgg19" for h x w images (32 or more), up to and including the
 * layer named `last` (NULL: block5_pool). */
enum vgg_status vgg_arch_base(struct vgg_arch *arch, const char *name, int h, int w, const char *last);
/* The network of that name; VGG_ARCH_NONE: there is none, or name is NULL. */
enum vgg_arch_id vgg_arch_id(const char *name);
/* Convolutions of a block, which counts from 1. */
int vgg_arch_convs(enum vgg_arch_id id, int block);
/* Keras' names of a block's layers, "block1_conv2" and "block1_pool"; both numbers count from 1. */
void vgg_arch_conv_name(char name[VGG_NAME_SIZE], int block, int conv);
void vgg_arch_pool_name(char name[VGG_NAME_SIZE], int block);
/* The way back from a convolution's name, its characters exactly. False for blocks that no network has, and for more
 * convolutions than any block has. */
bool vgg_arch_conv_place(int *block, int *conv, const char *name);
/* Adds a head: "top" or "flatten,dense:256:relu,dropout:0.5,dense:1:sigmoid". Names as Keras gives: flatten, dense_1,
 * ... */
enum vgg_status vgg_arch_head(struct vgg_arch *arch, const char *head);
/* Index of the layer of that name, or -1. */
int vgg_arch_find(const struct vgg_arch *arch, const char *name);
/* What a message about an unknown layer ends in: "; did you mean block5_pool?", or where its names are to be seen. */
struct vgg_arch_hint {
    char text[VGG_NAME_SIZE + 24];
};
struct vgg_arch_hint vgg_arch_hint(const struct vgg_arch *arch, const char *name);
/* First layer that trains when "head", "all", a block ("block5") or a layer is asked for, or -1. */
int vgg_arch_trainable(const struct vgg_arch *arch, const char *what);
/* 2 for one sigmoid unit, n for softmax over n, 0 for networks that do not end in either. */
int vgg_arch_classes(const struct vgg_arch *arch);
/* Output shape of layer index, of the input for index -1. */
void vgg_arch_shape(const struct vgg_arch *arch, int index, int *h, int *w, int *c);

#endif
