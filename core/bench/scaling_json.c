/* What ranks gave as JSON; benchmarks/README.md documents the schema. */
#include "core/base/log.h"
#include "core/bench/json.h"

static void add_row(struct vgg_json *array, const struct vgg_bench_scaling_row *row)
{
    struct vgg_json *object = vgg_json_add_object(array, NULL);
    vgg_json_add_text(object, "pass", vgg_bench_pass_name(row->pass));
    vgg_json_add_number(object, "batch", row->batch);
    vgg_json_add_number(object, "height", row->height);
    vgg_json_add_number(object, "width", row->width);
    vgg_json_add_number(object, "shard", row->shard);
    vgg_json_add_number(object, "runs", row->all.runs);
    vgg_bench_json_time(object, "one_seconds", &row->one);
    vgg_bench_json_time(object, "all_seconds", &row->all);
    vgg_json_add_number(object, "images_per_second", row->batch / row->all.median);
    vgg_json_add_number(object, "efficiency", row->efficiency);
    vgg_json_add_number(object, "message_seconds", row->seconds);
    vgg_json_add_number(object, "waited_seconds", row->waited);
    vgg_json_add_number(object, "bytes_sent", row->bytes);
    vgg_json_add_number(object, "model_seconds", row->model);
}

enum vgg_status vgg_bench_scaling_json(char **out, const struct vgg_bench_scaling *scaling)
{
    struct vgg_json *json = vgg_json_object();
    vgg_json_add_text(json, "schema", "vgg16-bench-scaling");
    vgg_json_add_number(json, "schema_version", 1);
    vgg_json_add_text(json, "version", scaling->version);
    vgg_json_add_text(json, "date", scaling->date);
    vgg_json_add_text(json, "processor", scaling->machine);
    vgg_json_add_text(json, "backend", scaling->info.backend);
    vgg_json_add_text(json, "device", scaling->info.name);
    vgg_json_add_number(json, "threads", scaling->info.threads);
    struct vgg_json *network = vgg_json_add_object(json, "network");
    vgg_json_add_text(network, "arch", scaling->arch);
    vgg_json_add_text(network, "head", scaling->head);
    vgg_json_add_text(network, "trainable", scaling->trainable);
    vgg_json_add_number(json, "ranks", scaling->ranks);
    vgg_json_add_number(json, "alpha_seconds", scaling->alpha);
    vgg_json_add_number(json, "beta_bytes_per_second", scaling->beta);
    struct vgg_json *results = vgg_json_add_array(json, "results");
    for (size_t i = 0; i < scaling->rows; i++)
        add_row(results, &scaling->row[i]);
    *out = vgg_json_print(json, true);
    vgg_json_destroy(json);
    return *out ? VGG_OK : vgg_fail(VGG_ERR_MEMORY, "out of memory for a benchmark's JSON");
}
