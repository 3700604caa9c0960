#include "core/infer/origin_match.h"

#include <string.h>

#include "core/base/log.h"
#include "core/data/data.h"
#include "core/image/image.h"

/* ---- images ---- */

enum vgg_status vgg_origin_make(struct vgg_origin *origin, char digest[65], const struct vgg_model *model, int layer,
                                enum vgg_pooling pooling, const struct vgg_image_options *images)
{
    *origin = (struct vgg_origin) {
        .digest = digest,
        .arch = model->arch.name,
        .layer = model->arch.layer[layer].name,
        .pooling = pooling,
        .height = images->height,
        .width = images->width,
        .preprocess = images->preprocess,
        .resize = images->resize,
        .crop = images->crop,
        .decode = images->decode,
        .weights = model->weights,
        .source = model->source,
        .version = vgg_version(),
    };
    return model->params ? vgg_model_digest(model, layer, digest) : VGG_OK;
}

enum vgg_status vgg_origin_images(struct vgg_image_options *images, const struct vgg_model *model,
                                  const struct vgg_data *data)
{
    const struct vgg_origin *origin = vgg_data_origin(data);
    struct vgg_origin wanted;
    struct vgg_origin_value have, want;
    char digest[65];
    if (origin && images->resize == VGG_RESIZE_DEFAULT && model->resize == VGG_RESIZE_DEFAULT)
        images->resize = origin->resize;
    if (origin && images->crop == VGG_CROP_DEFAULT && model->crop == VGG_CROP_DEFAULT) images->crop = origin->crop;
    if (origin && images->decode == VGG_DECODE_DEFAULT && model->decode == VGG_DECODE_DEFAULT)
        images->decode = origin->decode;
    vgg_model_images(model, images);
    if (!origin) return VGG_OK;
    const char *file = vgg_data_file(data);
    int layer = vgg_arch_find(&model->arch, origin->layer);
    if (layer < 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: holds features of %s, a layer that this %s does not have", file,
                        origin->layer, model->arch.name);
    }
    enum vgg_status status = vgg_origin_make(&wanted, digest, model, layer, origin->pooling, images);
    if (status != VGG_OK) return status;
    const char *what = vgg_origin_differ(&have, &want, origin, &wanted);
    if (!what) return VGG_OK;
    if (strcmp(what, "digest") == 0) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "%s: was made with %s, whose weights up to %s have digest %s; those of %s have %s; extract the "
                        "features again, or take the weights that they were made with",
                        file, origin->weights, origin->layer, have.text, model->weights, want.text);
    }
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: was made with %s %s, but the model or an option wants %s; extract the features again so", file,
                    what, have.text, want.text);
}

/* ---- features ---- */

enum vgg_status vgg_origin_alike(const struct vgg_data *data, const struct vgg_data *other)
{
    const struct vgg_origin *a = vgg_data_origin(data), *b = vgg_data_origin(other);
    struct vgg_origin_value have, want;
    const char *what = a && b ? vgg_origin_differ(&have, &want, a, b) : NULL;
    if (!what) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT, "%s: was made with %s %s, but %s with %s; extract both alike",
                    vgg_data_file(data), what, have.text, vgg_data_file(other), want.text);
}

/* Where the recorded layer says. */
static enum vgg_status first_of_record(int *out, const struct vgg_model *model, const struct vgg_data *data,
                                       const struct vgg_origin *origin)
{
    const struct vgg_arch *arch = &model->arch;
    const char *file = vgg_data_file(data);
    int layer = vgg_arch_find(arch, origin->layer), h, w, c;
    struct vgg_data_shape shape;
    vgg_data_shape(data, &shape);
    if (layer < 0) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: holds features of %s, a layer that this %s does not have", file,
                        origin->layer, arch->name);
    }
    vgg_arch_shape(arch, layer, &h, &w, &c);
    *out = layer + 1;
    if (origin->pooling != VGG_POOLING_NONE && h * w > 1) {
        bool avg = origin->pooling == VGG_POOLING_AVG;
        if (*out == arch->count || arch->layer[*out].kind != (avg ? VGG_LAYER_AVGPOOL : VGG_LAYER_GMAXPOOL)) {
            return vgg_fail(VGG_ERR_ARGUMENT,
                            "%s: holds features of %s with pooling %s, but the model goes on with %s; its head must "
                            "begin with %s",
                            file, origin->layer, vgg_name(VGG_NAMES_POOLING, (int)origin->pooling),
                            *out == arch->count ? "nothing" : arch->layer[*out].name, avg ? "gap" : "gmp");
        }
        ++*out;
        h = w = 1;
    }
    if (shape.h == h && shape.w == w && shape.c == c) return VGG_OK;
    return vgg_fail(
        VGG_ERR_FORMAT, "%s: its record names layer %s with pooling %s, which gives %dx%dx%d, but it holds %dx%dx%d",
        file, origin->layer, vgg_name(VGG_NAMES_POOLING, (int)origin->pooling), h, w, c, shape.h, shape.w, shape.c);
}

enum vgg_status vgg_origin_first(int *out, const struct vgg_model *model, const struct vgg_data *data)
{
    const struct vgg_arch *arch = &model->arch;
    const struct vgg_origin *origin = vgg_data_origin(data);
    struct vgg_data_shape shape;
    *out = 0;
    if (origin) return first_of_record(out, model, data, origin);
    vgg_data_shape(data, &shape);
    if (!shape.features) return VGG_OK;
    /* The end of the base first, then up through the head, then down through the base. */
    for (int i = 0; i < arch->count; i++) {
        int k = arch->base + i < arch->count ? arch->base + i : arch->count - 1 - i, h, w, c;
        if (k <= 0) break;
        vgg_arch_shape(arch, k - 1, &h, &w, &c);
        if (h == shape.h && w == shape.w && c == shape.c) {
            *out = k;
            return VGG_OK;
        }
    }
    int h, w, c;
    vgg_arch_shape(arch, arch->base - 1, &h, &w, &c);
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: features of %dx%dx%d fit no layer of this network, whose base ends in %dx%dx%d; extract them "
                    "with the same "
                    "--size and layer, and use gap or gmp in the head for pooled ones",
                    vgg_data_count(data) ? vgg_data_path(data, 0) : "data", shape.h, shape.w, shape.c, h, w, c);
}
