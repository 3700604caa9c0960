/* hdf_write.h: HDF5 files of groups, strings and fp32 arrays, written in one pass without libhdf5: after a failed write
 * (a full disk) that library crashes when the process ends. Source: "HDF5 File Format Specification", version 3.0,
 * superblock 0, symbol-table groups, contiguous data; what h5py writes by default. */
#ifndef CORE_HDF_WRITE_H
#define CORE_HDF_WRITE_H

#include "core/file.h"

struct vgg_hdf_writer;

/* A description in memory of the file to be; the root group has number 0. */
enum vgg_status vgg_hdf_writer_create(struct vgg_hdf_writer **out);
void vgg_hdf_writer_destroy(struct vgg_hdf_writer *writer);

/* The calls below return false without memory, or when a list does not fit (vgg_hdf_write_strings tells which). Names
 * and texts are copied, values are not: they must stay until vgg_hdf_writer_write. Names in one group differ. */

/* Adds a group to one that is there; *group is its number. */
bool vgg_hdf_write_group(struct vgg_hdf_writer *writer, int parent, const char *name, int *group);
/* Adds a data set of fp32 values to a group; rank 1 to 4. */
bool vgg_hdf_write_data(struct vgg_hdf_writer *writer, int group, const char *name, int rank, const int *shape,
                        const float *values);
/* Adds an attribute: one string of fixed length, or a list as numpy makes of it (equal lengths; an empty list is one of
 * doubles). Lists beyond 64 KiB are cut into pieces NAME0, NAME1, ... as Keras does. False too for a single string
 * beyond 64 KiB. */
bool vgg_hdf_write_string(struct vgg_hdf_writer *writer, int group, const char *name, const char *value);
bool vgg_hdf_write_strings(struct vgg_hdf_writer *writer, int group, const char *name, const char *const *values,
                           size_t count);

/* Writes all of it. */
enum vgg_status vgg_hdf_writer_write(struct vgg_hdf_writer *writer, struct vgg_file *file);

#endif
