#include "core/engine/engine_ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/device.h"

/* Is `device` a GPU of the same kind as the first one? */
static bool alike(const struct vgg_device_info *device, const struct vgg_device_info *first)
{
    return strcmp(device->backend, first->backend) == 0 && strcmp(device->type, first->type) == 0;
}

/* name: "" where this rank has no GPU of its own to choose. */
static enum vgg_status choose_device(const struct vgg_engine_options *options, char name[16])
{
    enum vgg_status status = VGG_OK;
    struct vgg_device_info *devices = NULL, first;
    size_t count = 0, of_kind = 0;
    char isa[16];
    name[0] = '\0';
    CHECK(vgg_backend_find(&first, isa, &(struct vgg_engine_options) { .backend = options->backend }));
    if (strcmp(first.backend, "vulkan") != 0) return VGG_OK;
    CHECK(vgg_backend_devices(&devices, &count, options->backend));
    for (size_t i = 0; i < count; i++)
        of_kind += alike(&devices[i], &first);
    size_t wanted = of_kind ? (size_t)options->ranks->local % of_kind : 0;
    for (size_t i = 0, number = 0; i < count; i++) {
        bool vulkan = strcmp(devices[i].backend, first.backend) == 0;
        if (alike(&devices[i], &first) && wanted-- == 0) snprintf(name, 16, "vulkan:%zu", number);
        number += vulkan;
    }
fail:
    free(devices);
    return status;
}

/* A launcher may have given each rank processors of its own. */
static int own_processors(const struct vgg_ranks *ranks)
{
    int processors = vgg_limits_processors(), online = vgg_limits_online();
    bool own = processors * ranks->locals <= online;
    if (processors == 1 && online >= 2 * ranks->locals)
        vgg_log(
            VGG_LOG_WARNING,
            "each rank is bound to one of %d processors; mpirun --bind-to none lets %d rank%s of a machine share all",
            online, ranks->locals, ranks->locals == 1 ? "" : "s");
    if (own || processors < ranks->locals) return own ? processors : 1;
    return processors / ranks->locals;
}

enum vgg_status vgg_engine_choose(struct vgg_engine_options *options, char name[16])
{
    const char *threads = getenv("OMP_NUM_THREADS");
    if (options->threads == 0 && (!threads || !*threads)) options->threads = own_processors(options->ranks);
    if (options->device || (options->backend && strcmp(options->backend, "cpu") == 0)) return VGG_OK;
    enum vgg_status status = choose_device(options, name);
    if (status == VGG_OK && name[0]) options->device = name;
    return status;
}

/* Rank 0 tells which GPU each rank chose. */
static enum vgg_status tell_devices(const struct vgg_engine *engine)
{
    enum vgg_status status = VGG_OK;
    struct vgg_ranks *ranks = engine->ranks;
    size_t size = (size_t)ranks->size;
    char(*device)[sizeof engine->device] = vgg_mem_calloc(size, sizeof *device);
    size_t *offset = vgg_mem_calloc(size + 1, sizeof *offset);
    if (!device || !offset) status = vgg_fail_memory("the ranks' devices", size * sizeof *device);
    for (size_t i = 0; i <= size && status == VGG_OK; i++)
        offset[i] = i * sizeof *device;
    if (status == VGG_OK) memcpy(device[ranks->rank], engine->device, sizeof *device);
    CHECK(vgg_ranks_collect(ranks, status, device, offset));
    for (size_t i = 0; i < size && ranks->rank == 0; i++)
        if (*device[i]) vgg_log(VGG_LOG_INFO, "rank %zu on %s: %s", i, ranks->hosts[i], device[i]);
fail:
    free(device);
    free(offset);
    return status;
}

enum vgg_status vgg_engine_agree(struct vgg_engine *engine, enum vgg_status status, const char *words)
{
    struct vgg_ranks *ranks = engine->ranks;
    CHECK(vgg_ranks_same(ranks, status, "version", vgg_version(), "install the same one everywhere"));
    CHECK(vgg_ranks_same(ranks, status, "decoders of images", vgg_image_decoders(),
                         "install the same libraries everywhere"));
    CHECK(vgg_ranks_same(ranks, status, "devices", words,
                         "ranks must compute alike: give --backend, --device or --isa that all have"));
    if (ranks->rank == 0)
        vgg_log(VGG_LOG_INFO, "%d ranks, %d of them on %s", ranks->size, ranks->locals, ranks->hosts[0]);
    status = tell_devices(engine);
fail:
    return status;
}
