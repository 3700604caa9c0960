#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "cpu/cpu.h"

struct cpu_pack {
    const float *w;
    int form;
    uint64_t generation;
    size_t size;
    void *data;
};

static enum vgg_status pack_add(struct cpu *cpu, struct cpu_pack **out)
{
    /* Room for a whole network's layers and forms at once: growing is rare. */
    enum { CHUNK = 64 };
    if (cpu->pack_count % CHUNK == 0) {
        size_t size = vgg_mem_mul(cpu->pack_count + CHUNK, sizeof *cpu->pack);
        struct cpu_pack *pack = realloc(cpu->pack, size);
        if (!pack) return vgg_fail_memory("the list of packed weights", size);
        cpu->pack = pack;
    }
    *out = &cpu->pack[cpu->pack_count];
    **out = (struct cpu_pack) { 0 };
    return VGG_OK;
}

enum vgg_status cpu_pack_get(struct cpu *cpu, const struct cpu_args *args, int form, size_t size, void **out,
                             bool *valid)
{
    *out = NULL, *valid = false;
    struct cpu_pack *pack = NULL;
    for (size_t i = 0; i < cpu->pack_count && !pack; i++)
        if (cpu->pack[i].w == args->w && cpu->pack[i].form == form && cpu->pack[i].size == size) pack = &cpu->pack[i];
    if (!pack) {
        enum vgg_status status = pack_add(cpu, &pack);
        if (status != VGG_OK) return status;
        void *data = cpu_mem_aligned(cpu, size);
        if (!data) return vgg_fail_memory("packed weights", size);
        *pack = (struct cpu_pack) { .w = args->w, .form = form, .size = size, .data = data };
        cpu->pack_count++;
    }
    *valid = pack->generation == args->w_generation;
    pack->generation = args->w_generation;
    *out = pack->data;
    return VGG_OK;
}

void cpu_pack_drop(struct cpu *cpu, const void *data, size_t size)
{
    uintptr_t begin = (uintptr_t)data, end = begin + size;
    size_t kept = 0;
    for (size_t i = 0; i < cpu->pack_count; i++) {
        uintptr_t w = (uintptr_t)cpu->pack[i].w;
        if (!data || (w >= begin && w < end))
            vgg_mem_free(cpu->pack[i].data);
        else
            cpu->pack[kept++] = cpu->pack[i];
    }
    cpu->pack_count = kept;
    if (!data) {
        free(cpu->pack);
        cpu->pack = NULL;
    }
}
