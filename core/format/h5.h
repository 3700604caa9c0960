/* h5.h: writing HDF5 files by libhdf5, which is opened when the first is written. Reading is hdf.h's. */
#ifndef CORE_FORMAT_H5_H
#define CORE_FORMAT_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vgg16.h"

/* A file, group or data set; below 0: none. */
typedef int64_t vgg_h5;

/* VGG_ERR_UNSUPPORTED, with a line that names `path`, where the library is missing. To be called before all below. */
enum vgg_status vgg_h5_need(const char *path);

/* Between enter and leave the calling thread has HDF5 for itself (not every build of it is thread-safe) and its errors
 * are not printed. Not recursive. All below stands between them. */
void vgg_h5_enter(void);
void vgg_h5_leave(void);

/* Makes the file `temporary`, over the one that is there. Closing it closes what is in it. HDF5 does not lock it: who
 * made it has (file.h). Below 0: failed. */
vgg_h5 vgg_h5_create(const char *temporary);
/* Takes `size` bytes of disk space for the file `temporary` that will be `path`, before HDF5 does: when a write fails
 * inside HDF5 1.10, it cannot close its file any more and crashes at exit. */
enum vgg_status vgg_h5_reserve(const char *temporary, const char *path, size_t size);
/* Flushes an open file and tells the bytes it uses: after closing it, truncate it to that. False: failed. */
bool vgg_h5_flush(vgg_h5 file, uint64_t *size);
bool vgg_h5_close(vgg_h5 file);
/* Ends what is written to a file that cannot be written: what HDF5 still keeps for it goes nowhere, so that it can be
 * closed. */
void vgg_h5_give_up(vgg_h5 file);

vgg_h5 vgg_h5_group(vgg_h5 file, const char *name);
bool vgg_h5_close_group(vgg_h5 group);

/* Writes one string, or a list, of fixed length as an attribute as Keras does; long lists in pieces. False: failed. */
bool vgg_h5_write_string(vgg_h5 object, const char *name, const char *value);
bool vgg_h5_write_strings(vgg_h5 object, const char *name, const char *const *values, size_t count);

/* A data set of floats, row major; "a/b" makes the group a. False: failed. */
bool vgg_h5_write_floats(vgg_h5 object, const char *name, int rank, const int *shape, const float *values);
/* A column of integers, and one of UTF-8 texts. False: failed. */
bool vgg_h5_write_integers(vgg_h5 object, const char *name, const int64_t *values, size_t count);
bool vgg_h5_write_texts(vgg_h5 object, const char *name, const char *const *values, size_t count);

/* A data set of floats of rank 1 to 4 that is written by rows, in chunks of chunk[0] rows, and can shrink in the end.
 */
vgg_h5 vgg_h5_create_rows(vgg_h5 file, const char *name, int rank, const uint64_t *shape, uint64_t chunk);
/* Writes `count` rows of it from row `first`; the rest of `shape` is one row's. False: failed. */
bool vgg_h5_write_rows(vgg_h5 set, int rank, const uint64_t *shape, uint64_t first, uint64_t count,
                       const float *values);
bool vgg_h5_set_shape(vgg_h5 set, int rank, const uint64_t *shape);
bool vgg_h5_close_rows(vgg_h5 set);

#endif
