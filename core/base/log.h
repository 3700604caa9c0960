/* log.h: one line to whoever listens, and the two macros that carry errors. */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include "core/vgg16.h"

#if defined(__GNUC__)
#define VGG_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define VGG_PRINTF(f, a)
#endif

/* Logs one line at `level`. */
void vgg_log(enum vgg_log_level level, const char *format, ...) VGG_PRINTF(2, 3);
/* Does anybody listen at `level`? */
bool vgg_log_wanted(enum vgg_log_level level);
/* Logs one line at VGG_LOG_ERROR and returns `status`, so that a failure is one statement. */
enum vgg_status vgg_fail(enum vgg_status status, const char *format, ...) VGG_PRINTF(2, 3);
/* What vgg_fail says on this thread goes to `level` from here on: VGG_LOG_DEBUG for an attempt that another will
 * follow, what the call returned after it: the level until here, VGG_LOG_ERROR at first. */
enum vgg_log_level vgg_log_failures(enum vgg_log_level level);
/* The last line that vgg_fail logged on this thread; "": none. Valid until the next. */
const char *vgg_log_last(void);
/* vgg_fail for memory: "out of memory for WHAT (N bytes)". */
enum vgg_status vgg_fail_memory(const char *what, size_t size);

/* Evaluates a call; a failure goes to the label `fail` with the local `status` set. */
#define CHECK(call)                      \
    do {                                 \
        status = (call);                 \
        if (status != VGG_OK) goto fail; \
    } while (0)

#endif
