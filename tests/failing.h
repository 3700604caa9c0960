/* failing.h: the library's calls for memory, files and threads, one of which fails; for one file of a program. The
 * linker sends them here (--wrap in CMakeLists.txt). */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/vgg16.h"

/* ---- what fails, and what is held ---- */

enum { SLOTS = 1 << 14 };

static struct {
    pthread_mutex_t lock;
    bool armed, files; /* count file operations and threads rather than allocations */
    long count, failing;
    const char *failed; /* name of the function that was made to fail */
    void *held[SLOTS];  /* memory from the functions below that was not freed; hashed, linear probing */
    size_t holding;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Shall this call fail? */
static bool fails(bool file, const char *name)
{
    bool answer = false;
    pthread_mutex_lock(&state.lock);
    if (state.armed && state.files == file && ++state.count == state.failing) {
        answer = true;
        state.failed = name;
    }
    pthread_mutex_unlock(&state.lock);
    if (answer) errno = file ? EIO : ENOMEM;
    return answer;
}

static size_t slot_of(const void *memory)
{
    return ((uintptr_t)memory >> 4) * 0x9E3779B97F4A7C15u >> 50;
}

static void *hold(void *memory)
{
    pthread_mutex_lock(&state.lock);
    if (memory && state.armed && state.holding < SLOTS / 2) {
        size_t i = slot_of(memory);
        while (state.held[i] && state.held[i] != state.held)
            i = (i + 1) % SLOTS;
        state.held[i] = memory;
        state.holding++;
    }
    pthread_mutex_unlock(&state.lock);
    return memory;
}

/* The table's own address marks a slot that was used: searches go on past it. */
static void release(const void *memory)
{
    pthread_mutex_lock(&state.lock);
    for (size_t i = slot_of(memory); memory && state.held[i]; i = (i + 1) % SLOTS) {
        if (state.held[i] != memory) continue;
        state.held[i] = state.held;
        state.holding--;
        break;
    }
    pthread_mutex_unlock(&state.lock);
}

void *__real_malloc(size_t size), *__real_calloc(size_t count, size_t size), *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
int __real_posix_memalign(void **out, size_t align, size_t size);
FILE *__real_fopen(const char *path, const char *mode);
size_t __real_fwrite(const void *data, size_t size, size_t count, FILE *stream);
size_t __real_fread(void *data, size_t size, size_t count, FILE *stream);
int __real_fflush(FILE *stream), __real_fsync(int fd), __real_rename(const char *from, const char *to);
int __real_mkdir(const char *path, mode_t mode), __real_open(const char *path, int flags, ...);
int __real_fstat(int fd, struct stat *info), __real_fseeko(FILE *stream, off_t offset, int whence);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);
int __wrap_posix_memalign(void **out, size_t align, size_t size);
FILE *__wrap_fopen(const char *path, const char *mode);
size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *stream);
size_t __wrap_fread(void *data, size_t size, size_t count, FILE *stream);
int __wrap_fflush(FILE *stream);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_fstat(int fd, struct stat *info);
int __wrap_fseeko(FILE *stream, off_t offset, int whence);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

void *__wrap_malloc(size_t size)
{
    return fails(false, "malloc") ? NULL : hold(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(false, "calloc") ? NULL : hold(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (fails(false, "realloc")) return NULL;
    release(memory);
    return hold(__real_realloc(memory, size));
}

void __wrap_free(void *memory)
{
    release(memory);
    __real_free(memory);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
    if (fails(false, "posix_memalign")) return ENOMEM;
    int error = __real_posix_memalign(out, align, size);
    if (!error) hold(*out);
    return error;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return fails(true, "fopen") ? NULL : __real_fopen(path, mode);
}

size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *stream)
{
    return fails(true, "fwrite") ? 0 : __real_fwrite(data, size, count, stream);
}

size_t __wrap_fread(void *data, size_t size, size_t count, FILE *stream)
{
    return fails(true, "fread") ? 0 : __real_fread(data, size, count, stream);
}

int __wrap_fflush(FILE *stream)
{
    return fails(true, "fflush") ? EOF : __real_fflush(stream);
}

int __wrap_fsync(int fd)
{
    return fails(true, "fsync") ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    return fails(true, "rename") ? -1 : __real_rename(from, to);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return fails(true, "mkdir") ? -1 : __real_mkdir(path, mode);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails(true, "open") ? -1 : __real_open(path, flags, mode);
}

int __wrap_fstat(int fd, struct stat *info)
{
    return fails(true, "fstat") ? -1 : __real_fstat(fd, info);
}

int __wrap_fseeko(FILE *stream, off_t offset, int whence)
{
    return fails(true, "fseeko") ? -1 : __real_fseeko(stream, offset, whence);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return fails(true, "mmap") ? MAP_FAILED : __real_mmap(address, size, protection, flags, fd, offset);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    return fails(true, "pthread_create") ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

/* ---- a run ---- */

static int log_lines;

static void count_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level == VGG_LOG_ERROR && *line) log_lines++;
}

/* From here on, while `state` is armed, call k fails, and what is held counts. */
static void arm(long k, bool files)
{
    log_lines = 0;
    memset(state.held, 0, sizeof state.held);
    state.holding = 0, state.count = 0, state.failing = k, state.failed = NULL, state.files = files;
    state.armed = true;
}

#endif
