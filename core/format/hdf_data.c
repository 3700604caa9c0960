#include "core/format/hdf_data.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/bytes.h"
#include "core/base/mem.h"

enum {
    DEEPEST_TREE = 16,
    DEFLATE = 1, /* numbers of HDF5's own filters */
    SHUFFLE = 2,
    FLETCHER32 = 3,
    DEFLATE_MOST = 1032,   /* bytes that deflate makes of one at most */
    SMALL_CHUNK = 1 << 24, /* bytes that a chunk may always take */
};

/* A floating-point type of this library: where its fields lie, as the datatype message has them. */
static const struct {
    enum vgg_dtype dtype;
    unsigned size, exponent_at, exponent_bits, fraction_bits, bias;
} formats[] = {
    { VGG_DTYPE_F32, 4, 23, 8, 23, 127 },
    { VGG_DTYPE_F16, 2, 10, 5, 10, 15 },
    { VGG_DTYPE_BF16, 2, 7, 8, 7, 127 },
    { VGG_DTYPE_F64, 8, 52, 11, 52, 1023 },
};

static bool read_type(struct vgg_hdf_data *data, const struct vgg_hdf_message *message, const char **why)
{
    const unsigned char *at = message->data;
    *why = "does not hold floating-point numbers of 16, 32 or 64 bits";
    if (message->shared || message->size < 20 || (at[0] & 15) != 1 || at[1] & 0x40) return false;
    data->big_endian = at[1] & 1;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (vgg_bytes_little(at + 4, 4) == formats[i].size && vgg_bytes_little(at + 8, 2) == 0 &&
            vgg_bytes_little(at + 10, 2) == 8 * formats[i].size && at[12] == formats[i].exponent_at &&
            at[13] == formats[i].exponent_bits && at[14] == 0 && at[15] == formats[i].fraction_bits &&
            vgg_bytes_little(at + 16, 4) == formats[i].bias) {
            data->dtype = formats[i].dtype;
            return true;
        }
    }
    return false;
}

static bool read_filters(struct vgg_hdf_data *data, const struct vgg_hdf_message *message, const char **why)
{
    const unsigned char *at = message->data, *end = at + message->size;
    *why = "has damaged or unknown compression";
    if (message->shared || message->size < 2 || at[0] < 1 || at[0] > 2 || at[1] > 4) return false;
    int version = at[0];
    data->filters = at[1];
    at += version == 1 ? 8 : 2;
    for (int i = 0; i < data->filters; i++) {
        if (end - at < (version == 1 ? 8 : 6)) return false;
        data->filter[i] = (int)vgg_bytes_little(at, 2);
        if (data->filter[i] != DEFLATE && data->filter[i] != SHUFFLE && data->filter[i] != FLETCHER32) return false;
        size_t name = version == 1 ? (size_t)vgg_bytes_little(at + 2, 2) : 0; /* version 2 names only others' filters */
        at += version == 1 ? 4 : 2;
        size_t values = (size_t)vgg_bytes_little(at + 2, 2);
        at += 4;
        size_t skip = ((name + 7) & ~(size_t)7) + 4 * (values + (version == 1 && values % 2));
        if ((size_t)(end - at) < skip) return false;
        at += skip;
    }
    return true;
}

static bool read_chunking(struct vgg_hdf_data *data, const struct vgg_hdf *hdf, const unsigned char *at, size_t size,
                          const char **why)
{
    size_t element = vgg_dtype_size(data->dtype);
    *why = "has damaged chunks";
    if (size < 9 || at[0] != data->rank + 1 || data->rank == 0 || size < 9 + 4 * ((size_t)data->rank + 1)) return false;
    data->tree = vgg_bytes_little(at + 1, 8);
    data->chunk_count = 1;
    for (int i = 0; i < data->rank; i++) {
        data->chunk[i] = (uint32_t)vgg_bytes_little(at + 9 + 4 * i, 4);
        if (data->chunk[i] == 0) return false;
        data->chunk_count = vgg_mem_mul(data->chunk_count, data->chunk[i]);
    }
    size_t bytes = vgg_mem_mul(data->chunk_count, element);
    if (bytes > SMALL_CHUNK && bytes > vgg_mem_mul(data->count, element)) {
        *why = "has chunks larger than itself";
        return false;
    }
    *why = "has fewer values than its shape needs";
    return data->count * element <= vgg_mem_mul(hdf->size, data->filters ? DEFLATE_MOST : 1);
}

static bool read_layout(struct vgg_hdf_data *data, const struct vgg_hdf *hdf, const struct vgg_hdf_message *message,
                        const char **why)
{
    enum { COMPACT, CONTIGUOUS, CHUNKED };
    const unsigned char *at = message->data;
    size_t size = data->count * vgg_dtype_size(data->dtype);
    *why = "has an unusual layout";
    /* Version 4 differs in chunks only. */
    if (message->shared || message->size < 4 || (at[0] != 3 && (at[0] != 4 || at[1] == CHUNKED))) return false;
    if (at[1] == CHUNKED) return read_chunking(data, hdf, at + 2, message->size - 2, why);
    if (at[1] == COMPACT) {
        size_t stored = (size_t)vgg_bytes_little(at + 2, 2);
        if (stored <= message->size - 4 && size <= stored) data->values = at + 4;
    } else if (at[1] == CONTIGUOUS && message->size >= 18) {
        uint64_t stored = vgg_bytes_little(at + 10, 8);
        if (size <= stored) data->values = vgg_hdf_at(hdf, vgg_bytes_little(at + 2, 8), stored);
        if (size == 0) data->values = at; /* none, whose address need not be one */
    } else {
        return false;
    }
    *why = "has fewer values than its shape needs: is the file truncated?";
    return data->values;
}

bool vgg_hdf_describe(struct vgg_hdf_data *data, const struct vgg_hdf *hdf, uint64_t object, const char **why)
{
    struct vgg_hdf_message space, type, layout, filters, external;
    *data = (struct vgg_hdf_data) { 0 };
    *why = "is no data set";
    if (!vgg_hdf_message(&space, hdf, object, VGG_HDF_DATASPACE, 0) ||
        !vgg_hdf_message(&type, hdf, object, VGG_HDF_DATATYPE, 0) ||
        !vgg_hdf_message(&layout, hdf, object, VGG_HDF_LAYOUT, 0)) {
        return false;
    }
    *why = "keeps its values in another file";
    if (vgg_hdf_message(&external, hdf, object, VGG_HDF_EXTERNAL, 0)) return false;
    *why = "has an impossible shape, or more than 8 dimensions";
    if (space.shared || !vgg_hdf_space(space.data, space.size, &data->rank, data->shape, &data->count)) return false;
    if (!read_type(data, &type, why)) return false;
    if (vgg_hdf_message(&filters, hdf, object, VGG_HDF_FILTERS, 0) && !read_filters(data, &filters, why)) return false;
    return read_layout(data, hdf, &layout, why);
}

/* ---- reading ---- */

static void convert(float *dst, const void *src, const struct vgg_hdf_data *data, size_t count)
{
    size_t size = vgg_dtype_size(data->dtype);
    if (!data->big_endian) {
        vgg_dtype_to_f32(dst, src, data->dtype, count);
        return;
    }
    const unsigned char *at = src;
    for (size_t i = 0; i < count; i++, at += size) {
        unsigned char turned[8];
        for (size_t k = 0; k < size; k++)
            turned[k] = at[size - 1 - k];
        vgg_dtype_to_f32(dst + i, turned, data->dtype, 1);
    }
}

/* Where the chunks go, and two buffers of a chunk's size and the 4 bytes of a checksum. */
struct reading {
    const struct vgg_hdf *hdf;
    const struct vgg_hdf_data *data;
    float *dst;
    unsigned char *buffer[2];
    size_t size;         /* bytes of a chunk */
    size_t chunks, next; /* all there must be; the number of the one that comes next, in the order of places */
};

/* The checksum of HDF5's filter, both halves modulo 65535: of words of two bytes, the highest first, the last perhaps
 * filled up with 0. Source: J. Fletcher, "An Arithmetic Checksum for Serial Transmissions", IEEE Trans. Comm. 30, 1982.
 */
static void fletcher32(uint32_t *low, uint32_t *high, const unsigned char *at, size_t size)
{
    uint64_t a = 0, b = 0;
    for (size_t i = 0; i < size; i += 2) {
        a += (uint64_t)at[i] << 8 | (i + 1 < size ? at[i + 1] : 0);
        b += a;
        if (i % 512 == 0) a %= 65535, b %= 65535;
    }
    *low = (uint32_t)(a % 65535), *high = (uint32_t)(b % 65535);
}

/* Is what stands before the last 4 bytes what their checksum says? */
static bool check_sum(const unsigned char *bytes, size_t size)
{
    uint32_t low, high;
    fletcher32(&low, &high, bytes, size - 4);
    return vgg_bytes_little(bytes + size - 4, 2) % 65535 == low &&
           vgg_bytes_little(bytes + size - 2, 2) % 65535 == high;
}

/* Undoes deflate or shuffle: src of *size bytes into dst, which holds reading->size + 4. */
static bool unfilter(const struct reading *reading, int filter, unsigned char *dst, const unsigned char *src,
                     size_t *size)
{
    if (filter == DEFLATE) {
        uLongf made = (uLongf)(reading->size + 4);
        uLong packed = (uLong)*size; /* of 32 bits on Windows */
        if (made != reading->size + 4 || packed != *size) return false;
        if (uncompress(dst, &made, src, packed) != Z_OK) return false;
        *size = made;
        return true;
    }
    if (*size > reading->size + 4) return false;
    size_t element = vgg_dtype_size(reading->data->dtype), count = *size / element;
    for (size_t k = 0; k < element; k++) {
        for (size_t i = 0; i < count; i++)
            dst[i * element + k] = src[k * count + i];
    }
    memcpy(dst + count * element, src + count * element, *size % element);
    return true;
}

/* Copies the part of a chunk that lies inside the data set. */
static void place_chunk(const struct reading *reading, const unsigned char *chunk, const uint64_t *start)
{
    const struct vgg_hdf_data *data = reading->data;
    int last = data->rank - 1;
    size_t element = vgg_dtype_size(data->dtype), width = data->chunk[last];
    uint64_t room = data->shape[last] - start[last];
    for (size_t row = 0; row < data->chunk_count / width; row++) {
        size_t rest = row, to = 0, stride = (size_t)data->shape[last];
        bool inside = true;
        for (int i = last - 1; i >= 0; i--) {
            uint64_t at = start[i] + rest % data->chunk[i];
            rest /= data->chunk[i];
            inside = inside && at < data->shape[i];
            to += (size_t)at * stride;
            stride *= (size_t)data->shape[i];
        }
        if (!inside) continue;
        convert(reading->dst + to + start[last], chunk + row * width * element, data,
                room < width ? (size_t)room : width);
    }
}

/* Chunks along one extent. */
static size_t pieces_of(const struct vgg_hdf_data *data, int i)
{
    return (size_t)(data->shape[i] / data->chunk[i] + (data->shape[i] % data->chunk[i] != 0));
}

/* One chunk: key is its size, mask of filters left out, and offsets. */
static bool read_chunk(struct reading *reading, const unsigned char *key, uint64_t address)
{
    const struct vgg_hdf_data *data = reading->data;
    uint64_t start[VGG_MAX_RANK], mask = vgg_bytes_little(key + 4, 4);
    size_t size = (size_t)vgg_bytes_little(key, 4);
    const unsigned char *bytes = vgg_hdf_at(reading->hdf, address, size);
    size_t number = 0;
    if (!bytes || reading->next == reading->chunks) return false;
    for (int i = 0; i < data->rank; i++) {
        start[i] = vgg_bytes_little(key + 8 + 8 * (size_t)i, 8);
        if (start[i] >= data->shape[i] || start[i] % data->chunk[i] != 0) return false;
        number = number * pieces_of(data, i) + (size_t)(start[i] / data->chunk[i]);
    }
    if (number != reading->next++) return false; /* each once: else a place would keep what was there */
    for (int i = data->filters - 1; i >= 0; i--) {
        if (mask >> i & 1) continue;
        if (data->filter[i] == FLETCHER32) { /* the checksum behind the data */
            if (size < 4 || !check_sum(bytes, size)) return false;
            size -= 4;
            continue;
        }
        unsigned char *to = bytes == reading->buffer[0] ? reading->buffer[1] : reading->buffer[0];
        if (!unfilter(reading, data->filter[i], to, bytes, &size)) return false;
        bytes = to;
    }
    if (size != reading->size) return false;
    place_chunk(reading, bytes, start);
    return true;
}

/* level: what the node above expects, or -1 at the root. The walk ends because each leaf's entries are counted. */
static bool read_tree(struct reading *reading, uint64_t address, int level, int *nodes)
{
    const unsigned char *at = vgg_hdf_at(reading->hdf, address, 24);
    size_t key = 16 + 8 * (size_t)reading->data->rank;
    if (!at || memcmp(at, "TREE", 4) != 0 || at[4] != 1 || --*nodes < 0) return false;
    if (at[5] > DEEPEST_TREE || (level >= 0 && at[5] != level)) return false;
    level = at[5];
    uint64_t count = vgg_bytes_little(at + 6, 2);
    at = vgg_hdf_at(reading->hdf, address + 24, count * (key + 8) + key);
    for (uint64_t i = 0; at && i < count; i++) {
        const unsigned char *entry = at + i * (key + 8);
        uint64_t child = vgg_bytes_little(entry + key, 8);
        if (!(level ? read_tree(reading, child, level - 1, nodes) : read_chunk(reading, entry, child))) return false;
    }
    return at;
}

enum vgg_status vgg_hdf_read(float *dst, const struct vgg_hdf *hdf, const struct vgg_hdf_data *data)
{
    if (data->count == 0) return VGG_OK;
    if (data->values) {
        convert(dst, data->values, data, data->count);
        return VGG_OK;
    }
    struct reading reading = { .hdf = hdf, .data = data, .dst = dst, .chunks = 1 };
    reading.size = data->chunk_count * vgg_dtype_size(data->dtype);
    for (int i = 0; i < data->rank; i++)
        reading.chunks = vgg_mem_mul(reading.chunks, pieces_of(data, i));
    int nodes = reading.chunks < 1 << 20 ? (int)reading.chunks + DEEPEST_TREE : 1 << 20;
    reading.buffer[0] = vgg_mem_calloc(reading.size + 4, 1);
    reading.buffer[1] = vgg_mem_calloc(reading.size + 4, 1);
    bool memory = reading.buffer[0] && reading.buffer[1],
         good = memory && read_tree(&reading, data->tree, -1, &nodes) && reading.next == reading.chunks;
    free(reading.buffer[0]);
    free(reading.buffer[1]);
    return good ? VGG_OK : memory ? VGG_ERR_FORMAT : VGG_ERR_MEMORY;
}
