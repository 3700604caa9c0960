/* explain.h: the inside of an explanation, for those who make files of it. */
#ifndef CORE_INFER_EXPLAIN_H
#define CORE_INFER_EXPLAIN_H

#include "core/engine/net.h"
#include "core/model/model.h"

struct vgg_explain {
    const struct vgg_model *model;
    struct vgg_net *net;
    int layer;       /* whose output the map is of */
    int h, w, c;     /* of that output */
    float *y;        /* the network's output for one image */
    float *kept;     /* h * w * c: the layer's output */
    float *slope;    /* h * w * c: the gradient of the score there */
    double *weights; /* c: means of the gradient */
};

#endif
