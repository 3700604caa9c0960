#include "core/weights/pth.h"

#include "core/weights/torch.h"

enum vgg_status vgg_weights_pth_open(struct vgg_weights *weights, struct vgg_zip *zip)
{
    bool found;
    enum vgg_status status =
        zip ? vgg_torch_open(&weights->torch, zip, weights->path) : vgg_torch_open_old(&weights->torch, weights->path);
    if (status != VGG_OK) return status;
    weights->tensor = vgg_torch_at(weights->torch, 0);
    weights->tensor_count = vgg_torch_count(weights->torch);
    for (size_t i = 0; status == VGG_OK && i < vgg_torch_meta_count(weights->torch); i++) {
        struct vgg_st_meta pair = vgg_torch_meta(weights->torch, i);
        status = vgg_weights_add_meta(weights, pair.key, pair.value);
    }
    return status == VGG_OK ? vgg_weights_torch_open(weights, true, &found) : status;
}
