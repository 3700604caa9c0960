#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/format/h5.h"
#include "core/weights/write.h"

#ifdef VGG16_HDF5

/* Bytes that a layer's group, names and data set headers may take beside the values. */
enum { NAME = 256, LAYER_OVERHEAD = 16384 };

static bool write_layer(vgg_h5 file, const struct vgg_weights_layer *layer)
{
    char kernel[NAME], bias[NAME];
    const char *const names[2] = { kernel, bias };
    int n = snprintf(kernel, sizeof kernel, "%s/kernel:0", layer->name);
    snprintf(bias, sizeof bias, "%s/bias:0", layer->name);
    vgg_h5 group = n < NAME ? vgg_h5_group(file, layer->name) : -1;
    bool good = group >= 0 && vgg_h5_write_strings(group, "weight_names", names, layer->kernel ? 2 : 0);
    if (good && layer->kernel) {
        good = vgg_h5_write_floats(group, kernel, layer->rank, layer->shape, layer->kernel) &&
               vgg_h5_write_floats(group, bias, 1, &layer->shape[layer->rank - 1], layer->bias);
    }
    if (group >= 0) good = vgg_h5_close_group(group) && good;
    return good;
}

/* layer_names begins with Keras' input layer; the caller's list may have it already. */
static bool write_all(vgg_h5 file, const struct vgg_weights_layer *layers, size_t count, const char *const *meta)
{
    static const struct vgg_weights_layer input = { .name = "input_1" };
    bool add_input = count == 0 || strncmp(layers[0].name, "input", 5) != 0;
    const char **names = vgg_mem_calloc(count + 1, sizeof *names);
    if (!names) return false;
    size_t n = 0;
    if (add_input) names[n++] = input.name;
    for (size_t i = 0; i < count; i++)
        names[n++] = layers[i].name;
    bool good = vgg_h5_write_strings(file, "layer_names", names, n) &&
                vgg_h5_write_string(file, "backend", "tensorflow") &&
                vgg_h5_write_string(file, "keras_version", "2.15.0");
    free(names);
    for (size_t i = 0; good && meta && meta[i]; i += 2) {
        if (vgg_h5_write_string(file, meta[i], meta[i + 1])) continue;
        vgg_log(VGG_LOG_WARNING, "metadata %s does not fit an HDF5 attribute and is left out", meta[i]);
    }
    good = good && (!add_input || write_layer(file, &input));
    for (size_t i = 0; good && i < count; i++)
        good = write_layer(file, &layers[i]);
    return good;
}

/* An upper bound of the file's size. */
static size_t size_bound(const struct vgg_weights_layer *layers, size_t count, const char *const *meta)
{
    size_t size = 4 * LAYER_OVERHEAD;
    for (size_t i = 0; meta && meta[i]; i++)
        size += 2 * strlen(meta[i]) + NAME;
    for (size_t i = 0; i < count; i++) {
        size_t values = layers[i].kernel ? 1 : 0;
        for (int k = 0; k < layers[i].rank; k++)
            values *= (size_t)layers[i].shape[k];
        if (values) values += (size_t)layers[i].shape[layers[i].rank - 1];
        size += values * sizeof(float) + LAYER_OVERHEAD;
    }
    return size;
}

enum vgg_status vgg_weights_write_h5(const char *path, const struct vgg_weights_layer *layers, size_t count,
                                     const char *const *meta)
{
    struct vgg_file *file = NULL;
    enum vgg_status status = vgg_h5_need(path);
    if (status == VGG_OK) status = vgg_file_create(&file, path);
    if (status != VGG_OK) return status;
    vgg_h5_enter();
    vgg_h5 h5 = vgg_h5_create(vgg_file_temporary(file));
    uint64_t size = 0;
    if (h5 >= 0) status = vgg_h5_reserve(vgg_file_temporary(file), path, size_bound(layers, count, meta));
    bool good = h5 >= 0 && status == VGG_OK && write_all(h5, layers, count, meta) && vgg_h5_flush(h5, &size);
    if (h5 >= 0 && !good) vgg_h5_give_up(h5);
    if (h5 >= 0) good = vgg_h5_close(h5) && good;
    vgg_h5_leave();
    if (good && vgg_os_cut(vgg_file_temporary(file), size)) return vgg_file_commit(file);
    vgg_file_abort(file);
    return status != VGG_OK ? status : vgg_fail(VGG_ERR_IO, "%s: writing failed: is the disk full?", path);
}

#else

enum vgg_status vgg_weights_write_h5(const char *path, const struct vgg_weights_layer *layers, size_t count,
                                     const char *const *meta)
{
    (void)layers, (void)count, (void)meta;
    return vgg_h5_need(path);
}

#endif
