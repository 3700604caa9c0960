#include "core/h5.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum {
    DEEPEST = 16,                  /* components of a path */
    MOST_STRINGS = 1 << 16,        /* of an attribute */
    LONGEST_STRING = 1 << 16,      /* bytes */
    ATTRIBUTE_LIMIT = 64512,       /* bytes of one attribute: Keras' HDF5_OBJECT_HEADER_LIMIT */
    LARGEST_ELEMENT = 16,          /* bytes: a long double */
    SMALLEST_CHUNK_LIMIT = 1 << 24 /* bytes that a chunk may always take */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static H5E_auto2_t saved_printer;
static void *saved_user;

void vgg_h5_enter(void)
{
    pthread_mutex_lock(&lock);
    H5Eget_auto2(H5E_DEFAULT, &saved_printer, &saved_user);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void vgg_h5_leave(void)
{
    H5Eset_auto2(H5E_DEFAULT, saved_printer, saved_user);
    pthread_mutex_unlock(&lock);
}

hid_t vgg_h5_open(hid_t parent, const char *path)
{
    char name[256];
    hid_t at = H5Oopen(parent, ".", H5P_DEFAULT);
    for (int depth = 0; at >= 0 && *path; depth++) {
        size_t n = strcspn(path, "/");
        hid_t next = -1;
        H5L_info_t info;
        if (depth < DEEPEST && n > 0 && n < sizeof name) {
            memcpy(name, path, n);
            name[n] = '\0';
            if (H5Iget_type(at) == H5I_GROUP && H5Lexists(at, name, H5P_DEFAULT) > 0 &&
                H5Lget_info(at, name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD) {
                next = H5Oopen(at, name, H5P_DEFAULT);
            }
        }
        H5Oclose(at);
        at = next;
        path += n;
        while (*path == '/')
            path++;
    }
    return at;
}

bool vgg_h5_has_group(hid_t parent, const char *name)
{
    hid_t object = vgg_h5_open(parent, name);
    if (object < 0) return false;
    bool group = H5Iget_type(object) == H5I_GROUP;
    H5Oclose(object);
    return group;
}

/* Can the storage be read: in this file, by HDF5's own filters, in pieces not much larger than the whole? */
static const char *storage_fault(hid_t dataset, size_t size, size_t element)
{
    const char *fault = NULL;
    bool filtered = false;
    hid_t list = H5Dget_create_plist(dataset);
    if (list < 0) return "has damaged properties";
    H5D_layout_t layout = H5Pget_layout(list);
    if (H5Pget_external_count(list) != 0) fault = "keeps its values in another file";
    if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT && layout != H5D_CHUNKED) fault = "has an unusual layout";
    if (!fault && layout == H5D_CHUNKED) {
        hsize_t chunk[H5S_MAX_RANK];
        size_t bytes = element;
        int rank = H5Pget_chunk(list, H5S_MAX_RANK, chunk);
        for (int i = 0; i < rank; i++)
            bytes = vgg_mem_mul(bytes, chunk[i]);
        if (rank < 0 || (bytes > size && bytes > SMALLEST_CHUNK_LIMIT)) fault = "has chunks larger than itself";
        for (int i = 0; !fault && i < H5Pget_nfilters(list); i++) {
            unsigned flags, values[8];
            size_t count = 8;
            filtered = true;
            H5Z_filter_t filter = H5Pget_filter2(list, (unsigned)i, &flags, &count, values, 0, NULL, NULL);
            if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) {
                fault = "is compressed by an unknown filter";
            }
        }
    }
    H5Pclose(list);
    if (fault) return fault;

    /* deflate makes at most 1032 bytes of one */
    hid_t file = H5Iget_file_id(dataset);
    hsize_t stored = H5Dget_storage_size(dataset), file_size = 0;
    if (file < 0 || H5Fget_filesize(file, &file_size) < 0) fault = "is in a damaged file";
    if (file >= 0) H5Fclose(file);
    if (stored > file_size) fault = "is larger than the file: is it truncated?";
    if (size > (filtered ? vgg_mem_mul(stored, 1032) : stored)) fault = "has fewer values than its shape needs";
    return fault;
}

bool vgg_h5_floats(hid_t dataset, int *rank, uint64_t shape[8], const char **why)
{
    *why = NULL;
    *rank = 0;
    if (H5Iget_type(dataset) != H5I_DATASET) {
        *why = "is no data set";
        return false;
    }
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    size_t element = H5Tget_size(type), size = element;
    hsize_t extent[H5S_MAX_RANK];
    if (space < 0 || type < 0) {
        *why = "is damaged";
    } else if (H5Tget_class(type) != H5T_FLOAT || element > LARGEST_ELEMENT) {
        *why = "does not hold floating-point numbers";
    } else if (H5Sget_simple_extent_type(space) == H5S_NULL || H5Sget_simple_extent_ndims(space) > 8) {
        *why = "has no shape, or one of more than 8 dimensions";
    } else {
        *rank = H5Sget_simple_extent_dims(space, extent, NULL);
        for (int i = 0; i < *rank; i++) {
            shape[i] = extent[i];
            size = vgg_mem_mul(size, extent[i]);
        }
        if (*rank < 0 || size == SIZE_MAX) *why = "has an impossible shape";
    }
    if (!*why) *why = storage_fault(dataset, size, element);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return !*why;
}

void vgg_h5_strings_free(char **strings, size_t count)
{
    for (size_t i = 0; strings && i < count; i++)
        free(strings[i]);
    free(strings);
}

/* Reads n strings of variable length, as HDF5 allocates them, into copies. */
static bool read_variable(char **out, size_t n, hid_t attribute, hid_t memory_type, hid_t space)
{
    char **raw = vgg_mem_calloc(n, sizeof *raw);
    bool good = raw && H5Aread(attribute, memory_type, raw) >= 0;
    for (size_t i = 0; good && i < n; i++) {
        out[i] = vgg_mem_strdup(raw[i] ? raw[i] : "");
        good = out[i];
    }
    if (raw) H5Dvlen_reclaim(memory_type, space, H5P_DEFAULT, raw);
    free(raw);
    return good;
}

static bool read_fixed(char **out, size_t n, size_t length, hid_t attribute, hid_t memory_type)
{
    char *raw = vgg_mem_calloc(n, length);
    bool good = raw && H5Aread(attribute, memory_type, raw) >= 0;
    for (size_t i = 0; good && i < n; i++) {
        out[i] = vgg_mem_calloc(length + 1, 1);
        good = out[i];
        if (good) memcpy(out[i], raw + i * length, length);
    }
    free(raw);
    return good;
}

/* Appends the strings of one attribute. */
static bool append_strings(char ***out, size_t *count, hid_t object, const char *name)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return false;
    hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute), memory_type = H5Tcopy(H5T_C_S1);
    hssize_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    bool good = n == 0;
    if (n > 0 && n <= MOST_STRINGS && *count + (size_t)n <= MOST_STRINGS && type >= 0 && memory_type >= 0 &&
        H5Tget_class(type) == H5T_STRING) {
        bool variable = H5Tis_variable_str(type) > 0;
        size_t length = variable ? H5T_VARIABLE : H5Tget_size(type);
        char **grown = variable || (length > 0 && length <= LONGEST_STRING)
                           ? realloc(*out, (*count + (size_t)n) * sizeof *grown)
                           : NULL;
        if (grown && H5Tset_size(memory_type, length) >= 0 && H5Tset_cset(memory_type, H5Tget_cset(type)) >= 0 &&
            H5Tset_strpad(memory_type, variable ? H5T_STR_NULLTERM : H5T_STR_NULLPAD) >= 0) {
            memset(grown + *count, 0, (size_t)n * sizeof *grown);
            good = variable ? read_variable(grown + *count, (size_t)n, attribute, memory_type, space)
                            : read_fixed(grown + *count, (size_t)n, length, attribute, memory_type);
            *count += (size_t)n;
        }
        if (grown) *out = grown;
    }
    if (memory_type >= 0) H5Tclose(memory_type);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    H5Aclose(attribute);
    return good;
}

bool vgg_h5_strings(char ***out, size_t *count, hid_t object, const char *name)
{
    *out = NULL;
    *count = 0;
    bool good = false;
    if (H5Aexists(object, name) > 0) {
        good = append_strings(out, count, object, name);
    } else {
        char piece[64];
        for (int i = 0; i < MOST_STRINGS; i++) {
            snprintf(piece, sizeof piece, "%s%d", name, i);
            if (H5Aexists(object, piece) <= 0) break;
            good = append_strings(out, count, object, piece);
            if (!good) break;
        }
    }
    if (!good) {
        vgg_h5_strings_free(*out, *count);
        *out = NULL;
        *count = 0;
    }
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
