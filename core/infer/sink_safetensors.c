#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/infer/sink_json.h"

/* The value of __metadata__ as text by malloc: `classes` where there are labels, and the record; NULL without memory.
 */
static char *make_metadata(const struct vgg_sink *sink)
{
    struct vgg_json *object = vgg_json_object();
    char *classes = vgg_sink_classes(sink);
    bool good = object && classes && (!sink->labels || vgg_json_add_text(object, "classes", classes)) &&
                vgg_sink_add_origin(object, sink);
    char *text = good ? vgg_json_print(object, false) : NULL;
    free(classes);
    vgg_json_destroy(object);
    return text;
}

/* The header for `count` items padded with spaces to `length` (0: to a multiple of 8), behind its length word. By
 * malloc, its size in *size; NULL without memory. */
static char *make_header(const struct vgg_sink *sink, size_t count, size_t length, size_t *size)
{
    char *text = NULL, *metadata = make_metadata(sink);
    unsigned long long x_end = count * sink->item * sizeof(float), y_end = x_end + count * sizeof(int64_t);
    const uint64_t *s = sink->shape;
    size_t room = metadata ? strlen(metadata) + 512 : 0;
    if (metadata) text = vgg_mem_calloc(room, 1);
    if (text) {
        size_t n = 8;
        n += (size_t)snprintf(text + n, room - n, "{\"__metadata__\":%s,\"x\":{\"dtype\":\"F32\",\"shape\":[%zu",
                              metadata, count);
        for (int i = 1; i < sink->rank; i++)
            n += (size_t)snprintf(text + n, room - n, ",%llu", (unsigned long long)s[i]);
        n += (size_t)snprintf(text + n, room - n, "],\"data_offsets\":[0,%llu]}", x_end);
        if (sink->labels)
            n += (size_t)snprintf(text + n, room - n,
                                  ",\"y\":{\"dtype\":\"I64\",\"shape\":[%zu],\"data_offsets\":[%llu,%llu]}", count,
                                  x_end, y_end);
        n += (size_t)snprintf(text + n, room - n, "}");
        *size = length ? length : (n + 7) / 8 * 8;
        memset(text + n, ' ', *size - n);
        for (int i = 0; i < 8; i++)
            text[i] = (char)(unsigned char)((uint64_t)(*size - 8) >> 8 * i);
    }
    free(metadata);
    return text;
}

/* state: the size of the header, which has room for the largest count. */
static enum vgg_status safetensors_begin(struct vgg_sink *sink)
{
    size_t *size = vgg_mem_calloc(1, sizeof *size);
    sink->state = size;
    char *header = size ? make_header(sink, sink->shape[0], 0, size) : NULL;
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
    char *header = make_header(sink, sink->count, size, &size);
    if (!header) return vgg_fail_memory(sink->path, size);
    if (sink->labels) CHECK(vgg_file_write(sink->file, sink->labels, sink->count * sizeof *sink->labels));
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
