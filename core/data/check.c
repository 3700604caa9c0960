#include "core/data/check.h"

#include <math.h>

#include "core/base/log.h"
#include "core/data/store.h"

enum { EVERY = 64 }; /* images between two reports */

enum vgg_status vgg_data_check(const struct vgg_data *data, vgg_progress_fn *progress, void *user)
{
    char why[VGG_IMAGE_WHY];
    for (size_t i = 0; i < data->count && data->store->paths; i++) {
        enum vgg_status status = vgg_image_probe(vgg_data_image(data, i), why);
        if (status != VGG_OK) vgg_data_locate(why, data, i);
        if (status != VGG_OK) return vgg_fail(status, "%s", why);
        struct vgg_progress report = { "check", "images", i + 1, data->count, 0, 0, NAN, NAN };
        bool due = (i + 1) % EVERY == 0 || i + 1 == data->count;
        if (progress && due && !progress(user, &report)) return VGG_INTERRUPTED;
    }
    return VGG_OK;
}
