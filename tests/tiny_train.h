/* tiny_train.h: what the tests of training and evaluation share that need exact numbers: a network that trains in
 * milliseconds (one convolution and its pool below a head), images without order, and softmax regression in double. */
#ifndef TESTS_TINY_TRAIN_H
#define TESTS_TINY_TRAIN_H

#include "core/vgg16.h"

enum {
    TINY_SIZE = 32,
    TINY_FEATURES = 64,
    TINY_CLASSES = 4,
    TINY_ITEMS = 41 /* more than a pass takes at once */,
    TINY_HELD = 13
};

/* The model's classes, and those of the training data and of the held-out data: fewer, in another order. */
extern const char *const tiny_model_names[TINY_CLASSES]; /* fig, kiwi, lime, plum */
struct tiny_set {
    const char *file;
    int count;
    const int *labels; /* of the items, as the data numbers its classes; NULL: none */
    const int *map;    /* the model's class of each class */
    const char *names; /* JSON */
    uint32_t seed;     /* of the images */
};
extern const struct tiny_set tiny_items, tiny_held, tiny_pair /* fig and kiwi alone */, tiny_plain /* no labels */;

/* A folder of its own that holds the sets' files; tiny_finish removes it. */
extern char tiny_folder[64];
void tiny_init(void);
void tiny_finish(void);

struct vgg_engine *tiny_engine(void);
struct vgg_data *tiny_open(const struct tiny_set *set);
/* The first convolution and pool of VGG11 with random weights, then `head`; its last dense layer 20 times as large, so
 * that no class is always the likeliest. Named by the first of tiny_model_names. */
struct vgg_model *tiny_model(const char *head);

/* The pooled features of each item, that a head "gap,..." sees: count * TINY_FEATURES by malloc. augment: NULL, or how
 * the images are changed in pass number `pass` of a training with that seed. */
double *tiny_features(struct vgg_engine *engine, const struct vgg_model *model, const struct tiny_set *set,
                      const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass);

/* A dense layer in double. */
struct tiny_dense {
    int units;
    double kernel[TINY_FEATURES][TINY_CLASSES], bias[TINY_CLASSES];
};
void tiny_get(struct tiny_dense *dense, const struct vgg_model *model);
/* Probabilities of TINY_CLASSES classes, or of two by one sigmoid unit. */
void tiny_probabilities(double *p, const struct tiny_dense *dense, const double *features);
/* Sets the biases so that over these items no class is likelier than another. */
void tiny_centre(struct vgg_model *model, const double *features, int count);

#endif
