#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "cpu/cpu.h"

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

void *cpu_mem_aligned(const struct cpu *cpu, size_t size)
{
    size_t align = size >= HUGE_PAGE ? (size_t)HUGE_PAGE : (size_t)LINE;
    size_t padded = vgg_mem_add(size ? size : 1, align - 1);
    if (padded == SIZE_MAX) return NULL;
    padded &= ~(align - 1);
    void *memory = NULL;
    if (posix_memalign(&memory, align, padded)) return NULL;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE) (void)madvise(memory, padded, MADV_HUGEPAGE); /* advice: refusal only costs speed */
#endif
    size_t pieces = padded / align;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) if (align == HUGE_PAGE)
    for (size_t i = 0; i < pieces; i++)
        memset((char *)memory + i * align, 0, align);
    return memory;
}

enum vgg_status cpu_scratch(struct cpu *cpu, void **out, size_t size)
{
    if (size > cpu->scratch_size) {
        free(cpu->scratch);
        cpu->scratch_size = 0;
        cpu->scratch = cpu_mem_aligned(cpu, size);
        if (!cpu->scratch) {
            *out = NULL;
            return vgg_fail_memory("working memory of the processor's kernels", size);
        }
        cpu->scratch_size = size;
    }
    *out = cpu->scratch;
    return VGG_OK;
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
