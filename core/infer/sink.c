#include "core/infer/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/infer/sink_json.h"

static const struct vgg_sink_format *find_format(const char *path)
{
    static const struct vgg_sink_format *const formats[] = { &vgg_sink_npy, &vgg_sink_h5, &vgg_sink_safetensors,
                                                             &vgg_sink_csv };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (vgg_file_has_extension(path, formats[i]->extension)) return formats[i];
    }
    return NULL;
}

static void sink_free(struct vgg_sink *sink)
{
    if (sink->format->close) sink->format->close(sink);
    vgg_file_abort(sink->file);
    free(sink->path);
    free(sink->index);
    free(sink->labels);
    free(sink);
}

enum vgg_status vgg_sink_create(struct vgg_sink **out, const char *path, const struct vgg_data *data, int h, int w,
                                int c, const struct vgg_origin *origin)
{
    return vgg_sink_create_part(out, path, data, h, w, c, origin, NULL);
}

enum vgg_status vgg_sink_create_part(struct vgg_sink **out, const char *path, const struct vgg_data *data, int h, int w,
                                     int c, const struct vgg_origin *origin, const struct vgg_sink_part *part)
{
    *out = NULL;
    enum vgg_status status = VGG_OK;
    const struct vgg_sink_format *format = find_format(path);
    if (!format)
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: unknown kind of output; use .npy, .h5, .safetensors or .csv", path);
    if (part && format != &vgg_sink_safetensors)
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: a part is a safetensors file; name it X.safetensors", path);
    struct vgg_sink *sink = vgg_mem_calloc(1, sizeof *sink);
    if (!sink) return vgg_fail_memory(path, sizeof *sink);
    size_t bound = vgg_data_count(data);
    sink->format = format;
    sink->data = data;
    sink->origin = origin;
    sink->part = part;
    sink->rank = h == 1 && w == 1 ? 2 : 4;
    uint64_t maps[4] = { bound, (uint64_t)h, (uint64_t)w, (uint64_t)c }, vectors[4] = { bound, (uint64_t)c, 0, 0 };
    memcpy(sink->shape, sink->rank == 2 ? vectors : maps, sizeof maps);
    sink->item = (size_t)h * (size_t)w * (size_t)c;
    sink->path = vgg_mem_strdup(path);
    sink->index = vgg_mem_calloc(bound, sizeof *sink->index);
    if (vgg_data_class_count(data)) sink->labels = vgg_mem_calloc(bound, sizeof *sink->labels);
    if (!sink->path || !sink->index || (vgg_data_class_count(data) && !sink->labels))
        CHECK(vgg_fail_memory(path, bound * sizeof *sink->index));
    CHECK(vgg_file_create(&sink->file, path));
    CHECK(format->begin(sink));
    *out = sink;
    return VGG_OK;
fail:
    sink_free(sink);
    return status;
}

enum vgg_status vgg_sink_append(struct vgg_sink *sink, const float *x, const size_t *index, size_t count)
{
    if (count > sink->shape[0] - sink->count)
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: more features than the data set has items", sink->path);
    enum vgg_status status = sink->format->append(sink, x, index, count);
    if (status != VGG_OK) return status;
    for (size_t i = 0; i < count; i++, sink->count++) {
        sink->index[sink->count] = index[i];
        if (sink->labels) sink->labels[sink->count] = vgg_data_label(sink->data, index[i]);
    }
    return VGG_OK;
}

size_t vgg_sink_count(const struct vgg_sink *sink)
{
    return sink->count;
}

/* PATH.json, still written aside; *out stays NULL where the file itself has the record. */
static enum vgg_status write_beside(struct vgg_file **out, const struct vgg_sink *sink)
{
    *out = NULL;
    if (!sink->format->beside || !sink->origin) return VGG_OK;
    enum vgg_status status = VGG_OK;
    size_t size = strlen(sink->path) + sizeof ".json";
    char *path = vgg_mem_calloc(size, 1), *text = NULL;
    struct vgg_json *object = vgg_json_object();
    if (path) snprintf(path, size, "%s.json", sink->path);
    if (object && vgg_sink_add_origin(object, sink)) text = vgg_json_print(object, true);
    if (!path || !text) CHECK(vgg_fail_memory(sink->path, size));
    CHECK(vgg_file_create(out, path));
    CHECK(vgg_file_printf(*out, "%s\n", text));
fail:
    free(text);
    vgg_json_destroy(object);
    free(path);
    return status;
}

/* The files beside it are renamed first: where the features appear, all is there. Their bytes reach the disk before, so
 * that one rename follows the other at once. */
enum vgg_status vgg_sink_commit(struct vgg_sink *sink)
{
    struct vgg_file *beside = NULL;
    enum vgg_status status = write_beside(&beside, sink);
    if (status == VGG_OK) status = vgg_file_sync(sink->file);
    if (status == VGG_OK) status = sink->format->end(sink);
    if (status == VGG_OK && beside) {
        status = vgg_file_commit(beside);
        beside = NULL;
    }
    if (status == VGG_OK) {
        status = vgg_file_commit(sink->file);
        sink->file = NULL;
    }
    vgg_file_abort(beside);
    sink_free(sink);
    return status;
}

void vgg_sink_abort(struct vgg_sink *sink)
{
    if (sink) sink_free(sink);
}
