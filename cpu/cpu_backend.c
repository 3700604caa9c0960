#include "cpu/cpu_backend.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/base/threads.h"
#include "cpu/cpu.h"

enum { MAX_THREADS = 1024 };

/* Bytes of the first-level data cache; what is not told, or what cannot be, counts as 32 KiB. */
static size_t cache_first(void)
{
    size_t size = vgg_os_first_cache();
    return size >= 8 << 10 && size <= 1 << 20 ? size : 32 << 10;
}

/* What OMP_NUM_THREADS says, else OpenMP's number (of the affinity), but no more than a container gives time for. */
static int thread_default(const struct vgg_limits *limits)
{
    const char *chosen = getenv("OMP_NUM_THREADS");
    int threads = omp_get_max_threads();
    if (!(chosen && *chosen) && threads > limits->quota) threads = limits->quota;
    return threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
}

/* With the levels that are found up to `most`. */
static void device_fill(struct vgg_device_info *device, enum cpu_isa most)
{
    struct vgg_limits limits;
    vgg_limits_get(&limits);
    *device = (struct vgg_device_info) { .backend = "cpu", .type = "cpu" };
    vgg_os_processor_name(device->name, sizeof device->name);
    if (!device->name[0]) snprintf(device->name, sizeof device->name, "CPU");
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        size_t used = strlen(device->driver);
        if (isa <= (int)most && cpu_isa_found((enum cpu_isa)isa))
            snprintf(device->driver + used, sizeof device->driver - used, "%s%s", used ? " " : "",
                     cpu_isa_name((enum cpu_isa)isa));
    }
    device->memory = limits.available;
    device->threads = thread_default(&limits);
    vgg_limits_describe(device->limits, sizeof device->limits, &limits);
}

static enum vgg_status cpu_devices(struct vgg_device_info **out, size_t *count)
{
    *count = 0;
    *out = malloc(sizeof **out);
    if (!*out) return vgg_fail_memory("the list of processors", sizeof **out);
    device_fill(*out, cpu_isa_best());
    *count = 1;
    return VGG_OK;
}

static enum vgg_status isa_parse(enum cpu_isa *isa, const char *text)
{
    *isa = cpu_isa_best();
    if (!text || strcmp(text, "auto") == 0) return VGG_OK;
    for (int i = 0; i < CPU_ISA_COUNT; i++) {
        if (strcmp(text, cpu_isa_name((enum cpu_isa)i)) != 0) continue;
        *isa = (enum cpu_isa)i;
        if (cpu_isa_found(*isa)) return VGG_OK;
        return vgg_fail(VGG_ERR_UNSUPPORTED, "isa %s: this processor lacks it; use auto or %s", text,
                        cpu_isa_name(cpu_isa_best()));
    }
    return vgg_fail(VGG_ERR_ARGUMENT, "isa %s: is not known; use auto, scalar, avx2, avx512 or neon", text);
}

/* Plain C computes with bf16 operands on every processor, others by their dot products: as fast as those of fp32, whose
 * Winograd's algorithms have a quarter of the products, they lose; a matrix unit wins. */
static enum vgg_status bf16_check(enum cpu_isa isa)
{
    if (cpu_isa_bf16(isa) && !cpu_isa_matrix(isa))
        vgg_log(VGG_LOG_WARNING, "precision bf16: without a matrix unit (AMX) this processor is faster in fp32");
    if (isa == CPU_ISA_SCALAR || cpu_isa_bf16(isa)) return VGG_OK;
    if (cpu_isa_bf16(CPU_ISA_AVX512))
        return vgg_fail(VGG_ERR_UNSUPPORTED, "precision bf16: isa %s has no bf16 dot products; use isa avx512",
                        cpu_isa_name(isa));
    return vgg_fail(VGG_ERR_UNSUPPORTED, "precision bf16: this CPU has no bf16 dot products (AVX512_BF16); use fp32");
}

static void cpu_close(struct vgg_backend *backend)
{
    struct cpu *cpu = (struct cpu *)backend;
    if (!cpu) return;
    cpu_pack_drop(cpu, NULL, 0);
    vgg_mem_free(cpu->scratch.data);
    vgg_mem_free(cpu->passing.data);
    free(cpu->fp_saved);
    free(cpu);
}

static enum vgg_status cpu_open(struct vgg_backend **out, const struct vgg_backend_options *options)
{
    *out = NULL;
    enum cpu_isa isa;
    enum vgg_status status = isa_parse(&isa, options->isa);
    if (status != VGG_OK) return status;
    if (options->precision == VGG_PRECISION_BF16) status = bf16_check(isa);
    if (status != VGG_OK) return status;
    if (options->device > 0) return vgg_fail(VGG_ERR_MISSING, "cpu device %d: there is only device 0", options->device);
    if (options->threads < 0 || options->threads > MAX_THREADS)
        return vgg_fail(VGG_ERR_ARGUMENT, "threads %d: must be 0 (all processors) to %d", options->threads,
                        MAX_THREADS);
    struct cpu *cpu = vgg_mem_calloc(1, sizeof *cpu);
    if (!cpu) return vgg_fail_memory("the CPU backend", sizeof *cpu);
    cpu->base.vtable = &cpu_backend_vtable;
    device_fill(&cpu->base.device, isa);
    cpu->isa = isa;
    cpu->conv = options->conv;
    cpu->l1 = cache_first();
    cpu->threads = vgg_threads_start(options->threads ? options->threads : cpu->base.device.threads);
    cpu->base.device.threads = cpu->threads;
    cpu_kernels_fill(&cpu->kernels, isa);
    size_t words = (size_t)cpu->threads;
    cpu->fp_saved = vgg_mem_calloc(words, sizeof *cpu->fp_saved);
    if (!cpu->fp_saved) {
        cpu_close(&cpu->base);
        return vgg_fail_memory("the CPU backend", words * sizeof *cpu->fp_saved);
    }
    *out = &cpu->base;
    return VGG_OK;
}

static enum vgg_status cpu_buf_create(struct vgg_backend *backend, struct vgg_buf **out, size_t size)
{
    *out = NULL;
    struct cpu *cpu = (struct cpu *)backend;
    struct cpu_buf *buf = vgg_mem_calloc(1, sizeof *buf);
    if (!buf) return vgg_fail_memory("a buffer", sizeof *buf);
    *buf = (struct cpu_buf) { .base = { .backend = backend, .size = size }, .data = cpu_mem_aligned(cpu, size) };
    if (!buf->data) {
        free(buf);
        return vgg_fail_memory("a buffer", size);
    }
    buf->generation = ++cpu->generation;
    *out = &buf->base;
    return VGG_OK;
}

static void cpu_buf_destroy(struct vgg_buf *base)
{
    struct cpu_buf *buf = (struct cpu_buf *)base;
    if (!buf) return;
    if (base->size) cpu_pack_drop((struct cpu *)base->backend, buf->data, base->size);
    vgg_mem_free(buf->data);
    free(buf);
}

static void cpu_settle(struct vgg_buf *base)
{
    ((struct cpu_buf *)base)->settled = true;
}

/* Fails where bytes of a settled buffer are no longer there. */
static enum vgg_status check_there(const struct cpu_buf *buf, size_t offset, size_t size, bool written)
{
    struct cpu *cpu = (struct cpu *)buf->base.backend;
    if (!buf->settled || !cpu_pack_hides(cpu, buf->data + offset, size, written)) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT, "bytes %zu to %zu of a settled buffer: %s", offset, offset + size,
                    written ? "part of a kernel is written" : "were given back");
}

static enum vgg_status cpu_upload(struct vgg_buf *base, size_t offset, const void *data, size_t size)
{
    struct cpu_buf *buf = (struct cpu_buf *)base;
    enum vgg_status status = check_there(buf, offset, size, true);
    if (status != VGG_OK) return status;
    if (size) memcpy(buf->data + offset, data, size);
    cpu_buf_touch((struct cpu *)base->backend, buf, offset, size);
    return VGG_OK;
}

static enum vgg_status cpu_download(struct vgg_buf *base, size_t offset, void *data, size_t size)
{
    const struct cpu_buf *buf = (const struct cpu_buf *)base;
    enum vgg_status status = check_there(buf, offset, size, false);
    if (status == VGG_OK && size) memcpy(data, buf->data + offset, size);
    return status;
}

static bool cpu_supports(struct vgg_backend *backend, const struct vgg_op *op)
{
    (void)backend;
    return (unsigned)op->kind < VGG_OP_KIND_COUNT && !vgg_op_has_halves(op);
}

static enum vgg_status cpu_submit(struct vgg_backend *backend, const struct vgg_list *list, const struct vgg_step *step,
                                  double *seconds, uint64_t *ticket)
{
    if (ticket) *ticket = 0;
    return cpu_ops_run((struct cpu *)backend, list, step, seconds);
}

static enum vgg_status cpu_wait(struct vgg_backend *backend, uint64_t ticket)
{
    (void)backend, (void)ticket;
    return VGG_OK;
}

const struct vgg_backend_vtable cpu_backend_vtable = {
    .name = "cpu",
    .devices = cpu_devices,
    .open = cpu_open,
    .close = cpu_close,
    .buf_create = cpu_buf_create,
    .buf_destroy = cpu_buf_destroy,
    .settle = cpu_settle,
    .upload = cpu_upload,
    .download = cpu_download,
    .supports = cpu_supports,
    .submit = cpu_submit,
    .wait = cpu_wait,
};
