/* Which devices a benchmark runs on. */
#include "core/bench/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/bench/options.h"
#include "core/bench/result.h"
#include "core/engine/device_name.h"
#include "core/engine/variant.h"

/* What is known while the list of subjects grows. */
struct opening {
    struct vgg_bench_subjects *subjects;
    struct vgg_bench *bench;
    const struct vgg_engine_options *engine;
    struct vgg_variants variants;
};

void vgg_bench_subjects_close(struct vgg_bench_subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++)
        vgg_backend_close(subjects->item[i].backend);
    free(subjects->item);
    *subjects = (struct vgg_bench_subjects) { 0 };
}

static bool is_cpu(const struct vgg_variant *variant)
{
    return variant->isa[0];
}

/* A GPU, as opposed to a Vulkan device that computes on the processor. */
static bool is_gpu(const struct vgg_variant *variant)
{
    return !is_cpu(variant) && strcmp(variant->device->type, "cpu") != 0;
}

static void name_of(char *name, size_t size, const struct vgg_variant *variant)
{
    if (is_cpu(variant))
        snprintf(name, size, "cpu:%s", variant->isa);
    else
        snprintf(name, size, "%s:%d", variant->device->backend, variant->own);
}

static void append(char *name, size_t size, const char *word)
{
    size_t used = strlen(name);
    if (word) snprintf(name + used, size - used, ":%s", word);
}

static enum vgg_status leave_out(struct opening *o, const struct vgg_variant *variant, const char *why)
{
    char name[64];
    name_of(name, sizeof name, variant);
    return vgg_bench_skip_add(o->bench, name, "everything", why);
}

static bool is_bf16(const char *precision)
{
    return precision && strcmp(precision, "bf16") == 0;
}

/* Plain C and bf16 compute every convolution directly: measured under Winograd's name it would be another thing. */
static bool is_idle(const struct vgg_variant *variant, const char *conv, const char *precision)
{
    return strncmp(conv, "winograd", 8) == 0 && (vgg_variant_is_plain(variant) || is_bf16(precision));
}

/* Opens one variant in one precision, unless it is there already under the same name. conv: of the CPU; NULL: as for
 * all. */
static enum vgg_status add_in(struct opening *o, const struct vgg_variant *variant, const char *conv,
                              const char *precision)
{
    struct vgg_bench_subject subject = { 0 };
    struct vgg_engine_options how = { .threads = o->engine->threads, .precision = precision };
    name_of(subject.device.name, sizeof subject.device.name, variant);
    if (is_cpu(variant)) {
        if (!conv) conv = o->engine->conv ? o->engine->conv : "auto";
        if (is_idle(variant, conv, precision))
            return leave_out(o, variant, "Winograd needs fp32 and a level above scalar");
        how.conv = conv;
        snprintf(subject.device.isa, sizeof subject.device.isa, "%s", variant->isa);
        snprintf(subject.device.conv, sizeof subject.device.conv, "%s", conv);
        append(subject.device.name, sizeof subject.device.name, strcmp(conv, "auto") != 0 ? conv : NULL);
        append(subject.device.name, sizeof subject.device.name, vgg_bench_beside_fp32(precision) ? precision : NULL);
    }
    for (size_t i = 0; i < o->subjects->count; i++)
        if (strcmp(o->subjects->item[i].device.name, subject.device.name) == 0) return VGG_OK;

    size_t size = (o->subjects->count + 1) * sizeof *o->subjects->item;
    struct vgg_bench_subject *item = realloc(o->subjects->item, size);
    if (!item) return vgg_fail_memory("the list of devices to measure", size);
    o->subjects->item = item;
    enum vgg_status status = vgg_variant_open(&subject.backend, variant, &how);
    if (status != VGG_OK) return status;
    subject.device.info = subject.backend->device;
    subject.memory = o->engine->memory ? o->engine->memory : subject.backend->device.memory;
    item[o->subjects->count++] = subject;
    return VGG_OK;
}

/* bf16 and int8 stand beside fp32 on the same device: that is what their times and errors are compared with. Both are
 * opened or none. */
static enum vgg_status add(struct opening *o, const struct vgg_variant *variant, const char *conv)
{
    const char *precision = o->engine->precision;
    bool beside = vgg_bench_beside_fp32(precision);
    size_t count = o->subjects->count;
    enum vgg_status status = add_in(o, variant, conv, beside ? NULL : precision);
    /* bf16 is direct in any case; int8 leaves Winograd's algorithm out where that is asked for. */
    bool direct = conv && strcmp(conv, "direct") == 0 && !is_bf16(precision);
    if (status == VGG_OK && beside) status = add_in(o, variant, direct ? conv : NULL, precision);
    while (status != VGG_OK && o->subjects->count > count)
        vgg_backend_close(o->subjects->item[--o->subjects->count].backend);
    return status;
}

/* The processor: one level ("auto": the best), or all (isa NULL). Plain C is the reference and slow: it is left out of
 * all, and `note` says so, unless it is wanted or there is nothing else. */
static enum vgg_status add_cpu(struct opening *o, const char *isa, const char *conv, bool plain, bool note)
{
    enum vgg_status status = VGG_OK;
    bool found = false;
    for (size_t i = 0; i < o->variants.count && status == VGG_OK; i++) {
        struct vgg_variant variant = o->variants.item[i];
        if (!is_cpu(&variant)) continue;
        found = true;
        if (isa) {
            if (!variant.best) continue;
            if (strcmp(isa, "auto") != 0) snprintf(variant.isa, sizeof variant.isa, "%s", isa);
            status = add(o, &variant, conv);
        } else if (!vgg_variant_is_plain(&variant) || plain || variant.best) {
            enum vgg_log_level level = vgg_log_failures(variant.best ? VGG_LOG_ERROR : VGG_LOG_DEBUG);
            status = add(o, &variant, NULL);
            vgg_log_failures(level);
            if (status == VGG_ERR_UNSUPPORTED && !variant.best)
                status = leave_out(o, &variant, "it does not compute in this precision");
        } else if (note) {
            status = leave_out(o, &variant, "plain C is slow; name it, or all");
        }
    }
    return found ? status : vgg_fail(VGG_ERR_MISSING, "the cpu backend finds no device");
}

/* GPUs, and with `processors` Vulkan devices of CPU type too; *found counts them. */
static enum vgg_status add_gpus(struct opening *o, bool processors, bool note, size_t *found)
{
    enum vgg_status status = VGG_OK;
    *found = 0;
    for (size_t i = 0; i < o->variants.count && status == VGG_OK; i++) {
        const struct vgg_variant *variant = &o->variants.item[i];
        if (is_cpu(variant)) continue;
        if (is_gpu(variant) || processors) {
            status = add(o, variant, NULL);
            ++*found;
        } else if (note) {
            status = leave_out(o, variant, "it is a CPU; name it, or all");
        }
    }
    return status;
}

/* One device by its name: a processor at one level (where it names none: at every one), or another. */
static enum vgg_status add_named(struct opening *o, const char *text)
{
    struct vgg_device_name name;
    const struct vgg_device_info *device;
    enum vgg_status status = vgg_device_name_parse(&name, text, NULL);
    if (status != VGG_OK) return status;
    if (!name.which) return add_cpu(o, name.isa[0] ? name.isa : NULL, name.conv[0] ? name.conv : NULL, false, false);
    status = vgg_device_name_find(&device, &name, o->variants.device, o->variants.devices);
    for (size_t i = 0; i < o->variants.count && status == VGG_OK; i++) {
        const struct vgg_variant *variant = &o->variants.item[i];
        if (variant->device == device)
            return is_cpu(variant) ? add_cpu(o, NULL, NULL, false, false) : add(o, variant, NULL);
    }
    return status;
}

/* One word of options->on. */
static enum vgg_status add_word(struct opening *o, const char *word)
{
    enum vgg_status status;
    size_t found;
    if (strcmp(word, "all") == 0) {
        status = add_cpu(o, NULL, NULL, true, false);
        return status == VGG_OK ? add_gpus(o, true, false, &found) : status;
    }
    if (strcmp(word, "vulkan") == 0) {
        status = add_gpus(o, false, false, &found);
        if (status != VGG_OK || found) return status;
        return vgg_fail(VGG_ERR_MISSING,
                        "on vulkan: no GPU is found; a Vulkan device that is a CPU must be named, as in vulkan:0");
    }
    return add_named(o, word);
}

/* Without options->on: what is found, as far as backend, device and isa allow. A level that is asked for is measured
 * alone. */
static enum vgg_status add_found(struct opening *o)
{
    enum vgg_status status = VGG_OK;
    size_t found = 0;
    bool level = strcmp(o->variants.isa, "auto") != 0, cpu = is_cpu(&o->variants.item[0]);
    if (cpu) status = add_cpu(o, level ? "auto" : NULL, NULL, false, true);
    if (status == VGG_OK && !(cpu && level)) status = add_gpus(o, false, cpu, &found);
    /* What was asked for is taken even where it has nothing but a processor. */
    if (status == VGG_OK && !cpu && !found) status = add(o, &o->variants.item[0], NULL);
    return status;
}

/* Do all words name the CPU? */
static bool on_cpu_only(const char *on)
{
    for (const char *word = on;; word++) {
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
    const struct vgg_engine_options all = { .backend = options->on && on_cpu_only(options->on) ? "cpu" : NULL };
    CHECK(vgg_variants_init(&o.variants, options->on ? &all : &options->engine));
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
    vgg_variants_finish(&o.variants);
    if (status != VGG_OK) vgg_bench_subjects_close(subjects);
    return status;
}
