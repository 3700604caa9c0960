/* What Linux has beyond POSIX, and the machine as it tells it, in files below /proc and /sys. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/os.h"

bool vgg_os_sync(FILE *stream)
{
    return fsync(fileno(stream)) == 0;
}

bool vgg_os_reserve(const char *path, uint64_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    int error = posix_fallocate(fd, 0, (off_t)size);
    close(fd);
    errno = error;
    return error == 0;
}

bool vgg_os_random(void *bytes, size_t size)
{
    return getrandom(bytes, size, 0) == (ssize_t)size;
}

int vgg_os_processors(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* The kernel refuses a set that is too small for the machine. */
int vgg_os_affinity(void)
{
    for (size_t n = CPU_SETSIZE; n <= 1 << 16; n *= 4) {
        size_t size = CPU_ALLOC_SIZE(n);
        cpu_set_t *set = CPU_ALLOC(n);
        if (!set) break;
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0) return count;
    }
    return vgg_os_processors();
}

/* The first line "model name : value" of /proc/cpuinfo; aarch64's has none. */
void vgg_os_processor_name(char *name, size_t size)
{
    static const char key[] = "model name";
    char line[512];
    name[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return;
    while (!name[0] && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, sizeof key - 1) != 0) continue;
        char *text = colon + 1 + strspn(colon + 1, " \t");
        text[strcspn(text, "\n")] = '\0';
        snprintf(name, size, "%s", text);
    }
    fclose(file);
}

/* Source: Linux, Documentation/arch/x86/xstate.rst: ARCH_REQ_XCOMP_PERM for the feature XTILEDATA. */
bool vgg_os_allow_tiles(void)
{
#if defined(__x86_64__) && defined(SYS_arch_prctl)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

/* The first line of a file about one cache of the first processor, or an empty string. */
static void cache_value(char *value, int size, int index, const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
    value[0] = '\0';
    FILE *file = fopen(path, "r");
    if (!file) return;
    if (!fgets(value, size, file)) value[0] = '\0';
    fclose(file);
}

bool vgg_os_has(enum vgg_os_feature feature)
{
#if defined(__aarch64__)
    return feature == VGG_OS_ARM_I8MM ? getauxval(AT_HWCAP2) & HWCAP2_I8MM : getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
    (void)feature;
    return false;
#endif
}

/* As the C library knows it, else (on aarch64 it does not) as the kernel tells ("64K"). */
size_t vgg_os_first_cache(void)
{
    char level[16], type[16], kib[16];
    long size = sysconf(_SC_LEVEL1_DCACHE_SIZE);
    for (int i = 0; size <= 0 && i < 4; i++) {
        cache_value(level, sizeof level, i, "level");
        cache_value(type, sizeof type, i, "type");
        if (level[0] != '1' || type[0] == 'I') continue;
        cache_value(kib, sizeof kib, i, "size");
        size = strtol(kib, NULL, 10) * 1024;
    }
    return size > 0 ? (size_t)size : 0;
}

uint64_t vgg_os_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

bool vgg_os_divert(int file)
{
    int nowhere = memfd_create("vgg16", MFD_CLOEXEC);
    if (nowhere < 0) return false;
    bool good = dup3(nowhere, file, O_CLOEXEC) >= 0;
    close(nowhere);
    return good;
}

/* Source: proc_stat(5): the first line, in ticks: user nice system idle iowait irq softirq steal guest guest_nice;
 * guests are part of user and nice. */
bool vgg_os_machine_seconds(double *busy, double *stolen)
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
    *stolen = (double)v[7] / ticks;
    return true;
}

/* Linux counts ru_maxrss in KiB. */
uint64_t vgg_os_peak_resident(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

char *vgg_os_program(void)
{
    return realpath("/proc/self/exe", NULL);
}
