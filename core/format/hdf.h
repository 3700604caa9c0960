/* hdf.h: a reader for HDF5 files as Keras writes them, without libhdf5: that library crashes or never returns on some
 * damaged files, and weight files come from anywhere. Every address is checked against the mapped file, every walk has
 * a bound, nothing is allocated by what the file claims.
 *
 * Read are the structures of HDF5's default format: superblocks 0 to 3, object headers 1 and 2, groups as symbol tables
 * or compact links, attributes in the header, contiguous, compact and chunked data, the filters deflate, shuffle and
 * Fletcher32. Soft and external links are not followed. Source: "HDF5 File Format Specification", version 3.0. */
#ifndef CORE_FORMAT_HDF_H
#define CORE_FORMAT_HDF_H

#include "core/format/hdf_object.h"

/* VGG_ERR_FORMAT for files that are damaged or of another kind. */
enum vgg_status vgg_hdf_open(struct vgg_hdf *hdf, const char *path);
/* The same of a file whose bytes are in memory already, where they stay until after vgg_hdf_close. `path`: for
 * messages. */
enum vgg_status vgg_hdf_open_bytes(struct vgg_hdf *hdf, const void *bytes, size_t size, const char *path);
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
 * NAME1, ...; that is how lists of more than 64 KiB are kept). VGG_ERR_MISSING: not there, or no strings; this is not
 * logged, unlike VGG_ERR_MEMORY. An empty list of any type counts as strings. *out holds *count strings; released by
 * vgg_hdf_strings_free. */
enum vgg_status vgg_hdf_strings(char ***out, size_t *count, const struct vgg_hdf *hdf, uint64_t object,
                                const char *name);
void vgg_hdf_strings_free(char **strings, size_t count);
/* Is there an attribute of that name? */
bool vgg_hdf_has_attribute(const struct vgg_hdf *hdf, uint64_t object, const char *name);
/* Name of the index-th attribute; false beyond the last or when it does not fit. */
bool vgg_hdf_attribute(const struct vgg_hdf *hdf, uint64_t object, int index, char *name, size_t size);

#endif
