#include "core/weights/st.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/weights/checkpoint.h"
#include "core/weights/names.h"
#include "core/weights/torch.h"

static enum vgg_status open_keras(struct vgg_weights *weights)
{
    enum vgg_status status = VGG_OK;
    weights->naming = VGG_NAMING_KERAS;
    for (size_t i = 0; status == VGG_OK && i < weights->tensor_count; i++) {
        const struct vgg_tensor *st = &weights->tensor[i];
        struct vgg_weights_tensor tensor = { .name = (char *)(uintptr_t)st->name, .rank = st->rank, .st = st };
        char layer[VGG_WEIGHTS_NAME];
        bool bias, old;
        memcpy(tensor.shape, st->shape, sizeof tensor.shape);
        if (vgg_weights_names_norm(st->name)) status = vgg_weights_add_norm(weights, st->name);
        if (status != VGG_OK || !vgg_weights_names_split(st->name, layer, &bias, &old) || !*layer) continue;
        status = vgg_weights_add(weights, layer, bias, &tensor);
    }
    return status;
}

static enum vgg_status list_tensors(struct vgg_weights *weights)
{
    size_t count = vgg_st_count(weights->st);
    weights->listed = vgg_mem_calloc(count, sizeof *weights->listed);
    if (!weights->listed) return vgg_fail_memory(weights->path, count * sizeof *weights->listed);
    for (size_t i = 0; i < count; i++) {
        const struct vgg_st_tensor *from = vgg_st_at(weights->st, i);
        struct vgg_tensor *to = &weights->listed[i];
        *to = (struct vgg_tensor) { .name = from->name, .dtype = from->dtype, .rank = from->rank, .data = from->data };
        if (to->dtype == VGG_DTYPE_OTHER) to->word = vgg_st_word(weights->st, i);
        memcpy(to->shape, from->shape, sizeof to->shape);
    }
    weights->tensor = weights->listed;
    weights->tensor_count = count;
    return VGG_OK;
}

enum vgg_status vgg_weights_st_open(struct vgg_weights *weights)
{
    bool torch;
    enum vgg_status status = vgg_st_open(&weights->st, weights->path);
    if (status == VGG_OK && vgg_weights_is_checkpoint(weights)) return vgg_weights_checkpoint_open(weights);
    if (status == VGG_OK) status = list_tensors(weights);
    if (status == VGG_OK) status = vgg_weights_torch_open(weights, false, &torch);
    return status != VGG_OK || torch ? status : open_keras(weights);
}
