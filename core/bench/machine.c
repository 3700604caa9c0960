#include "core/bench/machine.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/os.h"

/* ---- processors ---- */

struct vgg_bench_cpu_time vgg_bench_cpu_now(void)
{
    struct vgg_bench_cpu_time now = { .wall = vgg_clock_seconds(), .busy = -1 };
    if (!vgg_os_machine_seconds(&now.busy, &now.steal)) now.busy = -1;
    now.own = vgg_os_process_seconds();
    return now;
}

void vgg_bench_busy(const struct vgg_bench_cpu_time *begin, const struct vgg_bench_cpu_time *end, int processors,
                    double *others, double *steal)
{
    static const double shortest = 0.5;
    double wall = end->wall - begin->wall;
    *others = *steal = (double)NAN;
    if (wall < shortest || begin->busy < 0 || end->busy < 0 || processors < 1) return;
    double all = wall * processors;
    *others = fmax(0, (end->busy - begin->busy) - (end->own - begin->own)) / all;
    *steal = fmax(0, end->steal - begin->steal) / all;
}

/* ---- energy ---- */

static bool read_number(const char *path, uint64_t *value)
{
    FILE *file = vgg_os_fopen(path, "r");
    if (!file) return false;
    bool good = fscanf(file, "%" SCNu64, value) == 1;
    fclose(file);
    return good;
}

void vgg_bench_energy_init(struct vgg_bench_energy *energy, const char *root)
{
    *energy = (struct vgg_bench_energy) { 0 };
    for (int i = 0; i < VGG_BENCH_PACKAGES; i++) {
        int n = energy->packages;
        char range[sizeof energy->file[0]];
        snprintf(energy->file[n], sizeof energy->file[n], "%s/intel-rapl:%d/energy_uj", root, i);
        snprintf(range, sizeof range, "%s/intel-rapl:%d/max_energy_range_uj", root, i);
        if (read_number(energy->file[n], &energy->last[n]) && read_number(range, &energy->range[n])) energy->packages++;
    }
}

double vgg_bench_energy_since(struct vgg_bench_energy *energy)
{
    double joules = 0;
    if (!energy->packages) return (double)NAN;
    for (int i = 0; i < energy->packages; i++) {
        uint64_t now, last = energy->last[i];
        if (!read_number(energy->file[i], &now)) return (double)NAN;
        joules += 1e-6 * (double)(now >= last ? now - last : now + (energy->range[i] - last));
        energy->last[i] = now;
    }
    return joules;
}

/* ---- memory ---- */

uint64_t vgg_bench_peak_resident(void)
{
    return vgg_os_peak_resident();
}
