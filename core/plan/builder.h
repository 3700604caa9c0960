/* builder.h: a plan while it grows. plan.c has its three stretches made, one file each, by what is here below them. */
#ifndef CORE_PLAN_BUILDER_H
#define CORE_PLAN_BUILDER_H

#include "core/plan/arena.h"
#include "core/plan/plan.h"

enum {
    VGG_BUILDER_OPS = 4 * VGG_MAX_LAYERS + 8,
    VGG_BUILDER_SPANS = 4 * VGG_MAX_LAYERS + 8,
    VGG_BUILDER_BEFORE = -1,             /* lifetime of what is uploaded before the list runs */
    VGG_BUILDER_AFTER = VGG_BUILDER_OPS, /* lifetime of what is read after it */
};

/* While a plan grows, the offset of a view in VGG_ARENA_ACT is the number of its span. */
struct vgg_builder {
    const struct vgg_plan_spec *spec;
    const struct vgg_arch *arch;
    struct vgg_plan *plan;
    struct vgg_op op[VGG_BUILDER_OPS];
    int ops;
    struct vgg_span span[VGG_BUILDER_SPANS];
    int spans;
    bool training;
    int low;                             /* the lowest layer whose backward runs; training: the first that trains */
    struct vgg_view x[VGG_MAX_LAYERS];   /* input of each layer */
    struct vgg_view y[VGG_MAX_LAYERS];   /* its output */
    struct vgg_view arg[VGG_MAX_LAYERS]; /* where its maxima were */
};

/* ---- what all stretches are made of ---- */

/* A new view of activations, which lives nowhere yet; the same like another one. */
struct vgg_view vgg_builder_view(struct vgg_builder *b, enum vgg_type type, int n, int h, int w, int c);
struct vgg_view vgg_builder_like(struct vgg_builder *b, const struct vgg_view *like);
/* The view, where it is one of activations, lives at operation `when` too. */
void vgg_builder_touch(struct vgg_builder *b, const struct vgg_view *view, int when);
/* Appends an operation, at which its views live. */
void vgg_builder_add(struct vgg_builder *b, struct vgg_op op);
/* A convolution with or without its pool; its scales where it reads or writes bytes. */
void vgg_builder_conv(struct vgg_builder *b, int i, unsigned flags, struct vgg_view x, struct vgg_view y,
                      struct vgg_view arg);

/* Has this layer a backward? */
bool vgg_builder_goes_back(const struct vgg_builder *b, int layer);
bool vgg_builder_is_int8(const struct vgg_builder *b);
/* Of what lies between convolutions. */
enum vgg_type vgg_builder_inner_type(const struct vgg_builder *b);

/* ---- the stretches ---- */

/* Adds layer i (and the pool above it when both are one operation); returns how many layers that were. */
int vgg_builder_forward(struct vgg_builder *b, int i, struct vgg_view x);
/* The end of the forward stretch: pooling, probabilities, or the loss. Returns the gradient of the logits. */
struct vgg_view vgg_builder_output(struct vgg_builder *b, struct vgg_view y);
/* Adds the backward of layer i given dy, the gradient of its output before its ReLU; returns that of the layer below.
 */
struct vgg_view vgg_builder_backward(struct vgg_builder *b, int i, struct vgg_view dy);
void vgg_builder_update(struct vgg_builder *b);

#endif
