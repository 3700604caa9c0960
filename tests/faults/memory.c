/* Allocations. What a sanitizer asks for before the next function is known comes from a small block of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"

enum { EARLY = 1 << 14 };

static struct {
    void *(*malloc)(size_t), *(*calloc)(size_t, size_t), *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    bool ready, asking;
} next;

static _Alignas(max_align_t) char early[EARLY];
static size_t early_used;

static bool is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + EARLY;
}

static void *early_alloc(size_t size)
{
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (size > EARLY - early_used) return NULL;
    early_used += size;
    return early + early_used - size;
}

/* False while the functions are being asked for, which itself allocates. */
static bool ready(void)
{
    if (next.ready) return true;
    if (next.asking) return false;
    next.asking = true;
    faults_next(&next.malloc, "malloc");
    faults_next(&next.calloc, "calloc");
    faults_next(&next.realloc, "realloc");
    faults_next(&next.free, "free");
    faults_next(&next.posix_memalign, "posix_memalign");
    faults_next(&next.aligned_alloc, "aligned_alloc");
    next.ready = true;
    return true;
}

void *malloc(size_t size)
{
    if (!ready()) return early_alloc(size);
    return faults_fail(FAULTS_MEMORY, "malloc", __builtin_return_address(0), ENOMEM) ? NULL : next.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!ready()) return early_alloc(count * size);
    return faults_fail(FAULTS_MEMORY, "calloc", __builtin_return_address(0), ENOMEM) ? NULL : next.calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    if (!ready() || is_early(memory)) {
        void *moved = ready() ? next.malloc(size) : early_alloc(size);
        size_t there = memory ? (size_t)(early + EARLY - (char *)memory) : 0;
        if (moved && memory) memcpy(moved, memory, there < size ? there : size);
        return moved;
    }
    return faults_fail(FAULTS_MEMORY, "realloc", __builtin_return_address(0), ENOMEM) ? NULL
                                                                                      : next.realloc(memory, size);
}

void free(void *memory)
{
    if (!is_early(memory) && ready()) next.free(memory);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    if (faults_fail(FAULTS_MEMORY, "posix_memalign", __builtin_return_address(0), ENOMEM)) return ENOMEM;
    ready();
    return next.posix_memalign(out, align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    ready();
    return faults_fail(FAULTS_MEMORY, "aligned_alloc", __builtin_return_address(0), ENOMEM)
               ? NULL
               : next.aligned_alloc(align, size);
}
