/* Files, folders, locks, libraries and clocks as POSIX has them. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/os.h"

/* ---- what a path leads to ---- */

static struct vgg_os_info info_of(const struct stat *info)
{
    return (struct vgg_os_info) {
        .kind = S_ISREG(info->st_mode)   ? VGG_OS_FILE
                : S_ISDIR(info->st_mode) ? VGG_OS_FOLDER
                                         : VGG_OS_OTHER,
        .size = info->st_size > 0 ? (uint64_t)info->st_size : 0,
        .volume = (uint64_t)info->st_dev,
        .number = (uint64_t)info->st_ino,
    };
}

bool vgg_os_look(struct vgg_os_info *info, const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0) return false;
    *info = info_of(&found);
    return true;
}

bool vgg_os_readable(const char *path)
{
    return access(path, R_OK) == 0;
}

bool vgg_os_is_absolute(const char *path)
{
    return path[0] == '/';
}

bool vgg_os_read_link(char *target, size_t size, const char *path)
{
    ssize_t n = readlink(path, target, size - 1);
    if (n >= 0) target[n] = '\0';
    return n >= 0;
}

/* The descriptor that a path stands for, -1: none. */
static int descriptor_of(const char *path)
{
    static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
    if (strcmp(path, "/dev/stdout") == 0) return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0) return STDERR_FILENO;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t length = strlen(folders[i]);
        if (strncmp(path, folders[i], length) != 0) continue;
        size_t digits = strspn(path + length, "0123456789");
        if (digits > 0 && digits < 7 && path[length + digits] == '\0') return atoi(path + length);
    }
    return -1;
}

bool vgg_os_is_descriptor(const char *path)
{
    return descriptor_of(path) >= 0;
}

/* ---- reading ---- */

FILE *vgg_os_fopen(const char *path, const char *mode)
{
    return fopen(path, mode);
}

int vgg_os_open(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

void vgg_os_close(int file)
{
    close(file);
}

bool vgg_os_look_open(struct vgg_os_info *info, int file)
{
    struct stat found;
    if (fstat(file, &found) != 0) return false;
    *info = info_of(&found);
    return true;
}

ptrdiff_t vgg_os_read(int file, void *to, size_t size)
{
    ssize_t n;
    do {
        n = read(file, to, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

bool vgg_os_read_at(int file, void *to, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(file, (char *)to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = 0;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

const void *vgg_os_map(int file, size_t size)
{
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    return map == MAP_FAILED ? NULL : map;
}

void vgg_os_unmap(const void *data, size_t size)
{
    munmap((void *)(uintptr_t)data, size);
}

bool vgg_os_read_until(char **text, size_t *room, size_t *length, int end, FILE *stream)
{
    ssize_t n = getdelim(text, room, end, stream);
    *length = n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* ---- writing ---- */

/* A stream over a descriptor, which is closed where there is none. */
static FILE *stream_of(int fd)
{
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!stream && fd >= 0) close(fd);
    return stream;
}

FILE *vgg_os_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *stream = stream_of(fd);
    if (!stream && fd >= 0) unlink(path);
    return stream;
}

/* Is `path` itself the open file? */
static bool is_same(const char *path, int fd)
{
    struct stat there, open_one;
    return lstat(path, &there) == 0 && fstat(fd, &open_one) == 0 && there.st_dev == open_one.st_dev &&
           there.st_ino == open_one.st_ino;
}

bool vgg_os_claim(int *lock, FILE *stream, const char *path)
{
    *lock = fcntl(fileno(stream), F_DUPFD_CLOEXEC, 0);
    if (*lock < 0) return true;
    bool held = flock(*lock, LOCK_EX | LOCK_NB) == 0, taken = !held && errno == EWOULDBLOCK;
    if (held && is_same(path, *lock)) return true;
    close(*lock);
    *lock = -1;
    return !held && !taken;
}

/* Opened for writing, without which NFS gives no lock. Who holds the lock alone may remove the name: nobody else's new
 * file can come to stand there between the look and the removal. */
bool vgg_os_remove_abandoned(const char *path)
{
    struct stat info;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return false;
    bool ours = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid();
    bool gone = ours && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_same(path, fd) && unlink(path) == 0;
    close(fd);
    return gone;
}

FILE *vgg_os_open_stream(const char *path)
{
    int own = descriptor_of(path);
    return own < 0 ? fopen(path, "wb") : stream_of(dup(own));
}

bool vgg_os_seek(FILE *stream, uint64_t offset)
{
    return fseeko(stream, (off_t)offset, SEEK_SET) == 0;
}

int64_t vgg_os_seek_end(FILE *stream)
{
    return fseeko(stream, 0, SEEK_END) == 0 ? ftello(stream) : -1;
}

bool vgg_os_empty(FILE *stream)
{
    rewind(stream);
    return ftruncate(fileno(stream), 0) == 0;
}

void vgg_os_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

bool vgg_os_cut(const char *path, uint64_t size)
{
    return truncate(path, (off_t)size) == 0;
}

bool vgg_os_replace(const char *from, const char *to)
{
    return rename(from, to) == 0;
}

bool vgg_os_remove(const char *path)
{
    return unlink(path) == 0;
}

bool vgg_os_make_folder(bool *made, const char *path)
{
    bool new = mkdir(path, 0777) == 0;
    if (made) *made = new;
    return new || errno == EEXIST;
}

/* ---- locks ---- */

static void write_holder(int lock)
{
    char text[VGG_OS_HOLDER];
    int n = snprintf(text, sizeof text, "%ld\n", vgg_os_process());
    if (ftruncate(lock, 0) == 0 && pwrite(lock, text, (size_t)n, 0) != n) (void)ftruncate(lock, 0);
}

enum vgg_os_lock vgg_os_lock(int *lock, char holder[VGG_OS_HOLDER], const char *path)
{
    holder[0] = '\0';
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0) return VGG_OS_LOCK_FAILED;
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0) {
        write_holder(*lock);
        return VGG_OS_LOCK_HELD;
    }
    int cause = errno;
    if (cause == EWOULDBLOCK) {
        ssize_t n = pread(*lock, holder, VGG_OS_HOLDER - 1, 0);
        holder[n > 0 ? strspn(holder, "0123456789") : 0] = '\0';
    }
    close(*lock);
    *lock = -1;
    errno = cause;
    return cause == EWOULDBLOCK ? VGG_OS_LOCK_TAKEN : VGG_OS_LOCK_UNSUPPORTED;
}

void vgg_os_unlock(int lock)
{
    if (lock >= 0) close(lock);
}

/* ---- folders ---- */

/* struct vgg_os_folder is DIR by another name. */
struct vgg_os_folder *vgg_os_folder_open(const char *path)
{
    return (struct vgg_os_folder *)opendir(path);
}

bool vgg_os_folder_next(struct vgg_os_folder *folder, struct vgg_os_entry *entry)
{
    DIR *dir = (DIR *)folder;
    for (;;) {
        errno = 0;
        const struct dirent *next = readdir(dir);
        if (!next) return false;
        if (strcmp(next->d_name, ".") == 0 || strcmp(next->d_name, "..") == 0) continue;
        struct stat info;
        bool asked = next->d_type == DT_UNKNOWN && fstatat(dirfd(dir), next->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0;
        entry->name = next->d_name;
        entry->kind = asked                    ? info_of(&info).kind
                      : next->d_type == DT_REG ? VGG_OS_FILE
                      : next->d_type == DT_DIR ? VGG_OS_FOLDER
                                               : VGG_OS_OTHER;
        return true;
    }
}

void vgg_os_folder_close(struct vgg_os_folder *folder)
{
    if (folder) closedir((DIR *)folder);
}

const char *vgg_os_home(void)
{
    return getenv("HOME");
}

bool vgg_os_cache_folder(char *path, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = vgg_os_home();
    int n;
    if (cache && *cache) {
        n = snprintf(path, size, "%s", cache);
    } else {
        n = home && *home ? snprintf(path, size, "%s/.cache", home) : -1;
    }
    return n > 0 && (size_t)n < size;
}

/* ---- memory ---- */

void *vgg_os_aligned(size_t align, size_t size)
{
    enum { HUGE_PAGE = 2 << 20 };
    void *memory = NULL;
    if (posix_memalign(&memory, align, size)) return NULL;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE) (void)madvise(memory, size, MADV_HUGEPAGE); /* advice: refusal only costs speed */
#endif
    return memory;
}

void vgg_os_aligned_free(void *memory)
{
    free(memory);
}

#if defined(MADV_DONTNEED) || defined(MADV_HUGEPAGE)
/* For the whole pages of `page` bytes among these; errno stays. */
static void advise(void *memory, size_t size, size_t page, int advice)
{
    size_t before = (size_t)(-(uintptr_t)memory % page);
    if (size < before + page) return;
    int cause = errno;
    (void)madvise((char *)memory + before, (size - before) / page * page, advice);
    errno = cause;
}
#endif

void vgg_os_discard(void *memory, size_t size)
{
#ifdef MADV_DONTNEED
    advise(memory, size, (size_t)sysconf(_SC_PAGESIZE), MADV_DONTNEED);
#else
    (void)memory, (void)size;
#endif
}

void vgg_os_prefer_huge(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
    enum { HUGE_PAGE = 2 << 20 };
    advise(memory, size, HUGE_PAGE, MADV_HUGEPAGE);
#else
    (void)memory, (void)size;
#endif
}

/* ---- libraries and programs ---- */

void *vgg_os_library_open(const char *name)
{
    return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

void vgg_os_library_close(void *library)
{
    dlclose(library);
}

void *vgg_os_library_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

void *vgg_os_program_symbol(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

/* A program may be known by a bare name only. */
char *vgg_os_module(const void *address)
{
    Dl_info self;
    bool found = dladdr(address, &self) && self.dli_fname && strchr(self.dli_fname, '/');
    return found ? realpath(self.dli_fname, NULL) : NULL;
}

/* ---- time, and who runs ---- */

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double vgg_os_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double vgg_os_date_seconds(void)
{
    return seconds_of(CLOCK_REALTIME);
}

void vgg_os_rest(double seconds)
{
    struct timespec rest = { .tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * (seconds - floor(seconds))) };
    if (seconds > 0)
        nanosleep(&rest, NULL);
    else
        sched_yield();
}

void vgg_os_date(char *text, size_t size, const char *format, bool utc)
{
    time_t now = time(NULL);
    struct tm date;
    if (!(utc ? gmtime_r(&now, &date) : localtime_r(&now, &date)) || strftime(text, size, format, &date) == 0)
        text[0] = '\0';
}

long vgg_os_process(void)
{
    return (long)getpid();
}

void vgg_os_host(char *name, size_t size)
{
    (void)gethostname(name, size - 1);
}

static double seconds_in(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

double vgg_os_process_seconds(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? seconds_in(usage.ru_utime) + seconds_in(usage.ru_stime) : 0;
}
