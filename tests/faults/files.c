/* Files, folders, mappings, libraries and threads: what the system does by a number or a name. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"

static bool fails(const char *name, const void *caller, int error)
{
    return faults_fail(FAULTS_FILE, name, caller, error);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (fails("open", __builtin_return_address(0), flags & O_CREAT ? ENOSPC : EIO)) return -1;
    int (*next)(const char *, int, ...);
    faults_next(&next, "open");
    bool missing = flags & O_CREAT && faults_journal_on() && access(path, F_OK) != 0;
    int fd = next(path, flags, mode);
    if (fd >= 0 && missing) faults_journal_create(fd, path);
    if (fd >= 0 && !missing && flags & O_TRUNC) faults_journal_cut(fd, 0);
    return fd;
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int dup(int fd)
{
    if (fails("dup", __builtin_return_address(0), EMFILE)) return -1;
    int (*next)(int);
    faults_next(&next, "dup");
    return next(fd);
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command == F_DUPFD_CLOEXEC && fails("fcntl", __builtin_return_address(0), EMFILE)) return -1;
    int (*next)(int, int, ...);
    faults_next(&next, "fcntl");
    return next(fd, command, argument);
}

int flock(int fd, int operation)
{
    if (fails("flock", __builtin_return_address(0), ENOLCK)) return -1;
    int (*next)(int, int);
    faults_next(&next, "flock");
    return next(fd, operation);
}

ssize_t read(int fd, void *to, size_t size)
{
    if (fails("read", __builtin_return_address(0), EIO)) return -1;
    ssize_t (*next)(int, void *, size_t);
    faults_next(&next, "read");
    return next(fd, to, size);
}

ssize_t pread(int fd, void *to, size_t size, off_t offset)
{
    if (fails("pread", __builtin_return_address(0), EIO)) return -1;
    ssize_t (*next)(int, void *, size_t, off_t);
    faults_next(&next, "pread");
    return next(fd, to, size, offset);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fails("write", __builtin_return_address(0), ENOSPC)) return -1;
    ssize_t (*next)(int, const void *, size_t);
    faults_next(&next, "write");
    off_t offset = faults_journal_on() ? lseek(fd, 0, SEEK_CUR) : -1;
    ssize_t n = next(fd, data, size);
    if (n > 0 && offset >= 0) faults_journal_write(fd, (uint64_t)offset, data, (size_t)n);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (fails("pwrite", __builtin_return_address(0), ENOSPC)) return -1;
    ssize_t (*next)(int, const void *, size_t, off_t);
    faults_next(&next, "pwrite");
    ssize_t n = next(fd, data, size, offset);
    if (n > 0) faults_journal_write(fd, (uint64_t)offset, data, (size_t)n);
    return n;
}

int ftruncate(int fd, off_t size)
{
    if (fails("ftruncate", __builtin_return_address(0), ENOSPC)) return -1;
    int (*next)(int, off_t);
    faults_next(&next, "ftruncate");
    int status = next(fd, size);
    if (status == 0) faults_journal_cut(fd, (uint64_t)size);
    return status;
}

int truncate(const char *path, off_t size)
{
    if (fails("truncate", __builtin_return_address(0), EIO)) return -1;
    int (*next)(const char *, off_t);
    faults_next(&next, "truncate");
    int status = next(path, size), fd = status == 0 && faults_journal_on() ? open(path, O_RDONLY) : -1;
    if (fd >= 0) {
        faults_journal_cut(fd, (uint64_t)size);
        close(fd);
    }
    return status;
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    if (fails("posix_fallocate", __builtin_return_address(0), ENOSPC)) return ENOSPC;
    int (*next)(int, off_t, off_t);
    faults_next(&next, "posix_fallocate");
    int error = next(fd, offset, size);
    off_t end = error == 0 && faults_journal_on() ? lseek(fd, 0, SEEK_END) : -1;
    if (end >= 0) faults_journal_cut(fd, (uint64_t)end);
    return error;
}

int fsync(int fd)
{
    if (fails("fsync", __builtin_return_address(0), EIO)) return -1;
    int (*next)(int);
    faults_next(&next, "fsync");
    int status = next(fd);
    if (status == 0) faults_journal_sync(fd);
    return status;
}

/* Data that is written back late: an error comes by close at the latest, and the descriptor is gone all the same. */
int close(int fd)
{
    bool failing = fails("close", __builtin_return_address(0), EIO);
    int error = errno, (*next)(int);
    faults_next(&next, "close");
    int status = next(fd);
    if (failing) errno = error;
    return failing ? -1 : status;
}

int stat(const char *restrict path, struct stat *restrict info)
{
    if (fails("stat", __builtin_return_address(0), EIO)) return -1;
    int (*next)(const char *, struct stat *);
    faults_next(&next, "stat");
    return next(path, info);
}

int lstat(const char *restrict path, struct stat *restrict info)
{
    if (fails("lstat", __builtin_return_address(0), EIO)) return -1;
    int (*next)(const char *, struct stat *);
    faults_next(&next, "lstat");
    return next(path, info);
}

int fstat(int fd, struct stat *info)
{
    if (fails("fstat", __builtin_return_address(0), EIO)) return -1;
    int (*next)(int, struct stat *);
    faults_next(&next, "fstat");
    return next(fd, info);
}

int access(const char *path, int mode)
{
    if (fails("access", __builtin_return_address(0), EIO)) return -1;
    int (*next)(const char *, int);
    faults_next(&next, "access");
    return next(path, mode);
}

char *realpath(const char *restrict path, char *restrict resolved)
{
    if (fails("realpath", __builtin_return_address(0), EIO)) return NULL;
    char *(*next)(const char *, char *);
    faults_next(&next, "realpath");
    return next(path, resolved);
}

DIR *opendir(const char *path)
{
    if (fails("opendir", __builtin_return_address(0), EIO)) return NULL;
    DIR *(*next)(const char *);
    faults_next(&next, "opendir");
    return next(path);
}

struct dirent *readdir(DIR *folder)
{
    if (fails("readdir", __builtin_return_address(0), EIO)) return NULL;
    struct dirent *(*next)(DIR *);
    faults_next(&next, "readdir");
    return next(folder);
}

int rename(const char *from, const char *to)
{
    if (fails("rename", __builtin_return_address(0), EIO)) return -1;
    int (*next)(const char *, const char *);
    faults_next(&next, "rename");
    int status = next(from, to);
    if (status == 0) faults_journal_names("rename", from, to);
    return status;
}

int unlink(const char *path)
{
    if (fails("unlink", __builtin_return_address(0), EIO)) return -1;
    int (*next)(const char *);
    faults_next(&next, "unlink");
    int status = next(path);
    if (status == 0) faults_journal_names("unlink", path, NULL);
    return status;
}

int mkdir(const char *path, mode_t mode)
{
    if (fails("mkdir", __builtin_return_address(0), ENOSPC)) return -1;
    int (*next)(const char *, mode_t);
    faults_next(&next, "mkdir");
    int status = next(path, mode);
    if (status == 0) faults_journal_names("mkdir", path, NULL);
    return status;
}

char *mkdtemp(char *name)
{
    if (fails("mkdtemp", __builtin_return_address(0), ENOSPC)) return NULL;
    char *(*next)(char *);
    faults_next(&next, "mkdtemp");
    return next(name);
}

ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
    if (fails("getrandom", __builtin_return_address(0), ENOSYS)) return -1;
    ssize_t (*next)(void *, size_t, unsigned);
    faults_next(&next, "getrandom");
    return next(bytes, size, flags);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fails("mmap", __builtin_return_address(0), ENOMEM)) return MAP_FAILED;
    void *(*next)(void *, size_t, int, int, int, off_t);
    faults_next(&next, "mmap");
    return next(address, size, protection, flags, fd, offset);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
                   void *restrict argument)
{
    if (faults_fail(FAULTS_THREAD, "pthread_create", __builtin_return_address(0), EAGAIN)) return EAGAIN;
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    faults_next(&next, "pthread_create");
    return next(thread, attributes, run, argument);
}
