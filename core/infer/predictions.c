/* What a model said of each item, as CSV. */
#include <stdio.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/vgg16.h"

/* A class by its name, or by its number where it has none. */
static enum vgg_status write_class(struct vgg_file *file, const struct vgg_model *model, int label)
{
    const char *name = vgg_model_class_name(model, label);
    return name && *name ? vgg_file_field(file, name) : vgg_file_printf(file, "%d", label);
}

static enum vgg_status write_item(struct vgg_file *file, const struct vgg_model *model, const struct vgg_data *data,
                                  const struct vgg_evaluation *e, size_t item)
{
    enum vgg_status status;
    const float *p = e->probabilities + item * (size_t)e->classes;
    CHECK(vgg_file_field(file, vgg_data_path(data, e->index[item])));
    CHECK(vgg_file_printf(file, ","));
    if (e->labels[item] >= 0) CHECK(write_class(file, model, e->labels[item]));
    CHECK(vgg_file_printf(file, ","));
    CHECK(write_class(file, model, e->predicted[item]));
    for (int k = 0; k < e->classes; k++)
        CHECK(vgg_file_printf(file, ",%.9g", (double)p[k]));
    CHECK(vgg_file_printf(file, "\n"));
fail:
    return status;
}

enum vgg_status vgg_evaluation_write(const struct vgg_evaluation *e, const char *path, const struct vgg_model *model,
                                     const struct vgg_data *data)
{
    enum vgg_status status;
    struct vgg_file *file = NULL;
    CHECK(vgg_file_create_or_stream(&file, path));
    CHECK(vgg_file_printf(file, "path,label,predicted"));
    for (int k = 0; k < e->classes; k++) {
        CHECK(vgg_file_printf(file, ","));
        CHECK(write_class(file, model, k));
    }
    CHECK(vgg_file_printf(file, "\n"));
    for (size_t i = 0; i < e->count; i++)
        CHECK(write_item(file, model, data, e, i));
    return vgg_file_commit(file);
fail:
    vgg_file_abort(file);
    return status;
}
