/* hdf_object.h: bytes, numbers and object headers of an HDF5 file. */
#ifndef CORE_FORMAT_HDF_OBJECT_H
#define CORE_FORMAT_HDF_OBJECT_H

#include "core/format/safetensors.h"

/* An opened file. An object (group or data set) is named by its header's address in it. */
struct vgg_hdf {
    const unsigned char *map;
    size_t size;
    uint64_t root;
    bool borrowed; /* the bytes belong to another */
};

/* `size` bytes at an address, or NULL when they are not all in the file. */
const unsigned char *vgg_hdf_at(const struct vgg_hdf *hdf, uint64_t address, uint64_t size);

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
enum { VGG_HDF_BLOCKS = 64 }; /* continuations of one object header; files of Keras stay far below */

/* A walk over the messages of one header: blocks of messages, more of them found on the way. */
struct vgg_hdf_walk {
    const struct vgg_hdf *hdf;
    int version, message_head; /* bytes before a message's data */
    struct {
        uint64_t address, size;
    } block[VGG_HDF_BLOCKS];
    int blocks, current;
    uint64_t offset; /* in the current block */
    int messages;
};
/* Begins at the header of `object`; false: it is damaged. */
bool vgg_hdf_walk_begin(struct vgg_hdf_walk *walk, const struct vgg_hdf *hdf, uint64_t object);
/* The next message; false beyond the last or in a damaged header. */
bool vgg_hdf_walk_next(struct vgg_hdf_walk *walk, struct vgg_hdf_message *message);
/* The n-th message of a type in an object's header; false beyond the last or in a damaged header. */
bool vgg_hdf_message(struct vgg_hdf_message *out, const struct vgg_hdf *hdf, uint64_t object, int type, int n);
/* Rank and extents of a dataspace message; false when damaged or beyond 8 dimensions. A scalar has rank 0, an empty
 * space the count 0. */
bool vgg_hdf_space(const unsigned char *at, size_t size, int *rank, uint64_t shape[VGG_MAX_RANK], size_t *count);

#endif
