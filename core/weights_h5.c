#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/h5.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/weights_file.h"

/* Bounds on what a hostile file can make the walk through Keras 3's groups do. */
enum { DEEPEST = 12, MOST_OBJECTS = 20000, MOST_META = 64 };

/* Describes and adds the data set at `path` below the file's root. */
static enum vgg_status add_dataset(struct vgg_weights *weights, const char *layer, bool bias, const char *path)
{
    struct vgg_weights_tensor tensor = { .name = (char *)(uintptr_t)path };
    const char *why;
    hid_t dataset = vgg_h5_open((hid_t)weights->h5, path);
    if (dataset < 0) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: data set %s cannot be opened; the file is damaged or incomplete",
                        weights->path, path);
    }
    bool good = vgg_h5_floats(dataset, &tensor.rank, tensor.shape, &why);
    H5Oclose(dataset);
    if (!good) return vgg_fail(VGG_ERR_FORMAT, "%s: data set %s %s", weights->path, path, why);
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
static enum vgg_status add_group(struct vgg_weights *weights, const char *path, const char *group, char **names,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char layer[VGG_WEIGHTS_NAME], full[1024];
        bool bias, old;
        if (!vgg_weights_names_split(names[i], layer, &bias, &old)) {
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
        enum vgg_status status = add_dataset(weights, layer, bias, full);
        if (status != VGG_OK) return status;
    }
    return VGG_OK;
}

/* root: "" or "model_weights", the group that has layer_names. */
static enum vgg_status open_legacy(struct vgg_weights *weights, hid_t group, const char *root)
{
    enum vgg_status status = VGG_OK;
    char **layers = NULL, **words = NULL;
    size_t layer_count = 0, word_count = 0;
    weights->naming = VGG_NAMING_KERAS_H5;
    if (vgg_h5_strings(&words, &word_count, group, "backend") && word_count == 1 && strcmp(words[0], "theano") == 0) {
        status = vgg_fail(VGG_ERR_UNSUPPORTED,
                          "%s: was written by Keras on Theano, whose kernels are mirrored; save it on TensorFlow",
                          weights->path);
    }
    vgg_h5_strings_free(words, word_count);
    if (status == VGG_OK && !vgg_h5_strings(&layers, &layer_count, group, "layer_names")) {
        status =
            vgg_fail(VGG_ERR_FORMAT, "%s: attribute layer_names of /%s is no list of strings", weights->path, root);
    }
    for (size_t i = 0; status == VGG_OK && i < layer_count; i++) {
        char path[512];
        char **names = NULL;
        size_t count = 0;
        if (!join(path, sizeof path, root, layers[i])) {
            status = vgg_fail(VGG_ERR_FORMAT, "%s: layer_names holds a name that is too long", weights->path);
            break;
        }
        hid_t object = vgg_h5_open((hid_t)weights->h5, path);
        if (object < 0) {
            status = vgg_fail(VGG_ERR_FORMAT, "%s: group %s of layer_names is not there; the file is damaged",
                              weights->path, path);
        } else if (!vgg_h5_strings(&names, &count, object, "weight_names")) {
            status = vgg_fail(VGG_ERR_FORMAT, "%s: attribute weight_names of group %s is no list of strings",
                              weights->path, path);
        } else {
            status = add_group(weights, path, layers[i], names, count);
        }
        vgg_h5_strings_free(names, count);
        if (object >= 0) H5Oclose(object);
    }
    vgg_h5_strings_free(layers, layer_count);
    return status;
}

/* ---- Keras 3: groups NAME/vars with data sets 0 (kernel) and 1 (bias) ---- */

/* The layer's own name where Keras kept it (attribute "name" of the group or of its vars), else the group's. */
static void layer_of(hid_t group, const char *group_name, char layer[VGG_WEIGHTS_NAME])
{
    snprintf(layer, VGG_WEIGHTS_NAME, "%.*s", VGG_WEIGHTS_NAME - 1, group_name);
    static const char *const at[2] = { "vars", "" };
    for (int i = 0; i < 2; i++) {
        char **words = NULL;
        size_t count = 0;
        hid_t object = vgg_h5_open(group, at[i]);
        if (object < 0) continue;
        if (vgg_h5_strings(&words, &count, object, "name") && count == 1 && *words[0]) {
            snprintf(layer, VGG_WEIGHTS_NAME, "%.*s", VGG_WEIGHTS_NAME - 1, words[0]);
        }
        vgg_h5_strings_free(words, count);
        H5Oclose(object);
    }
}

static enum vgg_status add_vars(struct vgg_weights *weights, hid_t group, const char *path, const char *name)
{
    char layer[VGG_WEIGHTS_NAME], dataset[1024];
    layer_of(group, name, layer);
    for (int i = 0; i < 2; i++) {
        hid_t object = vgg_h5_open(group, i ? "vars/1" : "vars/0");
        if (object < 0) continue;
        H5Oclose(object);
        if (!join(dataset, sizeof dataset, path, i ? "vars/1" : "vars/0")) continue;
        enum vgg_status status = add_dataset(weights, layer, i == 1, dataset);
        if (status != VGG_OK) return status;
    }
    return VGG_OK;
}

/* Walks the groups below one; *budget counts down over the whole file. */
static enum vgg_status walk(struct vgg_weights *weights, hid_t group, const char *path, const char *name, int depth,
                            int *budget)
{
    H5G_info_t info;
    enum vgg_status status = VGG_OK;
    if (H5Gget_info(group, &info) < 0) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: group /%s is damaged", weights->path, path);
    }
    if (vgg_h5_has_group(group, "vars")) status = add_vars(weights, group, path, name);
    for (hsize_t i = 0; status == VGG_OK && i < info.nlinks; i++) {
        char child[256], below[768];
        if (--*budget < 0 || depth == DEEPEST) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: group /%s holds too many objects, or links that loop", weights->path,
                            path);
        }
        ssize_t n = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, child, sizeof child, H5P_DEFAULT);
        if (n <= 0 || (size_t)n >= sizeof child || strcmp(child, "vars") == 0 || strcmp(child, "optimizer") == 0) {
            continue;
        }
        if (!join(below, sizeof below, path, child)) continue;
        hid_t object = vgg_h5_open(group, child);
        if (object < 0) continue;
        if (H5Iget_type(object) == H5I_GROUP) status = walk(weights, object, below, child, depth + 1, budget);
        H5Oclose(object);
    }
    return status;
}

/* ---- all ---- */

/* Keeps the root's strings that are not Keras' own: what vgg_weights_write was given as metadata. */
static enum vgg_status read_meta(struct vgg_weights *weights, hid_t root)
{
    static const char *const keras[] = { "layer_names", "backend", "keras_version", "model_config", "training_config" };
    weights->meta = vgg_mem_calloc(MOST_META, sizeof *weights->meta);
    if (!weights->meta) return vgg_fail_memory(weights->path, MOST_META * sizeof *weights->meta);
    for (hsize_t i = 0; i < 4 * MOST_META && weights->meta_count < MOST_META; i++) {
        char name[256];
        hid_t attribute = H5Aopen_by_idx(root, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT);
        if (attribute < 0) break;
        ssize_t n = H5Aget_name(attribute, sizeof name, name);
        H5Aclose(attribute);
        bool skip = n <= 0 || (size_t)n >= sizeof name;
        for (size_t k = 0; !skip && k < sizeof keras / sizeof *keras; k++) {
            skip = strncmp(name, keras[k], strlen(keras[k])) == 0;
        }
        char **words = NULL;
        size_t count = 0;
        if (!skip && vgg_h5_strings(&words, &count, root, name) && count == 1) {
            struct vgg_h5_meta *pair = &weights->meta[weights->meta_count];
            pair->key = vgg_mem_strdup(name);
            pair->value = words[0];
            words[0] = NULL;
            weights->meta_count++;
            if (!pair->key) {
                vgg_h5_strings_free(words, count);
                return vgg_fail_memory(weights->path, sizeof name);
            }
        }
        vgg_h5_strings_free(words, count);
    }
    return VGG_OK;
}

static bool has_layer_names(hid_t group)
{
    return H5Aexists(group, "layer_names") > 0 || H5Aexists(group, "layer_names0") > 0;
}

static enum vgg_status open_root(struct vgg_weights *weights, hid_t root)
{
    int budget = MOST_OBJECTS;
    enum vgg_status status = read_meta(weights, root);
    if (status != VGG_OK) return status;
    if (has_layer_names(root)) return open_legacy(weights, root, "");
    if (vgg_h5_has_group(root, "model_weights")) {
        hid_t group = vgg_h5_open(root, "model_weights");
        status = open_legacy(weights, group, "model_weights");
        H5Oclose(group);
        return status;
    }
    if (vgg_h5_has_group(root, "layers") || vgg_h5_has_group(root, "_layer_checkpoint_dependencies")) {
        weights->naming = VGG_NAMING_KERAS_3;
        return walk(weights, root, "", "", 0, &budget);
    }
    return vgg_fail(VGG_ERR_FORMAT,
                    "%s: an HDF5 file without Keras' layer_names, model_weights or layers: not a file of weights",
                    weights->path);
}

enum vgg_status vgg_weights_h5_open(struct vgg_weights *weights)
{
    vgg_h5_enter();
    enum vgg_status status;
    hid_t root = -1;
    weights->h5 = H5Fopen(weights->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (weights->h5 >= 0) root = H5Gopen2((hid_t)weights->h5, "/", H5P_DEFAULT);
    if (root >= 0) {
        status = open_root(weights, root);
        H5Gclose(root);
    } else {
        status = vgg_fail(VGG_ERR_FORMAT, "%s: is a damaged or truncated HDF5 file", weights->path);
    }
    vgg_h5_leave();
    return status;
}

void vgg_weights_h5_close(struct vgg_weights *weights)
{
    if (weights->h5 < 0) return;
    vgg_h5_enter();
    H5Fclose((hid_t)weights->h5);
    vgg_h5_leave();
}

enum vgg_status vgg_weights_h5_read(const struct vgg_weights *weights, const struct vgg_weights_tensor *tensor,
                                    float *dst)
{
    vgg_h5_enter();
    hid_t dataset = vgg_h5_open((hid_t)weights->h5, tensor->name);
    bool good = dataset >= 0 && H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, dst) >= 0;
    if (dataset >= 0) H5Oclose(dataset);
    vgg_h5_leave();
    if (good) return VGG_OK;
    return vgg_fail(VGG_ERR_FORMAT, "%s: data set %s cannot be read; the file is damaged or truncated", weights->path,
                    tensor->name);
}
