#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/format/h5.h"
#include "core/infer/sink_format.h"

#ifdef VGG16_HDF5

enum { CHUNK_BYTES = 1 << 20, SLACK = 2 << 20 };

/* The open file and its data set `features`; -1: not open. */
struct h5_state {
    vgg_h5 file, features;
};

static enum vgg_status h5_failed(const struct vgg_sink *sink)
{
    return vgg_fail(VGG_ERR_IO, "%s: writing failed in the HDF5 library; is the disk full?", sink->path);
}

/* In chunks of about 1 MiB, so that it can shrink in the end. */
static vgg_h5 create_features(const struct vgg_sink *sink, vgg_h5 file)
{
    size_t rows = CHUNK_BYTES / (sink->item * sizeof(float));
    return vgg_h5_create_rows(file, "features", sink->rank, sink->shape,
                              rows < 1                ? 1
                              : rows < sink->shape[0] ? rows
                                                      : sink->shape[0]);
}

/* An upper bound of the file's size: whole chunks with their index, and strings with their heap. */
static size_t size_bound(const struct vgg_sink *sink)
{
    size_t size = 2 * (size_t)CHUNK_BYTES + SLACK;
    for (size_t i = 0; i < sink->shape[0]; i++)
        size += sink->item * sizeof(float) + sizeof(int64_t) + 256 + strlen(vgg_data_path(sink->data, i));
    return size;
}

static enum vgg_status h5_begin(struct vgg_sink *sink)
{
    enum vgg_status status = vgg_h5_need(sink->path);
    if (status != VGG_OK) return status;
    struct h5_state *state = vgg_mem_calloc(1, sizeof *state);
    sink->state = state;
    if (!state) return vgg_fail_memory(sink->path, sizeof *state);
    vgg_h5_enter();
    state->features = -1;
    state->file = vgg_h5_create(vgg_file_temporary(sink->file));
    if (state->file >= 0) state->features = create_features(sink, state->file);
    vgg_h5_leave();
    if (state->features < 0) return h5_failed(sink);
    return vgg_h5_reserve(vgg_file_temporary(sink->file), sink->path, size_bound(sink));
}

static enum vgg_status h5_append(struct vgg_sink *sink, const float *x, const size_t *index, size_t count)
{
    (void)index;
    const struct h5_state *state = sink->state;
    vgg_h5_enter();
    bool good = vgg_h5_write_rows(state->features, sink->rank, sink->shape, sink->count, count, x);
    vgg_h5_leave();
    return good ? VGG_OK : h5_failed(sink);
}

static bool write_labels_and_paths(const struct vgg_sink *sink, vgg_h5 file, const char **texts)
{
    bool good = true;
    if (sink->labels) {
        int classes = vgg_data_class_count(sink->data);
        const char **names = vgg_mem_calloc((size_t)classes, sizeof *names);
        for (int i = 0; names && i < classes; i++)
            names[i] = vgg_data_class_name(sink->data, i);
        good = names && vgg_h5_write_strings(file, "classes", names, (size_t)classes) &&
               vgg_h5_write_integers(file, "labels", sink->labels, sink->count);
        free(names);
    }
    for (size_t i = 0; i < sink->count; i++)
        texts[i] = vgg_data_path(sink->data, sink->index[i]);
    return good && vgg_h5_write_texts(file, "paths", texts, sink->count);
}

static bool write_origin(const struct vgg_sink *sink, vgg_h5 file)
{
    struct vgg_origin_text text;
    bool good = true;
    if (!sink->origin) return true;
    vgg_origin_write(&text, sink->origin);
    for (size_t i = 0; good && i < VGG_ORIGIN_PAIRS; i++)
        good = vgg_h5_write_string(file, text.pair[i].key, text.pair[i].value);
    return good;
}

/* Closes both objects; buffered data is written here. */
static bool close_all(struct h5_state *state, bool good)
{
    if (!good && state->file >= 0) vgg_h5_give_up(state->file);
    good = state->features < 0 || vgg_h5_close_rows(state->features);
    good = (state->file < 0 || vgg_h5_close(state->file)) && good;
    state->file = state->features = -1;
    return good;
}

static enum vgg_status h5_end(struct vgg_sink *sink)
{
    struct h5_state *state = sink->state;
    const char **texts = vgg_mem_calloc(sink->count, sizeof *texts);
    if (!texts) return vgg_fail_memory(sink->path, sink->count * sizeof *texts);
    uint64_t shape[4];
    memcpy(shape, sink->shape, sizeof shape);
    shape[0] = sink->count;
    vgg_h5_enter();
    bool good = vgg_h5_set_shape(state->features, sink->rank, shape) &&
                write_labels_and_paths(sink, state->file, texts) && write_origin(sink, state->file);
    uint64_t size = 0;
    good = good && vgg_h5_flush(state->file, &size);
    good = close_all(state, good) && good;
    vgg_h5_leave();
    good = good && vgg_os_cut(vgg_file_temporary(sink->file), size);
    free(texts);
    return good ? VGG_OK : h5_failed(sink);
}

static void h5_close(struct vgg_sink *sink)
{
    struct h5_state *state = sink->state;
    if (!state) return;
    vgg_h5_enter();
    (void)close_all(state, false);
    vgg_h5_leave();
    free(state);
}

const struct vgg_sink_format vgg_sink_h5 = { ".h5", false, h5_begin, h5_append, h5_end, h5_close };

#else

static enum vgg_status h5_begin(struct vgg_sink *sink)
{
    return vgg_h5_need(sink->path);
}

/* Nothing follows where beginning fails. */
const struct vgg_sink_format vgg_sink_h5 = { ".h5", false, h5_begin, NULL, NULL, NULL };

#endif
