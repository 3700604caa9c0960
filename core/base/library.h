/* library.h: shared libraries that are opened when they are first needed. */
#ifndef CORE_BASE_LIBRARY_H
#define CORE_BASE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* A function or variable of a library, and the pointer to one of its type that gets the address. */
struct vgg_library_entry {
    const char *name;
    void *pointer;
};
/* Opens the library `file` ("libjpeg.so.62") for good and fills all entries, of functions. False: it is not here or
 * lacks one; then a line at VGG_LOG_DEBUG says which. */
bool vgg_library_open(const char *file, const struct vgg_library_entry *entries, size_t count);
/* The same for variables. A program that is linked to the library may hold them itself, in its place. */
bool vgg_library_variables(const char *file, const struct vgg_library_entry *entries, size_t count);

#endif
