/* bytes.h: whole numbers as files hold them. */
#ifndef CORE_BASE_BYTES_H
#define CORE_BASE_BYTES_H

#include <stdint.h>

/* The number in `count` bytes, 8 at most, the lowest first. */
static inline uint64_t vgg_bytes_little(const void *at, int count)
{
    const uint8_t *byte = at;
    uint64_t value = 0;
    for (int i = count; i-- > 0;)
        value = value << 8 | byte[i];
    return value;
}

/* The highest first. */
static inline uint64_t vgg_bytes_big(const void *at, int count)
{
    const uint8_t *byte = at;
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | byte[i];
    return value;
}

#endif
