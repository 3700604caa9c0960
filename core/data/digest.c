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
static uLong add_file(uLong crc, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct vgg_os_info info;
    uint64_t size = vgg_os_look(&info, path) ? info.size : UINT64_MAX;
    crc = add(crc, name, strlen(name) + 1);
    return add(crc, &size, sizeof size);
}

enum vgg_status vgg_data_digest(uint32_t *out, const struct vgg_data *data, const int *labels)
{
    const struct vgg_data_store *store = data->store;
    const int shape[] = { store->h, store->w, store->c, (int)store->dtype };
    bool array = vgg_data_is_array(store);
    uLong crc = array ? add(0, shape, sizeof shape) : 0;
    *out = 0;
    for (size_t i = 0; i < data->count; i++) {
        size_t at = data->pick ? data->pick[i] : i;
        if (array) {
            const void *values;
            void *copy;
            enum vgg_status status = vgg_data_item(&values, &copy, store, at);
            if (status != VGG_OK) return vgg_fail(status, "%s: cannot be read", vgg_data_path(data, i));
            crc = add(crc, values, vgg_data_item_size(store));
            free(copy);
        } else {
            crc = add_file(crc, store->paths[at]);
        }
        if (data->labels) crc = add(crc, &labels[data->labels[i]], sizeof *labels);
    }
    *out = (uint32_t)crc;
    return VGG_OK;
}
