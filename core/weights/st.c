#include "core/weights/st.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/weights/names.h"

/* A tensor of PyTorch's names taken apart. */
struct torch_name {
    enum { OTHER, FEATURES, CLASSIFIER, TIMM } part;
    int number; /* in features or classifier; TIMM: 0, 1, 2 for fc1, fc2, fc */
    bool bias;
};

/* "features.10.weight" and the like, with or without the "module." of a data-parallel model. */
static struct torch_name take_apart(const char *name)
{
    struct torch_name result = { OTHER, -1, false };
    if (strncmp(name, "module.", 7) == 0) name += 7;
    const char *role = NULL;
    for (int i = 0; i < VGG_TOP_LAYERS; i++) {
        const char *timm = vgg_weights_names_timm(i);
        size_t n = strlen(timm);
        if (strncmp(name, timm, n) == 0 && name[n] == '.') result.part = TIMM, result.number = i, role = name + n + 1;
    }
    if (strncmp(name, "features.", 9) == 0) result.part = FEATURES, role = name + 9;
    if (strncmp(name, "classifier.", 11) == 0) result.part = CLASSIFIER, role = name + 11;
    if (result.part == FEATURES || result.part == CLASSIFIER) {
        char *end = NULL;
        long number = *role >= '0' && *role <= '9' ? strtol(role, &end, 10) : -1;
        if (number < 0 || number > 1000 || *end != '.') return (struct torch_name) { OTHER, -1, false };
        result.number = (int)number;
        role = end + 1;
    }
    if (!role || (strcmp(role, "weight") != 0 && strcmp(role, "bias") != 0)) {
        return (struct torch_name) { OTHER, -1, false };
    }
    result.bias = role[0] == 'b';
    return result;
}

/* Position k of a number of `features` in an architecture, or -1. */
static int conv_of_number(const char *arch, int number, char name[VGG_WEIGHTS_NAME])
{
    int n;
    for (int k = 0; vgg_weights_names_conv(arch, k, name, &n); k++) {
        if (n == number) return k;
    }
    return -1;
}

/* Does the architecture have every number that the file has; and are these its first ones (`prefix`)? */
static bool fits(const struct vgg_weights *weights, const char *arch, bool *prefix, bool *whole)
{
    unsigned found = 0;
    char name[VGG_WEIGHTS_NAME];
    int convs = 0, number;
    for (size_t i = 0; i < vgg_st_count(weights->st); i++) {
        struct torch_name torch = take_apart(vgg_st_at(weights->st, i)->name);
        if (torch.part != FEATURES) continue;
        int k = conv_of_number(arch, torch.number, name);
        if (k < 0) return false;
        found |= 1u << k;
    }
    while (vgg_weights_names_conv(arch, convs, name, &number))
        convs++;
    *prefix = (found & (found + 1)) == 0;
    *whole = *prefix && found == (1u << convs) - 1;
    return true;
}

/* Finds whose numbers these are: metadata's word, else a network that is there as a whole, else its first layers. */
static enum vgg_status find_numbers(struct vgg_weights *weights)
{
    const char *word = vgg_st_meta(weights->st, "arch"), *arch;
    bool prefix, whole;
    if (!word) word = vgg_st_meta(weights->st, "architecture");
    for (int i = 0; word && (arch = vgg_weights_names_arch(i)); i++) {
        if (strcmp(word, arch) == 0 && fits(weights, arch, &prefix, &whole)) {
            weights->numbers = weights->arch = arch;
            return VGG_OK;
        }
    }
    bool some = false;
    for (int i = 0; (arch = vgg_weights_names_arch(i)); i++) {
        if (!fits(weights, arch, &prefix, &whole)) continue;
        some = true;
        if (whole) weights->arch = arch;
        if (whole || (prefix && !weights->numbers)) weights->numbers = arch;
    }
    if (weights->numbers) return VGG_OK;
    if (some) {
        return vgg_fail(VGG_ERR_UNSUPPORTED,
                        "%s: layers are left out below others, so their numbers do not tell which network this is; "
                        "add metadata \"arch\": \"vgg16\"",
                        weights->path);
    }
    return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: the numbers in features.N.weight fit none of VGG11, 13, 16 and 19",
                    weights->path);
}

static void describe(struct vgg_weights_tensor *tensor, const struct vgg_st_tensor *st)
{
    *tensor = (struct vgg_weights_tensor) { .name = (char *)(uintptr_t)st->name, .rank = st->rank, .st = st };
    memcpy(tensor->shape, st->shape, sizeof tensor->shape);
}

/* The number of outputs of classifier.N, or 0. */
static uint64_t classifier_outputs(const struct vgg_weights *weights, int number)
{
    for (size_t i = 0; i < vgg_st_count(weights->st); i++) {
        const struct vgg_st_tensor *tensor = vgg_st_at(weights->st, i);
        struct torch_name torch = take_apart(tensor->name);
        if (torch.part == CLASSIFIER && !torch.bias && torch.number == number && tensor->rank == 2) {
            return tensor->shape[0];
        }
    }
    return 0;
}

/* Name of classifier.N. torchvision's own classifier is fc1, fc2, predictions; the library writes other heads as
 * classifier.0, .3, .6 ... with their names in the metadata "dense" where they are not dense_1, dense_2 ... */
static void classifier_layer(const struct vgg_weights *weights, int number, char name[VGG_WEIGHTS_NAME])
{
    const char *names = vgg_st_meta(weights->st, "dense");
    int k = 0;
    for (size_t i = 0; i < vgg_st_count(weights->st); i++) {
        struct torch_name torch = take_apart(vgg_st_at(weights->st, i)->name);
        if (torch.part == CLASSIFIER && !torch.bias && torch.number < number) k++;
    }
    for (int i = 0; names && i < k; i++) {
        names = strchr(names, ',');
        if (names) names++;
    }
    if (names) {
        snprintf(name, VGG_WEIGHTS_NAME, "%.*s", (int)strcspn(names, ","), names);
    } else if (number % 3 == 0 && number <= 6 && classifier_outputs(weights, 0) == VGG_TOP_UNITS &&
               classifier_outputs(weights, 3) == VGG_TOP_UNITS) {
        snprintf(name, VGG_WEIGHTS_NAME, "%s", vgg_name(VGG_NAMES_TOP, number / 3));
    } else {
        snprintf(name, VGG_WEIGHTS_NAME, "dense_%d", k + 1);
    }
}

static enum vgg_status open_torch(struct vgg_weights *weights, bool timm)
{
    weights->naming = timm ? VGG_NAMING_TIMM : VGG_NAMING_TORCHVISION;
    enum vgg_status status = find_numbers(weights);
    for (size_t i = 0; status == VGG_OK && i < vgg_st_count(weights->st); i++) {
        const struct vgg_st_tensor *st = vgg_st_at(weights->st, i);
        struct torch_name torch = take_apart(st->name);
        struct vgg_weights_tensor tensor;
        char layer[VGG_WEIGHTS_NAME];
        describe(&tensor, st);
        if (torch.part == OTHER) continue;
        if (torch.part == FEATURES) conv_of_number(weights->numbers, torch.number, layer);
        if (torch.part == CLASSIFIER) classifier_layer(weights, torch.number, layer);
        if (torch.part == TIMM) snprintf(layer, sizeof layer, "%s", vgg_name(VGG_NAMES_TOP, torch.number));
        status = vgg_weights_add(weights, layer, torch.bias, &tensor);
    }
    return status;
}

static enum vgg_status open_keras(struct vgg_weights *weights)
{
    enum vgg_status status = VGG_OK;
    weights->naming = VGG_NAMING_KERAS;
    for (size_t i = 0; status == VGG_OK && i < vgg_st_count(weights->st); i++) {
        const struct vgg_st_tensor *st = vgg_st_at(weights->st, i);
        struct vgg_weights_tensor tensor;
        char layer[VGG_WEIGHTS_NAME];
        bool bias, old;
        describe(&tensor, st);
        if (!vgg_weights_names_split(st->name, layer, &bias, &old) || !*layer) continue;
        status = vgg_weights_add(weights, layer, bias, &tensor);
    }
    return status;
}

enum vgg_status vgg_weights_st_open(struct vgg_weights *weights)
{
    enum vgg_status status = vgg_st_open(&weights->st, weights->path);
    if (status != VGG_OK) return status;
    bool torch = false, timm = false;
    for (size_t i = 0; i < vgg_st_count(weights->st); i++) {
        const char *name = vgg_st_at(weights->st, i)->name, *end = strrchr(name, '.');
        struct torch_name parts = take_apart(name);
        torch = torch || parts.part == FEATURES || parts.part == CLASSIFIER;
        timm = timm || parts.part == TIMM;
        if (strncmp(name, "features.", 9) == 0 && end && strcmp(end, ".running_mean") == 0) {
            return vgg_fail(VGG_ERR_UNSUPPORTED,
                            "%s: has batch normalisation (%s), which is not run here; take the network without _bn",
                            weights->path, name);
        }
    }
    return torch || timm ? open_torch(weights, timm) : open_keras(weights);
}
