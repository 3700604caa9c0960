#include "core/bench/machine.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/clock.h"

/* ---- processors ---- */

/* Source: proc_stat(5): the first line, in ticks: user nice system idle iowait irq softirq steal guest guest_nice;
 * guests are part of user and nice. */
static bool read_stat(double *busy, double *steal)
{
    uint64_t v[8];
    FILE *file = fopen("/proc/stat", "r");
    if (!file) return false;
    int found =
        fscanf(file, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
    fclose(file);
    double ticks = (double)sysconf(_SC_CLK_TCK);
    if (found != 8 || ticks <= 0) return false;
    *busy = (double)(v[0] + v[1] + v[2] + v[5] + v[6]) / ticks;
    *steal = (double)v[7] / ticks;
    return true;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

struct vgg_bench_cpu_time vgg_bench_cpu_now(void)
{
    struct vgg_bench_cpu_time now = { .wall = vgg_clock_seconds(), .busy = -1 };
    struct rusage usage;
    if (!read_stat(&now.busy, &now.steal)) now.busy = -1;
    if (getrusage(RUSAGE_SELF, &usage) == 0) now.own = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
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
    FILE *file = fopen(path, "r");
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
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}
