/* zip.h: zip archives, by minizip, which comes with zlib: of Debian's two libraries for zip it is the one that tells
 * where a part's bytes lie in the file, so that tensors are read from the mapping as they stand instead of being copied
 * first. It is opened at run time, when the first archive is: without it everything else works. */
#ifndef CORE_FORMAT_ZIP_H
#define CORE_FORMAT_ZIP_H

#include "core/vgg16.h"

struct vgg_zip;
struct vgg_zip_entry {
    const char *name;
    uint64_t size;    /* bytes of its content */
    const void *data; /* stored plain: inside the mapping of the file; NULL: compressed */
    uint32_t crc;     /* CRC-32 of its content, as the archive states it */
    bool checked;
    uint64_t place; /* minizip's */
    uint64_t number;
};

/* Maps the file and lists its parts in byte order of their names, at most 65536; none is encrypted, and each that is
 * stored plain lies in the file. VGG_ERR_UNSUPPORTED without minizip. */
enum vgg_status vgg_zip_open(struct vgg_zip **out, const char *path);
void vgg_zip_close(struct vgg_zip *zip); /* accepts NULL */
size_t vgg_zip_count(const struct vgg_zip *zip);
const struct vgg_zip_entry *vgg_zip_at(const struct vgg_zip *zip, size_t index);       /* NULL beyond the last */
const struct vgg_zip_entry *vgg_zip_find(const struct vgg_zip *zip, const char *name); /* NULL: none */
/* Compares the part that `data` lies in, one that is stored plain, with its CRC-32, once. One of 0 states none: so does
 * PyTorch where it is told to leave them out. */
enum vgg_status vgg_zip_check(const struct vgg_zip *zip, const void *data);
/* A copy of a part's content, checked by its CRC-32 and followed by a 0, by malloc. More than `most` bytes are refused.
 */
enum vgg_status vgg_zip_read(void **out, const struct vgg_zip *zip, const struct vgg_zip_entry *entry, size_t most);

struct vgg_zip_part {
    const char *name;
    const void *data;
    size_t size;
};
/* Writes an archive whose parts are stored plain: aside, synced and renamed. */
enum vgg_status vgg_zip_write(const char *path, const struct vgg_zip_part *parts, size_t count);

#endif
