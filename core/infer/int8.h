/* int8.h: the scales of a pass in int8, and data sets as what they are found from. */
#ifndef CORE_INFER_INT8_H
#define CORE_INFER_INT8_H

#include "core/data/data.h"
#include "core/engine/engine.h"
#include "core/model/model.h"
#include "core/quant/calibrate.h"

/* What a message adds where scales are of fewer than 8 images, which give them by chance; else "". */
const char *vgg_int8_few(size_t images);

/* `count` items of a data set as inputs of a network: number `pick(i)`, or the first that can be read. */
struct vgg_int8_items {
    const struct vgg_data *data;
    struct vgg_image_options images; /* nothing DEFAULT; ignored for features */
    size_t count;
    bool spread; /* evenly over the data set; else its first ones */
    size_t taken, at;
    size_t total; /* of the data set */
    float *x;     /* room for one */
    /* Told after each item of each run through them; may be NULL. `steps` is what `done` goes up to. */
    vgg_progress_fn *progress;
    void *user;
    uint64_t done, steps;
};
/* count: the most that are taken. `images` as of struct vgg_pass. */
enum vgg_status vgg_int8_items_init(struct vgg_int8_items *items, const struct vgg_data *data,
                                    const struct vgg_image_options *images, size_t count, bool spread);
void vgg_int8_items_finish(struct vgg_int8_items *items);
struct vgg_quant_source vgg_int8_source(struct vgg_int8_items *items);

/* Layers first .. last - 1 of a model that are to run in int8 on `net`. */
struct vgg_int8_pass {
    struct vgg_net *net;
    const struct vgg_engine *engine;
    const struct vgg_model *model;
    int first, last;
};
/* Gives the network, which has its parameters and has not run yet, the scales that it needs: the model's where they
 * serve all its layers, else those that the first 32 items give, with a warning. Does nothing where the engine's
 * precision is another. */
enum vgg_status vgg_int8_prepare(const struct vgg_int8_pass *pass, const struct vgg_data *data,
                                 const struct vgg_image_options *images);
/* The same for `count` inputs in memory. */
enum vgg_status vgg_int8_prepare_array(const struct vgg_int8_pass *pass, const float *x, size_t count);

#endif
