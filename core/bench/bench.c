#include "core/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/bench/cell.h"
#include "core/bench/options.h"
#include "core/bench/peak.h"
#include "core/engine/device.h"
#include "core/model/model.h"

/* ---- measuring ---- */

/* The roofs of each device. */
static enum vgg_status devices_measure(struct vgg_bench *bench, const struct vgg_bench_subjects *subjects,
                                       const struct vgg_bench_options *o)
{
    struct vgg_progress progress = { .phase = "peaks", .unit = "devices", .total = subjects->count };
    progress.loss = progress.accuracy = (double)NAN;
    size_t size = subjects->count * sizeof *bench->device;
    bench->device = vgg_mem_calloc(1, size);
    if (!bench->device) return vgg_fail_memory("devices to measure", size);
    for (size_t i = 0; i < subjects->count; i++) {
        struct vgg_bench_device *device = &bench->device[i];
        *device = subjects->item[i].device;
        enum vgg_status status = vgg_bench_peak(subjects->item[i].backend, &device->peak);
        if (status == VGG_OK) status = vgg_bench_bandwidth(subjects->item[i].backend, &device->bandwidth);
        if (status != VGG_OK) return status;
        bench->devices++;
        progress.done++;
        if (o->progress && !o->progress(o->user, &progress)) return VGG_INTERRUPTED;
    }
    return VGG_OK;
}

/* All passes and batches at one input size. */
static enum vgg_status size_measure(struct vgg_bench *bench, const struct vgg_bench_subjects *subjects,
                                    const struct vgg_bench_options *o, const int size[2], struct vgg_progress *progress)
{
    struct vgg_model *model;
    const struct vgg_model_options network = {
        .arch = o->arch, .weights = "random", .head = o->head, .height = size[0], .width = size[1], .seed = o->seed
    };
    enum vgg_status status = vgg_model_create(&model, &network);
    for (int b = 0; b < o->batches && status == VGG_OK; b++) {
        for (int pass = VGG_BENCH_FORWARD; pass <= VGG_BENCH_STEP && status == VGG_OK; pass++) {
            if (!(o->passes >> pass & 1)) continue;
            progress->phase = vgg_bench_pass_name((enum vgg_bench_pass)pass);
            const struct vgg_bench_cell cell = { .options = o,
                                                 .pass = (enum vgg_bench_pass)pass,
                                                 .batch = o->batch[b],
                                                 .arch = &model->arch,
                                                 .params = model->params,
                                                 .progress = progress };
            status = vgg_bench_cell_measure(bench, subjects, &cell);
        }
    }
    vgg_model_destroy(model);
    return status;
}

enum vgg_status vgg_bench_measure(struct vgg_bench *bench, const struct vgg_bench_subjects *subjects,
                                  const struct vgg_bench_options *o)
{
    int passes = __builtin_popcount(o->passes);
    struct vgg_progress progress = { .unit = "runs" };
    progress.loss = progress.accuracy = (double)NAN;
    progress.total = subjects->count * (uint64_t)(passes * o->batches * o->sizes) * vgg_bench_cell_runs(o);
    enum vgg_status status = devices_measure(bench, subjects, o);
    for (int s = 0; s < o->sizes && status == VGG_OK; s++)
        status = size_measure(bench, subjects, o, o->size[s], &progress);
    return status;
}

/* ---- the whole ---- */

static enum vgg_status describe(struct vgg_bench *bench, const struct vgg_bench_options *o)
{
    snprintf(bench->version, sizeof bench->version, "%s", vgg_version());
    vgg_os_date(bench->date, sizeof bench->date, "%Y-%m-%dT%H:%M:%SZ", true);
    snprintf(bench->arch, sizeof bench->arch, "%s", o->arch);
    snprintf(bench->head, sizeof bench->head, "%s", o->head);
    snprintf(bench->trainable, sizeof bench->trainable, "%s", o->trainable);
    struct vgg_limits limits;
    vgg_limits_get(&limits);
    bench->processors = limits.processors;
    bench->memory = limits.memory;
    struct vgg_device_info *device;
    size_t count;
    enum vgg_status status = vgg_backend_devices(&device, &count, "cpu");
    if (status != VGG_OK) return status;
    if (count) snprintf(bench->machine, sizeof bench->machine, "%s", device->name);
    free(device);
    return VGG_OK;
}

enum vgg_status vgg_bench_run(struct vgg_bench **out, const struct vgg_bench_options *options)
{
    struct vgg_bench_options o;
    struct vgg_bench_subjects subjects = { 0 };
    struct vgg_bench *bench = NULL;
    *out = NULL;
    enum vgg_status status = vgg_bench_options_read(&o, options);
    if (status != VGG_OK) return status;
    bench = vgg_mem_calloc(1, sizeof *bench);
    if (!bench) return vgg_fail_memory("a benchmark", sizeof *bench);
    CHECK(describe(bench, &o));
    CHECK(vgg_bench_subjects_open(&subjects, bench, &o));
    status = vgg_bench_measure(bench, &subjects, &o);
    bench->interrupted = status == VGG_INTERRUPTED;
    if (bench->interrupted || status == VGG_OK) {
        *out = bench;
        bench = NULL;
    }
fail:
    vgg_bench_subjects_close(&subjects);
    vgg_bench_destroy(bench);
    return status;
}
