#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES = 24, RANGES = 64 };

static const char *const class_names[FAULTS_CLASSES] = { "memory", "library", "file", "net", "thread" };

/* Addresses of code that is not to be disturbed, and of the program. */
struct range {
    uintptr_t begin, end;
    bool program;
};

static struct {
    bool on;
    enum faults_class class;
    uint64_t failing;
    struct faults_report *report;
    int sites; /* a file, -1: none */
    struct range range[RANGES];
    int ranges;
    atomic_uint_fast64_t count[FAULTS_CLASSES];
} state = { .sites = -1 };

/* Within this library. Without a call to find it, which a sanitizer would take before it is ready. */
static _Thread_local bool busy __attribute__((tls_model("initial-exec")));

void faults_next(void *function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

/* ---- who calls ---- */

static int note_module(struct dl_phdr_info *info, size_t size, void *user)
{
    static const char *const quiet[] = { "libc.so",  "ld-linux", "libgomp",  "libomp",    "libasan",
                                         "libubsan", "libtsan",  "libgcc_s", "libfaults", "vdso" };
    bool program = state.ranges == 0, wanted = program;
    (void)size, (void)user;
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
        wanted |= strstr(info->dlpi_name, quiet[i]) != NULL;
    if (!wanted || state.ranges == RANGES) return 0;
    struct range range = { UINTPTR_MAX, 0, program };
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
        uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = begin + info->dlpi_phdr[i].p_memsz;
        if (begin < range.begin) range.begin = begin;
        if (end > range.end) range.end = end;
    }
    state.range[state.ranges++] = range;
    return 0;
}

/* The class that a call is of by who makes it; FAULTS_CLASSES: it does not count. */
static enum faults_class class_of(enum faults_class class, const void *caller)
{
    uintptr_t address = (uintptr_t)caller;
    for (int i = 0; i < state.ranges; i++) {
        const struct range *range = &state.range[i];
        if (address >= range->begin && address < range->end) return range->program ? class : FAULTS_CLASSES;
    }
    return class == FAULTS_MEMORY ? FAULTS_LIBRARY : class;
}

/* ---- counting ---- */

/* Adds where `address` is, as much as fits. */
static void append(char *text, size_t size, const void *address)
{
    Dl_info info;
    if (!dladdr(address, &info) || !info.dli_fname) return;
    const char *slash = strrchr(info.dli_fname, '/'), *name = slash ? slash + 1 : info.dli_fname;
    size_t used = strlen(text);
    if ((uintptr_t)info.dli_fbase == state.range[0].begin) name = "vgg16"; /* which may be known by another argument */
    snprintf(text + used, size - used, "%s%s+0x%zx", used ? " < " : "", name,
             (size_t)((uintptr_t)address - (uintptr_t)info.dli_fbase));
}

static void note_site(enum faults_class class, uint64_t k, const char *name)
{
    void *frame[FRAMES];
    char line[128];
    int n = backtrace(frame, FRAMES);
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (int i = 0; i < n; i++)
        hash = (hash ^ (uintptr_t)frame[i]) * 1099511628211u;
    int length = snprintf(line, sizeof line, "%s %llu %016llx %s\n", class_names[class], (unsigned long long)k,
                          (unsigned long long)hash, name);
    ssize_t (*next)(int, const void *, size_t);
    faults_next(&next, "write");
    if (next(state.sites, line, (size_t)length) != length) abort();
}

static void tell(const char *name, const void *caller)
{
    struct faults_report *report = state.report;
    void *frame[FRAMES];
    int n = backtrace(frame, FRAMES);
    snprintf(report->name, sizeof report->name, "%s", name);
    append(report->where, sizeof report->where, caller);
    for (int i = 0, shown = 0; i < n; i++) {
        if (shown && shown < 4) append(report->where, sizeof report->where, frame[i]), shown++;
        if (frame[i] == caller) shown = 1;
    }
    report->failed = 1;
}

bool faults_fail(enum faults_class class, const char *name, const void *caller, int error)
{
    if (!state.on || busy) return false;
    class = class_of(class, caller);
    if (class == FAULTS_CLASSES || (class != state.class && state.sites < 0)) return false;
    int before = errno;
    busy = true;
    uint64_t k = ++state.count[class];
    bool fails = state.sites < 0 && k == state.failing;
    if (state.sites >= 0) note_site(class, k, name);
    if (fails) tell(name, caller);
    busy = false;
    errno = fails ? error : before;
    return fails;
}

/* ---- begin ---- */

/* A file of this library's, below the functions that it stands for. -1: none. */
static int open_own(const char *path, int flags)
{
    int (*next)(const char *, int, ...);
    faults_next(&next, "open");
    return next(path, flags | O_CREAT | O_CLOEXEC, 0666);
}

/* The first backtrace loads a library and allocates. What the program starts is left alone. */
__attribute__((constructor)) static void begin(void)
{
    char text[512];
    const char *wanted = getenv("VGG16_FAULTS"), *sites = getenv("VGG16_FAULTS_SITES");
    if (!wanted || strlen(wanted) >= sizeof text) return;
    busy = true;
    strcpy(text, wanted);
    char *k = strchr(text, ':'), *path = k ? strchr(k + 1, ':') : NULL;
    if (!path) abort();
    *k++ = '\0', *path++ = '\0';
    while (state.class < FAULTS_CLASSES && strcmp(text, class_names[state.class]) != 0)
        state.class ++;
    if (state.class == FAULTS_CLASSES) abort();
    state.failing = strtoull(k, NULL, 10);
    int fd = open_own(path, O_RDWR);
    if (fd < 0 || ftruncate(fd, sizeof *state.report) != 0) abort();
    void *(*map)(void *, size_t, int, int, int, off_t);
    faults_next(&map, "mmap");
    state.report = map(NULL, sizeof *state.report, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (state.report == MAP_FAILED) abort();
    close(fd);
    memset(state.report, 0, sizeof *state.report);
    if (sites) state.sites = open_own(sites, O_WRONLY | O_TRUNC);
    void *frame[FRAMES];
    (void)backtrace(frame, FRAMES);
    dl_iterate_phdr(note_module, NULL);
    unsetenv("VGG16_FAULTS");
    busy = false;
    state.on = true;
}
