/* hdf_data.h: the values of an HDF5 file's data sets. */
#ifndef CORE_FORMAT_HDF_DATA_H
#define CORE_FORMAT_HDF_DATA_H

#include "core/format/hdf_object.h"

/* A data set of floating-point numbers. */
struct vgg_hdf_data {
    int rank;
    uint64_t shape[VGG_MAX_RANK];
    enum vgg_dtype dtype;
    bool big_endian;
    size_t count;       /* elements */
    const void *values; /* contiguous or compact: in the mapping; NULL: chunked */
    uint64_t tree;      /* chunked: address of the tree of chunks */
    uint32_t chunk[VGG_MAX_RANK];
    size_t chunk_count;     /* elements of a chunk */
    int filter[4], filters; /* in the order of writing */
};

/* Describes the data set `object`. False: *why is a static string that follows "data set NAME". All values that the
 * shape needs are in the file then, or chunks that can hold them. */
bool vgg_hdf_describe(struct vgg_hdf_data *data, const struct vgg_hdf *hdf, uint64_t object, const char **why);
/* All values as fp32 into dst (count elements). VGG_ERR_FORMAT: chunks are missing or damaged. Nothing is logged. */
enum vgg_status vgg_hdf_read(float *dst, const struct vgg_hdf *hdf, const struct vgg_hdf_data *data);

#endif
