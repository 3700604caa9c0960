/* Telling one data set from another. */
#include "core/data/digest.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/log.h"
#include "core/base/os.h"
#include "core/data/store.h"

static uLong add(uLong crc, const void *bytes, size_t count)
{
    return crc32_z(crc, bytes, count);
}

/* The file's name without its folders, and its size; so a data set may move to another place. */
static uLong add_file(uLong crc, const char *path, bool looked)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct vgg_os_info info;
    crc = add(crc, name, strlen(name) + 1);
    if (!looked) return crc;
    uint64_t size = vgg_os_look(&info, path) ? info.size : UINT64_MAX;
    return add(crc, &size, sizeof size);
}

/* `looked`: by its values or size, too. */
static enum vgg_status add_item(uLong *crc, const struct vgg_data *data, size_t index, bool looked)
{
    const struct vgg_data_store *store = data->store;
    size_t at = data->pick ? data->pick[index] : index;
    const void *values;
    void *copy;
    if (!vgg_data_is_array(store)) {
        *crc = add_file(*crc, store->paths[at], looked);
        return VGG_OK;
    }
    if (!looked) return VGG_OK;
    enum vgg_status status = vgg_data_item(&values, &copy, store, at);
    if (status != VGG_OK) return vgg_fail(status, "%s: cannot be read", vgg_data_path(data, index));
    *crc = add(*crc, values, vgg_data_item_size(store));
    free(copy);
    return VGG_OK;
}

enum vgg_status vgg_data_digest(uint32_t *out, const struct vgg_data *data, const int *labels, size_t most)
{
    const struct vgg_data_store *store = data->store;
    const int shape[] = { store->h, store->w, store->c, (int)store->dtype };
    bool array = vgg_data_is_array(store);
    uLong crc = array ? add(0, shape, sizeof shape) : 0;
    size_t every = data->count / most + (data->count % most != 0);
    *out = 0;
    for (size_t i = 0; i < data->count; i++) {
        enum vgg_status status = add_item(&crc, data, i, i % every == 0);
        if (status != VGG_OK) return status;
        if (data->labels) crc = add(crc, labels ? &labels[data->labels[i]] : &data->labels[i], sizeof *labels);
    }
    *out = (uint32_t)crc;
    return VGG_OK;
}
