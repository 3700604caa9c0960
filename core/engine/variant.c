#include "core/engine/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/engine/device.h"

static enum vgg_status add(struct vgg_variants *variants, struct vgg_variant variant)
{
    size_t size = (variants->count + 1) * sizeof *variants->item;
    struct vgg_variant *item = realloc(variants->item, size);
    if (!item) return vgg_fail_memory("the list of devices and levels", size);
    variants->item = item;
    item[variants->count++] = variant;
    return VGG_OK;
}

/* A processor's driver string names its levels, the best last. highest: NULL: all of them. */
static enum vgg_status add_levels(struct vgg_variants *variants, struct vgg_variant variant, const char *highest)
{
    enum vgg_status status = VGG_OK;
    char levels[sizeof variant.device->driver], *rest = levels;
    snprintf(levels, sizeof levels, "%s", variant.device->driver);
    size_t before = variants->count;
    bool reached = false;
    for (char *isa; !reached && (isa = strtok_r(rest, " ", &rest));) {
        snprintf(variant.isa, sizeof variant.isa, "%s", isa);
        variant.plain = strcmp(isa, "scalar") == 0;
        CHECK(add(variants, variant));
        reached = highest && strcmp(isa, highest) == 0;
    }
    if (highest && !reached) {
        variants->count = before;
        snprintf(variant.isa, sizeof variant.isa, "%s", highest);
        variant.plain = false;
        CHECK(add(variants, variant));
    }
    variants->item[variants->count - 1].best = true;
fail:
    return status;
}

enum vgg_status vgg_variants_init(struct vgg_variants *variants, const struct vgg_engine_options *options)
{
    enum vgg_status status = VGG_OK;
    const char *backend = options->backend && strcmp(options->backend, "auto") != 0 ? options->backend : NULL;
    const char *isa = options->isa && strcmp(options->isa, "auto") != 0 ? options->isa : NULL;
    int wanted = -1;
    *variants = (struct vgg_variants) { 0 };
    if (backend || options->device) {
        /* The dispatcher knows how devices are named. */
        struct vgg_backend *named;
        CHECK(vgg_backend_open(&named, &(struct vgg_engine_options) { .backend = backend, .device = options->device }));
        if (options->device) wanted = named->device.index;
        vgg_backend_close(named);
    }
    CHECK(vgg_backend_devices(&variants->device, &variants->devices, backend));
    for (size_t i = 0; i < variants->devices; i++) {
        struct vgg_variant variant = { .device = &variants->device[i], .best = true };
        for (size_t j = 0; j < i; j++)
            variant.own += strcmp(variants->device[j].backend, variant.device->backend) == 0;
        if (backend && strcmp(variant.device->backend, backend) != 0) continue;
        if (wanted >= 0 && variant.device->index != wanted) continue;
        if (strcmp(variant.device->backend, "cpu") == 0) {
            variant.best = false;
            CHECK(add_levels(variants, variant, isa));
        } else {
            CHECK(add(variants, variant));
        }
    }
    return VGG_OK;
fail:
    vgg_variants_finish(variants);
    return status;
}

void vgg_variants_finish(struct vgg_variants *variants)
{
    free(variants->item);
    free(variants->device);
    *variants = (struct vgg_variants) { 0 };
}

enum vgg_status vgg_variant_open(struct vgg_backend **out, const struct vgg_variant *variant,
                                 const struct vgg_engine_options *options)
{
    char index[16];
    snprintf(index, sizeof index, "%d", variant->device->index);
    return vgg_backend_open(out, &(struct vgg_engine_options) { .backend = variant->device->backend,
                                                                .device = index,
                                                                .isa = variant->isa[0] ? variant->isa : NULL,
                                                                .conv = options->conv,
                                                                .threads = options->threads,
                                                                .precision = options->precision });
}
