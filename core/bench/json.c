/* Benchmarks as JSON; benchmarks/README.md documents the schema. */
#include <cjson/cJSON.h>
#include <string.h>

#include "core/base/log.h"
#include "core/bench/json.h"

static void add_time(cJSON *object, const struct vgg_bench_time *time)
{
    cJSON *seconds = cJSON_AddObjectToObject(object, "seconds");
    cJSON_AddNumberToObject(seconds, "min", time->min);
    cJSON_AddNumberToObject(seconds, "q1", time->q1);
    cJSON_AddNumberToObject(seconds, "median", time->median);
    cJSON_AddNumberToObject(seconds, "q3", time->q3);
    cJSON_AddNumberToObject(seconds, "max", time->max);
    cJSON_AddNumberToObject(object, "runs", time->runs);
}

static void add_device(cJSON *array, const struct vgg_bench_device *device)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", device->name);
    cJSON_AddStringToObject(object, "backend", device->info.backend);
    cJSON_AddStringToObject(object, "device", device->info.name);
    cJSON_AddStringToObject(object, "type", device->info.type);
    cJSON_AddStringToObject(object, "driver", device->info.driver);
    cJSON_AddStringToObject(object, "isa", device->isa);
    cJSON_AddStringToObject(object, "conv", device->conv);
    cJSON_AddNumberToObject(object, "threads", device->info.threads);
    cJSON_AddNumberToObject(object, "memory", (double)device->info.memory);
    cJSON_AddNumberToObject(object, "peak_flops_per_second", device->peak);
    cJSON_AddNumberToObject(object, "bandwidth_bytes_per_second", device->bandwidth);
    cJSON_AddItemToArray(array, object);
}

static void add_layer(cJSON *array, const struct vgg_bench_layer *layer)
{
    cJSON *object = cJSON_CreateObject();
    double rate = layer->flops / layer->time.median;
    cJSON_AddStringToObject(object, "name", layer->name);
    cJSON_AddStringToObject(object, "op", layer->op);
    cJSON_AddStringToObject(object, "stage", vgg_bench_pass_name(layer->stage));
    add_time(object, &layer->time);
    cJSON_AddNumberToObject(object, "flops", layer->flops);
    cJSON_AddNumberToObject(object, "bytes", layer->bytes);
    cJSON_AddNumberToObject(object, "intensity", layer->flops / layer->bytes);
    cJSON_AddNumberToObject(object, "flops_per_second", rate);
    cJSON_AddNumberToObject(object, "roof_flops_per_second", layer->roof);
    cJSON_AddNumberToObject(object, "roof_share", rate / layer->roof);
    cJSON_AddItemToArray(array, object);
}

static const char *const noise_name[] = { "spread", "load", "steal" };
enum { NOISES = sizeof noise_name / sizeof *noise_name };

static void add_result(cJSON *array, const struct vgg_bench *bench, const struct vgg_bench_result *result)
{
    const struct vgg_bench_device *device = &bench->device[result->device];
    cJSON *object = cJSON_CreateObject();
    double rate = result->flops / result->time.median;
    cJSON_AddStringToObject(object, "device", device->name);
    cJSON_AddStringToObject(object, "pass", vgg_bench_pass_name(result->pass));
    cJSON_AddNumberToObject(object, "batch", result->batch);
    cJSON_AddNumberToObject(object, "height", result->height);
    cJSON_AddNumberToObject(object, "width", result->width);
    add_time(object, &result->time);
    cJSON_AddNumberToObject(object, "first_seconds", result->first);
    cJSON_AddNumberToObject(object, "images_per_second", result->batch / result->time.median);
    cJSON_AddNumberToObject(object, "flops", result->flops);
    cJSON_AddNumberToObject(object, "bytes", result->bytes);
    cJSON_AddNumberToObject(object, "flops_per_second", rate);
    cJSON_AddNumberToObject(object, "peak_share", rate / device->peak);
    cJSON *memory = cJSON_AddObjectToObject(object, "memory");
    cJSON_AddNumberToObject(memory, "parameters", (double)result->parameters);
    cJSON_AddNumberToObject(memory, "gradients", (double)result->gradients);
    cJSON_AddNumberToObject(memory, "moments", (double)result->moments);
    cJSON_AddNumberToObject(memory, "activations", (double)result->activations);
    cJSON_AddNumberToObject(object, "error", result->error);
    cJSON_AddNumberToObject(object, "error_bound", result->bound);
    cJSON_AddNumberToObject(object, "others_share", result->others);
    cJSON_AddNumberToObject(object, "steal_share", result->steal);
    cJSON *noise = cJSON_AddArrayToObject(object, "noise");
    for (int i = 0; i < NOISES; i++)
        if (result->noise >> i & 1) cJSON_AddItemToArray(noise, cJSON_CreateString(noise_name[i]));
    cJSON_AddNumberToObject(object, "energy_joules", result->energy);
    cJSON *layers = cJSON_AddArrayToObject(object, "layers");
    for (size_t i = 0; i < result->layers; i++)
        add_layer(layers, &result->layer[i]);
    cJSON_AddItemToArray(array, object);
}

static void add_comparison(cJSON *json, const struct vgg_bench *bench, const struct vgg_bench *old,
                           const struct vgg_bench_comparison *comparison)
{
    cJSON *object = cJSON_AddObjectToObject(json, "comparison");
    cJSON_AddStringToObject(object, "old_version", old->version);
    cJSON_AddStringToObject(object, "old_date", old->date);
    cJSON_AddNumberToObject(object, "slower", (double)comparison->slower);
    cJSON_AddNumberToObject(object, "faster", (double)comparison->faster);
    cJSON_AddNumberToObject(object, "only_old", (double)comparison->only_old);
    cJSON_AddNumberToObject(object, "only_new", (double)comparison->only_new);
    cJSON *changes = cJSON_AddArrayToObject(object, "changes");
    for (size_t i = 0; i < comparison->changes; i++) {
        const struct vgg_bench_change *change = &comparison->change[i];
        const struct vgg_bench_layer *layer =
            change->layer == SIZE_MAX ? NULL : &bench->result[change->new_result].layer[change->layer];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "old_result", (double)change->old_result);
        cJSON_AddNumberToObject(row, "result", (double)change->new_result);
        cJSON_AddItemToObject(row, "layer", layer ? cJSON_CreateString(layer->name) : cJSON_CreateNull());
        cJSON_AddItemToObject(row, "op", layer ? cJSON_CreateString(layer->op) : cJSON_CreateNull());
        cJSON_AddNumberToObject(row, "ratio", change->ratio);
        cJSON_AddNumberToObject(row, "noise", change->noise);
        cJSON_AddStringToObject(row, "verdict",
                                change->verdict > 0   ? "slower"
                                : change->verdict < 0 ? "faster"
                                                      : "same");
        cJSON_AddItemToArray(changes, row);
    }
}

enum vgg_status vgg_bench_json(char **out, const struct vgg_bench *bench, const struct vgg_bench *old,
                               const struct vgg_bench_comparison *comparison)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "schema", VGG_BENCH_SCHEMA);
    cJSON_AddNumberToObject(json, "schema_version", VGG_BENCH_SCHEMA_VERSION);
    cJSON_AddStringToObject(json, "version", bench->version);
    cJSON_AddStringToObject(json, "date", bench->date);
    cJSON *machine = cJSON_AddObjectToObject(json, "machine");
    cJSON_AddStringToObject(machine, "processor", bench->machine);
    cJSON_AddNumberToObject(machine, "processors", bench->processors);
    cJSON_AddNumberToObject(machine, "memory", (double)bench->memory);
    cJSON *network = cJSON_AddObjectToObject(json, "network");
    cJSON_AddStringToObject(network, "arch", bench->arch);
    cJSON_AddStringToObject(network, "head", bench->head);
    cJSON_AddStringToObject(network, "trainable", bench->trainable);
    cJSON_AddBoolToObject(json, "interrupted", bench->interrupted);
    cJSON_AddNumberToObject(json, "peak_resident", (double)bench->peak_resident);
    cJSON *devices = cJSON_AddArrayToObject(json, "devices"), *results = cJSON_AddArrayToObject(json, "results");
    for (size_t i = 0; i < bench->devices; i++)
        add_device(devices, &bench->device[i]);
    for (size_t i = 0; i < bench->results; i++)
        add_result(results, bench, &bench->result[i]);
    cJSON *skipped = cJSON_AddArrayToObject(json, "skipped");
    for (size_t i = 0; i < bench->skips; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "device", bench->skip[i].device);
        cJSON_AddStringToObject(object, "what", bench->skip[i].what);
        cJSON_AddStringToObject(object, "why", bench->skip[i].why);
        cJSON_AddItemToArray(skipped, object);
    }
    if (old && comparison) add_comparison(json, bench, old, comparison);
    *out = cJSON_Print(json);
    cJSON_Delete(json);
    return *out ? VGG_OK : vgg_fail(VGG_ERR_MEMORY, "out of memory for a benchmark's JSON");
}

/* ---- names of flags, for the reader ---- */

unsigned vgg_bench_noise_named(const char *name)
{
    for (int i = 0; i < NOISES; i++)
        if (strcmp(noise_name[i], name) == 0) return 1u << i;
    return 0;
}
