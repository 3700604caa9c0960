#include "core/arch/arch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/names.h"

enum { MIN_SIZE = 32, MAX_SIZE = 16384, MAX_UNITS = 1 << 20 };

/* Convolutions of each block and their channels. Source: Simonyan and Zisserman, "Very deep convolutional networks for
 * large-scale image recognition", ICLR 2015, table 1 (configurations A, B, D, E). */
static const int convs[VGG_ARCH_END][VGG_ARCH_BLOCKS] = {
    [VGG_ARCH_11] = { 1, 1, 2, 2, 2 },
    [VGG_ARCH_13] = { 2, 2, 2, 2, 2 },
    [VGG_ARCH_16] = { 2, 2, 3, 3, 3 },
    [VGG_ARCH_19] = { 2, 2, 4, 4, 4 },
};
static const int channels[VGG_ARCH_BLOCKS] = { 64, 128, 256, 512, 512 };

enum vgg_arch_id vgg_arch_id(const char *name)
{
    int id;
    return vgg_names_find(&id, VGG_NAMES_ARCH, name) ? (enum vgg_arch_id)id : VGG_ARCH_NONE;
}

int vgg_arch_convs(enum vgg_arch_id id, int block)
{
    return convs[id][block - 1];
}

void vgg_arch_conv_name(char name[VGG_NAME_SIZE], int block, int conv)
{
    snprintf(name, VGG_NAME_SIZE, "block%d_conv%d", block, conv);
}

void vgg_arch_pool_name(char name[VGG_NAME_SIZE], int block)
{
    snprintf(name, VGG_NAME_SIZE, "block%d_pool", block);
}

bool vgg_arch_conv_place(int *block, int *conv, const char *name)
{
    char whole[VGG_NAME_SIZE];
    const int most = vgg_arch_convs(VGG_ARCH_19, VGG_ARCH_BLOCKS);
    for (*block = 1; *block <= VGG_ARCH_BLOCKS; ++*block) {
        for (*conv = 1; *conv <= most; ++*conv) {
            vgg_arch_conv_name(whole, *block, *conv);
            if (strcmp(name, whole) == 0) return true;
        }
    }
    return false;
}

void vgg_arch_shape(const struct vgg_arch *arch, int index, int *h, int *w, int *c)
{
    *h = index < 0 ? arch->h : arch->layer[index].h;
    *w = index < 0 ? arch->w : arch->layer[index].w;
    *c = index < 0 ? 3 : arch->layer[index].c;
}

static struct vgg_layer *add_layer(struct vgg_arch *arch, enum vgg_layer_kind kind, const char *name)
{
    struct vgg_layer *layer = &arch->layer[arch->count];
    *layer = (struct vgg_layer) { .kind = kind };
    snprintf(layer->name, sizeof layer->name, "%s", name);
    vgg_arch_shape(arch, arch->count - 1, &layer->h, &layer->w, &layer->c);
    arch->count++;
    return layer;
}

/* Places a tensor behind the others in the parameter arena. */
static struct vgg_view place(struct vgg_arch *arch, int n, int h, int w, int c)
{
    struct vgg_view view = { .offset = arch->param_size, .arena = VGG_ARENA_PARAM, .n = n, .h = h, .w = w, .c = c };
    arch->param_size += vgg_mem_round_up(vgg_view_size(&view), VGG_VIEW_ALIGN);
    return view;
}

static void add_conv(struct vgg_arch *arch, const char *name, int units)
{
    struct vgg_layer *layer = add_layer(arch, VGG_LAYER_CONV, name);
    layer->activation = VGG_RELU;
    layer->kernel = place(arch, 3, 3, layer->c, units);
    layer->bias = place(arch, 1, 1, 1, units);
    layer->c = units;
}

static void add_dense(struct vgg_arch *arch, const char *name, int units, enum vgg_activation activation)
{
    struct vgg_layer *layer = add_layer(arch, VGG_LAYER_DENSE, name);
    layer->activation = activation;
    layer->kernel = place(arch, 1, 1, layer->h * layer->w * layer->c, units);
    layer->bias = place(arch, 1, 1, 1, units);
    layer->h = layer->w = 1;
    layer->c = units;
}

/* Values of the topmost output, which a flat layer makes its channels of; false: more than int holds. */
static bool flat_count(int *out, const struct vgg_arch *arch)
{
    int h, w, c;
    vgg_arch_shape(arch, arch->count - 1, &h, &w, &c);
    int64_t count = (int64_t)h * w * c;
    *out = count <= INT_MAX ? (int)count : 0;
    return *out != 0;
}

enum vgg_status vgg_arch_base(struct vgg_arch *arch, const char *name, int h, int w, const char *last)
{
    enum vgg_arch_id id = vgg_arch_id(name);
    if (id == VGG_ARCH_NONE) {
        return vgg_fail(VGG_ERR_ARGUMENT, "architecture %s is unknown; take one of %s", name,
                        vgg_names_list(VGG_NAMES_ARCH).text);
    }
    if (h < MIN_SIZE || w < MIN_SIZE || h > MAX_SIZE || w > MAX_SIZE) {
        return vgg_fail(VGG_ERR_ARGUMENT, "input size %dx%d: height and width must be from %d to %d", h, w, MIN_SIZE,
                        MAX_SIZE);
    }
    *arch = (struct vgg_arch) { .h = h, .w = w };
    snprintf(arch->name, sizeof arch->name, "%s", name);
    bool found = false;
    for (int block = 1; block <= VGG_ARCH_BLOCKS && !found; block++) {
        char label[VGG_NAME_SIZE];
        for (int conv = 1; conv <= vgg_arch_convs(id, block) && !found; conv++) {
            vgg_arch_conv_name(label, block, conv);
            add_conv(arch, label, channels[block - 1]);
            found = last && strcmp(label, last) == 0;
        }
        if (found) break;
        vgg_arch_pool_name(label, block);
        struct vgg_layer *pool = add_layer(arch, VGG_LAYER_MAXPOOL, label);
        pool->h /= 2, pool->w /= 2;
        found = last && strcmp(label, last) == 0;
    }
    if (last && !found) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s has no layer %s below its head%s", name, last,
                        vgg_arch_hint(arch, last).text);
    }
    arch->base = arch->count;
    return VGG_OK;
}

/* One item of a head, split at colons. */
struct item {
    char word[4][VGG_NAME_SIZE];
    int words;
};

static bool read_item(struct item *item, const char *text, size_t length)
{
    *item = (struct item) { .words = 1 };
    size_t at = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ':') {
            if (++item->words > 4) return false;
            at = 0;
        } else if (at + 1 < VGG_NAME_SIZE) {
            item->word[item->words - 1][at++] = text[i];
        } else {
            return false;
        }
    }
    return true;
}

static const char *const activations[] = { "linear", "relu", "softmax", "sigmoid" }; /* as enum vgg_activation */
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static bool read_activation(enum vgg_activation *activation, const char *word)
{
    for (int i = 0; i < ACTIVATIONS; i++) {
        if (strcmp(activations[i], word) == 0) {
            *activation = (enum vgg_activation)i;
            return true;
        }
    }
    return false;
}

/* Adds one item; NULL, or what is wrong with it. `dense` and `dropout` count the layers named so far. */
static const char *add_item(struct vgg_arch *arch, const struct item *item, int *dense, int *dropout)
{
    const char *kind = item->word[0];
    const struct vgg_layer *below = &arch->layer[arch->count - 1];
    char name[VGG_NAME_SIZE], *end;
    bool flat = below->h == 1 && below->w == 1 && arch->count > arch->base;
    bool flattened = arch->count > arch->base && below->kind != VGG_LAYER_CONV && below->kind != VGG_LAYER_MAXPOOL;
    if (below->activation == VGG_SOFTMAX || below->activation == VGG_SIGMOID)
        return "nothing may follow softmax or sigmoid";
    if (arch->count == VGG_MAX_LAYERS) return "too many layers";
    if (strcmp(kind, "flatten") == 0 || strcmp(kind, "gap") == 0 || strcmp(kind, "gmp") == 0) {
        if (item->words != 1) return "takes no numbers";
        if (flat) return "must stand before every dense layer";
        struct vgg_layer *layer;
        int values;
        if (kind[0] == 'f') {
            if (!flat_count(&values, arch))
                return "makes more than 2^31 values; take a smaller --size, a higher layer or gap";
            layer = add_layer(arch, VGG_LAYER_FLATTEN, "flatten");
            layer->c = values;
        } else if (kind[1] == 'a') {
            layer = add_layer(arch, VGG_LAYER_AVGPOOL, "global_average_pooling2d");
        } else {
            layer = add_layer(arch, VGG_LAYER_GMAXPOOL, "global_max_pooling2d");
        }
        layer->h = layer->w = 1;
        return NULL;
    }
    if (strcmp(kind, "dropout") == 0) {
        double rate = item->words == 2 ? strtod(item->word[1], &end) : -1.0;
        if (item->words != 2 || end == item->word[1] || *end || !(rate >= 0.0 && rate < 1.0)) {
            return "must be dropout:RATE with 0 <= RATE < 1";
        }
        if (!flattened) return "must follow flatten, gap, gmp or a dense layer";
        snprintf(name, sizeof name, "dropout_%d", ++*dropout);
        add_layer(arch, VGG_LAYER_DROPOUT, name)->rate = (float)rate;
        return NULL;
    }
    if (strcmp(kind, "dense") == 0) {
        enum vgg_activation activation = VGG_LINEAR;
        long units = item->words >= 2 ? strtol(item->word[1], &end, 10) : 0;
        if (item->words < 2 || item->words > 3 || end == item->word[1] || *end || units < 1 || units > MAX_UNITS) {
            return "must be dense:UNITS:ACTIVATION with 1 <= UNITS <= 1048576";
        }
        if (item->words == 3 && !read_activation(&activation, item->word[2])) {
            return "has an unknown activation; take linear, relu, softmax or sigmoid";
        }
        if (!flattened) return "must follow flatten, gap or gmp";
        if (activation == VGG_SIGMOID && units != 1)
            return "with sigmoid must have 1 unit; take softmax for several classes";
        if (activation == VGG_SOFTMAX && units < 2)
            return "with softmax must have at least 2 units; take sigmoid for one";
        snprintf(name, sizeof name, "dense_%d", ++*dense);
        add_dense(arch, name, (int)units, activation);
        return NULL;
    }
    return "is unknown; take flatten, gap, gmp, dense:N:ACTIVATION, dropout:RATE";
}

/* What a refused item was meant for: its layer, or that layer's activation. */
static void near_item(struct vgg_nearest *nearest, const struct item *item)
{
    static const char *const kinds[] = { "flatten", "gap", "gmp", "dense", "dropout" };
    *nearest = (struct vgg_nearest) { .text = item->word[0] };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        vgg_nearest_try(nearest, kinds[i]);
    if (!nearest->name || nearest->distance) return;
    *nearest = (struct vgg_nearest) { .text = item->word[2] };
    for (int i = 0; i < ACTIVATIONS; i++)
        vgg_nearest_try(nearest, activations[i]);
    if (!nearest->distance) nearest->name = NULL; /* it is no word that is wrong */
}

enum vgg_status vgg_arch_head(struct vgg_arch *arch, const char *head)
{
    if (strcmp(head, "top") == 0) {
        int values;
        if (!flat_count(&values, arch))
            return vgg_fail(VGG_ERR_ARGUMENT,
                            "input size %dx%d: the top would take more than 2^31 values; take a smaller one", arch->h,
                            arch->w);
        struct vgg_layer *flatten = add_layer(arch, VGG_LAYER_FLATTEN, "flatten");
        flatten->c = values;
        flatten->h = flatten->w = 1;
        for (int i = 0; i < VGG_TOP_LAYERS; i++) {
            bool last = i == VGG_TOP_LAYERS - 1;
            add_dense(arch, vgg_name(VGG_NAMES_TOP, i), last ? VGG_TOP_CLASSES : VGG_TOP_UNITS,
                      last ? VGG_SOFTMAX : VGG_RELU);
        }
        return VGG_OK;
    }
    int dense = 0, dropout = 0;
    for (const char *at = head;; at++) {
        size_t length = strcspn(at, ",");
        struct item item;
        const char *wrong = read_item(&item, at, length) ? add_item(arch, &item, &dense, &dropout) : "is malformed";
        if (wrong) {
            struct vgg_nearest nearest;
            near_item(&nearest, &item);
            return vgg_fail(VGG_ERR_ARGUMENT, "head \"%s\": %.*s %s%s", head, (int)length, at, wrong,
                            vgg_nearest_hint(&nearest, ""));
        }
        at += length;
        if (!*at) return VGG_OK;
    }
}

int vgg_arch_find(const struct vgg_arch *arch, const char *name)
{
    for (int i = 0; i < arch->count; i++) {
        if (strcmp(arch->layer[i].name, name) == 0) return i;
    }
    return -1;
}

struct vgg_arch_hint vgg_arch_hint(const struct vgg_arch *arch, const char *name)
{
    struct vgg_arch_hint hint;
    struct vgg_nearest nearest = { .text = name };
    for (int i = 0; i < arch->count; i++)
        vgg_nearest_try(&nearest, arch->layer[i].name);
    snprintf(hint.text, sizeof hint.text, "%s",
             nearest.name ? vgg_nearest_hint(&nearest, "") : "; `vgg16 summary` lists them");
    return hint;
}

int vgg_arch_trainable(const struct vgg_arch *arch, const char *what)
{
    if (strcmp(what, "head") == 0) return arch->base;
    if (strcmp(what, "all") == 0) return 0;
    size_t length = strlen(what);
    for (int i = 0; i < arch->count; i++) {
        const char *name = arch->layer[i].name;
        if (strcmp(name, what) == 0) return i;
        if (strncmp(what, "block", 5) == 0 && strncmp(name, what, length) == 0 && name[length] == '_') return i;
    }
    return -1;
}

int vgg_arch_classes(const struct vgg_arch *arch)
{
    const struct vgg_layer *last = &arch->layer[arch->count - 1];
    if (last->activation == VGG_SIGMOID) return 2;
    return last->activation == VGG_SOFTMAX ? last->c : 0;
}
