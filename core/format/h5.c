#include "core/format/h5.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/base/os_thread.h"

enum { ATTRIBUTE_LIMIT = 64512 }; /* bytes of one attribute: Keras' HDF5_OBJECT_HEADER_LIMIT */

static struct vgg_os_mutex lock = VGG_OS_MUTEX_INIT;
static H5E_auto2_t saved_printer;
static void *saved_user;

void vgg_h5_enter(void)
{
    vgg_os_mutex_lock(&lock);
    H5Eget_auto2(H5E_DEFAULT, &saved_printer, &saved_user);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void vgg_h5_leave(void)
{
    H5Eset_auto2(H5E_DEFAULT, saved_printer, saved_user);
    vgg_os_mutex_unlock(&lock);
}

hid_t vgg_h5_create(const char *temporary)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return -1;
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 11, 0))
    H5Pset_file_locking(access, false, true);
#endif
    hid_t file = H5Fcreate(temporary, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return file;
}

enum vgg_status vgg_h5_reserve(const char *temporary, const char *path, size_t size)
{
    if (vgg_os_reserve(temporary, size)) return VGG_OK;
    return vgg_fail(VGG_ERR_IO, "%s: cannot take %zu bytes of disk space: %s", path, size, strerror(errno));
}

bool vgg_h5_flush(hid_t file, uint64_t *size)
{
    hsize_t used = 0;
    bool good = H5Fflush(file, H5F_SCOPE_LOCAL) >= 0 && H5Fget_filesize(file, &used) >= 0;
    *size = used;
    return good;
}

/* Writes raw, n strings of `length` bytes each (n == 0: an empty list of doubles, which is what numpy makes of []);
 * scalar: without a dimension. */
static bool write_attribute(hid_t object, const char *name, const void *raw, size_t n, size_t length, bool scalar)
{
    hsize_t extent = n;
    hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
    hid_t type = H5Tcopy(n ? H5T_C_S1 : H5T_IEEE_F64LE);
    bool good = space >= 0 && type >= 0;
    if (n) good = good && H5Tset_size(type, length) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0;
    hid_t attribute = good ? H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
    good = attribute >= 0 && (n == 0 || H5Awrite(attribute, type, raw) >= 0);
    if (attribute >= 0) good = H5Aclose(attribute) >= 0 && good;
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    return good;
}

bool vgg_h5_write_string(hid_t object, const char *name, const char *value)
{
    size_t length = strlen(value);
    if (length > ATTRIBUTE_LIMIT) return false;
    return write_attribute(object, name, value, 1, length ? length : 1, true);
}

bool vgg_h5_write_strings(hid_t object, const char *name, const char *const *values, size_t count)
{
    size_t length = 1;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(values[i]);
        if (n > length) length = n;
    }
    if (length > ATTRIBUTE_LIMIT) return false;
    char *raw = vgg_mem_calloc(count, length);
    if (!raw) return false;
    for (size_t i = 0; i < count; i++)
        memcpy(raw + i * length, values[i], strlen(values[i]));

    /* The first number of pieces, all but equally long, of which none is too large: numpy's array_split. */
    size_t pieces = 1;
    while ((count + pieces - 1) / pieces * length > ATTRIBUTE_LIMIT)
        pieces++;
    bool good = true;
    size_t done = 0;
    for (size_t i = 0; good && i < pieces; i++) {
        char piece[64];
        size_t n = count / pieces + (i < count % pieces);
        snprintf(piece, sizeof piece, pieces > 1 ? "%s%zu" : "%s", name, i);
        good = write_attribute(object, piece, raw + done * length, n, length, false);
        done += n;
    }
    free(raw);
    return good;
}
