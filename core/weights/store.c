#include "core/weights/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

enum { MOST_LAYERS = 1024, MOST_META = 64 };

enum vgg_status vgg_weights_add(struct vgg_weights *weights, const char *layer, bool bias,
                                const struct vgg_weights_tensor *tensor)
{
    struct vgg_weights_entry *entry = NULL;
    for (size_t i = 0; i < weights->count && !entry; i++) {
        if (strcmp(weights->entry[i].name, layer) == 0) entry = &weights->entry[i];
    }
    if (!entry) {
        if (weights->count == MOST_LAYERS) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: holds more than %d layers", weights->path, MOST_LAYERS);
        }
        if (weights->count == weights->capacity) {
            size_t capacity = weights->capacity ? 2 * weights->capacity : 32;
            void *grown = realloc(weights->entry, capacity * sizeof *weights->entry);
            if (!grown) return vgg_fail_memory(weights->path, capacity * sizeof *weights->entry);
            weights->entry = grown;
            weights->capacity = capacity;
        }
        entry = &weights->entry[weights->count];
        *entry = (struct vgg_weights_entry) { .name = vgg_mem_strdup(layer) };
        if (!entry->name) return vgg_fail_memory(weights->path, strlen(layer));
        weights->count++;
    }
    struct vgg_weights_tensor *slot = bias ? &entry->bias : &entry->kernel;
    if (slot->name) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: layer %s has two %s: %s and %s", weights->path, layer,
                        bias ? "biases" : "kernels", slot->name, tensor->name);
    }
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] > INT_MAX) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s is larger than any network has (%" PRIu64 ")", weights->path,
                            tensor->name, tensor->shape[i]);
        }
    }
    *slot = *tensor;
    slot->name = vgg_mem_strdup(tensor->name);
    return slot->name ? VGG_OK : vgg_fail_memory(weights->path, strlen(tensor->name));
}

enum vgg_status vgg_weights_add_meta(struct vgg_weights *weights, const char *key, const char *value)
{
    if (weights->meta_count == MOST_META) return VGG_OK;
    if (!weights->meta) weights->meta = vgg_mem_calloc(MOST_META, sizeof *weights->meta);
    if (!weights->meta) return vgg_fail_memory(weights->path, MOST_META * sizeof *weights->meta);
    struct vgg_h5_meta *pair = &weights->meta[weights->meta_count++];
    pair->key = vgg_mem_strdup(key);
    pair->value = vgg_mem_strdup(value);
    return pair->key && pair->value ? VGG_OK : vgg_fail_memory(weights->path, strlen(key) + strlen(value));
}

enum vgg_status vgg_weights_add_norm(struct vgg_weights *weights, const char *name)
{
    if (weights->norm) return VGG_OK;
    weights->norm = vgg_mem_strdup(name);
    return weights->norm ? VGG_OK : vgg_fail_memory(weights->path, strlen(name));
}

const char *vgg_weights_norm(const struct vgg_weights *weights)
{
    return weights->norm;
}

bool vgg_weights_is_torch(const struct vgg_weights *weights)
{
    return weights->naming == VGG_NAMING_TORCHVISION || weights->naming == VGG_NAMING_TIMM;
}

const char *vgg_weights_meta(const struct vgg_weights *weights, const char *key)
{
    if (weights->st) return vgg_st_meta(weights->st, key);
    for (size_t i = 0; i < weights->meta_count; i++) {
        if (strcmp(weights->meta[i].key, key) == 0) return weights->meta[i].value;
    }
    return NULL;
}

bool vgg_weights_meta_at(const struct vgg_weights *weights, size_t index, const char **key, const char **value)
{
    struct vgg_st_meta pair;
    if (weights->st) {
        if (!vgg_st_meta_at(weights->st, index, &pair)) return false;
        *key = pair.key, *value = pair.value;
        return true;
    }
    if (index >= weights->meta_count) return false;
    *key = weights->meta[index].key, *value = weights->meta[index].value;
    return true;
}
