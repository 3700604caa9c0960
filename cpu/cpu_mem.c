#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "cpu/cpu.h"

enum { PIECE = 2 << 20 }; /* a huge page */

void *cpu_mem_aligned(const struct cpu *cpu, size_t size)
{
    size_t padded;
    void *memory = vgg_mem_unset(&padded, size);
    if (!memory) return NULL;
    size_t pieces = (padded + PIECE - 1) / PIECE;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) if (pieces > 1)
    for (size_t i = 0; i < pieces; i++)
        memset((char *)memory + i * PIECE, 0, padded - i * PIECE < PIECE ? padded - i * PIECE : PIECE);
    return memory;
}

enum vgg_status cpu_room_get(struct cpu *cpu, struct cpu_room *room, void **out, size_t size)
{
    if (size > room->size) {
        vgg_mem_free(room->data);
        room->size = 0;
        room->data = cpu_mem_aligned(cpu, size);
        if (!room->data) {
            *out = NULL;
            return vgg_fail_memory("working memory of the processor's kernels", size);
        }
        room->size = size;
    }
    *out = room->data;
    return VGG_OK;
}

enum vgg_status cpu_scratch(struct cpu *cpu, void **out, size_t size)
{
    return cpu_room_get(cpu, &cpu->scratch, out, size);
}

/* Makes room for one more span by joining the two oldest. */
static void spans_join(struct cpu_buf *buf)
{
    int a = 0, b = 1;
    if (buf->span[b].generation < buf->span[a].generation) a = 1, b = 0;
    for (int i = 2; i < buf->spans; i++) {
        if (buf->span[i].generation < buf->span[a].generation)
            b = a, a = i;
        else if (buf->span[i].generation < buf->span[b].generation)
            b = i;
    }
    struct cpu_span *to = &buf->span[b], *from = &buf->span[a];
    to->begin = from->begin < to->begin ? from->begin : to->begin;
    to->end = from->end > to->end ? from->end : to->end;
    *from = buf->span[--buf->spans];
}

void cpu_buf_touch(struct cpu *cpu, struct cpu_buf *buf, size_t offset, size_t size)
{
    if (!size) return;
    struct cpu_span span = { offset, offset + size, ++cpu->generation };
    for (int i = 0; i < buf->spans;) {
        const struct cpu_span *old = &buf->span[i];
        if (span.begin <= old->begin && old->end <= span.end)
            buf->span[i] = buf->span[--buf->spans];
        else
            i++;
    }
    if (buf->spans == CPU_SPANS) spans_join(buf);
    buf->span[buf->spans++] = span;
}

uint64_t cpu_buf_generation(const struct cpu_buf *buf, size_t offset, size_t size)
{
    uint64_t generation = buf->generation;
    for (int i = 0; i < buf->spans; i++) {
        const struct cpu_span *span = &buf->span[i];
        if (offset < span->end && span->begin < offset + size && span->generation > generation)
            generation = span->generation;
    }
    return generation;
}
