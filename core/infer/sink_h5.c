#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/format/h5.h"
#include "core/infer/sink_format.h"

enum { CHUNK_BYTES = 1 << 20, SLACK = 2 << 20 };

/* The open file and its data set `features`; -1: not open. */
struct h5_state {
    hid_t file, features;
};

static enum vgg_status h5_failed(const struct vgg_sink *sink)
{
    return vgg_fail(VGG_ERR_IO, "%s: writing failed in the HDF5 library; is the disk full?", sink->path);
}

/* A chunked data set of sink->shape, about 1 MiB a chunk, so that it can shrink in the end. */
static hid_t create_features(const struct vgg_sink *sink, hid_t file)
{
    hsize_t shape[4], chunk[4];
    for (int i = 0; i < 4; i++)
        shape[i] = chunk[i] = sink->shape[i];
    hsize_t rows = CHUNK_BYTES / (sink->item * sizeof(float));
    chunk[0] = rows < 1 ? 1 : rows < shape[0] ? rows : shape[0];
    hid_t space = H5Screate_simple(sink->rank, shape, NULL);
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    hid_t set = -1;
    if (H5Pset_chunk(plan, sink->rank, chunk) >= 0)
        set = H5Dcreate2(file, "features", H5T_IEEE_F32LE, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    H5Pclose(plan);
    H5Sclose(space);
    return set;
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
    hsize_t start[4] = { sink->count }, extent[4];
    for (int i = 0; i < 4; i++)
        extent[i] = sink->shape[i];
    extent[0] = count;
    vgg_h5_enter();
    hid_t memory = H5Screate_simple(sink->rank, extent, NULL), space = H5Dget_space(state->features);
    bool good = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0 &&
                H5Dwrite(state->features, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, x) >= 0;
    H5Sclose(space);
    H5Sclose(memory);
    vgg_h5_leave();
    return good ? VGG_OK : h5_failed(sink);
}

/* A data set of `count` values in one dimension. */
static bool write_column(hid_t file, const char *name, hid_t stored, hid_t given, size_t count, const void *values)
{
    hsize_t extent = count;
    hid_t space = H5Screate_simple(1, &extent, NULL);
    hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = set >= 0 && H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    if (set >= 0) good = H5Dclose(set) >= 0 && good;
    H5Sclose(space);
    return good;
}

static bool write_labels_and_paths(const struct vgg_sink *sink, hid_t file, const char **texts)
{
    bool good = true;
    if (sink->labels) {
        int classes = vgg_data_class_count(sink->data);
        const char **names = vgg_mem_calloc((size_t)classes, sizeof *names);
        for (int i = 0; names && i < classes; i++)
            names[i] = vgg_data_class_name(sink->data, i);
        good = names && vgg_h5_write_strings(file, "classes", names, (size_t)classes) &&
               write_column(file, "labels", H5T_STD_I64LE, H5T_NATIVE_INT64, sink->count, sink->labels);
        free(names);
    }
    for (size_t i = 0; i < sink->count; i++)
        texts[i] = vgg_data_path(sink->data, sink->index[i]);
    hid_t text = H5Tcopy(H5T_C_S1);
    good = good && H5Tset_size(text, H5T_VARIABLE) >= 0 && H5Tset_cset(text, H5T_CSET_UTF8) >= 0 &&
           write_column(file, "paths", text, text, sink->count, texts);
    H5Tclose(text);
    return good;
}

static bool write_origin(const struct vgg_sink *sink, hid_t file)
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
static bool close_all(struct h5_state *state)
{
    bool good = state->features < 0 || H5Dclose(state->features) >= 0;
    good = (state->file < 0 || H5Fclose(state->file) >= 0) && good;
    state->file = state->features = -1;
    return good;
}

static enum vgg_status h5_end(struct vgg_sink *sink)
{
    struct h5_state *state = sink->state;
    const char **texts = vgg_mem_calloc(sink->count, sizeof *texts);
    if (!texts) return vgg_fail_memory(sink->path, sink->count * sizeof *texts);
    hsize_t shape[4];
    for (int i = 0; i < 4; i++)
        shape[i] = sink->shape[i];
    shape[0] = sink->count;
    vgg_h5_enter();
    bool good = H5Dset_extent(state->features, shape) >= 0 && write_labels_and_paths(sink, state->file, texts) &&
                write_origin(sink, state->file);
    uint64_t size = 0;
    good = good && vgg_h5_flush(state->file, &size);
    good = close_all(state) && good;
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
    (void)close_all(state);
    vgg_h5_leave();
    free(state);
}

const struct vgg_sink_format vgg_sink_h5 = { ".h5", false, h5_begin, h5_append, h5_end, h5_close };
