/* mem.h: allocation. Nothing is logged here; callers name what they wanted. */
#ifndef CORE_BASE_MEM_H
#define CORE_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* count * size zeroed bytes by calloc; NULL when that overflows or memory is out. A count of 0 gives a valid pointer.
 */
void *vgg_mem_calloc(size_t count, size_t size);
/* `size` bytes at a multiple of 64, from 2 MiB on in huge pages where the system has them; zeroed. Released by
 * vgg_mem_free. */
void *vgg_mem_aligned(size_t size);
/* The same, but not zeroed; *padded: the bytes there are, a multiple of 64. */
void *vgg_mem_unset(size_t *padded, size_t size);
void vgg_mem_free(void *memory);
/* A copy of `text` by malloc, or NULL. */
char *vgg_mem_strdup(const char *text);
/* a * b or a + b, SIZE_MAX when that does not fit. */
size_t vgg_mem_mul(size_t a, size_t b);
size_t vgg_mem_add(size_t a, size_t b);
/* The least multiple of `multiple` that is not below `size`; it must fit. */
static inline size_t vgg_mem_round_up(size_t size, size_t multiple)
{
    return (size + multiple - 1) / multiple * multiple;
}

#endif
