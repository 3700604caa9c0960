/* file.h: outputs that appear whole or not at all, and small helpers around paths. */
#ifndef CORE_BASE_FILE_H
#define CORE_BASE_FILE_H

#include <stdio.h>

#include "core/vgg16.h"

/* A file written aside (PATH.tmp.vgg16-0 in the same folder, locked meanwhile, or the next number). Exactly one of
 * commit and abort ends it; both free it. What a writer of the same path left that was killed is removed. A link stays:
 * what it leads to is replaced. */
struct vgg_file;
enum vgg_status vgg_file_create(struct vgg_file **out, const char *path);
/* The same, but a device, a pipe or an own descriptor (/dev/stdout) is written directly instead of refused. */
enum vgg_status vgg_file_create_or_stream(struct vgg_file **out, const char *path);
enum vgg_status vgg_file_write(struct vgg_file *file, const void *data, size_t size);
/* Overwrites `size` bytes already written at `offset` (a header whose numbers are known only now), and flushes. */
enum vgg_status vgg_file_patch(struct vgg_file *file, uint64_t offset, const void *data, size_t size);
/* printf into the file. */
enum vgg_status vgg_file_printf(struct vgg_file *file, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* One field of CSV, quoted where it must be (RFC 4180). */
enum vgg_status vgg_file_field(struct vgg_file *file, const char *text);
/* What has been written so far reaches the disk now rather than in vgg_file_commit. */
enum vgg_status vgg_file_sync(struct vgg_file *file);
/* The name of the file written aside, for libraries that insist on opening it themselves (HDF5). */
const char *vgg_file_temporary(const struct vgg_file *file);
/* Flushes, syncs file and folder, renames it to its path. On failure the temporary file is gone and the old one stands.
 */
enum vgg_status vgg_file_commit(struct vgg_file *file);
void vgg_file_abort(struct vgg_file *file); /* accepts NULL */
/* How much of the name of a file written aside is that of the file it was to become; 0: it is no such name. */
size_t vgg_file_aside(const char *name);

/* A whole file, read-only, mapped into memory. *data stays valid until vgg_file_unmap. */
enum vgg_status vgg_file_map(const void **data, size_t *size, const char *path);
void vgg_file_unmap(const void *data, size_t size);

/* Does `path` end in `extension` (".h5"), whatever the case? */
bool vgg_file_has_extension(const char *path, const char *extension);
/* Creates a folder and its missing parents. */
enum vgg_status vgg_file_mkdirs(const char *path);
/* PATH + "/" + NAME by malloc, NULL without memory. */
char *vgg_file_join(const char *folder, const char *name);
/* What the file or link `path` means by `name`: in its own folder, unless absolute. By malloc, NULL without memory. */
char *vgg_file_beside(const char *path, const char *name);
/* $XDG_CACHE_HOME/vgg16 or ~/.cache/vgg16, created. By malloc. */
enum vgg_status vgg_file_cache(char **out);

#endif
