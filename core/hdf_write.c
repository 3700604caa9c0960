#include "core/hdf_write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"

enum {
    SUPERBLOCK = 96,
    HEADER = 16,     /* before an object header's messages */
    MESSAGE = 8,     /* before a message's data */
    HEAP = 32,       /* before a local heap's names */
    INTERNAL_K = 16, /* half the children of a tree's node: HDF5's default */
    NODE = 24 + 8 * (4 * INTERNAL_K + 1),
    SYMBOL = 40,             /* an entry of a group's leaf */
    MESSAGE_LIMIT = 65528,   /* bytes of a message: 16 bits, a multiple of 8 */
    ATTRIBUTE_LIMIT = 64512, /* bytes of one attribute: Keras' HDF5_OBJECT_HEADER_LIMIT */
};

/* Bytes that grow. After a failed allocation everything appended is dropped and `failed` stays. */
struct bytes {
    unsigned char *data;
    size_t size, capacity;
    bool failed;
};

struct object {
    char *name;
    int parent; /* -1: the root */
    int rank, shape[4];
    const float *values; /* NULL: a group */
    struct bytes messages;
    uint64_t header, tree, heap, leaf, data; /* addresses */
    size_t names, children;                  /* of a group: bytes of its heap, links */
};

struct vgg_hdf_writer {
    struct object *object;
    int count, capacity;
    size_t leaf_k; /* half the entries of a leaf: enough for the largest group in one */
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->failed || size == 0) return;
    if (size > bytes->capacity - bytes->size) {
        size_t capacity = 2 * (bytes->size + size) + 64;
        unsigned char *grown = realloc(bytes->data, capacity);
        if (!grown) {
            bytes->failed = true;
            return;
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

/* A little-endian number. */
static void put_number(struct bytes *bytes, uint64_t value, int size)
{
    unsigned char digits[8];
    for (int i = 0; i < 8; i++)
        digits[i] = (unsigned char)(value >> 8 * i);
    put(bytes, digits, (size_t)size);
}

static void put_zeros(struct bytes *bytes, size_t count)
{
    static const unsigned char zeros[64];
    for (; count > sizeof zeros; count -= sizeof zeros)
        put(bytes, zeros, sizeof zeros);
    put(bytes, zeros, count);
}

static size_t round_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* Begins a message of `size` bytes of data, a multiple of 8. */
static void put_message(struct bytes *bytes, int type, size_t size)
{
    put_number(bytes, (uint64_t)type, 2);
    put_number(bytes, size, 2);
    put_zeros(bytes, 4);
}

/* The datatypes: IEEE floating point of 4 or 8 bytes; bytes padded by zeros. */
static void put_float_type(struct bytes *bytes, int size)
{
    static const unsigned char fields[2][12] = {
        { 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0 },
        { 0, 0, 64, 0, 52, 11, 0, 52, 0xff, 3, 0, 0 },
    };
    const unsigned char head[4] = { 0x11, 0x20, (unsigned char)(8 * size - 1), 0 };
    put(bytes, head, sizeof head);
    put_number(bytes, (uint64_t)size, 4);
    put(bytes, fields[size == 8], sizeof *fields);
}

static void put_string_type(struct bytes *bytes, size_t length)
{
    static const unsigned char head[4] = { 0x13, 0x01, 0, 0 };
    put(bytes, head, sizeof head);
    put_number(bytes, length, 4);
}

/* rank 0: a scalar. */
static void put_space(struct bytes *bytes, int rank, const uint64_t *shape)
{
    const unsigned char head[8] = { 1, (unsigned char)rank };
    put(bytes, head, sizeof head);
    for (int i = 0; i < rank; i++)
        put_number(bytes, shape[i], 8);
}

/* ---- describing ---- */

static bool add_object(struct vgg_hdf_writer *writer, int parent, const char *name, int *number)
{
    if (writer->count == writer->capacity) {
        int capacity = 2 * writer->capacity + 16;
        void *grown = realloc(writer->object, (size_t)capacity * sizeof *writer->object);
        if (!grown) return false;
        writer->object = grown;
        writer->capacity = capacity;
    }
    char *copy = vgg_mem_strdup(name);
    if (!copy) return false;
    *number = writer->count;
    writer->object[writer->count++] = (struct object) { .name = copy, .parent = parent, .names = 8 };
    if (parent >= 0) {
        struct object *group = &writer->object[parent];
        group->names += round_up(strlen(name) + 1);
        group->children++;
        if (group->children > 2 * writer->leaf_k) writer->leaf_k = group->children;
    }
    return true;
}

enum vgg_status vgg_hdf_writer_create(struct vgg_hdf_writer **out)
{
    int root;
    *out = NULL;
    struct vgg_hdf_writer *writer = vgg_mem_calloc(1, sizeof *writer);
    if (!writer) return vgg_fail_memory("an HDF5 file", sizeof *writer);
    writer->leaf_k = 4;
    if (!add_object(writer, -1, "", &root)) {
        vgg_hdf_writer_destroy(writer);
        return vgg_fail_memory("an HDF5 file", 0);
    }
    *out = writer;
    return VGG_OK;
}

void vgg_hdf_writer_destroy(struct vgg_hdf_writer *writer)
{
    if (!writer) return;
    for (int i = 0; i < writer->count; i++) {
        free(writer->object[i].name);
        free(writer->object[i].messages.data);
    }
    free(writer->object);
    free(writer);
}

bool vgg_hdf_write_group(struct vgg_hdf_writer *writer, int parent, const char *name, int *group)
{
    return add_object(writer, parent, name, group);
}

bool vgg_hdf_write_data(struct vgg_hdf_writer *writer, int group, const char *name, int rank, const int *shape,
                        const float *values)
{
    int number;
    if (!add_object(writer, group, name, &number)) return false;
    struct object *object = &writer->object[number];
    object->rank = rank;
    object->values = values;
    memcpy(object->shape, shape, (size_t)rank * sizeof *shape);
    return true;
}

/* Adds n strings of `length` bytes each; scalar: without a dimension; n == 0: an empty list of doubles. */
static bool put_attribute(struct bytes *bytes, const char *name, const void *raw, size_t n, size_t length, bool scalar)
{
    size_t name_size = strlen(name) + 1, type_size = n ? 8 : 20, space_size = scalar ? 8 : 16;
    size_t size = 8 + round_up(name_size) + round_up(type_size) + space_size + round_up(n * length);
    uint64_t shape = n;
    if (size > MESSAGE_LIMIT) return false;
    put_message(bytes, 0x0c, size);
    put_number(bytes, 1, 2);
    put_number(bytes, name_size, 2);
    put_number(bytes, type_size, 2);
    put_number(bytes, space_size, 2);
    put(bytes, name, name_size);
    put_zeros(bytes, round_up(name_size) - name_size);
    if (n) {
        put_string_type(bytes, length);
    } else {
        put_float_type(bytes, 8);
    }
    put_zeros(bytes, round_up(type_size) - type_size);
    put_space(bytes, scalar ? 0 : 1, &shape);
    put(bytes, raw, n * length);
    put_zeros(bytes, round_up(n * length) - n * length);
    return !bytes->failed;
}

bool vgg_hdf_write_string(struct vgg_hdf_writer *writer, int group, const char *name, const char *value)
{
    size_t length = strlen(value);
    struct bytes *bytes = &writer->object[group].messages;
    return length <= ATTRIBUTE_LIMIT && put_attribute(bytes, name, value, 1, length ? length : 1, true);
}

bool vgg_hdf_write_strings(struct vgg_hdf_writer *writer, int group, const char *name, const char *const *values,
                           size_t count)
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

    /* The least number of pieces, all but equally long, of which none is too large: numpy's array_split. */
    size_t pieces = 1, done = 0;
    while ((count + pieces - 1) / pieces * length > ATTRIBUTE_LIMIT)
        pieces++;
    bool good = true;
    for (size_t i = 0; good && i < pieces; i++) {
        char piece[64];
        size_t n = count / pieces + (i < count % pieces);
        snprintf(piece, sizeof piece, pieces > 1 ? "%s%zu" : "%s", name, i);
        good = put_attribute(&writer->object[group].messages, piece, raw + done * length, n, length, false);
        done += n;
    }
    free(raw);
    return good;
}

/* ---- writing ---- */

static size_t data_size(const struct object *object)
{
    size_t size = sizeof *object->values;
    for (int i = 0; i < object->rank; i++)
        size *= (size_t)object->shape[i];
    return size;
}

/* Bytes of an object's header: a data set's four messages are made when it is written. */
static size_t header_size(const struct object *object)
{
    size_t messages = object->messages.size;
    if (!object->values) return HEADER + MESSAGE + 16 + messages;
    return HEADER + 4 * MESSAGE + (8 + 8 * (size_t)object->rank) + 24 + 8 + 24;
}

static size_t leaf_size(const struct vgg_hdf_writer *writer)
{
    return 8 + 2 * writer->leaf_k * SYMBOL;
}

/* Gives everything its address: headers with what belongs to them, then the values. Returns the file's size. */
static uint64_t place(struct vgg_hdf_writer *writer)
{
    uint64_t at = SUPERBLOCK;
    for (int i = 0; i < writer->count; i++) {
        struct object *object = &writer->object[i];
        object->header = at;
        at += header_size(object);
        if (object->values) continue;
        object->tree = at;
        object->heap = object->tree + NODE;
        object->leaf = object->heap + HEAP + object->names;
        at = object->leaf + leaf_size(writer);
    }
    for (int i = 0; i < writer->count; i++) {
        struct object *object = &writer->object[i];
        if (!object->values) continue;
        object->data = at;
        at += round_up(data_size(object));
    }
    return at;
}

static void put_superblock(struct bytes *bytes, const struct vgg_hdf_writer *writer, uint64_t end)
{
    const struct object *root = &writer->object[0];
    static const unsigned char head[16] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0, 0, 0, 0, 8, 8, 0 };
    put(bytes, head, sizeof head);
    put_number(bytes, writer->leaf_k, 2);
    put_number(bytes, INTERNAL_K, 2);
    put_zeros(bytes, 4 + 8);          /* flags, base */
    put_number(bytes, UINT64_MAX, 8); /* no list of free space */
    put_number(bytes, end, 8);
    put_number(bytes, UINT64_MAX, 8); /* no driver */
    put_zeros(bytes, 8);              /* the root has no name */
    put_number(bytes, root->header, 8);
    put_number(bytes, 1, 4); /* what follows repeats the root's symbol table */
    put_zeros(bytes, 4);
    put_number(bytes, root->tree, 8);
    put_number(bytes, root->heap, 8);
}

static void put_header(struct bytes *bytes, const struct object *object, int messages)
{
    put_number(bytes, 1, 2); /* version */
    put_number(bytes, (uint64_t)messages, 2);
    put_number(bytes, 1, 4); /* one link to it */
    put_number(bytes, header_size(object) - HEADER, 4);
    put_zeros(bytes, 4);
}

static void put_data_header(struct bytes *bytes, const struct object *object)
{
    static const unsigned char fill[8] = { 2, 2, 2, 1 }; /* version, allocated late, written if set, zero */
    static const unsigned char layout[2] = { 3, 1 };     /* version, contiguous */
    uint64_t shape[4];
    for (int i = 0; i < object->rank; i++)
        shape[i] = (uint64_t)object->shape[i];
    put_header(bytes, object, 4);
    put_message(bytes, 0x01, 8 + 8 * (size_t)object->rank);
    put_space(bytes, object->rank, shape);
    put_message(bytes, 0x03, 24);
    put_float_type(bytes, 4);
    put_zeros(bytes, 4);
    put_message(bytes, 0x05, 8);
    put(bytes, fill, sizeof fill);
    put_message(bytes, 0x08, 24);
    put(bytes, layout, sizeof layout);
    put_number(bytes, object->data, 8);
    put_number(bytes, data_size(object), 8);
    put_zeros(bytes, 6);
}

static int compare_names(const void *a, const void *b)
{
    const struct object *const *s = a, *const *t = b;
    return strcmp((*s)->name, (*t)->name);
}

/* Messages of an attribute list. */
static int count_messages(const struct bytes *messages)
{
    int n = 0;
    for (size_t at = 0; at < messages->size; n++) {
        at += MESSAGE + messages->data[at + 2] + 256u * messages->data[at + 3];
    }
    return n;
}

/* A group: its header, a tree of one leaf, the heap of its names, the leaf. sorted: room for its children. */
static void put_group(struct bytes *bytes, const struct vgg_hdf_writer *writer, int number,
                      const struct object **sorted)
{
    const struct object *group = &writer->object[number];
    size_t n = 0, start = bytes->size;
    for (int i = 0; i < writer->count; i++) {
        if (writer->object[i].parent == number) sorted[n++] = &writer->object[i];
    }
    qsort(sorted, n, sizeof *sorted, compare_names);
    put_header(bytes, group, 1 + count_messages(&group->messages));
    put_message(bytes, 0x11, 16);
    put_number(bytes, group->tree, 8);
    put_number(bytes, group->heap, 8);
    put(bytes, group->messages.data, group->messages.size);

    size_t largest = 0; /* place of the last name in the heap: the tree's upper key */
    for (size_t i = 0, at = 8; i < n; i++)
        largest = at, at += round_up(strlen(sorted[i]->name) + 1);
    put(bytes, "TREE\0", 6); /* of a group, level 0 */
    put_number(bytes, n ? 1 : 0, 2);
    put_number(bytes, UINT64_MAX, 8);
    put_number(bytes, UINT64_MAX, 8);
    put_zeros(bytes, 8);
    put_number(bytes, n ? group->leaf : 0, 8);
    put_number(bytes, largest, 8);
    put_zeros(bytes, NODE - 48);

    put(bytes, "HEAP\0\0\0", 8);
    put_number(bytes, group->names, 8);
    put_number(bytes, 1, 8); /* no free room */
    put_number(bytes, group->heap + HEAP, 8);
    put_zeros(bytes, 8);
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(sorted[i]->name) + 1;
        put(bytes, sorted[i]->name, size);
        put_zeros(bytes, round_up(size) - size);
    }

    put(bytes, "SNOD\1", 6);
    put_number(bytes, n, 2);
    for (size_t i = 0, at = 8; i < n; i++) {
        put_number(bytes, at, 8);
        put_number(bytes, sorted[i]->header, 8);
        put_number(bytes, sorted[i]->values ? 0 : 1, 4);
        put_zeros(bytes, 4);
        put_number(bytes, sorted[i]->values ? 0 : sorted[i]->tree, 8);
        put_number(bytes, sorted[i]->values ? 0 : sorted[i]->heap, 8);
        at += round_up(strlen(sorted[i]->name) + 1);
    }
    put_zeros(bytes, group->header + header_size(group) + NODE + HEAP + group->names + leaf_size(writer) -
                         (group->header + (bytes->size - start)));
}

enum vgg_status vgg_hdf_writer_write(struct vgg_hdf_writer *writer, struct vgg_file *file)
{
    enum vgg_status status;
    struct bytes bytes = { 0 };
    uint64_t end = place(writer);
    const struct object **sorted = vgg_mem_calloc((size_t)writer->count, sizeof *sorted);
    put_superblock(&bytes, writer, end);
    for (int i = 0; sorted && i < writer->count; i++) {
        if (writer->object[i].values) {
            put_data_header(&bytes, &writer->object[i]);
        } else {
            put_group(&bytes, writer, i, sorted);
        }
    }
    if (!sorted || bytes.failed) {
        status = vgg_fail_memory("an HDF5 file's groups", bytes.size);
        goto fail;
    }
    CHECK(vgg_file_write(file, bytes.data, bytes.size));
    for (int i = 0; i < writer->count; i++) {
        const struct object *object = &writer->object[i];
        if (!object->values) continue;
        size_t size = data_size(object);
        CHECK(vgg_file_write(file, object->values, size));
        CHECK(vgg_file_write(file, "\0\0\0\0\0\0\0", round_up(size) - size));
    }
fail:
    free(sorted);
    free(bytes.data);
    return status;
}
