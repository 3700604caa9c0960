#include "core/weights/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/names.h"

const char *vgg_weights_names_arch(int index)
{
    static const enum vgg_arch_id order[] = { VGG_ARCH_16, VGG_ARCH_19, VGG_ARCH_13, VGG_ARCH_11 };
    bool inside = index >= 0 && (size_t)index < sizeof order / sizeof *order;
    return inside ? vgg_name(VGG_NAMES_ARCH, (int)order[index]) : NULL;
}

bool vgg_weights_names_conv(const char *arch, int k, char name[VGG_WEIGHTS_NAME], int *number)
{
    enum vgg_arch_id id = vgg_arch_id(arch);
    *number = 2 * k; /* a convolution and its ReLU take one number each, a pool one */
    for (int block = 1; id != VGG_ARCH_NONE && block <= VGG_ARCH_BLOCKS; k -= vgg_arch_convs(id, block++)) {
        if (k < vgg_arch_convs(id, block)) {
            vgg_arch_conv_name(name, block, k + 1);
            *number += block - 1;
            return true;
        }
    }
    return false;
}

const char *vgg_weights_names_timm(int index)
{
    static const char *const timm[VGG_TOP_LAYERS] = { "pre_logits.fc1", "pre_logits.fc2", "head.fc" };
    return timm[index];
}

/* 0, 1, 2 for fc1, fc2, predictions; else -1. */
static int top_index(const char *layer)
{
    int index;
    return vgg_names_find(&index, VGG_NAMES_TOP, layer) ? index : -1;
}

bool vgg_weights_names_known(const char *layer)
{
    int block, conv;
    return vgg_arch_conv_place(&block, &conv, layer) || top_index(layer) >= 0;
}

/* Does text end in _DIGITS? Gives the underscore's place, else NULL. */
static char *number_suffix(char *text)
{
    char *end = text + strlen(text), *at = end;
    while (at > text && isdigit((unsigned char)at[-1]))
        at--;
    return at < end && at > text && at[-1] == '_' ? at - 1 : NULL;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* TensorFlow makes a name used twice in one session unique: block1_conv1_1, kernel_1. */
static void drop_number(char *text, bool (*wanted)(const char *))
{
    char *suffix = number_suffix(text);
    if (!suffix) return;
    *suffix = '\0';
    if (!wanted(text)) *suffix = '_';
}

static bool is_role(const char *word)
{
    return strcmp(word, "kernel") == 0 || strcmp(word, "bias") == 0;
}

static bool is_old_role(const char *word)
{
    return strlen(word) > 2 && (ends_in(word, "_W") || ends_in(word, "_b"));
}

bool vgg_weights_names_split(const char *tensor, char layer[VGG_WEIGHTS_NAME], bool *bias, bool *old)
{
    char text[2 * VGG_WEIGHTS_NAME];
    size_t n = strlen(tensor);
    layer[0] = '\0';
    *old = false;
    if (n >= sizeof text) return false;
    memcpy(text, tensor, n + 1);
    char *colon = strrchr(text, ':');
    if (colon && strspn(colon + 1, "0123456789") == strlen(colon + 1)) *colon = '\0';
    char *slash = strrchr(text, '/'), *role = slash ? slash + 1 : text;
    drop_number(role, is_role);
    if (is_role(role)) {
        *bias = strcmp(role, "bias") == 0;
        if (!slash) return true;
        *slash = '\0';
        char *owner = strrchr(text, '/');
        owner = owner ? owner + 1 : text;
        drop_number(owner, vgg_weights_names_known);
        snprintf(layer, VGG_WEIGHTS_NAME, "%.*s", VGG_WEIGHTS_NAME - 1, owner);
        return true;
    }
    drop_number(role, is_old_role); /* Keras 1, often with TensorFlow's _1 */
    n = strlen(role);
    if (!is_old_role(role) || n - 2 >= VGG_WEIGHTS_NAME) return false;
    *bias = ends_in(role, "_b");
    *old = true;
    memcpy(layer, role, n - 2);
    layer[n - 2] = '\0';
    return true;
}

bool vgg_weights_names_norm(const char *tensor)
{
    static const char *const roles[] = { "gamma", "moving_mean", "running_mean" };
    const char *slash = strrchr(tensor, '/'), *role = slash ? slash + 1 : tensor;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (strncmp(role, roles[i], strlen(roles[i])) == 0) return true;
    }
    return false;
}

/* Number k of "dense_k", or -1. */
static int dense_number(const char *layer)
{
    if (strncmp(layer, "dense_", 6) != 0 || !isdigit((unsigned char)layer[6])) return -1;
    char *end;
    long k = strtol(layer + 6, &end, 10);
    return *end == '\0' && k >= 0 && k < 1000 ? (int)k : -1;
}

static void missing_torch(const struct vgg_weights *weights, const char *layer, const char *role,
                          char name[VGG_WEIGHTS_NAME])
{
    char conv[VGG_WEIGHTS_NAME];
    int number, index = top_index(layer), dense = dense_number(layer);
    if (index >= 0 && weights->naming == VGG_NAMING_TIMM) {
        snprintf(name, VGG_WEIGHTS_NAME, "%s.%s", vgg_weights_names_timm(index), role);
        return;
    }
    if (index < 0) index = dense - 1;
    if (index >= 0) {
        snprintf(name, VGG_WEIGHTS_NAME, "classifier.%d.%s", 3 * index, role);
        return;
    }
    for (int k = 0; vgg_weights_names_conv(weights->numbers, k, conv, &number); k++) {
        if (strcmp(conv, layer) == 0) {
            snprintf(name, VGG_WEIGHTS_NAME, "features.%d.%s", number, role);
            return;
        }
    }
    snprintf(name, VGG_WEIGHTS_NAME, "%s of layer %.100s", role, layer);
}

void vgg_weights_names_missing(const struct vgg_weights *weights, const char *layer, bool bias,
                               char name[VGG_WEIGHTS_NAME])
{
    const char *role = bias ? "bias" : "kernel";
    char conv[VGG_WEIGHTS_NAME];
    int number;
    switch (weights->naming) {
    case VGG_NAMING_KERAS: snprintf(name, VGG_WEIGHTS_NAME, "%.100s/%s", layer, role); return;
    case VGG_NAMING_KERAS_H5: snprintf(name, VGG_WEIGHTS_NAME, "%.100s/%s:0", layer, role); return;
    case VGG_NAMING_KERAS_OLD: snprintf(name, VGG_WEIGHTS_NAME, "%.100s_%s_1:0", layer, bias ? "b" : "W"); return;
    case VGG_NAMING_TORCHVISION:
    case VGG_NAMING_TIMM: missing_torch(weights, layer, bias ? "bias" : "weight", name); return;
    case VGG_NAMING_KERAS_3: break;
    }
    const char *arch = weights->arch ? weights->arch : vgg_weights_names_arch(0);
    for (int k = 0; weights->automatic && vgg_weights_names_conv(arch, k, conv, &number); k++) {
        if (strcmp(conv, layer) != 0) continue;
        if (k == 0) snprintf(name, VGG_WEIGHTS_NAME, "layers/conv2d/vars/%d", bias);
        if (k > 0) snprintf(name, VGG_WEIGHTS_NAME, "layers/conv2d_%d/vars/%d", k, bias);
        return;
    }
    snprintf(name, VGG_WEIGHTS_NAME, "layers/%.100s/vars/%d", layer, bias);
}

/* ---- settling ---- */

/* "conv2d" is 0, "conv2d_7" is 7; -1 for other names. */
static int automatic_number(const char *layer, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(layer, word, n) != 0) return -1;
    if (layer[n] == '\0') return 0;
    if (layer[n] != '_' || !isdigit((unsigned char)layer[n + 1])) return -1;
    char *end;
    long k = strtol(layer + n + 1, &end, 10);
    return *end == '\0' && k >= 0 && k < 100000 ? (int)k : -1;
}

static enum vgg_status rename_entry(struct vgg_weights_entry *entry, const char *name)
{
    char *copy = vgg_mem_strdup(name);
    if (!copy) return vgg_fail_memory("a layer's name", strlen(name));
    free(entry->name);
    entry->name = copy;
    return VGG_OK;
}

static bool is_conv(const struct vgg_weights_entry *entry)
{
    return entry->kernel.name && entry->kernel.rank == 4;
}

/* The architecture of exactly n convolutions, else the first. */
static const char *arch_of_count(int n)
{
    char name[VGG_WEIGHTS_NAME];
    int number;
    const char *arch;
    for (int i = 0; (arch = vgg_weights_names_arch(i)); i++) {
        if (vgg_weights_names_conv(arch, n - 1, name, &number) && !vgg_weights_names_conv(arch, n, name, &number))
            return arch;
    }
    return vgg_weights_names_arch(0);
}

/* conv2d, conv2d_1, ... become block1_conv1, ... by their order, when they chain and no layer has a VGG name. */
static enum vgg_status rename_convs(struct vgg_weights *weights)
{
    int n = 0;
    uint64_t channels = 0;
    for (size_t i = 0; i < weights->count; i++) {
        const struct vgg_weights_entry *entry = &weights->entry[i];
        if (vgg_weights_names_known(entry->name)) return VGG_OK;
        if (!is_conv(entry)) continue;
        if (automatic_number(entry->name, "conv2d") < 0) return VGG_OK;
        if (n > 0 && entry->kernel.shape[2] != channels) return VGG_OK;
        channels = entry->kernel.shape[3];
        n++;
    }
    char name[VGG_WEIGHTS_NAME];
    int number, k = 0;
    if (n == 0 || !vgg_weights_names_conv(vgg_name(VGG_NAMES_ARCH, VGG_ARCH_19), n - 1, name, &number)) return VGG_OK;
    const char *arch = arch_of_count(n);
    for (size_t i = 0; i < weights->count; i++) {
        if (!is_conv(&weights->entry[i]) || !vgg_weights_names_conv(arch, k++, name, &number)) continue;
        enum vgg_status status = rename_entry(&weights->entry[i], name);
        if (status != VGG_OK) return status;
    }
    weights->automatic = true;
    return VGG_OK;
}

/* Three numbered dense layers of the sizes 4096, 4096, n on a renamed base are the ImageNet top. Others count from 0
 * in newer Keras ("dense", "dense_1"), from 1 in the library. */
static enum vgg_status rename_dense(struct vgg_weights *weights)
{
    struct vgg_weights_entry *dense[VGG_TOP_LAYERS] = { 0 };
    size_t n = 0;
    bool from_zero = false;
    for (size_t i = 0; i < weights->count; i++) {
        struct vgg_weights_entry *entry = &weights->entry[i];
        if (automatic_number(entry->name, "dense") < 0) continue;
        from_zero = from_zero || strcmp(entry->name, "dense") == 0;
        if (n < VGG_TOP_LAYERS) dense[n] = entry;
        n++;
    }
    if (!from_zero) return VGG_OK;
    bool is_top = weights->automatic && n == VGG_TOP_LAYERS;
    for (size_t i = 0; is_top && i < VGG_TOP_LAYERS; i++) {
        is_top = dense[i]->kernel.rank == 2 && (i == VGG_TOP_LAYERS - 1 || dense[i]->kernel.shape[1] == VGG_TOP_UNITS);
    }
    for (size_t i = 0; i < weights->count; i++) {
        struct vgg_weights_entry *entry = &weights->entry[i];
        char name[VGG_WEIGHTS_NAME];
        int number = automatic_number(entry->name, "dense");
        if (number < 0) continue;
        snprintf(name, sizeof name, "dense_%d", number + 1);
        enum vgg_status status =
            rename_entry(entry, is_top && number < VGG_TOP_LAYERS ? vgg_name(VGG_NAMES_TOP, number) : name);
        if (status != VGG_OK) return status;
    }
    return VGG_OK;
}

/* Where a layer stands in the network: convolutions, then the ImageNet top, then others as they come. */
static size_t place(const struct vgg_weights_entry *entry)
{
    int block, conv, index = top_index(entry->name);
    if (vgg_arch_conv_place(&block, &conv, entry->name)) return (size_t)(10 * block + conv);
    return index >= 0 ? (size_t)(100 + index) : 1000 + entry->order;
}

static int compare_places(const void *a, const void *b)
{
    size_t x = place(a), y = place(b);
    return (x > y) - (x < y);
}

int vgg_weights_names_order(const char *s, const char *t)
{
    for (; *s && *t; s++, t++) {
        if (isdigit((unsigned char)*s) && isdigit((unsigned char)*t)) {
            char *s_end, *t_end;
            unsigned long long x = strtoull(s, &s_end, 10), y = strtoull(t, &t_end, 10);
            if (x != y) return x < y ? -1 : 1;
            s = s_end - 1, t = t_end - 1;
        } else if (*s != *t) {
            break;
        }
    }
    return (unsigned char)*s - (unsigned char)*t;
}

static int compare_layers(const void *a, const void *b)
{
    const struct vgg_weights_entry *s = a, *t = b;
    return vgg_weights_names_order(s->name, t->name);
}

static void find_arch(struct vgg_weights *weights)
{
    int most[VGG_ARCH_BLOCKS + 1] = { 0 };
    const char *word = vgg_weights_meta(weights, "arch");
    if (!word) word = vgg_weights_meta(weights, "architecture");
    enum vgg_arch_id id = vgg_arch_id(word);
    if (id != VGG_ARCH_NONE) weights->arch = vgg_name(VGG_NAMES_ARCH, (int)id);
    if (weights->arch) return;
    for (size_t i = 0; i < weights->count; i++) {
        int block, conv;
        if (!vgg_arch_conv_place(&block, &conv, weights->entry[i].name)) continue;
        if (conv > most[block]) most[block] = conv;
    }
    /* A block tells once a later one is there too, so that it is whole. */
    int deepest = 0, last = 0;
    for (int block = 1; block <= VGG_ARCH_BLOCKS; block++) {
        if (block >= 3 && most[block] > deepest) deepest = most[block];
        if (most[block]) last = block;
    }
    if (deepest >= 4) {
        id = VGG_ARCH_19;
    } else if (most[1] == 1 && most[2] >= 1 && last >= 2) {
        id = VGG_ARCH_11;
    } else if (last == 5 || (last == 4 && most[3])) {
        id = deepest == 3 ? VGG_ARCH_16 : VGG_ARCH_13;
    }
    if (id != VGG_ARCH_NONE) weights->arch = vgg_name(VGG_NAMES_ARCH, (int)id);
}

static void sort(struct vgg_weights *weights, int (*compare)(const void *, const void *))
{
    if (weights->count) qsort(weights->entry, weights->count, sizeof *weights->entry, compare);
}

enum vgg_status vgg_weights_names_settle(struct vgg_weights *weights)
{
    enum vgg_status status;
    /* Automatic names tell the order; layers of PyTorch and HDF5's layer_names are in order already. */
    if (weights->naming == VGG_NAMING_KERAS || weights->naming == VGG_NAMING_KERAS_3) sort(weights, compare_layers);
    for (size_t i = 0; i < weights->count; i++)
        weights->entry[i].order = i;
    if (!vgg_weights_is_torch(weights)) {
        CHECK(rename_convs(weights));
        CHECK(rename_dense(weights));
    }
    sort(weights, compare_places);
    find_arch(weights);
    status = VGG_OK;
fail:
    return status;
}
