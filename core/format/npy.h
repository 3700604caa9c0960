/* npy.h: the header of .npy files. */
#ifndef CORE_FORMAT_NPY_H
#define CORE_FORMAT_NPY_H

#include <stdint.h>

enum { VGG_NPY_HEADER = 128 };

/* The header of an array in C order, of fixed length, so that it can be written anew once the count is known; type:
 * "<f4", "<i8"; rank 1 to 4, of elements that 64 bits can count. Source: numpy.lib.format, version 1.0. */
void vgg_npy_header(char header[VGG_NPY_HEADER], const char *type, int rank, const uint64_t *shape);

#endif
