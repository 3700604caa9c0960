#include "core/image/png_head.h"

#include <string.h>

#include "core/base/bytes.h"

static uint32_t number(const uint8_t *at)
{
    return (uint32_t)vgg_bytes_big(at, 4);
}

void vgg_png_head(struct vgg_png_head *head, const uint8_t *file, size_t size)
{
    bool pixels = false, ended = false;
    size_t at = 8;
    *head = (struct vgg_png_head) { 0 };
    while (at + 8 <= size && !ended) {
        uint32_t length = number(file + at);
        const uint8_t *name = file + at + 4;
        /* Apple's files have a chunk in front of IHDR. */
        if (!head->headed && length >= 8 && memcmp(name, "IHDR", 4) == 0 && at + 16 <= size) {
            head->width = (int32_t)number(file + at + 8), head->height = (int32_t)number(file + at + 12);
            head->headed = true;
        }
        pixels = pixels || memcmp(name, "IDAT", 4) == 0;
        ended = memcmp(name, "IEND", 4) == 0;
        if (size - at < 12 || length > size - at - 12) return;
        at += 12 + (size_t)length;
    }
    head->unended = head->headed && pixels && !ended && at == size;
}
