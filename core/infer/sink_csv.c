#include "core/base/log.h"
#include "core/infer/sink_format.h"

static enum vgg_status csv_begin(struct vgg_sink *sink)
{
    enum vgg_status status = vgg_file_printf(sink->file, "path,label");
    for (size_t i = 0; status == VGG_OK && i < sink->item; i++)
        status = vgg_file_printf(sink->file, ",f%zu", i);
    return status == VGG_OK ? vgg_file_printf(sink->file, "\n") : status;
}

static enum vgg_status csv_append(struct vgg_sink *sink, const float *x, const size_t *index, size_t count)
{
    enum vgg_status status = VGG_OK;
    for (size_t n = 0; n < count; n++) {
        CHECK(vgg_file_field(sink->file, vgg_data_path(sink->data, index[n])));
        if (sink->labels) {
            CHECK(vgg_file_printf(sink->file, ",%d", vgg_data_label(sink->data, index[n])));
        } else {
            CHECK(vgg_file_printf(sink->file, ","));
        }
        for (size_t i = 0; i < sink->item; i++, x++)
            CHECK(vgg_file_printf(sink->file, ",%.9g", (double)*x));
        CHECK(vgg_file_printf(sink->file, "\n"));
    }
fail:
    return status;
}

static enum vgg_status csv_end(struct vgg_sink *sink)
{
    (void)sink;
    return VGG_OK;
}

const struct vgg_sink_format vgg_sink_csv = { ".csv", true, csv_begin, csv_append, csv_end, NULL };
