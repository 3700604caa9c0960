#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"

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

void *vgg_mem_unset(size_t *padded, size_t size)
{
    size_t align = size >= HUGE_PAGE ? (size_t)HUGE_PAGE : (size_t)LINE;
    *padded = vgg_mem_add(size ? size : 1, LINE - 1);
    if (*padded == SIZE_MAX) return NULL;
    *padded &= ~(size_t)(LINE - 1);
    return vgg_os_aligned(align, *padded);
}

void *vgg_mem_aligned(size_t size)
{
    size_t padded;
    void *memory = vgg_mem_unset(&padded, size);
    return memory ? memset(memory, 0, padded) : NULL;
}

void vgg_mem_free(void *memory)
{
    vgg_os_aligned_free(memory);
}

char *vgg_mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}
