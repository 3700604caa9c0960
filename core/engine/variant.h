/* variant.h: every way of computing on this machine: each device, a processor once for each instruction set level. */
#ifndef CORE_ENGINE_VARIANT_H
#define CORE_ENGINE_VARIANT_H

#include "core/op/backend.h"

struct vgg_variant {
    const struct vgg_device_info *device;
    char isa[16]; /* CPU: the level; else "" */
    int own;      /* number among the devices of its backend */
    bool best;    /* of its device */
};

struct vgg_variants {
    struct vgg_device_info *device; /* all that were looked at */
    size_t devices;
    struct vgg_variant *item; /* in the order of the devices, the levels from plain C to the best */
    size_t count;             /* at least 1 */
    char isa[16];             /* the highest level asked for; "auto": none is */
};

/* Lists what backend, device and isa of `options` (as vgg_engine_create takes them) allow, without opening it; where
 * they name none, those that compute in its precision, if there are any. A level
 * that the processor has not stands there alone: opening it tells what is wrong. On failure there is nothing to finish.
 */
enum vgg_status vgg_variants_init(struct vgg_variants *variants, const struct vgg_engine_options *options);
void vgg_variants_finish(struct vgg_variants *variants);

/* Is it plain C: the reference, and slow? */
bool vgg_variant_is_plain(const struct vgg_variant *variant);
/* Opens one with conv, threads and precision of `options`. */
enum vgg_status vgg_variant_open(struct vgg_backend **out, const struct vgg_variant *variant,
                                 const struct vgg_engine_options *options);

#endif
