/* What macOS has beyond POSIX, and the machine as it tells it. Written from Apple's manual pages (fcntl(2), sysctl(3),
 * dyld(3), host_statistics(3)), and not yet tried on a Mac. */
#include <fcntl.h>
#include <mach-o/dyld.h>
#include <mach/mach.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "core/base/os.h"

/* fsync leaves data in the disk's own memory; network file systems know no more than it. */
bool vgg_os_sync(FILE *stream)
{
    return fcntl(fileno(stream), F_FULLFSYNC) == 0 || fsync(fileno(stream)) == 0;
}

bool vgg_os_reserve(const char *path, uint64_t size)
{
    struct stat info;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool good = fstat(fd, &info) == 0;
    if (good && (uint64_t)info.st_size < size) {
        fstore_t space = { .fst_flags = F_ALLOCATEALL,
                           .fst_posmode = F_PEOFPOSMODE,
                           .fst_length = (off_t)size - info.st_size };
        good = fcntl(fd, F_PREALLOCATE, &space) == 0 && ftruncate(fd, (off_t)size) == 0;
    }
    close(fd);
    return good;
}

bool vgg_os_random(void *bytes, size_t size)
{
    arc4random_buf(bytes, size);
    return true;
}

bool vgg_os_divert(int file)
{
    const char *folder = getenv("TMPDIR");
    char path[1024];
    int n = snprintf(path, sizeof path, "%s/vgg16-XXXXXX", folder && *folder ? folder : "/tmp");
    int nowhere = n > 0 && (size_t)n < sizeof path ? mkstemp(path) : -1;
    if (nowhere < 0) return false;
    unlink(path);
    bool good = dup2(nowhere, file) >= 0;
    close(nowhere);
    return good;
}

/* A number that the system tells by its name; 0: it does not. */
static uint64_t number_of(const char *name)
{
    uint64_t wide = 0;
    uint32_t word = 0;
    size_t size = 0;
    if (sysctlbyname(name, NULL, &size, NULL, 0) != 0) return 0;
    if (size == sizeof word) return sysctlbyname(name, &word, &size, NULL, 0) == 0 ? word : 0;
    return size == sizeof wide && sysctlbyname(name, &wide, &size, NULL, 0) == 0 ? wide : 0;
}

int vgg_os_processors(void)
{
    uint64_t count = number_of("hw.logicalcpu");
    return count > 0 ? (int)count : 1;
}

/* Threads are not bound to processors here. */
int vgg_os_affinity(void)
{
    return vgg_os_processors();
}

void vgg_os_processor_name(char *name, size_t size)
{
    if (sysctlbyname("machdep.cpu.brand_string", name, &size, NULL, 0) != 0) name[0] = '\0';
}

bool vgg_os_allow_tiles(void)
{
    return false;
}

bool vgg_os_has(enum vgg_os_feature feature)
{
    return number_of(feature == VGG_OS_ARM_I8MM ? "hw.optional.arm.FEAT_I8MM" : "hw.optional.arm.FEAT_DotProd") != 0;
}

size_t vgg_os_first_cache(void)
{
    return (size_t)number_of("hw.l1dcachesize");
}

uint64_t vgg_os_memory(void)
{
    return number_of("hw.memsize");
}

bool vgg_os_machine_seconds(double *busy, double *stolen)
{
    host_cpu_load_info_data_t load;
    mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
    mach_port_t host = mach_host_self();
    kern_return_t failed = host_statistics(host, HOST_CPU_LOAD_INFO, (host_info_t)&load, &count);
    mach_port_deallocate(mach_task_self(), host);
    double ticks = (double)sysconf(_SC_CLK_TCK);
    if (failed != KERN_SUCCESS || ticks <= 0) return false;
    *busy =
        (double)(load.cpu_ticks[CPU_STATE_USER] + load.cpu_ticks[CPU_STATE_SYSTEM] + load.cpu_ticks[CPU_STATE_NICE]) /
        ticks;
    *stolen = 0;
    return true;
}

/* macOS counts ru_maxrss in bytes. */
uint64_t vgg_os_peak_resident(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss : 0;
}

char *vgg_os_program(void)
{
    uint32_t size = 0;
    (void)_NSGetExecutablePath(NULL, &size);
    char *path = malloc(size + 1), *real = NULL;
    if (path && _NSGetExecutablePath(path, &size) == 0) real = realpath(path, NULL);
    free(path);
    return real;
}
