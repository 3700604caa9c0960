#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hdf_write.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/weights_write.h"

enum { NAME = 256 };

/* Group NAME with weight_names, and NAME/kernel:0 and NAME/bias:0 in it: a name with a slash is a group of its own. */
static bool add_layer(struct vgg_hdf_writer *writer, const struct vgg_weights_layer *layer)
{
    char kernel[NAME], bias[NAME];
    const char *const names[2] = { kernel, bias };
    int outer, inner;
    int n = snprintf(kernel, sizeof kernel, "%s/kernel:0", layer->name);
    snprintf(bias, sizeof bias, "%s/bias:0", layer->name);
    if (n >= NAME || !vgg_hdf_write_group(writer, 0, layer->name, &outer)) return false;
    if (!vgg_hdf_write_strings(writer, outer, "weight_names", names, layer->kernel ? 2 : 0)) return false;
    return !layer->kernel ||
           (vgg_hdf_write_group(writer, outer, layer->name, &inner) &&
            vgg_hdf_write_data(writer, inner, "kernel:0", layer->rank, layer->shape, layer->kernel) &&
            vgg_hdf_write_data(writer, inner, "bias:0", 1, &layer->shape[layer->rank - 1], layer->bias));
}

/* layer_names begins with Keras' input layer; the caller's list may have it already. */
static bool add_all(struct vgg_hdf_writer *writer, const struct vgg_weights_layer *layers, size_t count,
                    const char *const *meta)
{
    static const struct vgg_weights_layer input = { .name = "input_1" };
    bool add_input = count == 0 || strncmp(layers[0].name, "input", 5) != 0;
    const char **names = vgg_mem_calloc(count + 1, sizeof *names);
    if (!names) return false;
    size_t n = 0;
    if (add_input) names[n++] = input.name;
    for (size_t i = 0; i < count; i++)
        names[n++] = layers[i].name;
    bool good = vgg_hdf_write_strings(writer, 0, "layer_names", names, n) &&
                vgg_hdf_write_string(writer, 0, "backend", "tensorflow") &&
                vgg_hdf_write_string(writer, 0, "keras_version", "2.15.0");
    free(names);
    for (size_t i = 0; good && meta && meta[i]; i += 2) {
        if (vgg_hdf_write_string(writer, 0, meta[i], meta[i + 1])) continue;
        vgg_log(VGG_LOG_WARNING, "metadata %s does not fit an HDF5 attribute and is left out", meta[i]);
    }
    good = good && (!add_input || add_layer(writer, &input));
    for (size_t i = 0; good && i < count; i++)
        good = add_layer(writer, &layers[i]);
    return good;
}

enum vgg_status vgg_weights_write_h5(const char *path, const struct vgg_weights_layer *layers, size_t count,
                                     const char *const *meta)
{
    struct vgg_file *file = NULL;
    struct vgg_hdf_writer *writer = NULL;
    enum vgg_status status;
    CHECK(vgg_hdf_writer_create(&writer));
    if (!add_all(writer, layers, count, meta)) {
        status = vgg_fail(VGG_ERR_MEMORY, "%s: too little memory, or a layer's name is too long", path);
        goto fail;
    }
    CHECK(vgg_file_create(&file, path));
    CHECK(vgg_hdf_writer_write(writer, file));
    status = vgg_file_commit(file);
    file = NULL;
fail:
    vgg_file_abort(file);
    vgg_hdf_writer_destroy(writer);
    return status;
}
