/* h5.h: libhdf5 for writing, guarded: quiet, one thread at a time. Reading is hdf.h's. */
#ifndef CORE_FORMAT_H5_H
#define CORE_FORMAT_H5_H

#include <hdf5.h>

#include "core/vgg16.h"

/* Between enter and leave the calling thread has HDF5 for itself (not every build of it is thread-safe) and its errors
 * are not printed. Not recursive. */
void vgg_h5_enter(void);
void vgg_h5_leave(void);

/* Makes the file `temporary`, over the one that is there. Closing it closes what is in it. HDF5 does not lock it: who
 * made it has (file.h). Below 0: failed. */
hid_t vgg_h5_create(const char *temporary);
/* Takes `size` bytes of disk space for the file `temporary` that will be `path`, before HDF5 does: when a write fails
 * inside HDF5 1.10, it cannot close its file any more and crashes at exit. */
enum vgg_status vgg_h5_reserve(const char *temporary, const char *path, size_t size);
/* Flushes an open file and tells the bytes it uses: after closing it, truncate it to that. False: failed. */
bool vgg_h5_flush(hid_t file, uint64_t *size);

/* Writes one string, or a list, of fixed length as Keras does; long lists in pieces. False: failed. */
bool vgg_h5_write_string(hid_t object, const char *name, const char *value);
bool vgg_h5_write_strings(hid_t object, const char *name, const char *const *values, size_t count);

#endif
