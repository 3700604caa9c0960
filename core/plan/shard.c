#include "core/plan/shard.h"

enum { LARGEST = 65536 };

static const double limit = 0x1p30;

/* Values of layer index's output; of the input for -1. */
static double values(const struct vgg_arch *arch, int index)
{
    int h, w, c;
    vgg_arch_shape(arch, index, &h, &w, &c);
    return (double)h * w * c;
}

int vgg_shard_size(const struct vgg_arch *arch, int from, int trainable)
{
    double kept = values(arch, trainable - 1), passing = 0;
    for (int i = trainable; i < arch->count; i++)
        kept += 2 * values(arch, i);
    for (int i = from - 1; i < trainable && from < trainable; i++)
        if (values(arch, i) > passing) passing = values(arch, i);
    double image = (kept + 2 * passing) * sizeof(float);
    int shard = LARGEST;
    while (shard > 1 && shard * image > limit)
        shard /= 2;
    return shard;
}
