/* peak.h: the roofs of a device, measured with operations that every backend runs.
 * Source of the model: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model for multicore
 * architectures", CACM 2009. */
#ifndef CORE_BENCH_PEAK_H
#define CORE_BENCH_PEAK_H

#include "core/op/backend.h"

/* Operations a second of VGG_OP_FMA, the best of several runs of some hundredths of a second. */
enum vgg_status vgg_bench_peak(struct vgg_backend *backend, double *flops);
/* Bytes a second that sweeps over memory larger than any cache move: the better of VGG_OP_SGD (two reads, one write)
 * and VGG_OP_ZERO (one write). */
enum vgg_status vgg_bench_bandwidth(struct vgg_backend *backend, double *bytes);

#endif
