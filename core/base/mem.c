#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

size_t vgg_mem_mul(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

size_t vgg_mem_add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

void *vgg_mem_calloc(size_t count, size_t size)
{
    return calloc(count ? count : 1, size);
}

void *vgg_mem_aligned(size_t size)
{
    size_t align = size >= HUGE_PAGE ? (size_t)HUGE_PAGE : (size_t)LINE;
    size_t padded = vgg_mem_add(size ? size : 1, align - 1);
    if (padded == SIZE_MAX) return NULL;
    padded &= ~(align - 1);
    void *memory = NULL;
    if (posix_memalign(&memory, align, padded)) return NULL;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE) (void)madvise(memory, padded, MADV_HUGEPAGE);
#endif
    memset(memory, 0, padded);
    return memory;
}

void vgg_mem_free(void *memory)
{
    free(memory);
}

char *vgg_mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}
