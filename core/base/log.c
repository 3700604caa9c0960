#include "core/base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/os_thread.h"
#include "core/base/text.h"

enum { LINE = 1024 };

static struct vgg_os_mutex mutex = VGG_OS_MUTEX_INIT;
static _Thread_local int depth; /* a listener may call the library, which may log */
static vgg_log_fn *listener;
static void *listener_user;
static enum vgg_log_level highest = VGG_LOG_WARNING;
static _Thread_local enum vgg_log_level failures = VGG_LOG_ERROR;
static _Thread_local char last[LINE]; /* failure of this thread */

const char *vgg_math_library(void)
{
    return VGG16_MATH;
}

const char *vgg_version(void)
{
    return VGG16_VERSION;
}

const char *vgg_status_text(enum vgg_status status)
{
    switch (status) {
    case VGG_OK: return "success";
    case VGG_ERR_ARGUMENT: return "wrong argument";
    case VGG_ERR_MEMORY: return "out of memory";
    case VGG_ERR_IO: return "input or output error";
    case VGG_ERR_FORMAT: return "malformed content";
    case VGG_ERR_MISSING: return "something needed is missing";
    case VGG_ERR_UNSUPPORTED: return "not supported here";
    case VGG_ERR_DEVICE: return "device error";
    case VGG_ERR_DEVICE_LOST: return "device lost";
    case VGG_ERR_NUMERIC: return "not a finite number";
    case VGG_INTERRUPTED: return "interrupted";
    }
    return "unknown status";
}

static void lock(void)
{
    if (depth++ == 0) vgg_os_mutex_lock(&mutex);
}

static void unlock(void)
{
    if (--depth == 0) vgg_os_mutex_unlock(&mutex);
}

void vgg_log_set(vgg_log_fn *fn, void *user, enum vgg_log_level level)
{
    lock();
    listener = fn;
    listener_user = user;
    highest = level;
    unlock();
}

static void log_line(enum vgg_log_level level, const char *format, va_list args) VGG_PRINTF(2, 0);

static void log_line(enum vgg_log_level level, const char *format, va_list args)
{
    static const char *const prefix[] = { "error: ", "warning: ", "", "" };
    char line[LINE];
    lock();
    if (level <= highest) {
        vsnprintf(line, sizeof line, format, args);
        vgg_text_tame(line);
        if (listener) {
            listener(listener_user, level, line);
        } else {
            fprintf(stderr, "vgg16: %s%s\n", prefix[level], line);
        }
    }
    unlock();
}

void vgg_log(enum vgg_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(level, format, args);
    va_end(args);
}

bool vgg_log_wanted(enum vgg_log_level level)
{
    lock();
    bool wanted = level <= highest;
    unlock();
    return wanted;
}

enum vgg_log_level vgg_log_failures(enum vgg_log_level level)
{
    enum vgg_log_level before = failures;
    failures = level;
    return before;
}

enum vgg_status vgg_fail(enum vgg_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last, sizeof last, format, args);
    va_end(args);
    va_start(args, format);
    log_line(failures, format, args);
    va_end(args);
    return status;
}

const char *vgg_log_last(void)
{
    return last;
}

enum vgg_status vgg_fail_memory(const char *what, size_t size)
{
    return vgg_fail(VGG_ERR_MEMORY, "out of memory for %s (%zu bytes)", what, size);
}
