/* engine.h: an opened backend and the memory it may use. */
#ifndef CORE_ENGINE_ENGINE_H
#define CORE_ENGINE_ENGINE_H

#include "core/op/backend.h"
#include "core/ranks/ranks.h"

struct vgg_engine {
    struct vgg_backend *backend;
    struct vgg_ranks *ranks; /* NULL: alone */
    uint64_t memory;         /* bytes that one network may take */
    /* What was asked of the CPU, for a training that moves there when its device is lost. */
    int threads;
    char isa[16], conv[16]; /* "": auto */
    char device[16];        /* that was chosen for this rank, as vgg_device_find takes it */
};

enum { VGG_ENGINE_WORDS = 300 };
/* The device as far as it decides the bits of results: of a CPU its levels, of a GPU its name and driver. */
void vgg_engine_words(char words[VGG_ENGINE_WORDS], const struct vgg_engine *engine);

#endif
