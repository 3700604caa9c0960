#include "core/weights/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/hdf_data.h"
#include "core/weights/names.h"

/* Bounds on what a hostile file can make the walk through Keras 3's groups do. */
enum { DEEPEST = 12, MOST_OBJECTS = 20000, MOST_TENSORS = 4096, MOST_UNPACKED = 1 << 30 };

/* Describes and adds the data set at `path`, which is `object` of the file. */
static enum vgg_status add_dataset(struct vgg_weights *weights, const char *layer, bool bias, const char *path,
                                   uint64_t object)
{
    struct vgg_weights_tensor tensor = { .name = (char *)(uintptr_t)path, .object = object };
    struct vgg_hdf_data data;
    const char *why;
    if (!vgg_hdf_describe(&data, &weights->hdf, object, &why)) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: data set %s %s", weights->path, path, why);
    }
    tensor.rank = data.rank;
    memcpy(tensor.shape, data.shape, sizeof tensor.shape);
    return vgg_weights_add(weights, layer, bias, &tensor);
}

/* "PREFIX/NAME" into path; false when it is too long. */
static bool join(char *path, size_t size, const char *prefix, const char *name)
{
    int n = snprintf(path, size, "%s%s%s", prefix, *prefix ? "/" : "", name);
    return n >= 0 && (size_t)n < size;
}

/* ---- Keras 1 and 2: layer_names and weight_names ---- */

/* Adds what the list weight_names of one layer's group names. A group of more than two is a network inside the network
 * ("vgg16" in a Sequential model): then the tensors' own names tell the layers. */
static enum vgg_status add_group(struct vgg_weights *weights, uint64_t object, const char *path, const char *group,
                                 char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char layer[VGG_WEIGHTS_NAME], full[1024];
        bool bias, old;
        if (!vgg_weights_names_split(names[i], layer, &bias, &old)) {
            enum vgg_status status =
                vgg_weights_names_norm(names[i]) ? vgg_weights_add_norm(weights, names[i]) : VGG_OK;
            if (status != VGG_OK) return status;
            /* Keras 1 without names: param_0 is the kernel, param_1 the bias. */
            if (count > 2 || strncmp(names[i], "param_", 6) != 0) continue;
            bias = i == 1;
        }
        if (count <= 2 && (!*layer || !vgg_weights_names_known(layer) || vgg_weights_names_known(group))) {
            snprintf(layer, sizeof layer, "%.*s", VGG_WEIGHTS_NAME - 1, group);
        }
        if (!*layer) continue;
        if (old) weights->naming = VGG_NAMING_KERAS_OLD;
        if (!join(full, sizeof full, path, names[i])) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: group %s has a name that is too long", weights->path, path);
        }
        uint64_t dataset;
        if (!vgg_hdf_find(&weights->hdf, object, names[i], &dataset)) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: data set %s is not there; the file is damaged or incomplete",
                            weights->path, full);
        }
        enum vgg_status status = add_dataset(weights, layer, bias, full, dataset);
        if (status != VGG_OK) return status;
    }
    return VGG_OK;
}

/* One layer of layer_names. *budget counts tensors' names down over the whole file. */
static enum vgg_status open_layer(struct vgg_weights *weights, uint64_t root, const char *path, const char *layer,
                                  size_t *budget)
{
    uint64_t group;
    char **names;
    size_t count;
    if (!vgg_hdf_find(&weights->hdf, root, layer, &group)) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: group %s of layer_names is not there; the file is damaged", weights->path,
                        path);
    }
    enum vgg_status status = vgg_hdf_strings(&names, &count, &weights->hdf, group, "weight_names");
    if (status == VGG_ERR_MEMORY) return status;
    if (status != VGG_OK) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: attribute weight_names of group %s is no list of strings", weights->path,
                        path);
    }
    if (count > *budget) {
        status = vgg_fail(VGG_ERR_FORMAT, "%s: names more than %d tensors", weights->path, MOST_TENSORS);
    } else {
        *budget -= count;
        status = add_group(weights, group, path, layer, names, count);
    }
    vgg_hdf_strings_free(names, count);
    return status;
}

/* Reads the group that has layer_names: the root ("") or model_weights. */
static enum vgg_status open_legacy(struct vgg_weights *weights, uint64_t group, const char *name)
{
    char **layers, **words;
    size_t count, budget = MOST_TENSORS;
    weights->naming = VGG_NAMING_KERAS_H5;
    enum vgg_status status = vgg_hdf_strings(&words, &count, &weights->hdf, group, "backend");
    if (status == VGG_ERR_MISSING) status = VGG_OK;
    if (count == 1 && strcmp(words[0], "theano") == 0) {
        status = vgg_fail(VGG_ERR_UNSUPPORTED,
                          "%s: was written by Keras on Theano, whose kernels are mirrored; save it on TensorFlow",
                          weights->path);
    }
    vgg_hdf_strings_free(words, count);
    if (status != VGG_OK) return status;
    status = vgg_hdf_strings(&layers, &count, &weights->hdf, group, "layer_names");
    if (status == VGG_ERR_MEMORY) return status;
    if (status != VGG_OK) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: attribute layer_names of /%s is no list of strings", weights->path, name);
    }
    for (size_t i = 0; status == VGG_OK && i < count; i++) {
        char path[512];
        if (join(path, sizeof path, name, layers[i])) {
            status = open_layer(weights, group, path, layers[i], &budget);
        } else {
            status = vgg_fail(VGG_ERR_FORMAT, "%s: layer_names holds a name that is too long", weights->path);
        }
    }
    vgg_hdf_strings_free(layers, count);
    return status;
}

/* ---- Keras 3: groups NAME/vars with data sets 0 (kernel) and 1 (bias) ---- */

/* The layer's own name where Keras kept it (attribute "name" of the group or of its vars), else the group's. */
static enum vgg_status layer_of(const struct vgg_weights *weights, uint64_t group, uint64_t vars,
                                const char *group_name, char layer[VGG_WEIGHTS_NAME])
{
    const uint64_t at[2] = { vars, group };
    enum vgg_status status = VGG_OK;
    snprintf(layer, VGG_WEIGHTS_NAME, "%.*s", VGG_WEIGHTS_NAME - 1, group_name);
    for (int i = 0; i < 2 && status != VGG_ERR_MEMORY; i++) {
        char **words;
        size_t count;
        status = vgg_hdf_strings(&words, &count, &weights->hdf, at[i], "name");
        if (count == 1 && *words[0]) snprintf(layer, VGG_WEIGHTS_NAME, "%.*s", VGG_WEIGHTS_NAME - 1, words[0]);
        vgg_hdf_strings_free(words, count);
    }
    return status == VGG_ERR_MEMORY ? status : VGG_OK;
}

static enum vgg_status add_vars(struct vgg_weights *weights, uint64_t group, uint64_t vars, const char *path,
                                const char *name)
{
    char layer[VGG_WEIGHTS_NAME], full[1024];
    uint64_t dataset;
    enum vgg_status status = layer_of(weights, group, vars, name, layer);
    if (status != VGG_OK) return status;
    /* A third variable: batch normalisation, or something else that is neither a convolution nor dense. */
    if (vgg_hdf_find(&weights->hdf, vars, "2", &dataset)) return vgg_weights_add_norm(weights, path);
    for (int i = 0; i < 2; i++) {
        if (!vgg_hdf_find(&weights->hdf, vars, i ? "1" : "0", &dataset)) continue;
        if (!join(full, sizeof full, path, i ? "vars/1" : "vars/0")) continue;
        status = add_dataset(weights, layer, i == 1, full, dataset);
        if (status != VGG_OK) return status;
    }
    return VGG_OK;
}

/* A walk through the groups of the file. */
struct walk {
    struct vgg_weights *weights;
    const char *path;
    int depth, *budget; /* the budget counts objects down over the whole file */
    enum vgg_status status;
};

static enum vgg_status walk_group(struct vgg_weights *weights, uint64_t group, const char *path, const char *name,
                                  int depth, int *budget);

static bool walk_link(void *user, const char *name, uint64_t object)
{
    struct walk *walk = user;
    struct vgg_weights *weights = walk->weights;
    char below[768];
    if (--*walk->budget < 0 || walk->depth == DEEPEST) {
        walk->status = vgg_fail(VGG_ERR_FORMAT, "%s: group /%s holds too many objects, or links that loop",
                                weights->path, walk->path);
        return false;
    }
    if (strcmp(name, "vars") == 0 || strcmp(name, "optimizer") == 0) return true;
    if (!join(below, sizeof below, walk->path, name) || !vgg_hdf_is_group(&weights->hdf, object)) return true;
    walk->status = walk_group(weights, object, below, name, walk->depth + 1, walk->budget);
    return walk->status == VGG_OK;
}

static enum vgg_status walk_group(struct vgg_weights *weights, uint64_t group, const char *path, const char *name,
                                  int depth, int *budget)
{
    struct walk walk = { weights, path, depth, budget, VGG_OK };
    uint64_t vars;
    if (vgg_hdf_find(&weights->hdf, group, "vars", &vars)) walk.status = add_vars(weights, group, vars, path, name);
    if (walk.status != VGG_OK || vgg_hdf_list(&weights->hdf, group, walk_link, &walk) || walk.status != VGG_OK) {
        return walk.status;
    }
    return vgg_fail(VGG_ERR_FORMAT, "%s: group /%s is damaged", weights->path, path);
}

/* ---- all ---- */

/* Keeps the root's strings that are not Keras' own: what vgg_weights_write was given as metadata. */
static enum vgg_status read_meta(struct vgg_weights *weights)
{
    static const char *const keras[] = { "layer_names", "backend", "keras_version", "model_config", "training_config" };
    const struct vgg_hdf *hdf = &weights->hdf;
    char name[256];
    enum vgg_status status = VGG_OK;
    for (int i = 0; status == VGG_OK && vgg_hdf_attribute(hdf, hdf->root, i, name, sizeof name); i++) {
        char **words;
        size_t count;
        bool skip = false;
        for (size_t k = 0; !skip && k < sizeof keras / sizeof *keras; k++) {
            skip = strncmp(name, keras[k], strlen(keras[k])) == 0;
        }
        if (skip) continue;
        status = vgg_hdf_strings(&words, &count, hdf, hdf->root, name);
        if (status == VGG_ERR_MISSING) status = VGG_OK;
        if (count == 1) status = vgg_weights_add_meta(weights, name, words[0]);
        vgg_hdf_strings_free(words, count);
    }
    return status;
}

static bool has_layer_names(const struct vgg_hdf *hdf, uint64_t group)
{
    return vgg_hdf_has_attribute(hdf, group, "layer_names") || vgg_hdf_has_attribute(hdf, group, "layer_names0");
}

/* Reads what the opened file holds. */
static enum vgg_status read_layers(struct vgg_weights *weights)
{
    struct vgg_hdf *hdf = &weights->hdf;
    uint64_t group;
    int budget = MOST_OBJECTS;
    enum vgg_status status = read_meta(weights);
    if (status != VGG_OK) return status;
    if (has_layer_names(hdf, hdf->root)) return open_legacy(weights, hdf->root, "");
    if (vgg_hdf_find(hdf, hdf->root, "model_weights", &group)) return open_legacy(weights, group, "model_weights");
    if (vgg_hdf_find(hdf, hdf->root, "layers", &group) ||
        vgg_hdf_find(hdf, hdf->root, "_layer_checkpoint_dependencies", &group)) {
        weights->naming = VGG_NAMING_KERAS_3;
        return walk_group(weights, hdf->root, "", "", 0, &budget);
    }
    if (vgg_hdf_is_dense(hdf, hdf->root)) {
        return vgg_fail(VGG_ERR_UNSUPPORTED,
                        "%s: uses the dense groups of HDF5's newer format, which is not read here; save it without "
                        "libver='latest'",
                        weights->path);
    }
    return vgg_fail(VGG_ERR_FORMAT,
                    "%s: an HDF5 file without Keras' layer_names, model_weights or layers: not a file of weights",
                    weights->path);
}

enum vgg_status vgg_weights_h5_open(struct vgg_weights *weights)
{
    enum vgg_status status = vgg_hdf_open(&weights->hdf, weights->path);
    return status == VGG_OK ? read_layers(weights) : status;
}

static const char keras_weights[] = "model.weights.h5";

bool vgg_weights_is_keras(const struct vgg_zip *zip)
{
    return vgg_zip_find(zip, keras_weights) && vgg_zip_find(zip, "config.json");
}

enum vgg_status vgg_weights_keras_open(struct vgg_weights *weights, struct vgg_zip *zip)
{
    const struct vgg_zip_entry *entry = vgg_zip_find(zip, keras_weights);
    weights->zip = zip;
    enum vgg_status status =
        entry->data ? vgg_zip_check(zip, entry->data) : vgg_zip_read(&weights->unpacked, zip, entry, MOST_UNPACKED);
    if (status != VGG_OK) return status;
    const void *bytes = entry->data ? entry->data : weights->unpacked;
    status = vgg_hdf_open_bytes(&weights->hdf, bytes, (size_t)entry->size, weights->path);
    return status == VGG_OK ? read_layers(weights) : status;
}

enum vgg_status vgg_weights_h5_read(const struct vgg_weights *weights, const struct vgg_weights_tensor *tensor,
                                    float *dst)
{
    struct vgg_hdf_data data;
    const char *why;
    enum vgg_status status = VGG_ERR_FORMAT;
    if (vgg_hdf_describe(&data, &weights->hdf, tensor->object, &why)) status = vgg_hdf_read(dst, &weights->hdf, &data);
    if (status == VGG_OK) return VGG_OK;
    if (status == VGG_ERR_MEMORY)
        return vgg_fail_memory(weights->path, 2 * data.chunk_count * vgg_dtype_size(data.dtype));
    return vgg_fail(VGG_ERR_FORMAT, "%s: data set %s cannot be read; the file is damaged or truncated", weights->path,
                    tensor->name);
}
