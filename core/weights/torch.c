#include "core/weights/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/weights/names.h"

enum { OWNER = 256, MOST_DENSE = 8 };

/* The name of a tensor without its role and without what wraps modules: "model.features.0" of
 * "_orig_mod.model.features.module.0.weight". */
struct name {
    char owner[OWNER];
    bool bias;
};

/* A dense layer: its name and both tensors. */
struct dense {
    struct name name;
    const struct vgg_tensor *kernel, *bias;
};

/* Who has which names. */
struct torch {
    struct vgg_weights *weights;
    char trunk[OWNER]; /* what stands before the convolutions' numbers: "model.features." */
    char stem[OWNER];  /* the same without "features.": "model." */
    bool has_trunk, timm;
    struct dense dense[MOST_DENSE];
    int count;
};

/* torch.compile, DataParallel, FSDP and checkpointing put a module around another. */
static bool is_wrapper(const char *part, size_t size)
{
    static const char *const words[] = { "_orig_mod", "module", "_module", "_fsdp_wrapped_module",
                                         "_checkpoint_wrapped_module" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (size == strlen(words[i]) && memcmp(part, words[i], size) == 0) return true;
    }
    return false;
}

/* False: neither a weight nor a bias, or too long. */
static bool take_apart(struct name *name, const char *tensor)
{
    const char *end = strrchr(tensor, '.');
    size_t used = 0;
    if (!end || strlen(tensor) >= OWNER || (strcmp(end, ".weight") != 0 && strcmp(end, ".bias") != 0)) return false;
    name->bias = end[1] == 'b';
    for (const char *at = tensor; at < end;) {
        size_t size = strcspn(at, ".");
        if (!is_wrapper(at, size)) {
            if (used) name->owner[used++] = '.';
            memcpy(name->owner + used, at, size);
            used += size;
        }
        at += size + 1;
    }
    name->owner[used] = '\0';
    return true;
}

/* The number at the end of an owner, whose place is `*before`; -1: none. */
static int last_number(const char *owner, size_t *before)
{
    const char *dot = strrchr(owner, '.'), *number = dot ? dot + 1 : owner;
    char *end;
    *before = (size_t)(number - owner);
    if (*number < '0' || *number > '9') return -1;
    long value = strtol(number, &end, 10);
    return *end == '\0' && value <= 1000 ? (int)value : -1;
}

/* The number of a convolution of the trunk; -1: it is none. */
static int trunk_number(const struct torch *t, const struct name *name)
{
    size_t before;
    int number = last_number(name->owner, &before);
    return t->has_trunk && before == strlen(t->trunk) && strncmp(name->owner, t->trunk, before) == 0 ? number : -1;
}

static bool ends_in(const char *text, size_t size, const char *end)
{
    size_t n = strlen(end);
    return size >= n && memcmp(text + size - n, end, n) == 0;
}

/* Finds what stands before the number of the first convolution: 3x3 on three channels; a file without it names its
 * Sequential features. */
static enum vgg_status find_trunk(struct torch *t)
{
    const struct vgg_weights *weights = t->weights;
    for (int round = 0; round < 2 && !t->has_trunk; round++) {
        for (size_t i = 0; i < weights->tensor_count; i++) {
            const struct vgg_tensor *tensor = &weights->tensor[i];
            struct name name;
            size_t before;
            if (!take_apart(&name, tensor->name) || last_number(name.owner, &before) < 0) continue;
            bool first = tensor->rank == 4 && tensor->shape[1] == 3 && tensor->shape[2] == 3 && tensor->shape[3] == 3;
            if (round == 0 && !first) continue;
            if (round == 1 && (!ends_in(name.owner, before, "features.") || tensor->rank == 2)) continue;
            name.owner[before] = '\0';
            if (t->has_trunk && strcmp(t->trunk, name.owner) != 0) {
                return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: holds several networks, %s* and %s*; save one of them alone",
                                weights->path, t->trunk, name.owner);
            }
            t->has_trunk = true;
            memcpy(t->trunk, name.owner, OWNER);
        }
    }
    memcpy(t->stem, t->trunk, OWNER);
    size_t size = strlen(t->stem);
    if (ends_in(t->stem, size, "features.")) t->stem[size - strlen("features.")] = '\0';
    return VGG_OK;
}

/* ---- convolutions ---- */

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
static bool fits(const struct torch *t, const char *arch, bool *prefix, bool *whole)
{
    unsigned found = 0;
    char layer[VGG_WEIGHTS_NAME];
    int convs = 0, number;
    for (size_t i = 0; i < t->weights->tensor_count; i++) {
        struct name name;
        if (!take_apart(&name, t->weights->tensor[i].name)) continue;
        number = trunk_number(t, &name);
        if (number < 0) continue;
        int k = conv_of_number(arch, number, layer);
        if (k < 0) return false;
        found |= 1u << k;
    }
    while (vgg_weights_names_conv(arch, convs, layer, &number))
        convs++;
    *prefix = (found & (found + 1)) == 0;
    *whole = *prefix && found == (1u << convs) - 1;
    return true;
}

/* Finds whose numbers these are: metadata's word, else a network that is there as a whole, else its first layers. */
static enum vgg_status find_numbers(const struct torch *t)
{
    struct vgg_weights *weights = t->weights;
    const char *word = vgg_weights_meta(weights, "arch"), *arch;
    bool prefix, whole;
    if (!word) word = vgg_weights_meta(weights, "architecture");
    for (int i = 0; word && (arch = vgg_weights_names_arch(i)); i++) {
        if (strcmp(word, arch) == 0 && fits(t, arch, &prefix, &whole)) {
            weights->numbers = weights->arch = arch;
            return VGG_OK;
        }
    }
    bool some = false;
    for (int i = 0; (arch = vgg_weights_names_arch(i)); i++) {
        if (!fits(t, arch, &prefix, &whole)) continue;
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
    return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: the numbers in %sN.weight fit none of VGG11, 13, 16 and 19",
                    weights->path, t->trunk);
}

static enum vgg_status add(struct vgg_weights *weights, const char *layer, bool bias, const struct vgg_tensor *st)
{
    struct vgg_weights_tensor tensor = { .name = (char *)(uintptr_t)st->name, .rank = st->rank, .st = st };
    memcpy(tensor.shape, st->shape, sizeof tensor.shape);
    return vgg_weights_add(weights, layer, bias, &tensor);
}

/* The convolutions, and whether batch normalisation stands between them or elsewhere. */
static enum vgg_status add_convs(const struct torch *t)
{
    struct vgg_weights *weights = t->weights;
    enum vgg_status status = VGG_OK;
    for (size_t i = 0; status == VGG_OK && i < weights->tensor_count; i++) {
        const struct vgg_tensor *tensor = &weights->tensor[i];
        char layer[VGG_WEIGHTS_NAME];
        struct name name;
        if (!take_apart(&name, tensor->name)) continue;
        int number = trunk_number(t, &name);
        if (number < 0 || conv_of_number(weights->numbers, number, layer) < 0) continue;
        status = add(weights, layer, name.bias, tensor);
    }
    return status;
}

static enum vgg_status find_norms(const struct torch *t)
{
    struct vgg_weights *weights = t->weights;
    for (size_t i = 0; i < weights->tensor_count; i++) {
        const char *tensor = weights->tensor[i].name, *end = strrchr(tensor, '.');
        char stand_in[OWNER + 8];
        struct name name;
        if (!end || strcmp(end, ".running_mean") != 0) continue;
        snprintf(stand_in, sizeof stand_in, "%.*s.bias", (int)(end - tensor < OWNER ? end - tensor : OWNER), tensor);
        if (take_apart(&name, stand_in) && trunk_number(t, &name) >= 0) {
            return vgg_fail(VGG_ERR_UNSUPPORTED,
                            "%s: has batch normalisation (%s), which is not run here; take the network without _bn",
                            weights->path, tensor);
        }
        enum vgg_status status = vgg_weights_add_norm(weights, tensor);
        if (status != VGG_OK) return status;
    }
    return VGG_OK;
}

/* ---- dense layers ---- */

/* The rest of a name below the stem, or NULL. */
static const char *below_stem(const struct torch *t, const char *owner)
{
    size_t n = strlen(t->stem);
    return strncmp(owner, t->stem, n) == 0 ? owner + n : NULL;
}

/* 0, 1, 2 for timm's fc1, fc2 and head, else -1. */
static int timm_index(const struct torch *t, const char *owner)
{
    const char *rest = below_stem(t, owner);
    for (int i = 0; rest && i < VGG_TOP_LAYERS; i++) {
        if (strcmp(rest, vgg_weights_names_timm(i)) == 0) return i;
    }
    return -1;
}

static enum vgg_status add_timm(struct torch *t)
{
    enum vgg_status status = VGG_OK;
    for (size_t i = 0; status == VGG_OK && i < t->weights->tensor_count; i++) {
        struct name name;
        int index = take_apart(&name, t->weights->tensor[i].name) ? timm_index(t, name.owner) : -1;
        if (index < 0) continue;
        t->timm = true;
        status = add(t->weights, vgg_name(VGG_NAMES_TOP, index), name.bias, &t->weights->tensor[i]);
    }
    return status;
}

/* The tensor of an owner and role; NULL: none. */
static const struct vgg_tensor *find_tensor(const struct vgg_weights *weights, const char *owner, bool bias)
{
    for (size_t i = 0; i < weights->tensor_count; i++) {
        struct name name;
        if (take_apart(&name, weights->tensor[i].name) && name.bias == bias && strcmp(name.owner, owner) == 0)
            return &weights->tensor[i];
    }
    return NULL;
}

static int compare_owners(const void *a, const void *b)
{
    const struct dense *s = a, *t = b;
    return vgg_weights_names_order(s->name.owner, t->name.owner);
}

/* Lists matrices with a bias; false: there are more than a classifier has. */
static bool list_dense(struct torch *t, bool ordered)
{
    for (size_t i = 0; i < t->weights->tensor_count; i++) {
        const struct vgg_tensor *tensor = &t->weights->tensor[i];
        struct dense dense = { .kernel = tensor };
        if (tensor->rank != 2 || !take_apart(&dense.name, tensor->name) || dense.name.bias) continue;
        dense.bias = find_tensor(t->weights, dense.name.owner, true);
        if (!dense.bias || dense.bias->rank != 1 || dense.bias->shape[0] != tensor->shape[0]) continue;
        if (t->count == MOST_DENSE) return false;
        t->dense[t->count++] = dense;
    }
    if (!ordered) qsort(t->dense, (size_t)t->count, sizeof *t->dense, compare_owners);
    return true;
}

/* Puts the layers from `at` on into an order in which each takes what the one before gives, the listed order first.
 * False: there is none. */
static bool chain(struct dense *dense, int at, int count)
{
    if (at == count) return true;
    for (int i = at; i < count; i++) {
        if (at && dense[i].kernel->shape[1] != dense[at - 1].kernel->shape[0]) continue;
        struct dense taken = dense[i];
        memmove(dense + at + 1, dense + at, (size_t)(i - at) * sizeof *dense);
        dense[at] = taken;
        if (chain(dense, at + 1, count)) return true;
        memmove(dense + at, dense + at + 1, (size_t)(i - at) * sizeof *dense);
        dense[i] = taken;
    }
    return false;
}

/* Keeps those of torchvision's classifier. */
static void keep_classifier(struct torch *t)
{
    int kept = 0;
    for (int i = 0; i < t->count; i++) {
        const char *rest = below_stem(t, t->dense[i].name.owner);
        if (rest && strncmp(rest, "classifier.", 11) == 0) t->dense[kept++] = t->dense[i];
    }
    t->count = kept;
}

/* Is it torchvision's own classifier, of any number of classes? */
static bool is_top(const struct torch *t)
{
    if (t->count != VGG_TOP_LAYERS) return false;
    for (int i = 0; i < VGG_TOP_LAYERS; i++) {
        char word[16];
        const char *rest = below_stem(t, t->dense[i].name.owner);
        snprintf(word, sizeof word, "classifier.%d", 3 * i);
        if (!rest || strcmp(rest, word) != 0 ||
            (i < VGG_TOP_LAYERS - 1 && t->dense[i].kernel->shape[0] != VGG_TOP_UNITS))
            return false;
    }
    return true;
}

/* The library writes heads as classifier.0, .3, .6 ... with their names in the metadata "dense" where they are not
 * dense_1, dense_2 ... */
static enum vgg_status add_dense(struct torch *t, bool ordered)
{
    enum vgg_status status = VGG_OK;
    if (!list_dense(t, ordered)) return VGG_OK;
    if (!chain(t->dense, 0, t->count)) {
        keep_classifier(t);
        if (!chain(t->dense, 0, t->count)) return VGG_OK;
    }
    const char *names = vgg_weights_meta(t->weights, "dense");
    bool whole = is_top(t);
    for (int i = 0; i < t->count && status == VGG_OK; i++) {
        char layer[VGG_WEIGHTS_NAME];
        if (names && *names) {
            snprintf(layer, sizeof layer, "%.*s", (int)strcspn(names, ","), names);
            names += strcspn(names, ",");
            names += *names == ',';
        } else if (whole) {
            snprintf(layer, sizeof layer, "%s", vgg_name(VGG_NAMES_TOP, i));
        } else {
            snprintf(layer, sizeof layer, "dense_%d", i + 1);
        }
        status = add(t->weights, layer, false, t->dense[i].kernel);
        if (status == VGG_OK) status = add(t->weights, layer, true, t->dense[i].bias);
    }
    return status;
}

enum vgg_status vgg_weights_torch_open(struct vgg_weights *weights, bool ordered, bool *found)
{
    enum vgg_status status;
    struct torch t = { .weights = weights };
    *found = false;
    weights->naming = VGG_NAMING_TORCHVISION;
    CHECK(find_trunk(&t));
    CHECK(find_norms(&t));
    if (t.has_trunk) {
        CHECK(find_numbers(&t));
        CHECK(add_convs(&t));
    }
    CHECK(add_timm(&t));
    if (t.timm) weights->naming = VGG_NAMING_TIMM;
    if (!t.timm) CHECK(add_dense(&t, ordered));
    if (!weights->numbers) weights->numbers = vgg_weights_names_arch(0);
    *found = weights->count > 0;
    status = VGG_OK;
fail:
    return status;
}
