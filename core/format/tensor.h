/* tensor.h: a tensor of a file of any kind, as its reader found it. */
#ifndef CORE_FORMAT_TENSOR_H
#define CORE_FORMAT_TENSOR_H

#include "core/format/safetensors.h"

struct vgg_tensor {
    const char *name;
    enum vgg_dtype dtype;
    const char *word; /* of OTHER: what the file calls it */
    int rank;
    uint64_t shape[VGG_MAX_RANK];
    const void *data; /* little-endian, in the mapping of the file; may be unaligned */
    bool strided;     /* the values lie `stride` elements apart instead of side by side */
    uint64_t stride[VGG_MAX_RANK];
};

/* `count` values of a tensor from the first-th on, in the order of its shape, as fp32. OTHER has none to give. */
void vgg_tensor_read(float *dst, const struct vgg_tensor *tensor, size_t first, size_t count);

#endif
