#include "core/format/tensor.h"

void vgg_tensor_read(float *dst, const struct vgg_tensor *tensor, size_t first, size_t count)
{
    size_t size = vgg_dtype_size(tensor->dtype), at[VGG_MAX_RANK] = { 0 };
    const unsigned char *data = tensor->data;
    if (!tensor->strided) {
        vgg_dtype_to_f32(dst, data + first * size, tensor->dtype, count);
        return;
    }
    for (int i = tensor->rank - 1; i >= 0; i--) {
        at[i] = first % (size_t)tensor->shape[i];
        first /= (size_t)tensor->shape[i];
    }
    for (size_t done = 0; done < count; done++) {
        uint64_t place = 0;
        for (int i = 0; i < tensor->rank; i++)
            place += at[i] * tensor->stride[i];
        vgg_dtype_to_f32(dst + done, data + place * size, tensor->dtype, 1);
        for (int i = tensor->rank - 1; i >= 0 && ++at[i] == tensor->shape[i]; i--)
            at[i] = 0;
    }
}
