/* heat.h: a map of numbers laid over an image. */
#ifndef CORE_IMAGE_HEAT_H
#define CORE_IMAGE_HEAT_H

#include "core/image/image.h"
#include "core/image/resize.h"

struct vgg_heat {
    int height, width;               /* of the map */
    const float *map;                /* 0 and above */
    struct vgg_resize_window window; /* the part of the image that the map covers */
    enum vgg_colours colours;
    float alpha; /* opacity of the largest value */
};

/* Lays the map over `image`, in place: interpolated by Catmull-Rom splines, divided by its largest value, coloured; the
 * opacity grows smoothly from 0 for nothing to `alpha`. What lies outside of the window becomes darker. A map of zeros
 * leaves the image as it is. Source of the splines: Catmull and Rom, "A class of local interpolating splines", 1974. */
enum vgg_status vgg_heat_apply(struct vgg_image *image, const struct vgg_heat *heat);

#endif
