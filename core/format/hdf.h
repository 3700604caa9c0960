/* hdf.h: a reader for HDF5 files as Keras writes them, without libhdf5: that library crashes or never returns on some
 * damaged files, and weight files come from anywhere. Every address is checked against the mapped file, every walk has
 * a bound, nothing is allocated by what the file claims.
 *
 * Read are the structures of HDF5's default format: superblocks 0 to 3, object headers 1 and 2, groups as symbol tables
 * or compact links, attributes in the header, contiguous, compact and chunked data, the filters deflate, shuffle and
 * Fletcher32. Soft and external links are not followed. Source: "HDF5 File Format Specification", version 3.0. */
#ifndef CORE_HDF_H
#define CORE_HDF_H

#include "core/format/safetensors.h"

/* An opened file. An object (group or data set) is named by its header's address in it. */
struct vgg_hdf {
    const unsigned char *map;
    size_t size;
    uint64_t root;
};

/* VGG_ERR_FORMAT for files that are damaged or of another kind. */
enum vgg_status vgg_hdf_open(struct vgg_hdf *hdf, const char *path);
void vgg_hdf_close(struct vgg_hdf *hdf);

/* The object at a path of hard links below `parent`; false: not there. "" is the parent itself. */
bool vgg_hdf_find(const struct vgg_hdf *hdf, uint64_t parent, const char *path, uint64_t *object);
bool vgg_hdf_is_group(const struct vgg_hdf *hdf, uint64_t object);
/* Calls fn for each hard link of a group, in the file's order (by name), until it returns false. False when fn did, or
 * when the group is damaged. */
typedef bool vgg_hdf_link_fn(void *user, const char *name, uint64_t object);
bool vgg_hdf_list(const struct vgg_hdf *hdf, uint64_t group, vgg_hdf_link_fn *fn, void *user);
/* Does the object keep links or attributes in the newer, dense form, which is not read here? */
bool vgg_hdf_is_dense(const struct vgg_hdf *hdf, uint64_t object);

/* An attribute that is one string or a list of strings, of fixed or variable length, whole or in Keras' pieces (NAME0,
 * NAME1, ...; that is how lists of more than 64 KiB are kept). False: not there, or no strings, or no memory. An empty
 * list of any type counts as strings. *out holds *count strings; released by vgg_hdf_strings_free. */
bool vgg_hdf_strings(char ***out, size_t *count, const struct vgg_hdf *hdf, uint64_t object, const char *name);
void vgg_hdf_strings_free(char **strings, size_t count);
/* Is there an attribute of that name? */
bool vgg_hdf_has_attribute(const struct vgg_hdf *hdf, uint64_t object, const char *name);
/* Name of the index-th attribute; false beyond the last or when it does not fit. */
bool vgg_hdf_attribute(const struct vgg_hdf *hdf, uint64_t object, int index, char *name, size_t size);

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
/* All values as fp32 into dst (count elements). False: chunks are missing or damaged, or no memory. */
bool vgg_hdf_read(float *dst, const struct vgg_hdf *hdf, const struct vgg_hdf_data *data);

/* ---- between hdf.c and hdf_data.c ---- */

/* `size` bytes at an address, or NULL when they are not all in the file. */
const unsigned char *vgg_hdf_at(const struct vgg_hdf *hdf, uint64_t address, uint64_t size);
/* Little-endian number of 1 to 8 bytes. */
uint64_t vgg_hdf_number(const unsigned char *at, int bytes);

/* A message of an object header, its data inside the mapping. */
struct vgg_hdf_message {
    int type;
    bool shared; /* the data only names the place of the message */
    const unsigned char *data;
    size_t size;
};
enum {
    VGG_HDF_DATASPACE = 0x01,
    VGG_HDF_LINK_INFO = 0x02,
    VGG_HDF_DATATYPE = 0x03,
    VGG_HDF_LINK = 0x06,
    VGG_HDF_EXTERNAL = 0x07,
    VGG_HDF_LAYOUT = 0x08,
    VGG_HDF_FILTERS = 0x0b,
    VGG_HDF_ATTRIBUTE = 0x0c,
    VGG_HDF_CONTINUATION = 0x10,
    VGG_HDF_SYMBOL_TABLE = 0x11,
    VGG_HDF_ATTRIBUTE_INFO = 0x15,
};
/* The n-th message of a type in an object's header; false beyond the last or in a damaged header. */
bool vgg_hdf_message(struct vgg_hdf_message *out, const struct vgg_hdf *hdf, uint64_t object, int type, int n);
/* Rank and extents of a dataspace message; false when damaged or beyond 8 dimensions. A scalar has rank 0, an empty
 * space the count 0. */
bool vgg_hdf_space(const unsigned char *at, size_t size, int *rank, uint64_t shape[VGG_MAX_RANK], size_t *count);

#endif
