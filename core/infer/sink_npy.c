#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/npy.h"
#include "core/infer/sink_format.h"

static enum vgg_status npy_begin(struct vgg_sink *sink)
{
    char header[VGG_NPY_HEADER];
    vgg_npy_header(header, "<f4", sink->rank, sink->shape);
    return vgg_file_write(sink->file, header, sizeof header);
}

static enum vgg_status npy_append(struct vgg_sink *sink, const float *x, const size_t *index, size_t count)
{
    (void)index;
    return vgg_file_write(sink->file, x, count * sink->item * sizeof *x);
}

/* PATH without its extension, with another one. */
static enum vgg_status create_beside(struct vgg_file **out, const struct vgg_sink *sink, const char *extension)
{
    *out = NULL;
    size_t stem = strlen(sink->path) - strlen(sink->format->extension), size = stem + strlen(extension) + 1;
    char *path = vgg_mem_calloc(size, 1);
    if (!path) return vgg_fail_memory(sink->path, size);
    snprintf(path, size, "%.*s%s", (int)stem, sink->path, extension);
    enum vgg_status status = vgg_file_create(out, path);
    free(path);
    return status;
}

static enum vgg_status npy_end(struct vgg_sink *sink)
{
    enum vgg_status status = VGG_OK;
    struct vgg_file *labels = NULL, *paths = NULL;
    char header[VGG_NPY_HEADER];
    uint64_t shape[4];
    memcpy(shape, sink->shape, sizeof shape);
    shape[0] = sink->count;
    vgg_npy_header(header, "<f4", sink->rank, shape);
    CHECK(vgg_file_patch(sink->file, 0, header, sizeof header));
    if (sink->labels) {
        vgg_npy_header(header, "<i8", 1, shape);
        CHECK(create_beside(&labels, sink, ".labels.npy"));
        CHECK(vgg_file_write(labels, header, sizeof header));
        CHECK(vgg_file_write(labels, sink->labels, sink->count * sizeof *sink->labels));
        CHECK(vgg_file_patch(labels, 0, header, sizeof header));
    }
    CHECK(create_beside(&paths, sink, ".paths.txt"));
    for (size_t i = 0; i < sink->count; i++)
        CHECK(vgg_file_printf(paths, "%s\n", vgg_data_path(sink->data, sink->index[i])));
    status = vgg_file_commit(paths);
    paths = NULL;
    if (status == VGG_OK && labels) {
        status = vgg_file_commit(labels);
        labels = NULL;
    }
fail:
    vgg_file_abort(labels);
    vgg_file_abort(paths);
    return status;
}

const struct vgg_sink_format vgg_sink_npy = { ".npy", true, npy_begin, npy_append, npy_end, NULL };
