/* machine.h: what the machine did while something was measured. */
#ifndef CORE_BENCH_MACHINE_H
#define CORE_BENCH_MACHINE_H

#include "core/vgg16.h"

/* Processor time since the machine started, in seconds. */
struct vgg_bench_cpu_time {
    double wall;
    double busy, steal; /* of all processors, /proc/stat; negative: not readable */
    double own;         /* of this process */
};
struct vgg_bench_cpu_time vgg_bench_cpu_now(void);
/* Shares of all processors that other processes and the hypervisor used between two moments; NAN where that is not
 * known, or the time between is below half a second: the kernel counts in hundredths. */
void vgg_bench_busy(const struct vgg_bench_cpu_time *begin, const struct vgg_bench_cpu_time *end, int processors,
                    double *others, double *steal);

enum { VGG_BENCH_PACKAGES = 16 };

/* Energy counters of the processor packages.
 * Source: Linux, Documentation/power/powercap/powercap.rst: energy_uj counts microjoules and starts anew after
 * max_energy_range_uj. */
struct vgg_bench_energy {
    int packages; /* 0: none that can be read */
    char file[VGG_BENCH_PACKAGES][128];
    uint64_t range[VGG_BENCH_PACKAGES], last[VGG_BENCH_PACKAGES];
};
/* root: "/sys/class/powercap". */
void vgg_bench_energy_init(struct vgg_bench_energy *energy, const char *root);
/* Joules since the last call, NAN without counters. A counter must be read at least once a turn (minutes). */
double vgg_bench_energy_since(struct vgg_bench_energy *energy);

/* Most memory that this process held, in bytes. */
uint64_t vgg_bench_peak_resident(void);

#endif
