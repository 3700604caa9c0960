/* IDX, the format of MNIST and Fashion-MNIST: a big-endian magic number 00 00 08 RANK, RANK extents, bytes.
 * Source: yann.lecun.com/exdb/mnist, "File formats". */
#include "core/data/idx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"

/* GROWTH: the most that deflate makes of a byte; MOST_GROWTH: of an honest file above MOST_FREELY bytes. */
enum { TYPE_BYTE = 8, MAX_IDX_RANK = 3, CHUNK = 1 << 24, GROWTH = 1032, MOST_GROWTH = 200, MOST_FREELY = 256 << 20 };
static const size_t MAX_BYTES = (size_t)1 << 36;

/* Exactly `size` bytes; gzip is recognised by zlib, anything else comes as it is. */
static enum vgg_status read_exactly(gzFile file, void *data, size_t size, const char *path)
{
    for (size_t done = 0; done < size;) {
        unsigned part = size - done < CHUNK ? (unsigned)(size - done) : CHUNK;
        int n = gzread(file, (uint8_t *)data + done, part);
        int error;
        if (n < 0) return vgg_fail(VGG_ERR_FORMAT, "%s: cannot be read: %s", path, gzerror(file, &error));
        if (n == 0) return vgg_fail(VGG_ERR_FORMAT, "%s: is cut short: the IDX header promises more", path);
        done += (size_t)n;
    }
    return VGG_OK;
}

/* Can a file hold what its header promises? Asked before anything is allocated. */
static enum vgg_status check_promise(gzFile file, size_t size, size_t header, const char *path)
{
    struct vgg_os_info info;
    if (!vgg_os_look(&info, path) || info.kind != VGG_OS_FILE) return VGG_OK;
    uint64_t most = gzdirect(file) ? info.size : vgg_mem_mul(info.size, GROWTH), wanted = size + header;
    if (wanted > most)
        return vgg_fail(VGG_ERR_FORMAT, "%s: is cut short: the IDX header promises %zu bytes more", path, size);
    if (size > MOST_FREELY && !gzdirect(file) && size / MOST_GROWTH > info.size)
        return vgg_fail(VGG_ERR_FORMAT,
                        "%s: its header promises %zu bytes, packed into %llu, more than any honest file", path, size,
                        (unsigned long long)info.size);
    return VGG_OK;
}

/* An IDX file of bytes with `rank` extents. *out by malloc. */
static enum vgg_status read_idx(uint8_t **out, size_t extent[MAX_IDX_RANK], int rank, const char *path)
{
    enum vgg_status status = VGG_OK;
    uint8_t header[4 + 4 * MAX_IDX_RANK];
    size_t size = 1;
    *out = NULL;
    int fd = vgg_os_open(path);
    gzFile file = fd < 0 ? NULL : gzdopen(fd, "rb");
    if (!file && fd >= 0) vgg_os_close(fd);
    if (!file) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened", path);
    CHECK(read_exactly(file, header, 4, path));
    if (header[0] || header[1] || header[2] != TYPE_BYTE || header[3] != rank)
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: is not an IDX file of bytes with %d dimension%s", path, rank,
                       rank == 1 ? "" : "s"));
    CHECK(read_exactly(file, header + 4, 4 * (size_t)rank, path));
    for (int i = 0; i < rank; i++) {
        extent[i] = (size_t)vgg_bytes_big(header + 4 + 4 * i, 4);
        size = vgg_mem_mul(size, extent[i]);
    }
    if (size == 0) CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: holds nothing", path));
    if (size > MAX_BYTES)
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: its header promises %zu bytes; at most 64 GiB", path, size));
    if (rank == 3 && (extent[1] > VGG_IMAGE_MAX_SIDE || extent[2] > VGG_IMAGE_MAX_SIDE))
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: images of %zu x %zu are too large; at most %d a side", path, extent[2],
                       extent[1], VGG_IMAGE_MAX_SIDE));
    CHECK(check_promise(file, size, 4 + 4 * (size_t)rank, path));
    *out = malloc(size);
    if (!*out) CHECK(vgg_fail_memory(path, size));
    CHECK(read_exactly(file, *out, size, path));
    gzclose_r(file);
    return VGG_OK;
fail:
    gzclose_r(file);
    free(*out);
    *out = NULL;
    return status;
}

static enum vgg_status read_labels(struct vgg_data *data, const char *path)
{
    size_t extent[MAX_IDX_RANK] = { 0 };
    uint8_t *bytes = NULL;
    int64_t *labels = NULL;
    enum vgg_status status = VGG_OK;
    CHECK(read_idx(&bytes, extent, 1, path));
    if (extent[0] != data->count)
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: has %zu labels for %zu images", path, extent[0], data->count));
    labels = vgg_mem_calloc(data->count, sizeof *labels);
    if (!labels) CHECK(vgg_fail_memory(path, data->count * sizeof *labels));
    for (size_t i = 0; i < data->count; i++)
        labels[i] = bytes[i];
    CHECK(vgg_data_set_labels(data, labels, data->count, path));
fail:
    free(bytes);
    free(labels);
    return status;
}

enum vgg_status vgg_idx_read(struct vgg_data *data, const char *files)
{
    struct vgg_data_store *store = data->store;
    enum vgg_status status = VGG_OK;
    size_t extent[MAX_IDX_RANK] = { 0 };
    uint8_t *bytes;
    char *images = vgg_mem_strdup(files);
    if (!images) return vgg_fail_memory(files, strlen(files));
    char *comma = strchr(images, ',');
    if (comma) *comma = '\0';
    CHECK(read_idx(&bytes, extent, 3, images));
    store->owned = bytes;
    store->values = bytes;
    store->dtype = VGG_DTYPE_U8;
    store->count = data->count = extent[0];
    store->h = (int)extent[1], store->w = (int)extent[2], store->c = 1;
    CHECK(vgg_data_name_items(store, images));
    if (comma) CHECK(read_labels(data, comma + 1));
fail:
    free(images);
    return status;
}
