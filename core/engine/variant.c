#include "core/engine/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/engine/device.h"
#include "core/engine/device_name.h"

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
        CHECK(add(variants, variant));
        reached = highest && strcmp(isa, highest) == 0;
    }
    if (highest && !reached) {
        variants->count = before;
        snprintf(variant.isa, sizeof variant.isa, "%s", highest);
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
    struct vgg_device_info named;
    *variants = (struct vgg_variants) { 0 };
    snprintf(variants->isa, sizeof variants->isa, "%s", options->isa ? options->isa : "auto");
    if (backend || options->device) CHECK(vgg_backend_find(&named, variants->isa, options));
    if (options->device) backend = named.backend;
    CHECK(vgg_backend_devices(&variants->device, &variants->devices, backend));
    bool some = false; /* unnamed devices that lack the precision are left out where others have it */
    for (size_t i = 0; i < variants->devices && !backend && !options->device; i++)
        some |= vgg_backend_computes(variants->device[i].backend, options->precision);
    for (size_t i = 0; i < variants->devices; i++) {
        struct vgg_variant variant = { .device = &variants->device[i], .best = true };
        variant.own = vgg_device_own_index(variants->device, variant.device);
        if (backend && strcmp(variant.device->backend, backend) != 0) continue;
        if (options->device && variant.device->index != named.index) continue;
        if (some && !vgg_backend_computes(variant.device->backend, options->precision)) continue;
        if (strcmp(variant.device->backend, "cpu") == 0) {
            variant.best = false;
            CHECK(add_levels(variants, variant, strcmp(variants->isa, "auto") != 0 ? variants->isa : NULL));
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

bool vgg_variant_is_plain(const struct vgg_variant *variant)
{
    return strcmp(variant->isa, "scalar") == 0;
}

enum vgg_status vgg_variant_open(struct vgg_backend **out, const struct vgg_variant *variant,
                                 const struct vgg_engine_options *options)
{
    char own[16];
    snprintf(own, sizeof own, "%d", variant->own);
    return vgg_backend_open(out, &(struct vgg_engine_options) { .backend = variant->device->backend,
                                                                .device = own,
                                                                .isa = variant->isa[0] ? variant->isa : NULL,
                                                                .conv = options->conv,
                                                                .threads = options->threads,
                                                                .precision = options->precision });
}
