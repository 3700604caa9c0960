#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "cpu/cpu.h"

struct cpu_pack {
    const float *w;
    int form;
    uint64_t generation; /* of the weights; 0: nothing is packed */
    size_t size;
    void *data;
    size_t given_back; /* bytes of w that are here alone; 0: w holds them */
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
    if (!pack && cpu_pack_hides(cpu, args->w, sizeof *args->w, false))
        return vgg_fail(VGG_ERR_ARGUMENT, "settled weights are wanted in a second form");
    if (args->passing) {
        if (pack && pack->generation) vgg_os_discard(pack->data, pack->size);
        if (pack) pack->generation = 0;
        return cpu_room_get(cpu, &cpu->passing, out, size);
    }
    if (!pack) {
        enum vgg_status status = pack_add(cpu, &pack);
        if (status != VGG_OK) return status;
        void *data = cpu_mem_aligned(cpu, size);
        if (!data) return vgg_fail_memory("packed weights", size);
        *pack = (struct cpu_pack) { .w = args->w, .form = form, .size = size, .data = data };
        cpu->pack_count++;
    }
    *valid = pack->generation == args->w_generation || pack->given_back;
    pack->generation = args->w_generation;
    *out = pack->data;
    return VGG_OK;
}

void cpu_pack_only(struct cpu *cpu, const float *w, size_t size)
{
    struct cpu_pack *pack = NULL;
    for (size_t i = 0; i < cpu->pack_count; i++) {
        if (cpu->pack[i].w != w) continue;
        if (pack || cpu->pack[i].given_back) return;
        pack = &cpu->pack[i];
    }
    if (!pack) return;
    pack->given_back = size;
    vgg_os_discard((void *)(uintptr_t)w, size);
}

bool cpu_pack_hides(struct cpu *cpu, const void *data, size_t size, bool written)
{
    uintptr_t begin = (uintptr_t)data, end = begin + size;
    bool hides = false;
    for (size_t i = 0; i < cpu->pack_count; i++) {
        struct cpu_pack *pack = &cpu->pack[i];
        uintptr_t from = (uintptr_t)pack->w, to = from + pack->given_back;
        if (!pack->given_back || to <= begin || end <= from) continue;
        if (written && begin <= from && to <= end)
            pack->given_back = 0;
        else
            hides = true;
    }
    return hides;
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
