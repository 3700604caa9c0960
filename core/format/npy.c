#include "core/format/npy.h"

#include <stdio.h>
#include <string.h>

void vgg_npy_header(char header[VGG_NPY_HEADER], const char *type, int rank, const uint64_t *shape)
{
    char extents[96] = "";
    size_t n = 0;
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(extents + n, sizeof extents - n, "%llu,%s", (unsigned long long)shape[i],
                              i + 1 < rank ? " " : "");
    if (rank > 1) extents[n - 1] = '\0'; /* Python wants the last comma only in (N,) */
    memset(header, ' ', VGG_NPY_HEADER);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = VGG_NPY_HEADER - 10, header[9] = 0;
    int length = snprintf(header + 10, VGG_NPY_HEADER - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                          type, extents);
    header[10 + length] = ' ';
    header[VGG_NPY_HEADER - 1] = '\n';
}
