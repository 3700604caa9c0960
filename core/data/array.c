/* Data sets in a safetensors file: `x` with images or features, `y` with labels, metadata `classes`. */
#include "core/data/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/data/escape.h"
#include "core/format/json.h"

static bool is_float(enum vgg_dtype dtype)
{
    return dtype == VGG_DTYPE_F32 || dtype == VGG_DTYPE_F16 || dtype == VGG_DTYPE_BF16 || dtype == VGG_DTYPE_F64;
}

static enum vgg_status set_shape(struct vgg_data_store *store, const struct vgg_st_tensor *x, const char *path)
{
    int rank = x->rank;
    for (int i = 0; i < rank; i++) {
        if (x->shape[i] == 0 || (i > 0 && x->shape[i] > INT32_MAX))
            return vgg_fail(VGG_ERR_FORMAT, "%s: tensor x has an impossible extent", path);
    }
    uint64_t last = rank > 0 ? x->shape[rank - 1] : 0;
    bool image = (rank == 4 && (last == 3 || (last == 1 && x->dtype == VGG_DTYPE_U8))) ||
                 (rank == 3 && x->dtype == VGG_DTYPE_U8);
    if (rank < 2 || rank > 4 || (!is_float(x->dtype) && !(image && x->dtype == VGG_DTYPE_U8)))
        return vgg_fail(VGG_ERR_FORMAT,
                        "%s: tensor x must be images (N,H,W,3), float or uint8, or float features (N,C) to (N,H,W,C)",
                        path);
    store->count = x->shape[0];
    store->dtype = x->dtype;
    if (image) {
        store->h = (int)x->shape[1], store->w = (int)x->shape[2], store->c = rank == 4 ? (int)last : 1;
        if (store->h > VGG_IMAGE_MAX_SIDE || store->w > VGG_IMAGE_MAX_SIDE ||
            (int64_t)store->h * store->w > VGG_IMAGE_MAX_PIXELS)
            return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: images of %d x %d are too large", path, store->w, store->h);
        return VGG_OK;
    }
    store->h = rank == 4 ? (int)x->shape[1] : 1;
    store->w = rank >= 3 ? (int)x->shape[rank - 2] : 1;
    store->c = (int)last;
    store->shape = (struct vgg_data_shape) { true, store->h, store->w, store->c };
    return VGG_OK;
}

/* Opens the file once more, to read items from: another process that cuts the file short meanwhile makes reading fail,
 * where a mapping would end the program. */
static enum vgg_status open_items(struct vgg_data_store *store, const struct vgg_st_tensor *x, const char *path)
{
    store->offset = vgg_st_offset(store->file, x);
    store->source = vgg_os_open(path);
    return store->source >= 0 ? VGG_OK : vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
}

enum vgg_status vgg_data_set_classes(struct vgg_data *data, const char *json, const char *path)
{
    enum vgg_status status = VGG_OK;
    struct vgg_json *array = vgg_json_parse(json, strlen(json));
    size_t count = vgg_json_count(array);
    if (vgg_json_kind(array) != VGG_JSON_ARRAY || count < 1 || count > VGG_DATA_MAX_CLASSES)
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: metadata \"classes\" must be a JSON array of names", path));
    CHECK(vgg_data_reserve_classes(data, (int)count, path));
    int i = 0;
    for (const struct vgg_json *entry = vgg_json_first(array); entry; entry = vgg_json_next(entry)) {
        const char *name = vgg_json_text(entry);
        if (!name) CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: metadata \"classes\" must be a JSON array of names", path));
        data->classes[i] = vgg_escape(name);
        if (!data->classes[i++]) CHECK(vgg_fail_memory(path, strlen(name)));
    }
fail:
    vgg_json_destroy(array);
    return status;
}

/* One label of any integer dtype, from unaligned memory. */
static int64_t label_at(const struct vgg_st_tensor *y, size_t index)
{
    const uint8_t *at = (const uint8_t *)y->data + index * vgg_dtype_size(y->dtype);
    int64_t wide;
    int32_t narrow;
    switch (y->dtype) {
    case VGG_DTYPE_I64: memcpy(&wide, at, sizeof wide); return wide;
    case VGG_DTYPE_I32: memcpy(&narrow, at, sizeof narrow); return narrow;
    default: return *at;
    }
}

static enum vgg_status set_labels(struct vgg_data *data, const struct vgg_st_tensor *y, const char *path)
{
    bool column = y->rank == 1 || (y->rank == 2 && y->shape[1] == 1);
    if (!column || y->shape[0] != data->count ||
        (y->dtype != VGG_DTYPE_I64 && y->dtype != VGG_DTYPE_I32 && y->dtype != VGG_DTYPE_U8))
        return vgg_fail(VGG_ERR_FORMAT, "%s: tensor y must hold one whole number (int64) for each of the %zu items",
                        path, data->count);
    int64_t *labels = vgg_mem_calloc(data->count, sizeof *labels);
    if (!labels) return vgg_fail_memory(path, data->count * sizeof *labels);
    for (size_t i = 0; i < data->count; i++)
        labels[i] = label_at(y, i);
    enum vgg_status status = vgg_data_set_labels(data, labels, data->count, path);
    free(labels);
    return status;
}

enum vgg_status vgg_data_read_array(struct vgg_data *data, const char *path)
{
    enum vgg_status status = VGG_OK;
    struct vgg_data_store *store = data->store;
    CHECK(vgg_st_open(&store->file, path));
    const struct vgg_st_tensor *x = vgg_st_find(store->file, "x"), *y = vgg_st_find(store->file, "y");
    const char *classes = vgg_st_meta(store->file, "classes");
    if (vgg_st_meta(store->file, VGG_ORIGIN_PART)) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT,
                       "%s: is part %.24s of features; join all parts by `vgg16 merge`, and give what it writes", path,
                       vgg_st_meta(store->file, VGG_ORIGIN_PART)));
    }
    if (!x) CHECK(vgg_fail(VGG_ERR_MISSING, "%s: has no tensor x, so it is not a data set", path));
    CHECK(set_shape(store, x, path));
    CHECK(open_items(store, x, path));
    store->array = vgg_mem_strdup(path);
    if (!store->array) CHECK(vgg_fail_memory(path, strlen(path)));
    if (store->shape.features) CHECK(vgg_origin_read(&store->origin, &store->recorded, store->file, path));
    data->count = store->count;
    CHECK(vgg_data_name_items(store, path));
    if (y && classes) CHECK(vgg_data_set_classes(data, classes, path));
    if (y) CHECK(set_labels(data, y, path));
fail:
    return status;
}
