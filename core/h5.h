/* h5.h: the little of HDF5 that weights and features need, guarded: quiet, one thread at a time, hard links only. */
#ifndef CORE_H5_H
#define CORE_H5_H

#include <hdf5.h>

#include "core/vgg16.h"

/* Between enter and leave the calling thread has HDF5 for itself (not every build of it is thread-safe) and its errors
 * are not printed. Not recursive. */
void vgg_h5_enter(void);
void vgg_h5_leave(void);

/* Opens the group or data set at a path of hard links below `parent`, or gives a negative number. Soft and external
 * links, which may loop or leave the file, are not followed. Closed by H5Oclose. */
hid_t vgg_h5_open(hid_t parent, const char *path);
/* Is there a group of that name? */
bool vgg_h5_has_group(hid_t parent, const char *name);
/* The extents of a data set of floating-point numbers that can be read without surprises: rank up to 8, stored in this
 * file, compressed by HDF5's own filters or not at all. *why is a static string where the answer is false. */
bool vgg_h5_floats(hid_t dataset, int *rank, uint64_t shape[8], const char **why);

/* An attribute that is one string or a list of strings, of fixed or variable length, whole or in Keras' pieces (NAME0,
 * NAME1, ...; that is how lists of more than 64 KiB are kept). False: not there or no strings. An empty list of any
 * type counts as strings. *out holds *count strings and is released by vgg_h5_strings_free. */
bool vgg_h5_strings(char ***out, size_t *count, hid_t object, const char *name);
void vgg_h5_strings_free(char **strings, size_t count);
/* Writes one string, or a list, of fixed length as Keras does; long lists in pieces. False: failed. */
bool vgg_h5_write_string(hid_t object, const char *name, const char *value);
bool vgg_h5_write_strings(hid_t object, const char *name, const char *const *values, size_t count);

#endif
