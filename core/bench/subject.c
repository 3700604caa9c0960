/* Which devices a benchmark runs on. */
#include "core/bench/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/bench/result.h"
#include "core/engine/device.h"

/* What is known while the list of subjects grows. */
struct opening {
    struct vgg_bench_subjects *subjects;
    struct vgg_bench *bench;
    const struct vgg_engine_options *engine;
    struct vgg_device_info *device;
    size_t devices;
};

void vgg_bench_subjects_close(struct vgg_bench_subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++)
        vgg_backend_close(subjects->item[i].backend);
    free(subjects->item);
    *subjects = (struct vgg_bench_subjects) { 0 };
}

static bool is_cpu(const struct vgg_device_info *device)
{
    return strcmp(device->backend, "cpu") == 0;
}

/* A GPU, as opposed to a Vulkan device that computes on the processor. */
static bool is_gpu(const struct vgg_device_info *device)
{
    return !is_cpu(device) && strcmp(device->type, "cpu") != 0;
}

/* Opens one device, unless it is there already under the same name. isa and conv: CPU only, else NULL. */
static enum vgg_status add(struct opening *o, const struct vgg_device_info *device, const char *isa, const char *conv)
{
    struct vgg_bench_subject subject = { 0 };
    char index[16];
    int own = 0; /* number among the devices of its backend */
    for (size_t i = 0; &o->device[i] != device; i++)
        own += strcmp(o->device[i].backend, device->backend) == 0;
    snprintf(index, sizeof index, "%d", device->index);
    if (isa) {
        if (!conv) conv = o->engine->conv ? o->engine->conv : "auto";
        bool named = strcmp(conv, "auto") != 0;
        snprintf(subject.device.isa, sizeof subject.device.isa, "%s", isa);
        snprintf(subject.device.conv, sizeof subject.device.conv, "%s", conv);
        snprintf(subject.device.name, sizeof subject.device.name, "cpu:%s%s%s", isa, named ? ":" : "",
                 named ? conv : "");
    } else {
        snprintf(subject.device.name, sizeof subject.device.name, "%s:%d", device->backend, own);
    }
    for (size_t i = 0; i < o->subjects->count; i++)
        if (strcmp(o->subjects->item[i].device.name, subject.device.name) == 0) return VGG_OK;

    const struct vgg_engine_options wanted = { .backend = device->backend,
                                               .device = index,
                                               .isa = isa,
                                               .conv = isa ? conv : NULL,
                                               .threads = o->engine->threads,
                                               .precision = o->engine->precision };
    size_t size = (o->subjects->count + 1) * sizeof *o->subjects->item;
    struct vgg_bench_subject *item = realloc(o->subjects->item, size);
    if (!item) return vgg_fail_memory("the list of devices to measure", size);
    o->subjects->item = item;
    enum vgg_status status = vgg_backend_open(&subject.backend, &wanted);
    if (status != VGG_OK) return status;
    subject.device.info = subject.backend->device;
    subject.memory = o->engine->memory ? o->engine->memory : subject.backend->device.memory;
    item[o->subjects->count++] = subject;
    return VGG_OK;
}

/* Every level of a processor (its driver string names them, the best last). Plain C is the reference and slow: it is
 * left out, and `note` says so, unless it is wanted or there is nothing else. */
static enum vgg_status add_levels(struct opening *o, const struct vgg_device_info *device, bool scalar, bool note)
{
    char levels[sizeof device->driver], *rest = levels;
    snprintf(levels, sizeof levels, "%s", device->driver);
    bool only = strchr(levels, ' ') == NULL;
    enum vgg_status status = VGG_OK;
    for (char *isa; status == VGG_OK && (isa = strtok_r(rest, " ", &rest));) {
        bool plain = strcmp(isa, "scalar") == 0;
        if (!plain || scalar || only) {
            status = add(o, device, isa, NULL);
        } else if (note) {
            status = vgg_bench_skip_add(o->bench, "cpu:scalar", "everything", "plain C is slow; name it, or all");
        }
    }
    return status;
}

/* cpu, and what --device may say about it, is one device in the list. */
static enum vgg_status add_cpu(struct opening *o, const char *isa, const char *conv, bool scalar, bool note)
{
    for (size_t i = 0; i < o->devices; i++) {
        if (!is_cpu(&o->device[i])) continue;
        if (!isa) return add_levels(o, &o->device[i], scalar, note);
        const char *best = strrchr(o->device[i].driver, ' ');
        if (strcmp(isa, "auto") == 0) isa = best ? best + 1 : o->device[i].driver;
        return add(o, &o->device[i], isa, conv);
    }
    return vgg_fail(VGG_ERR_MISSING, "the cpu backend finds no device");
}

/* GPUs, and with `processors` Vulkan devices of CPU type too; *found counts them. */
static enum vgg_status add_gpus(struct opening *o, bool processors, bool note, size_t *found)
{
    enum vgg_status status = VGG_OK;
    int own = 0;
    *found = 0;
    for (size_t i = 0; i < o->devices && status == VGG_OK; i++) {
        const struct vgg_device_info *device = &o->device[i];
        if (is_cpu(device)) continue;
        if (is_gpu(device) || processors) {
            status = add(o, device, NULL, NULL);
            ++*found;
        } else if (note) {
            char name[64];
            snprintf(name, sizeof name, "vulkan:%d", own);
            status = vgg_bench_skip_add(o->bench, name, "everything", "it is a CPU; name it, or all");
        }
        own++;
    }
    return status;
}

/* vulkan:WHICH */
static enum vgg_status add_vulkan(struct opening *o, const char *which)
{
    size_t digits = strspn(which, "0123456789");
    bool numbered = digits && !which[digits] && digits < 6;
    long number = numbered ? strtol(which, NULL, 10) : -1;
    int own = 0;
    for (size_t i = 0; i < o->devices; i++) {
        const struct vgg_device_info *device = &o->device[i];
        if (is_cpu(device)) continue;
        bool named = *which && (vgg_text_contains(device->name, which) || strcasecmp(device->uuid, which) == 0);
        if (numbered ? own == number : named) return add(o, device, NULL, NULL);
        own++;
    }
    return vgg_fail(VGG_ERR_MISSING,
                    "on vulkan:%s: there is no such Vulkan device, of %d found; `vgg16 devices` lists them", which,
                    own);
}

/* One word of options->on. */
static enum vgg_status add_word(struct opening *o, char *word)
{
    size_t found;
    char *which = strchr(word, ':');
    if (which) *which++ = '\0';
    if (strcmp(word, "all") == 0 && !which) {
        enum vgg_status status = add_cpu(o, NULL, NULL, true, false);
        return status == VGG_OK ? add_gpus(o, true, false, &found) : status;
    }
    if (strcmp(word, "cpu") == 0) {
        char *conv = which ? strchr(which, ':') : NULL;
        if (conv) *conv++ = '\0';
        return add_cpu(o, which, conv, false, false);
    }
    if (strcmp(word, "vulkan") == 0) {
        if (which) return add_vulkan(o, which);
        enum vgg_status status = add_gpus(o, false, false, &found);
        if (status != VGG_OK || found) return status;
        return vgg_fail(VGG_ERR_MISSING,
                        "on vulkan: no GPU is found; a Vulkan device that is a CPU must be named, as in "
                        "vulkan:0");
    }
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "on %s: must be all, cpu, cpu:LEVEL, cpu:LEVEL:CONV, vulkan or vulkan:WHICH, separated by commas",
                    word);
}

/* Without options->on: what is found, as far as backend, device and isa allow. */
static enum vgg_status add_found(struct opening *o)
{
    enum vgg_status status = VGG_OK;
    size_t found = 0;
    const char *backend = o->engine->backend && strcmp(o->engine->backend, "auto") ? o->engine->backend : NULL;
    const char *isa = o->engine->isa && strcmp(o->engine->isa, "auto") ? o->engine->isa : NULL;
    bool cpu = !backend || strcmp(backend, "cpu") == 0, gpus = !isa && (!backend || strcmp(backend, "vulkan") == 0);
    if (o->engine->device) { /* the dispatcher knows how devices are named */
        struct vgg_backend *named;
        const struct vgg_engine_options wanted = { .backend = backend, .device = o->engine->device };
        status = vgg_backend_open(&named, &wanted);
        if (status != VGG_OK) return status;
        const struct vgg_device_info *device = &o->device[named->device.index];
        vgg_backend_close(named);
        return is_cpu(device) ? add_cpu(o, isa, NULL, false, true) : add(o, device, NULL, NULL);
    }
    if (cpu) status = add_cpu(o, isa, NULL, false, true);
    if (status == VGG_OK && gpus) status = add_gpus(o, false, cpu, &found);
    /* A backend that was asked for is taken even where it has nothing but a processor. */
    if (status == VGG_OK && !cpu && !found) status = add_vulkan(o, "0");
    return status;
}

/* Do the wishes name the CPU alone? */
static bool on_cpu_only(const struct vgg_bench_options *options)
{
    if (!options->on) return options->engine.backend && strcmp(options->engine.backend, "cpu") == 0;
    for (const char *word = options->on;; word++) {
        size_t n = strcspn(word, ",");
        if (strncmp(word, "cpu", 3) != 0 || (n > 3 && word[3] != ':')) return false;
        word += n;
        if (!*word) return true;
    }
}

enum vgg_status vgg_bench_subjects_open(struct vgg_bench_subjects *subjects, struct vgg_bench *bench,
                                        const struct vgg_bench_options *options)
{
    enum vgg_status status = VGG_OK;
    struct opening o = { .subjects = subjects, .bench = bench, .engine = &options->engine };
    char *words = NULL;
    CHECK(vgg_backend_devices(&o.device, &o.devices, on_cpu_only(options) ? "cpu" : NULL));
    if (!options->on) {
        CHECK(add_found(&o));
    } else {
        words = vgg_mem_strdup(options->on);
        if (!words) CHECK(vgg_fail_memory("the list of devices to measure", strlen(options->on) + 1));
        for (char *rest = words, *word; (word = vgg_text_split(&rest, ','));)
            CHECK(add_word(&o, word));
    }
fail:
    free(words);
    free(o.device);
    if (status != VGG_OK) vgg_bench_subjects_close(subjects);
    return status;
}
