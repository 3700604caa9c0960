/* The dense layers of a weight file, as it calls them. */
#include <stdio.h>
#include <string.h>

#include "core/weights/names.h"

enum { SHOWN = 6 };

/* The layer in a tensor's name: "dense_7" in "model/dense_7/kernel:0", "dense" in "layers/dense/vars/0", "classifier.0"
 * in "classifier.0.weight". */
static const char *layer_of(const char *tensor, int *length)
{
    size_t n = strlen(tensor);
    if (n > 7 && strcmp(tensor + n - 7, "/vars/0") == 0) {
        n -= 7;
    } else if (strchr(tensor, '/')) {
        n = (size_t)(strrchr(tensor, '/') - tensor);
    } else if (strchr(tensor, '.')) {
        n = (size_t)(strrchr(tensor, '.') - tensor);
    }
    const char *name = tensor + n;
    while (name > tensor && name[-1] != '/')
        name--;
    *length = (int)(n - (size_t)(name - tensor));
    return name;
}

static void add(struct vgg_weights_dense *dense, const char *tensor, long long in, long long out)
{
    int length;
    const char *layer = layer_of(tensor, &length);
    size_t used = strlen(dense->list);
    if (dense->count++ < SHOWN) {
        snprintf(dense->list + used, sizeof dense->list - used, "%s%.*s (%lldx%lld)", used ? ", " : "",
                 length < 64 ? length : 64, layer, in, out);
    }
}

/* Is this tensor the kernel of a layer that the library knows? */
static bool is_known(const struct vgg_weights *weights, const struct vgg_tensor *tensor)
{
    for (size_t i = 0; i < weights->count; i++) {
        const struct vgg_tensor *kernel = weights->entry[i].kernel.st;
        if (kernel && strcmp(kernel->name, tensor->name) == 0) return true;
    }
    return false;
}

void vgg_weights_dense(struct vgg_weights_dense *dense, const struct vgg_weights *weights)
{
    *dense = (struct vgg_weights_dense) { .imagenet = true };
    for (size_t i = 0; i < weights->count; i++) {
        const struct vgg_weights_entry *entry = &weights->entry[i];
        int rank, shape[4], block, conv;
        if (vgg_arch_conv_place(&block, &conv, entry->name)) continue;
        if (!vgg_weights_shape(weights, entry->name, &rank, shape) || rank != 2) continue;
        add(dense, entry->kernel.name, shape[0], shape[1]);
        bool last = strcmp(entry->name, vgg_name(VGG_NAMES_TOP, VGG_TOP_LAYERS - 1)) == 0;
        if (!vgg_weights_names_known(entry->name) || (last && shape[1] != VGG_TOP_CLASSES)) dense->imagenet = false;
    }
    /* Those whose names belong to no network that the library knows. */
    for (size_t i = 0; i < weights->tensor_count; i++) {
        const struct vgg_tensor *tensor = &weights->tensor[i];
        if (tensor->rank != 2 || is_known(weights, tensor)) continue;
        int in = vgg_weights_is_torch(weights) ? 1 : 0;
        add(dense, tensor->name, (long long)tensor->shape[in], (long long)tensor->shape[1 - in]);
        dense->imagenet = false;
    }
    dense->imagenet = dense->imagenet && dense->count;
    size_t used = strlen(dense->list);
    if (dense->count > SHOWN)
        snprintf(dense->list + used, sizeof dense->list - used, " and %zu more", dense->count - SHOWN);
}
