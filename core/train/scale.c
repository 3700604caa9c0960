#include "core/train/scale.h"

#include <math.h>

bool vgg_scale_next(struct vgg_scale *scale, bool skipped)
{
    bool least = scale->factor <= VGG_SCALE_LEAST;
    scale->good++;
    if (skipped) {
        scale->skipped++;
        scale->good = 0;
        if (!least) scale->factor *= 0.5f;
    } else if (scale->good == VGG_SCALE_EVERY) {
        scale->good = 0;
        if (scale->factor < VGG_SCALE_MOST) scale->factor *= 2.0f;
    }
    return !skipped || !least;
}

bool vgg_scale_valid(const struct vgg_scale *scale)
{
    int exponent;
    return scale->factor >= VGG_SCALE_LEAST && scale->factor <= VGG_SCALE_MOST &&
           frexpf(scale->factor, &exponent) == 0.5f && scale->good < VGG_SCALE_EVERY;
}
