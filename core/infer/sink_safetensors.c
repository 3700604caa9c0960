#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/infer/sink_json.h"

/* The value of __metadata__ as text by malloc: `classes` where there are labels, the record, and what a part says of
 * itself; NULL without memory. */
static char *make_metadata(const struct vgg_sink *sink)
{
    struct vgg_json *object = vgg_json_object();
    const struct vgg_sink_part *part = sink->part;
    char *classes = vgg_sink_classes(sink);
    bool good = object && classes && (!sink->labels || vgg_json_add_text(object, "classes", classes)) &&
                vgg_sink_add_origin(object, sink);
    for (size_t i = 0; good && part && i < part->pairs; i++)
        good = vgg_json_add_text(object, part->about[i].key, part->about[i].value);
    char *text = good ? vgg_json_print(object, false) : NULL;
    free(classes);
    vgg_json_destroy(object);
    return text;
}

/* Bytes of `paths`: of what was appended, or of all that could be. */
static size_t paths_size(const struct vgg_sink *sink, bool all)
{
    size_t size = 0, count = all ? sink->shape[0] : sink->count;
    for (size_t i = 0; i < count; i++)
        size += strlen(vgg_data_path(sink->data, all ? i : sink->index[i])) + 1;
    return size;
}

/* A header that is being written at text + n, of `room` bytes. `end`: of the tensors so far, in the data. */
struct header {
    char *text;
    size_t n, room;
    unsigned long long end;
};

/* One more tensor of `count` items of `size` bytes in all; the extents of one item from `more` on, `rank` of them. */
static void add_tensor(struct header *h, const char *name, const char *dtype, size_t count, unsigned long long size,
                       const uint64_t *more, int rank)
{
    h->n += (size_t)snprintf(h->text + h->n, h->room - h->n, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu", name, dtype,
                             count);
    for (int i = 0; i < rank; i++)
        h->n += (size_t)snprintf(h->text + h->n, h->room - h->n, ",%llu", (unsigned long long)more[i]);
    h->n += (size_t)snprintf(h->text + h->n, h->room - h->n, "],\"data_offsets\":[%llu,%llu]}", h->end, h->end + size);
    h->end += size;
}

/* The header for what was appended, or `all` that could be, padded with spaces to `length` (0: to a multiple of 8),
 * behind its length word. By malloc, its size in *size; NULL without memory. */
static char *make_header(const struct vgg_sink *sink, bool all, size_t length, size_t *size)
{
    char *metadata = make_metadata(sink);
    size_t count = all ? sink->shape[0] : sink->count;
    struct header h = { .n = 8, .room = metadata ? strlen(metadata) + 768 : 0 };
    if (metadata) h.text = vgg_mem_calloc(h.room, 1);
    if (h.text) {
        h.n += (size_t)snprintf(h.text + h.n, h.room - h.n, "{\"__metadata__\":%s", metadata);
        add_tensor(&h, "x", "F32", count, count * sink->item * sizeof(float), sink->shape + 1, sink->rank - 1);
        if (sink->labels) add_tensor(&h, "y", "I64", count, count * sizeof(int64_t), NULL, 0);
        if (sink->part) {
            size_t bytes = paths_size(sink, all);
            add_tensor(&h, "index", "I64", count, count * sizeof(int64_t), NULL, 0);
            add_tensor(&h, "paths", "U8", bytes, bytes, NULL, 0);
        }
        h.n += (size_t)snprintf(h.text + h.n, h.room - h.n, "}");
        *size = length ? length : (h.n + 7) / 8 * 8;
        memset(h.text + h.n, ' ', *size - h.n);
        for (int i = 0; i < 8; i++)
            h.text[i] = (char)(unsigned char)((uint64_t)(*size - 8) >> 8 * i);
    }
    free(metadata);
    return h.text;
}

/* `index` and `paths`. */
static enum vgg_status write_places(struct vgg_sink *sink)
{
    enum vgg_status status = VGG_OK;
    for (size_t i = 0; i < sink->count; i++) {
        int64_t index = (int64_t)(sink->part->first + sink->index[i]);
        CHECK(vgg_file_write(sink->file, &index, sizeof index));
    }
    for (size_t i = 0; i < sink->count; i++)
        CHECK(vgg_file_printf(sink->file, "%s\n", vgg_data_path(sink->data, sink->index[i])));
fail:
    return status;
}

/* state: the size of the header, which has room for the largest count. */
static enum vgg_status safetensors_begin(struct vgg_sink *sink)
{
    size_t *size = vgg_mem_calloc(1, sizeof *size);
    sink->state = size;
    char *header = size ? make_header(sink, true, 0, size) : NULL;
    if (!header) return vgg_fail_memory(sink->path, sizeof *size);
    enum vgg_status status = vgg_file_write(sink->file, header, *size);
    free(header);
    return status;
}

static enum vgg_status safetensors_append(struct vgg_sink *sink, const float *x, const size_t *index, size_t count)
{
    (void)index;
    return vgg_file_write(sink->file, x, count * sink->item * sizeof *x);
}

static enum vgg_status safetensors_end(struct vgg_sink *sink)
{
    enum vgg_status status = VGG_OK;
    size_t size = *(const size_t *)sink->state;
    char *header = make_header(sink, false, size, &size);
    if (!header) return vgg_fail_memory(sink->path, size);
    if (sink->labels) CHECK(vgg_file_write(sink->file, sink->labels, sink->count * sizeof *sink->labels));
    if (sink->part) CHECK(write_places(sink));
    CHECK(vgg_file_patch(sink->file, 0, header, size));
fail:
    free(header);
    return status;
}

static void safetensors_close(struct vgg_sink *sink)
{
    free(sink->state);
}

const struct vgg_sink_format vgg_sink_safetensors = { ".safetensors",     false,           safetensors_begin,
                                                      safetensors_append, safetensors_end, safetensors_close };
