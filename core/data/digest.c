/* Telling one data set from another. */
#include "core/data/digest.h"

#include <string.h>
#include <zlib.h>

#include "core/base/os.h"
#include "core/data/store.h"

static uLong add(uLong crc, const void *bytes, size_t count)
{
    return crc32_z(crc, bytes, count);
}

/* The file's name without its folders, and its size; so a data set may move to another place. */
static uLong add_file(uLong crc, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct vgg_os_info info;
    uint64_t size = vgg_os_look(&info, path) ? info.size : UINT64_MAX;
    crc = add(crc, name, strlen(name) + 1);
    return add(crc, &size, sizeof size);
}

uint32_t vgg_data_digest(const struct vgg_data *data, const int *labels)
{
    const struct vgg_data_store *store = data->store;
    const int shape[] = { store->h, store->w, store->c, (int)store->dtype };
    size_t item = (size_t)store->h * (size_t)store->w * (size_t)store->c * vgg_dtype_size(store->dtype);
    uLong crc = store->values ? add(0, shape, sizeof shape) : 0;
    for (size_t i = 0; i < data->count; i++) {
        size_t at = data->pick ? data->pick[i] : i;
        if (store->values) {
            crc = add(crc, (const char *)store->values + at * item, item);
        } else {
            crc = add_file(crc, store->paths[at]);
        }
        if (data->labels) crc = add(crc, &labels[data->labels[i]], sizeof *labels);
    }
    return (uint32_t)crc;
}
