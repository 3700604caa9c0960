/* sink_format.h: the inside of a sink, shared by the sink_*.c files. */
#ifndef CORE_INFER_SINK_FORMAT_H
#define CORE_INFER_SINK_FORMAT_H

#include "core/base/file.h"
#include "core/data/origin.h"
#include "core/infer/sink.h"

/* One kind of file. `end` writes what stands behind the features and makes headers right; `close` frees `state`. */
struct vgg_sink_format {
    const char *extension;
    bool beside; /* has no place for the record, which goes into a file of its own */
    enum vgg_status (*begin)(struct vgg_sink *sink);
    enum vgg_status (*append)(struct vgg_sink *sink, const float *x, const size_t *index, size_t count);
    enum vgg_status (*end)(struct vgg_sink *sink);
    void (*close)(struct vgg_sink *sink);
};

struct vgg_sink {
    const struct vgg_sink_format *format;
    const struct vgg_data *data;
    const struct vgg_origin *origin;  /* NULL: none */
    const struct vgg_sink_part *part; /* NULL: it is the whole */
    char *path;
    struct vgg_file *file;
    int rank;          /* 2 or 4 */
    uint64_t shape[4]; /* shape[0]: the most there can be */
    size_t item;       /* floats of one map */
    size_t count;      /* appended so far */
    size_t *index;     /* of these */
    int64_t *labels;   /* of these; NULL: no labels */
    void *state;       /* the format's own */
};

extern const struct vgg_sink_format vgg_sink_npy, vgg_sink_csv, vgg_sink_h5, vgg_sink_safetensors;

#endif
