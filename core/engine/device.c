#include "core/engine/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/names.h"
#include "core/engine/device_name.h"
#include "cpu/cpu_backend.h"
#ifdef VGG16_VULKAN
#include "vk/vk_backend.h"
#endif

/* The CPU first: its devices have the same numbers in every list. */
static const struct vgg_backend_vtable *const registry[] = {
    &cpu_backend_vtable,
#ifdef VGG16_VULKAN
    &vk_backend_vtable,
#endif
    NULL,
};

const struct vgg_backend_vtable *const *vgg_backend_registry(void)
{
    return registry;
}

/* How much `auto` wants a device: GPUs before the CPU, and never a Vulkan device that is itself a CPU. 0: only on
 * request. */
static int preference(const struct vgg_device_info *device)
{
    if (strcmp(device->type, "discrete") == 0) return 4;
    if (strcmp(device->type, "integrated") == 0) return 3;
    if (strcmp(device->type, "virtual") == 0) return 2;
    return strcmp(device->backend, "cpu") == 0 ? 1 : 0;
}

static const char *reason_for(const struct vgg_device_info *device)
{
    switch (preference(device)) {
    case 4: return "a discrete GPU comes first";
    case 3: return "an integrated GPU comes before the CPU";
    case 2: return "a virtual GPU comes before the CPU";
    case 1: return "no GPU comes before the CPU";
    default: return "used only when asked for: it is a CPU, and the cpu backend is faster";
    }
}

enum vgg_status vgg_backend_devices(struct vgg_device_info **out, size_t *count, const char *only)
{
    bool cpu = only && strcmp(only, "cpu") == 0;
    enum vgg_status status = VGG_OK;
    struct vgg_device_info *all = NULL, *some = NULL;
    *out = NULL, *count = 0;
    for (const struct vgg_backend_vtable *const *backend = registry; *backend; backend++) {
        size_t more;
        if (cpu && *backend != &cpu_backend_vtable) continue;
        CHECK((*backend)->devices(&some, &more));
        struct vgg_device_info *grown = realloc(all, (*count + more + 1) * sizeof *all);
        if (!grown) CHECK(vgg_fail_memory("the list of devices", (*count + more) * sizeof *all));
        all = grown;
        if (more) memcpy(all + *count, some, more * sizeof *all);
        *count += more;
        free(some);
        some = NULL;
    }
    size_t best = 0;
    for (size_t i = 0; i < *count; i++) {
        all[i].index = (int)i;
        all[i].chosen = false;
        if (preference(&all[i]) > preference(&all[best])) best = i;
    }
    for (size_t i = 0; i < *count; i++) {
        all[i].chosen = i == best;
        bool passed_over = i != best && preference(&all[i]) > 0;
        snprintf(all[i].reason, sizeof all[i].reason, "%s",
                 passed_over ? "another device comes first" : reason_for(&all[i]));
    }
    *out = all;
    return VGG_OK;
fail:
    free(all);
    free(some);
    *count = 0;
    return status;
}

/* The one backend that computes in a precision, NULL: all do. */
static const char *const computes[] = {
    [VGG_PRECISION_BF16] = "cpu", [VGG_PRECISION_FP16] = "vulkan", [VGG_PRECISION_INT8] = "cpu"
};

bool vgg_backend_computes(const char *backend, const char *precision)
{
    int value;
    bool known = precision && vgg_names_find(&value, VGG_NAMES_PRECISION, precision);
    return !known || !computes[value] || strcmp(computes[value], backend) == 0;
}

/* The best device of the backend (NULL: of any), but none of those that were passed over (NULL: none was). */
static const struct vgg_device_info *best_of(const struct vgg_device_info *devices, size_t count, const bool *passed,
                                             const char *backend)
{
    const struct vgg_device_info *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (passed && passed[i]) continue;
        if (backend && strcmp(devices[i].backend, backend) != 0) continue;
        if (!best || preference(&devices[i]) > preference(best)) best = &devices[i];
    }
    return best;
}

/* The same, as it is asked for: an error where there is none. */
static enum vgg_status choose(const struct vgg_device_info **out, const struct vgg_device_info *devices, size_t count,
                              const char *backend)
{
    *out = best_of(devices, count, NULL, backend);
    if (*out) return VGG_OK;
    return vgg_fail(VGG_ERR_MISSING, "backend %s finds no device; `vgg16 devices` lists what is here", backend);
}

/* The best device where none is asked for: of those that compute in the precision, but never a Vulkan device that is
 * itself a CPU. Tells where another would have come first. */
static enum vgg_status choose_for(const struct vgg_device_info **out, const struct vgg_device_info *devices,
                                  size_t count, const bool *passed, enum vgg_precision precision)
{
    const char *word = vgg_name(VGG_NAMES_PRECISION, (int)precision);
    const struct vgg_device_info *first = best_of(devices, count, passed, NULL);
    const struct vgg_device_info *best = best_of(devices, count, passed, computes[precision]);
    bool found = best && preference(best);
    *out = found ? best : NULL;
    if (found && preference(best) < preference(first)) {
        vgg_log(VGG_LOG_WARNING, "precision %s: computed on the CPU, and not on %s; --backend cpu asks for just that",
                word, first->name);
    }
    if (found) return VGG_OK;
    return vgg_fail(VGG_ERR_MISSING,
                    "precision %s: there is no GPU here to compute in it%s%s%s; the CPU computes in fp32, bf16 and "
                    "int8",
                    word, best ? ", and " : "", best ? best->name : "",
                    best ? ", which is a CPU, only when asked for by --backend vulkan" : "");
}

static enum vgg_status check_backend_name(const char *name)
{
    for (const struct vgg_backend_vtable *const *backend = registry; *backend; backend++) {
        if (strcmp((*backend)->name, name) == 0) return VGG_OK;
    }
    if (strcmp(name, "vulkan") == 0) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "backend vulkan is not part of this build; take cpu");
    }
    return vgg_fail(VGG_ERR_ARGUMENT, "backend \"%s\" is unknown; take auto, cpu or vulkan", name);
}

/* What is asked for: by backend, device and isa together. */
struct wish {
    const char *backend;         /* NULL: any */
    struct vgg_device_name name; /* name.which NULL: the best of the backend */
    const char *isa;
};

static enum vgg_status wish_read(struct wish *wish, const struct vgg_engine_options *options)
{
    enum vgg_status status = VGG_OK;
    const char *backend = options->backend, *isa = options->isa;
    *wish = (struct wish) { .isa = isa };
    if (backend && strcmp(backend, "auto") != 0) wish->backend = backend;
    if (wish->backend) CHECK(check_backend_name(wish->backend));
    if (!options->device) return VGG_OK;
    CHECK(vgg_device_name_parse(&wish->name, options->device, wish->backend));
    const struct vgg_device_name *name = &wish->name;
    if (name->backend[0]) CHECK(check_backend_name(wish->backend = name->backend));
    if (name->conv[0])
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "device \"%s\": the convolution is asked for by conv, not here", name->text));
    if (!name->isa[0] || strcmp(name->isa, "auto") == 0) return VGG_OK;
    if (isa && strcmp(isa, "auto") != 0 && strcmp(isa, name->isa) != 0)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "device \"%s\" and isa %s: give one of them", name->text, isa));
    wish->isa = name->isa;
fail:
    return status;
}

static enum vgg_status pick(const struct vgg_device_info **out, const struct wish *wish,
                            const struct vgg_device_info *devices, size_t count)
{
    return wish->name.which ? vgg_device_name_find(out, &wish->name, devices, count)
                            : choose(out, devices, count, wish->backend);
}

enum vgg_status vgg_backend_find(struct vgg_device_info *out, char isa[static 16],
                                 const struct vgg_engine_options *options)
{
    enum vgg_status status;
    struct vgg_device_info *devices = NULL;
    const struct vgg_device_info *found;
    struct wish wish;
    size_t count;
    *out = (struct vgg_device_info) { 0 };
    CHECK(wish_read(&wish, options));
    CHECK(vgg_backend_devices(&devices, &count, wish.backend));
    CHECK(pick(&found, &wish, devices, count));
    *out = *found;
    snprintf(isa, 16, "%s", wish.isa ? wish.isa : "auto");
fail:
    free(devices);
    return status;
}

/* The value of the word `text` of option `what`; NULL: 0, the default. */
static enum vgg_status parse_word(int *value, const char *what, enum vgg_names names, const char *text)
{
    *value = 0;
    if (!text || vgg_names_find(value, names, text)) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT, "%s \"%s\" is unknown; take one of %s", what, text, vgg_names_list(names).text);
}

static enum vgg_status check_precision(enum vgg_precision precision, const char *backend)
{
    const char *only = computes[precision];
    if (!only || strcmp(only, backend) == 0) return VGG_OK;
    return vgg_fail(VGG_ERR_UNSUPPORTED, "precision %s: backend %s does not compute in it; take --backend %s",
                    vgg_name(VGG_NAMES_PRECISION, (int)precision), backend, only);
}

/* Opens one of the devices listed. */
static enum vgg_status open_device(struct vgg_backend **out, const struct vgg_device_info *devices,
                                   const struct vgg_device_info *device, int threads, const char *isa,
                                   enum vgg_conv conv, enum vgg_precision precision)
{
    const struct vgg_backend_vtable *const *backend = registry;
    while (strcmp((*backend)->name, device->backend) != 0)
        backend++;
    struct vgg_backend_options own = { .device = vgg_device_own_index(devices, device),
                                       .isa = isa,
                                       .conv = conv,
                                       .threads = threads,
                                       .precision = precision };
    enum vgg_status status = (*backend)->open(out, &own);
    if (status != VGG_OK) return status;
    (*out)->precision = precision;
    (*out)->device.index = device->index;
    return VGG_OK;
}

enum vgg_status vgg_backend_open(struct vgg_backend **out, const struct vgg_engine_options *options)
{
    enum vgg_status status = VGG_OK;
    struct vgg_device_info *devices = NULL;
    const struct vgg_device_info *device;
    size_t count;
    struct wish wish;
    int precision, conv;
    bool asked, *passed = NULL;
    *out = NULL;
    CHECK(parse_word(&precision, "precision", VGG_NAMES_PRECISION, options->precision));
    CHECK(parse_word(&conv, "conv", VGG_NAMES_CONV, options->conv));
    CHECK(wish_read(&wish, options));
    asked = wish.backend || wish.name.which;
    CHECK(vgg_backend_devices(&devices, &count, wish.backend));
    passed = vgg_mem_calloc(count, sizeof *passed);
    if (!passed) CHECK(vgg_fail_memory("the list of devices", count));
    for (;;) { /* a GPU that cannot be opened leaves the work to the next device, down to the CPU */
        CHECK(asked ? pick(&device, &wish, devices, count)
                    : choose_for(&device, devices, count, passed, (enum vgg_precision)precision));
        bool last = asked || preference(device) <= 1;
        CHECK(check_precision((enum vgg_precision)precision, device->backend));
        vgg_log_failures(last ? VGG_LOG_ERROR : VGG_LOG_WARNING);
        status = open_device(out, devices, device, options->threads, wish.isa, (enum vgg_conv)conv,
                             (enum vgg_precision)precision);
        vgg_log_failures(VGG_LOG_ERROR);
        if (status == VGG_OK) break;
        if (last) goto fail;
        passed[device - devices] = true;
    }
    bool first = device->chosen;
    (*out)->device.chosen = !asked;
    snprintf((*out)->device.reason, sizeof device->reason, "%s",
             asked                 ? "asked for"
             : first               ? device->reason
             : computes[precision] ? "what comes first does not compute in the precision"
                                   : "what comes first cannot be opened");
    char threads[200] = "";
    const struct vgg_device_info *opened = &(*out)->device;
    if (opened->threads)
        snprintf(threads, sizeof threads, "; threads %d%s%s", opened->threads, opened->limits[0] ? ", " : "",
                 opened->limits);
    vgg_log(VGG_LOG_INFO, "backend %s on %s (%s): %s%s", device->backend, device->name, opened->driver, opened->reason,
            threads);
fail:
    free(passed);
    free(devices);
    return status;
}
