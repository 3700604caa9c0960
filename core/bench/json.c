/* Benchmarks as JSON; benchmarks/README.md documents the schema. */
#include <string.h>

#include "core/base/log.h"
#include "core/bench/json.h"

void vgg_bench_json_time(struct vgg_json *object, const char *name, const struct vgg_bench_time *time)
{
    struct vgg_json *seconds = vgg_json_add_object(object, name);
    vgg_json_add_number(seconds, "min", time->min);
    vgg_json_add_number(seconds, "q1", time->q1);
    vgg_json_add_number(seconds, "median", time->median);
    vgg_json_add_number(seconds, "q3", time->q3);
    vgg_json_add_number(seconds, "max", time->max);
}

static void add_time(struct vgg_json *object, const struct vgg_bench_time *time)
{
    vgg_bench_json_time(object, "seconds", time);
    vgg_json_add_number(object, "runs", time->runs);
}

static void add_device(struct vgg_json *array, const struct vgg_bench_device *device)
{
    struct vgg_json *object = vgg_json_add_object(array, NULL);
    vgg_json_add_text(object, "name", device->name);
    vgg_json_add_text(object, "backend", device->info.backend);
    vgg_json_add_text(object, "device", device->info.name);
    vgg_json_add_text(object, "type", device->info.type);
    vgg_json_add_text(object, "driver", device->info.driver);
    vgg_json_add_text(object, "isa", device->isa);
    vgg_json_add_text(object, "conv", device->conv);
    vgg_json_add_number(object, "threads", device->info.threads);
    vgg_json_add_number(object, "memory", (double)device->info.memory);
    vgg_json_add_number(object, "peak_flops_per_second", device->peak);
    vgg_json_add_number(object, "bandwidth_bytes_per_second", device->bandwidth);
}

static void add_layer(struct vgg_json *array, const struct vgg_bench_layer *layer)
{
    struct vgg_json *object = vgg_json_add_object(array, NULL);
    double rate = layer->flops / layer->time.median;
    vgg_json_add_text(object, "name", layer->name);
    vgg_json_add_text(object, "op", layer->op);
    vgg_json_add_text(object, "stage", vgg_bench_pass_name(layer->stage));
    add_time(object, &layer->time);
    vgg_json_add_number(object, "flops", layer->flops);
    vgg_json_add_number(object, "bytes", layer->bytes);
    vgg_json_add_number(object, "intensity", layer->flops / layer->bytes);
    vgg_json_add_number(object, "flops_per_second", rate);
    vgg_json_add_number(object, "roof_flops_per_second", layer->roof);
    vgg_json_add_number(object, "roof_share", rate / layer->roof);
}

static const char *const noise_name[] = { "spread", "load", "steal" };
enum { NOISES = sizeof noise_name / sizeof *noise_name };

static void add_result(struct vgg_json *array, const struct vgg_bench *bench, const struct vgg_bench_result *result)
{
    const struct vgg_bench_device *device = &bench->device[result->device];
    struct vgg_json *object = vgg_json_add_object(array, NULL);
    double rate = result->flops / result->time.median;
    vgg_json_add_text(object, "device", device->name);
    vgg_json_add_text(object, "pass", vgg_bench_pass_name(result->pass));
    vgg_json_add_number(object, "batch", result->batch);
    vgg_json_add_number(object, "height", result->height);
    vgg_json_add_number(object, "width", result->width);
    add_time(object, &result->time);
    vgg_json_add_number(object, "first_seconds", result->first);
    vgg_json_add_number(object, "images_per_second", result->batch / result->time.median);
    vgg_json_add_number(object, "flops", result->flops);
    vgg_json_add_number(object, "bytes", result->bytes);
    vgg_json_add_number(object, "flops_per_second", rate);
    vgg_json_add_number(object, "peak_share", rate / device->peak);
    struct vgg_json *memory = vgg_json_add_object(object, "memory");
    vgg_json_add_number(memory, "parameters", (double)result->parameters);
    vgg_json_add_number(memory, "gradients", (double)result->gradients);
    vgg_json_add_number(memory, "moments", (double)result->moments);
    vgg_json_add_number(memory, "activations", (double)result->activations);
    vgg_json_add_number(object, "error", result->error);
    vgg_json_add_number(object, "error_bound", result->bound);
    vgg_json_add_number(object, "others_share", result->others);
    vgg_json_add_number(object, "steal_share", result->steal);
    struct vgg_json *noise = vgg_json_add_array(object, "noise");
    for (int i = 0; i < NOISES; i++)
        if (result->noise >> i & 1) vgg_json_add_text(noise, NULL, noise_name[i]);
    vgg_json_add_number(object, "energy_joules", result->energy);
    struct vgg_json *layers = vgg_json_add_array(object, "layers");
    for (size_t i = 0; i < result->layers; i++)
        add_layer(layers, &result->layer[i]);
}

static void add_comparison(struct vgg_json *json, const struct vgg_bench *bench, const struct vgg_bench *old,
                           const struct vgg_bench_comparison *comparison)
{
    struct vgg_json *object = vgg_json_add_object(json, "comparison");
    vgg_json_add_text(object, "old_version", old->version);
    vgg_json_add_text(object, "old_date", old->date);
    vgg_json_add_number(object, "slower", (double)comparison->slower);
    vgg_json_add_number(object, "faster", (double)comparison->faster);
    vgg_json_add_number(object, "only_old", (double)comparison->only_old);
    vgg_json_add_number(object, "only_new", (double)comparison->only_new);
    struct vgg_json *changes = vgg_json_add_array(object, "changes");
    for (size_t i = 0; i < comparison->changes; i++) {
        const struct vgg_bench_change *change = &comparison->change[i];
        const struct vgg_bench_layer *layer =
            change->layer == SIZE_MAX ? NULL : &bench->result[change->new_result].layer[change->layer];
        struct vgg_json *row = vgg_json_add_object(changes, NULL);
        vgg_json_add_number(row, "old_result", (double)change->old_result);
        vgg_json_add_number(row, "result", (double)change->new_result);
        vgg_json_add_text(row, "layer", layer ? layer->name : NULL);
        vgg_json_add_text(row, "op", layer ? layer->op : NULL);
        vgg_json_add_number(row, "ratio", change->ratio);
        vgg_json_add_number(row, "noise", change->noise);
        vgg_json_add_text(row, "verdict", change->verdict > 0 ? "slower" : change->verdict < 0 ? "faster" : "same");
    }
}

enum vgg_status vgg_bench_json(char **out, const struct vgg_bench *bench, const struct vgg_bench *old,
                               const struct vgg_bench_comparison *comparison)
{
    struct vgg_json *json = vgg_json_object();
    vgg_json_add_text(json, "schema", VGG_BENCH_SCHEMA);
    vgg_json_add_number(json, "schema_version", VGG_BENCH_SCHEMA_VERSION);
    vgg_json_add_text(json, "version", bench->version);
    vgg_json_add_text(json, "date", bench->date);
    struct vgg_json *machine = vgg_json_add_object(json, "machine");
    vgg_json_add_text(machine, "processor", bench->machine);
    vgg_json_add_number(machine, "processors", bench->processors);
    vgg_json_add_number(machine, "memory", (double)bench->memory);
    struct vgg_json *network = vgg_json_add_object(json, "network");
    vgg_json_add_text(network, "arch", bench->arch);
    vgg_json_add_text(network, "head", bench->head);
    vgg_json_add_text(network, "trainable", bench->trainable);
    vgg_json_add_bool(json, "interrupted", bench->interrupted);
    vgg_json_add_number(json, "peak_resident", (double)bench->peak_resident);
    struct vgg_json *devices = vgg_json_add_array(json, "devices"), *results = vgg_json_add_array(json, "results");
    for (size_t i = 0; i < bench->devices; i++)
        add_device(devices, &bench->device[i]);
    for (size_t i = 0; i < bench->results; i++)
        add_result(results, bench, &bench->result[i]);
    struct vgg_json *skipped = vgg_json_add_array(json, "skipped");
    for (size_t i = 0; i < bench->skips; i++) {
        struct vgg_json *object = vgg_json_add_object(skipped, NULL);
        vgg_json_add_text(object, "device", bench->skip[i].device);
        vgg_json_add_text(object, "what", bench->skip[i].what);
        vgg_json_add_text(object, "why", bench->skip[i].why);
    }
    if (old && comparison) add_comparison(json, bench, old, comparison);
    *out = vgg_json_print(json, true);
    vgg_json_destroy(json);
    return *out ? VGG_OK : vgg_fail(VGG_ERR_MEMORY, "out of memory for a benchmark's JSON");
}

/* ---- names of flags, for the reader ---- */

unsigned vgg_bench_noise_named(const char *name)
{
    for (int i = 0; i < NOISES; i++)
        if (strcmp(noise_name[i], name) == 0) return 1u << i;
    return 0;
}
