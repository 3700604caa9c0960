#include "core/format/h5.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/base/os_thread.h"

enum vgg_status vgg_h5_reserve(const char *temporary, const char *path, size_t size)
{
    if (vgg_os_reserve(temporary, size)) return VGG_OK;
    return vgg_fail(VGG_ERR_IO, "%s: cannot take %zu bytes of disk space: %s", path, size, strerror(errno));
}

#ifdef VGG16_HDF5

#include <hdf5.h>

#include "core/base/library.h"

/* The constants of HDF5 open the library by a call that the linker would have to know; it is open when they are used.
 */
#undef H5OPEN
#undef H5CHECK
#define H5OPEN
#define H5CHECK

enum {
    ATTRIBUTE_LIMIT = 64512, /* bytes of one attribute: Keras' HDF5_OBJECT_HEADER_LIMIT */
    MOST_DIMENSIONS = 4
};

/* The functions and the identifiers of HDF5 that are used, under its names. */
static struct {
    __typeof__(H5open) *H5open;
    __typeof__(H5Eget_auto2) *H5Eget_auto2;
    __typeof__(H5Eset_auto2) *H5Eset_auto2;
    __typeof__(H5Pcreate) *H5Pcreate;
    __typeof__(H5Pclose) *H5Pclose;
    __typeof__(H5Pset_chunk) *H5Pset_chunk;
    __typeof__(H5Pset_obj_track_times) *H5Pset_obj_track_times;
    __typeof__(H5Pset_create_intermediate_group) *H5Pset_create_intermediate_group;
    __typeof__(H5Pset_fclose_degree) *H5Pset_fclose_degree;
    herr_t (*H5Pset_file_locking)(hid_t, hbool_t, hbool_t); /* not in every version: may be NULL */
    __typeof__(H5Fcreate) *H5Fcreate;
    __typeof__(H5Fflush) *H5Fflush;
    __typeof__(H5Fget_filesize) *H5Fget_filesize;
    __typeof__(H5Fget_vfd_handle) *H5Fget_vfd_handle;
    __typeof__(H5Fclose) *H5Fclose;
    __typeof__(H5Gcreate2) *H5Gcreate2;
    __typeof__(H5Gclose) *H5Gclose;
    __typeof__(H5Screate) *H5Screate;
    __typeof__(H5Screate_simple) *H5Screate_simple;
    __typeof__(H5Sselect_hyperslab) *H5Sselect_hyperslab;
    __typeof__(H5Sclose) *H5Sclose;
    __typeof__(H5Tcopy) *H5Tcopy;
    __typeof__(H5Tset_size) *H5Tset_size;
    __typeof__(H5Tset_strpad) *H5Tset_strpad;
    __typeof__(H5Tset_cset) *H5Tset_cset;
    __typeof__(H5Tclose) *H5Tclose;
    __typeof__(H5Acreate2) *H5Acreate2;
    __typeof__(H5Awrite) *H5Awrite;
    __typeof__(H5Aclose) *H5Aclose;
    __typeof__(H5Dcreate2) *H5Dcreate2;
    __typeof__(H5Dget_space) *H5Dget_space;
    __typeof__(H5Dwrite) *H5Dwrite;
    __typeof__(H5Dset_extent) *H5Dset_extent;
    __typeof__(H5Dclose) *H5Dclose;
    const hid_t *file_access, *dataset_create, *link_create; /* classes of property lists */
    const hid_t *f32_file, *f32, *f64_file, *i64_file, *i64, *text;
    bool opened;
} lib;

static void open_library(void)
{
    const struct vgg_library_entry locking = { "H5Pset_file_locking", &lib.H5Pset_file_locking };
    const struct vgg_library_entry entries[] = {
        { "H5open", &lib.H5open },
        { "H5Eget_auto2", &lib.H5Eget_auto2 },
        { "H5Eset_auto2", &lib.H5Eset_auto2 },
        { "H5Pcreate", &lib.H5Pcreate },
        { "H5Pclose", &lib.H5Pclose },
        { "H5Pset_chunk", &lib.H5Pset_chunk },
        { "H5Pset_obj_track_times", &lib.H5Pset_obj_track_times },
        { "H5Pset_create_intermediate_group", &lib.H5Pset_create_intermediate_group },
        { "H5Pset_fclose_degree", &lib.H5Pset_fclose_degree },
        { "H5Fcreate", &lib.H5Fcreate },
        { "H5Fflush", &lib.H5Fflush },
        { "H5Fget_filesize", &lib.H5Fget_filesize },
        { "H5Fget_vfd_handle", &lib.H5Fget_vfd_handle },
        { "H5Fclose", &lib.H5Fclose },
        { "H5Gcreate2", &lib.H5Gcreate2 },
        { "H5Gclose", &lib.H5Gclose },
        { "H5Screate", &lib.H5Screate },
        { "H5Screate_simple", &lib.H5Screate_simple },
        { "H5Sselect_hyperslab", &lib.H5Sselect_hyperslab },
        { "H5Sclose", &lib.H5Sclose },
        { "H5Tcopy", &lib.H5Tcopy },
        { "H5Tset_size", &lib.H5Tset_size },
        { "H5Tset_strpad", &lib.H5Tset_strpad },
        { "H5Tset_cset", &lib.H5Tset_cset },
        { "H5Tclose", &lib.H5Tclose },
        { "H5Acreate2", &lib.H5Acreate2 },
        { "H5Awrite", &lib.H5Awrite },
        { "H5Aclose", &lib.H5Aclose },
        { "H5Dcreate2", &lib.H5Dcreate2 },
        { "H5Dget_space", &lib.H5Dget_space },
        { "H5Dwrite", &lib.H5Dwrite },
        { "H5Dset_extent", &lib.H5Dset_extent },
        { "H5Dclose", &lib.H5Dclose },
    };
    const struct vgg_library_entry variables[] = {
        { "H5P_CLS_FILE_ACCESS_ID_g", &lib.file_access },
        { "H5P_CLS_DATASET_CREATE_ID_g", &lib.dataset_create },
        { "H5P_CLS_LINK_CREATE_ID_g", &lib.link_create },
        { "H5T_IEEE_F32LE_g", &lib.f32_file },
        { "H5T_NATIVE_FLOAT_g", &lib.f32 },
        { "H5T_IEEE_F64LE_g", &lib.f64_file },
        { "H5T_STD_I64LE_g", &lib.i64_file },
        { "H5T_NATIVE_INT64_g", &lib.i64 },
        { "H5T_C_S1_g", &lib.text },
    };
    lib.opened = vgg_library_open(VGG16_HDF5, entries, sizeof entries / sizeof *entries) &&
                 vgg_library_variables(VGG16_HDF5, variables, sizeof variables / sizeof *variables) &&
                 lib.H5open() >= 0;
    if (lib.opened) (void)vgg_library_open(VGG16_HDF5, &locking, 1);
}

static bool has_library(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    return lib.opened;
}

const char *vgg_h5_library(void)
{
    return VGG16_HDF5;
}

enum vgg_status vgg_h5_need(const char *path)
{
    if (has_library()) return VGG_OK;
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: HDF5 files are written by " VGG16_HDF5 ", which is not here; install it (Debian: "
                    "libhdf5-103-1) or take another format",
                    path);
}

static struct vgg_os_mutex lock = VGG_OS_MUTEX_INIT;
static H5E_auto2_t saved_printer;
static void *saved_user;

void vgg_h5_enter(void)
{
    vgg_os_mutex_lock(&lock);
    lib.H5Eget_auto2(H5E_DEFAULT, &saved_printer, &saved_user);
    lib.H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void vgg_h5_leave(void)
{
    lib.H5Eset_auto2(H5E_DEFAULT, saved_printer, saved_user);
    vgg_os_mutex_unlock(&lock);
}

vgg_h5 vgg_h5_create(const char *temporary)
{
    hid_t access = lib.H5Pcreate(*lib.file_access);
    if (access < 0) return -1;
    lib.H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    if (lib.H5Pset_file_locking) lib.H5Pset_file_locking(access, false, true);
    hid_t file = lib.H5Fcreate(temporary, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    lib.H5Pclose(access);
    return file;
}

bool vgg_h5_flush(vgg_h5 file, uint64_t *size)
{
    hsize_t used = 0;
    bool good = lib.H5Fflush(file, H5F_SCOPE_LOCAL) >= 0 && lib.H5Fget_filesize(file, &used) >= 0;
    *size = used;
    return good;
}

void vgg_h5_give_up(vgg_h5 file)
{
    void *handle = NULL;
    if (lib.H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0 && handle) (void)vgg_os_divert(*(int *)handle);
}

bool vgg_h5_close(vgg_h5 file)
{
    return lib.H5Fclose(file) >= 0;
}

vgg_h5 vgg_h5_group(vgg_h5 file, const char *name)
{
    return lib.H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

bool vgg_h5_close_group(vgg_h5 group)
{
    return lib.H5Gclose(group) >= 0;
}

/* Writes raw, n strings of `length` bytes each (n == 0: an empty list of doubles, which is what numpy makes of []);
 * scalar: without a dimension. */
static bool write_attribute(hid_t object, const char *name, const void *raw, size_t n, size_t length, bool scalar)
{
    hsize_t extent = n;
    hid_t space = scalar ? lib.H5Screate(H5S_SCALAR) : lib.H5Screate_simple(1, &extent, NULL);
    hid_t type = lib.H5Tcopy(n ? *lib.text : *lib.f64_file);
    bool good = space >= 0 && type >= 0;
    if (n) good = good && lib.H5Tset_size(type, length) >= 0 && lib.H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0;
    hid_t attribute = good ? lib.H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
    good = attribute >= 0 && (n == 0 || lib.H5Awrite(attribute, type, raw) >= 0);
    if (attribute >= 0) good = lib.H5Aclose(attribute) >= 0 && good;
    if (type >= 0) lib.H5Tclose(type);
    if (space >= 0) lib.H5Sclose(space);
    return good;
}

bool vgg_h5_write_string(vgg_h5 object, const char *name, const char *value)
{
    size_t length = strlen(value);
    if (length > ATTRIBUTE_LIMIT) return false;
    return write_attribute(object, name, value, 1, length ? length : 1, true);
}

bool vgg_h5_write_strings(vgg_h5 object, const char *name, const char *const *values, size_t count)
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

/* How data sets are made: without the time, so that the same content is the same bytes. Below 0: failed. */
static hid_t plan_set(void)
{
    hid_t plan = lib.H5Pcreate(*lib.dataset_create);
    if (plan >= 0) lib.H5Pset_obj_track_times(plan, false);
    return plan;
}

/* A data set of `values`, which memory holds as `given`. */
static bool write_set(hid_t object, const char *name, int rank, const hsize_t *extent, hid_t stored, hid_t given,
                      const void *values)
{
    hid_t space = lib.H5Screate_simple(rank, extent, NULL), links = lib.H5Pcreate(*lib.link_create), set = -1;
    hid_t plan = plan_set();
    bool good = space >= 0 && plan >= 0 && links >= 0 && lib.H5Pset_create_intermediate_group(links, 1) >= 0;
    if (good) set = lib.H5Dcreate2(object, name, stored, space, links, plan, H5P_DEFAULT);
    good = set >= 0 && lib.H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    if (set >= 0) good = lib.H5Dclose(set) >= 0 && good;
    if (plan >= 0) lib.H5Pclose(plan);
    if (links >= 0) lib.H5Pclose(links);
    if (space >= 0) lib.H5Sclose(space);
    return good;
}

bool vgg_h5_write_floats(vgg_h5 object, const char *name, int rank, const int *shape, const float *values)
{
    hsize_t extent[MOST_DIMENSIONS];
    for (int i = 0; i < rank; i++)
        extent[i] = (hsize_t)shape[i];
    return write_set(object, name, rank, extent, *lib.f32_file, *lib.f32, values);
}

bool vgg_h5_write_integers(vgg_h5 object, const char *name, const int64_t *values, size_t count)
{
    hsize_t extent = count;
    return write_set(object, name, 1, &extent, *lib.i64_file, *lib.i64, values);
}

bool vgg_h5_write_texts(vgg_h5 object, const char *name, const char *const *values, size_t count)
{
    hsize_t extent = count;
    hid_t text = lib.H5Tcopy(*lib.text);
    bool good = text >= 0 && lib.H5Tset_size(text, H5T_VARIABLE) >= 0 && lib.H5Tset_cset(text, H5T_CSET_UTF8) >= 0 &&
                write_set(object, name, 1, &extent, text, text, values);
    if (text >= 0) lib.H5Tclose(text);
    return good;
}

vgg_h5 vgg_h5_create_rows(vgg_h5 file, const char *name, int rank, const uint64_t *shape, uint64_t chunk)
{
    hsize_t extent[MOST_DIMENSIONS], piece[MOST_DIMENSIONS];
    for (int i = 0; i < rank; i++)
        extent[i] = piece[i] = shape[i];
    piece[0] = chunk;
    hid_t space = lib.H5Screate_simple(rank, extent, NULL), plan = plan_set(), set = -1;
    if (lib.H5Pset_chunk(plan, rank, piece) >= 0)
        set = lib.H5Dcreate2(file, name, *lib.f32_file, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    lib.H5Pclose(plan);
    lib.H5Sclose(space);
    return set;
}

bool vgg_h5_write_rows(vgg_h5 set, int rank, const uint64_t *shape, uint64_t first, uint64_t count, const float *values)
{
    hsize_t start[MOST_DIMENSIONS] = { first }, extent[MOST_DIMENSIONS] = { count };
    for (int i = 1; i < rank; i++)
        extent[i] = shape[i];
    hid_t memory = lib.H5Screate_simple(rank, extent, NULL), space = lib.H5Dget_space(set);
    bool good = lib.H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0 &&
                lib.H5Dwrite(set, *lib.f32, memory, space, H5P_DEFAULT, values) >= 0;
    lib.H5Sclose(space);
    lib.H5Sclose(memory);
    return good;
}

bool vgg_h5_set_shape(vgg_h5 set, int rank, const uint64_t *shape)
{
    hsize_t extent[MOST_DIMENSIONS];
    for (int i = 0; i < rank; i++)
        extent[i] = shape[i];
    return lib.H5Dset_extent(set, extent) >= 0;
}

bool vgg_h5_close_rows(vgg_h5 set)
{
    return lib.H5Dclose(set) >= 0;
}

#else /* without HDF5 */

const char *vgg_h5_library(void)
{
    return "none: built without libhdf5";
}

enum vgg_status vgg_h5_need(const char *path)
{
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: this vgg16 was built without libhdf5, which writes HDF5 files; take another format", path);
}

#endif
