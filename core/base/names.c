#include "core/base/names.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 6 };

static const char unset[] = "default";

static const char *const words[][MOST + 1] = {
    [VGG_NAMES_PREPROCESS] = { unset, "caffe", "torch", "rescale", "none" },
    [VGG_NAMES_RESIZE] = { unset, "nearest", "bilinear", "lanczos" },
    [VGG_NAMES_CROP] = { unset, "none", "center" },
    [VGG_NAMES_POOLING] = { "none", "avg", "max" },
    [VGG_NAMES_DECODE] = { unset, "exact", "fast" },
    [VGG_NAMES_OPTIMIZER] = { "rmsprop", "sgd", "adam", "adamw" },
    [VGG_NAMES_PRECISION] = { "fp32", "bf16", "fp16", "int8" },
    [VGG_NAMES_COLOURS] = { "viridis", "inferno", "jet", "grey" },
    [VGG_NAMES_ARCH] = { unset, "vgg11", "vgg13", "vgg16", "vgg19" },
    [VGG_NAMES_TOP] = { "fc1", "fc2", "predictions" },
    [VGG_NAMES_SCHEDULE] = { "constant", "cosine", "step", "plateau" },
    [VGG_NAMES_CONV] = { "auto", "direct", "winograd", "winograd2", "winograd4", "winograd6" },
};

const char *vgg_name(enum vgg_names names, int value)
{
    bool known = (size_t)names < sizeof words / sizeof *words && value >= 0 && value < MOST;
    return known ? words[names][value] : NULL;
}

bool vgg_names_find(int *value, enum vgg_names names, const char *word)
{
    const char *name;
    for (*value = 0; word && (name = vgg_name(names, *value)); ++*value) {
        if (name != unset && strcmp(name, word) == 0) return true;
    }
    return false;
}

struct vgg_names_list vgg_names_list(enum vgg_names names)
{
    struct vgg_names_list list = { "" };
    const char *name;
    size_t used = 0;
    for (int i = 0; (name = vgg_name(names, i)); i++) {
        if (name == unset) continue;
        used += (size_t)snprintf(list.text + used, sizeof list.text - used, "%s%s", used ? ", " : "", name);
    }
    return list;
}
