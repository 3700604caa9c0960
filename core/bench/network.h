/* network.h: a network on one device, made to be run again and again and to be compared. */
#ifndef CORE_BENCH_NETWORK_H
#define CORE_BENCH_NETWORK_H

#include "core/bench/cell.h"
#include "core/engine/net.h"

/* Inputs of a cell, the same for every device. */
struct vgg_bench_input {
    float *x, *t, *w;                 /* images, class numbers, weights of 1 */
    float *y, *loss;                  /* room for outputs */
    float (*scales)[VGG_QUANT_COUNT]; /* of int8, once vgg_bench_input_scales has found them; else NULL */
};

struct vgg_bench_net {
    const struct vgg_bench_cell *cell;
    struct vgg_net *net;
    const struct vgg_plan *plan; /* of the net */
    struct vgg_net_io io;        /* the inputs */
    double *seconds;             /* one an operation of the plan */
};

/* A cell's network: for predictions, or for training with a loss. */
struct vgg_plan_spec vgg_bench_net_spec(const struct vgg_bench_cell *cell, enum vgg_precision precision);
/* The plan of a cell: for predictions, or for training with a loss; halves: as vgg_plan_spec has it. */
enum vgg_status vgg_bench_net_plan(struct vgg_plan **out, const struct vgg_bench_cell *cell, bool halves);
uint64_t vgg_bench_net_size(const struct vgg_plan *plan);    /* bytes of all arenas */
uint64_t vgg_bench_net_largest(const struct vgg_plan *plan); /* and of the largest */

/* Random images, and room for what comes out. On failure vgg_bench_input_finish still has to be called. */
enum vgg_status vgg_bench_input_init(struct vgg_bench_input *input, const struct vgg_bench_cell *cell,
                                     const struct vgg_plan *plan);
/* Finds the scales of int8 with up to 8 of the images, once for all devices. */
enum vgg_status vgg_bench_input_scales(struct vgg_bench_input *input, struct vgg_backend *backend,
                                       const struct vgg_bench_cell *cell);
void vgg_bench_input_finish(struct vgg_bench_input *input);

/* Takes the cell's network to the device, with its parameters; `input`, which must stay, has its inputs and the room
 * for what it gives; spare: bytes that copies of kernels may take. On failure vgg_bench_net_finish still has to be
 * called. */
enum vgg_status vgg_bench_net_init(struct vgg_bench_net *net, struct vgg_backend *backend,
                                   const struct vgg_bench_cell *cell, const struct vgg_bench_input *input,
                                   size_t spare);
void vgg_bench_net_finish(struct vgg_bench_net *net);

/* One run as enum vgg_bench_pass says; *seconds is what it took. */
enum vgg_status vgg_bench_net_run(struct vgg_bench_net *net, double *seconds);
/* One run with the time of each operation in net->seconds. */
enum vgg_status vgg_bench_net_run_layers(struct vgg_bench_net *net);

/* Values that devices are compared by: outputs of a forward pass, else all gradients. */
size_t vgg_bench_net_values(const struct vgg_bench_net *net);
/* Runs once and fetches them. */
enum vgg_status vgg_bench_net_fetch(struct vgg_bench_net *net, float *values);
/* Distance of `values` from what another device gave; of gradients that of the worst layer, which *where names. */
double vgg_bench_net_distance(const struct vgg_bench_net *net, const float *expected, const float *values,
                              const char **where);

/* The first operation, and how many, of what is timed. */
size_t vgg_bench_net_first(const struct vgg_bench_net *net);
size_t vgg_bench_net_count(const struct vgg_bench_net *net);
/* Which stage of the plan operation `index` belongs to. */
enum vgg_bench_pass vgg_bench_net_stage(const struct vgg_bench_net *net, size_t index);

#endif
