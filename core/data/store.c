#include "core/data/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"

enum vgg_status vgg_data_create(struct vgg_data **out, const char *what)
{
    struct vgg_data *data = vgg_mem_calloc(1, sizeof *data);
    *out = data;
    if (data) data->store = vgg_mem_calloc(1, sizeof *data->store);
    if (data && data->store) {
        data->owns_store = true;
        data->store->source = -1;
        data->store->shape.c = 3;
        return VGG_OK;
    }
    free(data);
    *out = NULL;
    return vgg_fail_memory(what, sizeof *data + sizeof *data->store);
}

static void store_destroy(struct vgg_data_store *store)
{
    if (!store) return;
    for (size_t i = 0; store->paths && i < store->count; i++)
        free(store->paths[i]);
    free(store->paths);
    for (size_t i = 0; store->shown && i < store->count; i++)
        free(store->shown[i]);
    free(store->shown);
    free(store->list);
    free(store->line);
    free(store->names);
    free(store->array);
    if (store->source >= 0) vgg_os_close(store->source);
    if (store->file) vgg_st_close(store->file);
    free(store->owned);
    free(store);
}

void vgg_data_forget_labels(struct vgg_data *data)
{
    for (int i = 0; data->classes && i < data->class_count; i++)
        free(data->classes[i]);
    free(data->classes);
    free(data->labels);
    data->classes = NULL, data->labels = NULL;
    data->class_count = 0;
}

void vgg_data_destroy(struct vgg_data *data)
{
    if (!data) return;
    if (data->owns_store) store_destroy(data->store);
    vgg_data_forget_labels(data);
    free(data->pick);
    free(data);
}

enum vgg_status vgg_data_name_items(struct vgg_data_store *store, const char *file)
{
    store->names_pitch = strlen(file) + 22;
    store->names = vgg_mem_calloc(store->count, store->names_pitch);
    if (!store->names) return vgg_fail_memory(file, vgg_mem_mul(store->count, store->names_pitch));
    for (size_t i = 0; i < store->count; i++)
        snprintf(store->names + i * store->names_pitch, store->names_pitch, "%s#%zu", file, i);
    return VGG_OK;
}

enum vgg_status vgg_data_add_line(struct vgg_data_store *store, const char *list, size_t line)
{
    if (!store->list && !(store->list = vgg_mem_strdup(list))) return vgg_fail_memory(list, strlen(list));
    if (store->lines == store->line_room) {
        size_t room = store->line_room ? 2 * store->line_room : 256;
        size_t *grown = realloc(store->line, vgg_mem_mul(room, sizeof *grown));
        if (!grown) return vgg_fail_memory(list, room * sizeof *grown);
        store->line = grown, store->line_room = room;
    }
    store->line[store->lines++] = line;
    return VGG_OK;
}

void vgg_data_locate(char *why, const struct vgg_data *data, size_t index)
{
    char text[VGG_IMAGE_WHY];
    const struct vgg_data_store *store = data->store;
    if (!store->list) return;
    snprintf(text, sizeof text, "%s:%zu: %s", store->list, store->line[data->pick ? data->pick[index] : index], why);
    memcpy(why, text, sizeof text);
}

bool vgg_data_is_array(const struct vgg_data_store *store)
{
    return store->values || store->source >= 0;
}

size_t vgg_data_item_size(const struct vgg_data_store *store)
{
    return (size_t)store->h * (size_t)store->w * (size_t)store->c * vgg_dtype_size(store->dtype);
}

enum vgg_status vgg_data_item(const void **values, void **copy, const struct vgg_data_store *store, size_t at)
{
    size_t size = vgg_data_item_size(store);
    *copy = NULL;
    if (store->values) {
        *values = (const uint8_t *)store->values + at * size;
        return VGG_OK;
    }
    *values = *copy = malloc(size);
    if (!*copy) return VGG_ERR_MEMORY;
    if (vgg_os_read_at(store->source, *copy, size, store->offset + at * size)) return VGG_OK;
    int cause = errno;
    free(*copy);
    errno = cause;
    *values = *copy = NULL;
    return VGG_ERR_IO;
}

enum vgg_status vgg_data_reserve_classes(struct vgg_data *data, int count, const char *what)
{
    data->classes = vgg_mem_calloc((size_t)count, sizeof *data->classes);
    if (!data->classes) return vgg_fail_memory(what, (size_t)count * sizeof *data->classes);
    data->class_count = count;
    return VGG_OK;
}

enum vgg_status vgg_data_set_labels(struct vgg_data *data, const int64_t *labels, size_t count, const char *what)
{
    int limit = data->class_count ? data->class_count : VGG_DATA_MAX_CLASSES;
    int classes = 0;
    data->labels = vgg_mem_calloc(count, sizeof *data->labels);
    if (!data->labels) return vgg_fail_memory(what, count * sizeof *data->labels);
    for (size_t i = 0; i < count; i++) {
        if (labels[i] < 0 || labels[i] >= limit)
            return vgg_fail(VGG_ERR_FORMAT, "%s: label %lld of item %zu is out of range; labels must be 0 to %d", what,
                            (long long)labels[i], i, limit - 1);
        data->labels[i] = (int)labels[i];
        if (data->labels[i] >= classes) classes = data->labels[i] + 1;
    }
    if (data->class_count) return VGG_OK;
    enum vgg_status status = vgg_data_reserve_classes(data, classes, what);
    for (int i = 0; status == VGG_OK && i < classes; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        data->classes[i] = vgg_mem_strdup(name);
        if (!data->classes[i]) status = vgg_fail_memory(what, sizeof name);
    }
    return status;
}

size_t vgg_data_count(const struct vgg_data *data)
{
    return data->count;
}

int vgg_data_class_count(const struct vgg_data *data)
{
    return data->labels ? data->class_count : 0;
}

const char *vgg_data_class_name(const struct vgg_data *data, int label)
{
    return label >= 0 && label < data->class_count ? data->classes[label] : NULL;
}

int vgg_data_label(const struct vgg_data *data, size_t index)
{
    return data->labels && index < data->count ? data->labels[index] : -1;
}

const char *vgg_data_path(const struct vgg_data *data, size_t index)
{
    if (index >= data->count) return NULL;
    size_t at = data->pick ? data->pick[index] : index;
    const struct vgg_data_store *store = data->store;
    if (!store->paths) return store->names + at * store->names_pitch;
    return store->shown && store->shown[at] ? store->shown[at] : store->paths[at];
}

const struct vgg_origin *vgg_data_origin(const struct vgg_data *data)
{
    return data->store->recorded ? &data->store->origin : NULL;
}

bool vgg_data_features(const struct vgg_data *data, int *height, int *width, int *channels)
{
    const struct vgg_data_shape *shape = &data->store->shape;
    *height = shape->h, *width = shape->w, *channels = shape->c;
    return shape->features;
}

const char *vgg_data_image(const struct vgg_data *data, size_t index)
{
    return data->store->paths ? data->store->paths[data->pick ? data->pick[index] : index] : NULL;
}
