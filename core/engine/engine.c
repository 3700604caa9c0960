#include "core/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/device.h"
#include "core/engine/engine_ranks.h"

enum vgg_status vgg_device_list(struct vgg_device_info **out, size_t *count)
{
    return vgg_backend_devices(out, count, NULL);
}

enum vgg_status vgg_device_find(struct vgg_device_info *out, const char *device, const char *backend)
{
    char isa[16];
    return vgg_backend_find(out, isa, &(struct vgg_engine_options) { .backend = backend, .device = device });
}

enum vgg_status vgg_engine_create(struct vgg_engine **out, const struct vgg_engine_options *options)
{
    enum vgg_status status = VGG_OK;
    struct vgg_engine_options defaults = { 0 };
    *out = NULL;
    struct vgg_engine *engine = vgg_mem_calloc(1, sizeof *engine);
    if (!engine) return vgg_fail_memory("an engine", sizeof *engine);
    if (!options) options = &defaults;
    if (vgg_ranks_size(options->ranks) > 1) {
        struct vgg_engine_options own = *options;
        char words[VGG_ENGINE_WORDS] = "";
        engine->ranks = options->ranks;
        status = vgg_engine_choose(&own, engine->device);
        if (status == VGG_OK) status = vgg_backend_open(&engine->backend, &own);
        if (status == VGG_OK) vgg_engine_words(words, engine);
        CHECK(vgg_engine_agree(engine, status, words));
    } else {
        CHECK(vgg_backend_open(&engine->backend, options));
    }
    engine->memory = options->memory ? options->memory : engine->backend->device.memory;
    bool shared = !options->memory && strcmp(engine->backend->vtable->name, "cpu") == 0;
    if (shared) engine->memory /= (uint64_t)vgg_ranks_locals(engine->ranks);
    engine->threads = options->threads;
    snprintf(engine->isa, sizeof engine->isa, "%s", options->isa ? options->isa : "");
    snprintf(engine->conv, sizeof engine->conv, "%s", options->conv ? options->conv : "");
    *out = engine;
    return VGG_OK;
fail:
    vgg_engine_destroy(engine);
    return status;
}

void vgg_engine_destroy(struct vgg_engine *engine)
{
    if (!engine) return;
    vgg_backend_close(engine->backend);
    free(engine);
}

const struct vgg_device_info *vgg_engine_device(const struct vgg_engine *engine)
{
    return &engine->backend->device;
}

void vgg_engine_words(char words[VGG_ENGINE_WORDS], const struct vgg_engine *engine)
{
    const struct vgg_device_info *device = &engine->backend->device;
    bool cpu = strcmp(device->backend, "cpu") == 0;
    snprintf(words, VGG_ENGINE_WORDS, "%s %s", cpu ? device->backend : device->name, device->driver);
}
