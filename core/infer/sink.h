/* sink.h: features of a data set into a file, batch by batch. */
#ifndef CORE_INFER_SINK_H
#define CORE_INFER_SINK_H

#include "core/format/safetensors.h"

/* A file of feature maps written aside; exactly one of commit and abort ends it, and both free it. By extension:
 *   F.npy          float32; with F.labels.npy (int64, if there are labels) and F.paths.txt beside it
 *   F.h5           data sets `features` (float32), `labels` (int64, if any), `paths` (strings); attribute `classes`
 *   F.safetensors  `x` (float32) and `y` (int64, if there are labels), metadata `classes`: a data set again
 *   F.csv          path,label,f0,f1,... with 9 significant digits (they give back the same float); label: a number or
 *                  nothing
 * Shape: (N, c) where h = w = 1, else (N, h, w, c); CSV in that order.
 * Source of .npy: numpy.lib.format, version 1.0. */
struct vgg_sink;

/* Each holds the record of its features (see vgg_origin_write), if there is one: as metadata, as attributes, or in
 * F.npy.json and F.csv.json, an object of strings.
 * For at most vgg_data_count(data) maps of h * w * c; labels, class names and paths are those of `data`, which must
 * live until the sink ends; so must the record, which may be NULL. */
enum vgg_status vgg_sink_create(struct vgg_sink **out, const char *path, const struct vgg_data *data, int h, int w,
                                int c, const struct vgg_origin *origin);
/* As a part of the features of a whole data set: what F.safetensors holds, with `about` among its metadata, and beside
 * x and y, as rows that were appended, `index` (int64, their positions in the whole, of which `data` begins at item
 * `first`) and `paths` (uint8, a line each). */
struct vgg_sink_part {
    const struct vgg_st_meta *about;
    size_t pairs;
    uint64_t first;
};
enum vgg_status vgg_sink_create_part(struct vgg_sink **out, const char *path, const struct vgg_data *data, int h, int w,
                                     int c, const struct vgg_origin *origin, const struct vgg_sink_part *part);
/* Appends `count` maps; index: their positions in the data set (of vgg_batch). */
enum vgg_status vgg_sink_append(struct vgg_sink *sink, const float *x, const size_t *index, size_t count);
/* Appended so far. */
size_t vgg_sink_count(const struct vgg_sink *sink);
/* Finishes, syncs and renames. After a failure nothing is left of it, and an old file stands. */
enum vgg_status vgg_sink_commit(struct vgg_sink *sink);
void vgg_sink_abort(struct vgg_sink *sink); /* accepts NULL */

#endif
