/* Reads benchmarks from JSON. Nothing that a file says is trusted: names are cut to their room, numbers must be
 * numbers, indices must exist. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bench/json.h"
#include "core/format/json.h"

/* Where a reader is, and what it missed first. */
struct reader {
    const char *path, *missing;
};

static void text(struct reader *r, char *to, size_t size, const struct vgg_json *object, const char *name)
{
    const char *found = vgg_json_text(vgg_json_member(object, name));
    if (found) snprintf(to, size, "%s", found);
    if (!found && !r->missing) r->missing = name;
}

/* NAN for null. */
static double number(struct reader *r, const struct vgg_json *object, const char *name)
{
    const struct vgg_json *item = vgg_json_member(object, name);
    if (vgg_json_kind(item) == VGG_JSON_NUMBER) return vgg_json_number(item);
    if (vgg_json_kind(item) != VGG_JSON_NULL && !r->missing) r->missing = name;
    return (double)NAN;
}

/* A whole number from 0 to `most`. */
static double whole(struct reader *r, const struct vgg_json *object, const char *name, double most)
{
    double value = number(r, object, name);
    if (value >= 0 && value <= most) return floor(value);
    if (!r->missing) r->missing = name;
    return 0;
}

static uint64_t bytes(struct reader *r, const struct vgg_json *object, const char *name)
{
    return (uint64_t)whole(r, object, name, 0x1p60);
}

static struct vgg_bench_time times(struct reader *r, const struct vgg_json *object)
{
    const struct vgg_json *seconds = vgg_json_member(object, "seconds");
    struct vgg_bench_time time = {
        .runs = (int)whole(r, object, "runs", 1e9),
        .min = number(r, seconds, "min"),
        .q1 = number(r, seconds, "q1"),
        .median = number(r, seconds, "median"),
        .q3 = number(r, seconds, "q3"),
        .max = number(r, seconds, "max"),
    };
    if (!(time.median > 0) && !r->missing) r->missing = "seconds above 0";
    return time;
}

static enum vgg_bench_pass pass_named(struct reader *r, const struct vgg_json *object, const char *name)
{
    char word[16] = "";
    text(r, word, sizeof word, object, name);
    for (int i = 0; i < VGG_BENCH_PASS_COUNT; i++)
        if (strcmp(vgg_bench_pass_name((enum vgg_bench_pass)i), word) == 0) return (enum vgg_bench_pass)i;
    if (!r->missing) r->missing = name;
    return VGG_BENCH_FORWARD;
}

/* The array of that name and room for its items; NULL without memory. */
static void *items(struct reader *r, const struct vgg_json *object, const char *name, size_t size,
                   const struct vgg_json **first, size_t *count)
{
    const struct vgg_json *array = vgg_json_member(object, name);
    bool good = vgg_json_kind(array) == VGG_JSON_ARRAY;
    if (!good && !r->missing) r->missing = name;
    *first = good ? vgg_json_first(array) : NULL;
    *count = good ? vgg_json_count(array) : 0;
    void *room = vgg_mem_calloc(*count, size);
    if (!room) *count = 0;
    return room;
}

static enum vgg_status read_devices(struct reader *r, struct vgg_bench *bench, const struct vgg_json *json)
{
    const struct vgg_json *item;
    bench->device = items(r, json, "devices", sizeof *bench->device, &item, &bench->devices);
    if (!bench->device) return vgg_fail_memory(r->path, bench->devices * sizeof *bench->device);
    for (size_t i = 0; i < bench->devices; i++, item = vgg_json_next(item)) {
        struct vgg_bench_device *device = &bench->device[i];
        text(r, device->name, sizeof device->name, item, "name");
        text(r, device->info.backend, sizeof device->info.backend, item, "backend");
        text(r, device->info.name, sizeof device->info.name, item, "device");
        text(r, device->info.type, sizeof device->info.type, item, "type");
        text(r, device->info.driver, sizeof device->info.driver, item, "driver");
        text(r, device->isa, sizeof device->isa, item, "isa");
        text(r, device->conv, sizeof device->conv, item, "conv");
        device->info.threads = (int)whole(r, item, "threads", 1e6);
        device->info.memory = bytes(r, item, "memory");
        device->peak = number(r, item, "peak_flops_per_second");
        device->bandwidth = number(r, item, "bandwidth_bytes_per_second");
    }
    return VGG_OK;
}

static enum vgg_status read_layers(struct reader *r, struct vgg_bench_result *result, const struct vgg_json *json)
{
    const struct vgg_json *item;
    result->layer = items(r, json, "layers", sizeof *result->layer, &item, &result->layers);
    if (!result->layer) return vgg_fail_memory(r->path, result->layers * sizeof *result->layer);
    for (size_t i = 0; i < result->layers; i++, item = vgg_json_next(item)) {
        struct vgg_bench_layer *layer = &result->layer[i];
        text(r, layer->name, sizeof layer->name, item, "name");
        text(r, layer->op, sizeof layer->op, item, "op");
        layer->stage = pass_named(r, item, "stage");
        layer->flops = number(r, item, "flops");
        layer->bytes = number(r, item, "bytes");
        layer->roof = number(r, item, "roof_flops_per_second");
        layer->time = times(r, item);
    }
    return VGG_OK;
}

static int device_named(struct reader *r, const struct vgg_bench *bench, const struct vgg_json *json)
{
    char name[64] = "";
    text(r, name, sizeof name, json, "device");
    for (size_t i = 0; i < bench->devices; i++)
        if (strcmp(bench->device[i].name, name) == 0) return (int)i;
    if (!r->missing) r->missing = "a result's device among devices";
    return 0;
}

static enum vgg_status read_result(struct reader *r, const struct vgg_bench *bench, struct vgg_bench_result *result,
                                   const struct vgg_json *json)
{
    const struct vgg_json *memory = vgg_json_member(json, "memory");
    result->device = device_named(r, bench, json);
    result->pass = pass_named(r, json, "pass");
    result->batch = (int)whole(r, json, "batch", 1e9);
    result->height = (int)whole(r, json, "height", 1e9);
    result->width = (int)whole(r, json, "width", 1e9);
    result->time = times(r, json);
    result->first = number(r, json, "first_seconds");
    result->flops = number(r, json, "flops");
    result->bytes = number(r, json, "bytes");
    result->parameters = bytes(r, memory, "parameters");
    result->gradients = bytes(r, memory, "gradients");
    result->moments = bytes(r, memory, "moments");
    result->activations = bytes(r, memory, "activations");
    result->error = number(r, json, "error");
    result->bound = number(r, json, "error_bound");
    result->others = number(r, json, "others_share");
    result->steal = number(r, json, "steal_share");
    result->energy = number(r, json, "energy_joules");
    const struct vgg_json *noise = vgg_json_first(vgg_json_member(json, "noise"));
    for (; noise; noise = vgg_json_next(noise))
        if (vgg_json_text(noise)) result->noise |= vgg_bench_noise_named(vgg_json_text(noise));
    return read_layers(r, result, json);
}

static enum vgg_status read_results(struct reader *r, struct vgg_bench *bench, const struct vgg_json *json)
{
    const struct vgg_json *item;
    enum vgg_status status = VGG_OK;
    bench->result = items(r, json, "results", sizeof *bench->result, &item, &bench->results);
    if (!bench->result) return vgg_fail_memory(r->path, bench->results * sizeof *bench->result);
    for (size_t i = 0; i < bench->results && status == VGG_OK; i++, item = vgg_json_next(item))
        status = read_result(r, bench, &bench->result[i], item);
    return status;
}

static enum vgg_status read_skips(struct reader *r, struct vgg_bench *bench, const struct vgg_json *json)
{
    const struct vgg_json *item;
    bench->skip = items(r, json, "skipped", sizeof *bench->skip, &item, &bench->skips);
    if (!bench->skip) return vgg_fail_memory(r->path, bench->skips * sizeof *bench->skip);
    for (size_t i = 0; i < bench->skips; i++, item = vgg_json_next(item)) {
        text(r, bench->skip[i].device, sizeof bench->skip[i].device, item, "device");
        text(r, bench->skip[i].what, sizeof bench->skip[i].what, item, "what");
        text(r, bench->skip[i].why, sizeof bench->skip[i].why, item, "why");
    }
    return VGG_OK;
}

static enum vgg_status read_all(struct reader *r, struct vgg_bench *bench, const struct vgg_json *json)
{
    enum vgg_status status;
    const struct vgg_json *machine = vgg_json_member(json, "machine");
    const struct vgg_json *network = vgg_json_member(json, "network");
    text(r, bench->version, sizeof bench->version, json, "version");
    text(r, bench->date, sizeof bench->date, json, "date");
    text(r, bench->machine, sizeof bench->machine, machine, "processor");
    bench->processors = (int)whole(r, machine, "processors", 1e6);
    bench->memory = bytes(r, machine, "memory");
    text(r, bench->arch, sizeof bench->arch, network, "arch");
    text(r, bench->head, sizeof bench->head, network, "head");
    text(r, bench->trainable, sizeof bench->trainable, network, "trainable");
    bench->interrupted = vgg_json_is_true(vgg_json_member(json, "interrupted"));
    bench->peak_resident = bytes(r, json, "peak_resident");
    CHECK(read_devices(r, bench, json));
    CHECK(read_results(r, bench, json));
    CHECK(read_skips(r, bench, json));
    if (r->missing) {
        CHECK(vgg_fail(VGG_ERR_FORMAT,
                       "%s: is no complete benchmark: %s is missing or wrong; write it anew with `vgg16 "
                       "bench --json`",
                       r->path, r->missing));
    }
fail:
    return status;
}

enum vgg_status vgg_bench_load(struct vgg_bench **out, const char *path)
{
    enum vgg_status status;
    const void *data = NULL;
    size_t size = 0;
    struct vgg_json *json = NULL;
    struct vgg_bench *bench = NULL;
    struct reader r = { .path = path };
    char schema[32] = "";
    *out = NULL;
    CHECK(vgg_file_map(&data, &size, path));
    json = vgg_json_parse(data, size);
    text(&r, schema, sizeof schema, json, "schema");
    if (!json || strcmp(schema, VGG_BENCH_SCHEMA) != 0) {
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: is not what `vgg16 bench --json` writes", path));
    }
    double version = number(&r, json, "schema_version");
    if (version != VGG_BENCH_SCHEMA_VERSION) {
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: has version %g of the schema, this program reads version %d", path, version,
                       VGG_BENCH_SCHEMA_VERSION));
    }
    bench = vgg_mem_calloc(1, sizeof *bench);
    if (!bench) CHECK(vgg_fail_memory(path, sizeof *bench));
    CHECK(read_all(&r, bench, json));
    *out = bench;
    bench = NULL;
fail:
    vgg_bench_destroy(bench);
    vgg_json_destroy(json);
    if (data) vgg_file_unmap(data, size);
    return status;
}
