/* options.h: what a benchmark may be asked for. */
#ifndef CORE_BENCH_OPTIONS_H
#define CORE_BENCH_OPTIONS_H

#include "core/vgg16_bench.h"

/* What *asked (NULL: nothing) asks for, with the defaults for what it leaves out. VGG_ERR_ARGUMENT names the first
 * field that is out of its range: before any device is opened, so that nothing is measured in vain. */
enum vgg_status vgg_bench_options_read(struct vgg_bench_options *out, const struct vgg_bench_options *asked);

/* Is what computes in this precision (NULL: fp32) measured beside fp32 on the same device, forward alone? */
bool vgg_bench_beside_fp32(const char *precision);

#endif
