#include "core/format/hdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"

/* Bounds of what a hostile file can make a walk do; files of Keras stay far below each. */
enum {
    MOST_NODES = 1 << 12, /* of one group's tree */
    MOST_LINKS = 1 << 13, /* of one group */
    DEEPEST_TREE = 16,
    DEEPEST_PATH = 16,
    MOST_STRINGS = 1 << 12, /* of an attribute */
    LONGEST_STRING = 1 << 16,
    MOST_TEXT = 1 << 24, /* bytes of one attribute's strings */
};

static const unsigned char signature[8] = "\x89HDF\r\n\x1a\n";

/* Finds the root group's header. Offsets and lengths of other than 8 bytes, and files behind a user block, are not
 * read. */
static bool read_superblock(struct vgg_hdf *hdf)
{
    const unsigned char *at = vgg_hdf_at(hdf, 0, 48);
    if (!at || memcmp(at, signature, sizeof signature) != 0) return false;
    int version = at[8];
    if (version >= 2) { /* 9: sizes; 12: base; 20: extension; 28: end of file; 36: root */
        hdf->root = vgg_bytes_little(at + 36, 8);
        return version <= 3 && at[9] == 8 && at[10] == 8 && vgg_bytes_little(at + 12, 8) == 0;
    }
    size_t base = version == 1 ? 28 : 24; /* then base, free space, end of file, driver, root's symbol table entry */
    at = vgg_hdf_at(hdf, 0, base + 72);
    if (!at || at[13] != 8 || at[14] != 8 || vgg_bytes_little(at + base, 8) != 0) return false;
    hdf->root = vgg_bytes_little(at + base + 40, 8);
    return true;
}

static enum vgg_status begin(struct vgg_hdf *hdf, const char *path)
{
    if (read_superblock(hdf) && vgg_hdf_is_group(hdf, hdf->root)) return VGG_OK;
    vgg_hdf_close(hdf);
    return vgg_fail(VGG_ERR_FORMAT, "%s: is a damaged or truncated HDF5 file, or not of its usual form", path);
}

enum vgg_status vgg_hdf_open(struct vgg_hdf *hdf, const char *path)
{
    const void *map;
    *hdf = (struct vgg_hdf) { 0 };
    enum vgg_status status = vgg_file_map(&map, &hdf->size, path);
    if (status != VGG_OK) return status;
    hdf->map = map;
    return begin(hdf, path);
}

enum vgg_status vgg_hdf_open_bytes(struct vgg_hdf *hdf, const void *bytes, size_t size, const char *path)
{
    *hdf = (struct vgg_hdf) { .map = bytes, .size = size, .borrowed = true };
    return begin(hdf, path);
}

void vgg_hdf_close(struct vgg_hdf *hdf)
{
    if (!hdf->borrowed) vgg_file_unmap(hdf->map, hdf->size);
    *hdf = (struct vgg_hdf) { 0 };
}

bool vgg_hdf_is_dense(const struct vgg_hdf *hdf, uint64_t object)
{
    static const int types[2] = { VGG_HDF_LINK_INFO, VGG_HDF_ATTRIBUTE_INFO };
    for (int i = 0; i < 2; i++) {
        struct vgg_hdf_message message;
        if (!vgg_hdf_message(&message, hdf, object, types[i], 0) || message.size < 2) continue;
        /* version, flags, highest creation index where tracked (8 bytes of links, 2 of attributes), heap */
        size_t at = 2 + (message.data[1] & 1 ? (i == 0 ? 8u : 2u) : 0u);
        if (message.size >= at + 8 && vgg_bytes_little(message.data + at, 8) != UINT64_MAX) return true;
    }
    return false;
}

/* ---- groups ---- */

bool vgg_hdf_is_group(const struct vgg_hdf *hdf, uint64_t object)
{
    struct vgg_hdf_message message;
    return vgg_hdf_message(&message, hdf, object, VGG_HDF_SYMBOL_TABLE, 0) ||
           vgg_hdf_message(&message, hdf, object, VGG_HDF_LINK_INFO, 0);
}

/* A walk over the links of a group. */
struct listing {
    const struct vgg_hdf *hdf;
    const unsigned char *names; /* of the local heap */
    uint64_t names_size;
    int nodes, links;
    vgg_hdf_link_fn *fn;
    void *user;
};

/* The symbols of one leaf. Entries of cache type 2 are soft links. */
static bool list_symbols(struct listing *listing, uint64_t address)
{
    const unsigned char *at = vgg_hdf_at(listing->hdf, address, 8);
    if (!at || memcmp(at, "SNOD", 4) != 0) return false;
    uint64_t count = vgg_bytes_little(at + 6, 2);
    at = vgg_hdf_at(listing->hdf, address + 8, count * 40);
    for (uint64_t i = 0; at && i < count; i++, at += 40) {
        uint64_t name = vgg_bytes_little(at, 8), object = vgg_bytes_little(at + 8, 8);
        if (name >= listing->names_size || !memchr(listing->names + name, '\0', (size_t)(listing->names_size - name)) ||
            listing->links++ == MOST_LINKS) {
            return false;
        }
        if (vgg_bytes_little(at + 16, 4) == 2) continue;
        if (!listing->fn(listing->user, (const char *)listing->names + name, object)) return false;
    }
    return at;
}

/* level: what the node above expects, or -1 at the root; it falls with each step, so that the walk ends. */
static bool list_tree(struct listing *listing, uint64_t address, int level)
{
    const unsigned char *at = vgg_hdf_at(listing->hdf, address, 24);
    if (!at || memcmp(at, "TREE", 4) != 0 || at[4] != 0 || listing->nodes++ == MOST_NODES) return false;
    if (at[5] > DEEPEST_TREE || (level >= 0 && at[5] != level)) return false;
    level = at[5];
    uint64_t count = vgg_bytes_little(at + 6, 2);
    at = vgg_hdf_at(listing->hdf, address + 24, count * 16 + 8);
    for (uint64_t i = 0; at && i < count; i++) {
        uint64_t child = vgg_bytes_little(at + i * 16 + 8, 8);
        if (!(level ? list_tree(listing, child, level - 1) : list_symbols(listing, child))) return false;
    }
    return at;
}

/* One compact link: version, flags, what the flags announce, name, target. Types other than 0 are no hard links. */
static bool list_link(struct listing *listing, const struct vgg_hdf_message *message)
{
    const unsigned char *at = message->data, *end = at + message->size;
    char name[256];
    if (message->size < 3 || at[0] != 1) return false;
    int flags = at[1], type = 0, wide = 1 << (flags & 3);
    at += 2;
    if (flags & 8) type = *at++;
    if (flags & 4) at += 8;
    if (flags & 16) at++;
    if (type != 0) return true;
    if (end - at < wide) return false;
    uint64_t length = vgg_bytes_little(at, wide);
    at += wide;
    if (length >= sizeof name || (uint64_t)(end - at) < length + 8 || listing->links++ == MOST_LINKS) return false;
    memcpy(name, at, (size_t)length);
    name[length] = '\0';
    return listing->fn(listing->user, name, vgg_bytes_little(at + length, 8));
}

bool vgg_hdf_list(const struct vgg_hdf *hdf, uint64_t group, vgg_hdf_link_fn *fn, void *user)
{
    struct listing listing = { .hdf = hdf, .fn = fn, .user = user };
    struct vgg_hdf_message message;
    if (vgg_hdf_message(&message, hdf, group, VGG_HDF_SYMBOL_TABLE, 0)) {
        if (message.size < 16) return false;
        const unsigned char *heap = vgg_hdf_at(hdf, vgg_bytes_little(message.data + 8, 8), 32);
        if (!heap || memcmp(heap, "HEAP", 4) != 0) return false;
        listing.names_size = vgg_bytes_little(heap + 8, 8);
        listing.names = vgg_hdf_at(hdf, vgg_bytes_little(heap + 24, 8), listing.names_size);
        return listing.names && list_tree(&listing, vgg_bytes_little(message.data, 8), -1);
    }
    struct vgg_hdf_walk walk;
    if (!vgg_hdf_walk_begin(&walk, hdf, group)) return false;
    while (vgg_hdf_walk_next(&walk, &message)) {
        if (message.type == VGG_HDF_LINK && !message.shared && !list_link(&listing, &message)) return false;
    }
    return true;
}

struct search {
    const char *name;
    size_t length;
    uint64_t object;
    bool found;
};

static bool match(void *user, const char *name, uint64_t object)
{
    struct search *search = user;
    if (strncmp(name, search->name, search->length) != 0 || name[search->length] != '\0') return true;
    search->object = object;
    search->found = true;
    return false;
}

bool vgg_hdf_find(const struct vgg_hdf *hdf, uint64_t parent, const char *path, uint64_t *object)
{
    *object = parent;
    for (int depth = 0; *path; depth++) {
        struct search search = { .name = path, .length = strcspn(path, "/") };
        if (depth == DEEPEST_PATH || search.length == 0) return false;
        vgg_hdf_list(hdf, *object, match, &search);
        if (!search.found) return false;
        *object = search.object;
        path += search.length;
        while (*path == '/')
            path++;
    }
    return true;
}

/* ---- attributes ---- */

/* An attribute taken apart. */
struct attribute {
    const char *name;
    size_t name_size; /* with its final zero, if it has one */
    const unsigned char *type, *space, *values;
    size_t type_size, space_size, values_size;
};

static bool take_apart(struct attribute *attribute, const struct vgg_hdf_message *message)
{
    const unsigned char *at = message->data;
    if (message->shared || message->size < 8 || at[0] < 1 || at[0] > 3) return false;
    int version = at[0];
    if (version > 1 && at[1] & 3) return false; /* type or space kept elsewhere */
    size_t size[3], head = version == 3 ? 9 : 8;
    for (int i = 0; i < 3; i++) {
        size[i] = (size_t)vgg_bytes_little(at + 2 + 2 * i, 2);
        if (version == 1) size[i] = (size[i] + 7) & ~(size_t)7;
    }
    if (message->size < head + size[0] + size[1] + size[2]) return false;
    *attribute = (struct attribute) {
        .name = (const char *)at + head,
        .name_size = size[0],
        .type = at + head + size[0],
        .type_size = size[1],
        .space = at + head + size[0] + size[1],
        .space_size = size[2],
        .values = at + head + size[0] + size[1] + size[2],
        .values_size = message->size - head - size[0] - size[1] - size[2],
    };
    return size[0] > 0;
}

static bool find_attribute(struct attribute *attribute, const struct vgg_hdf *hdf, uint64_t object, const char *name)
{
    struct vgg_hdf_walk walk;
    struct vgg_hdf_message message;
    size_t length = strlen(name);
    if (!vgg_hdf_walk_begin(&walk, hdf, object)) return false;
    while (vgg_hdf_walk_next(&walk, &message)) {
        if (message.type != VGG_HDF_ATTRIBUTE || !take_apart(attribute, &message)) continue;
        if (strnlen(attribute->name, attribute->name_size) == length && memcmp(attribute->name, name, length) == 0) {
            return true;
        }
    }
    return false;
}

bool vgg_hdf_has_attribute(const struct vgg_hdf *hdf, uint64_t object, const char *name)
{
    struct attribute attribute;
    return find_attribute(&attribute, hdf, object, name);
}

bool vgg_hdf_attribute(const struct vgg_hdf *hdf, uint64_t object, int index, char *name, size_t size)
{
    struct vgg_hdf_message message;
    struct attribute attribute;
    if (!vgg_hdf_message(&message, hdf, object, VGG_HDF_ATTRIBUTE, index) || !take_apart(&attribute, &message)) {
        return false;
    }
    size_t length = strnlen(attribute.name, attribute.name_size);
    if (length >= size) return false;
    memcpy(name, attribute.name, length);
    name[length] = '\0';
    return true;
}

/* The bytes of a string of variable length: a length, then the place of an object in a collection of the global heap.
 */
static const unsigned char *heap_string(const struct vgg_hdf *hdf, const unsigned char *at, size_t *length)
{
    uint64_t collection = vgg_bytes_little(at + 4, 8), index = vgg_bytes_little(at + 12, 4);
    *length = (size_t)vgg_bytes_little(at, 4);
    const unsigned char *head = vgg_hdf_at(hdf, collection, 16);
    if (*length == 0) return at;
    if (!head || memcmp(head, "GCOL", 4) != 0) return NULL;
    uint64_t size = vgg_bytes_little(head + 8, 8);
    if (!vgg_hdf_at(hdf, collection, size)) return NULL;
    for (uint64_t offset = 16; size >= 16 && offset <= size - 16;) {
        const unsigned char *object = head + offset;
        uint64_t number = vgg_bytes_little(object, 2), bytes = vgg_bytes_little(object + 8, 8);
        if (bytes > size - offset - 16) return NULL;
        if (number == index && number != 0) return bytes >= *length ? object + 16 : NULL;
        if (number == 0) return NULL; /* the free space at the end */
        offset += 16 + ((bytes + 7) & ~(uint64_t)7);
    }
    return NULL;
}

/* Appends the strings of one attribute. */
static enum vgg_status append_strings(char ***out, size_t *count, const struct vgg_hdf *hdf,
                                      const struct attribute *attribute)
{
    enum { STRING = 3, VARIABLE = 9 };
    int rank;
    uint64_t shape[VGG_MAX_RANK];
    size_t n;
    if (!vgg_hdf_space(attribute->space, attribute->space_size, &rank, shape, &n)) return VGG_ERR_MISSING;
    if (n == 0) return VGG_OK;
    if (attribute->type_size < 8 || n > MOST_STRINGS || *count + n > MOST_STRINGS) return VGG_ERR_MISSING;
    int class = attribute->type[0] & 15;
    size_t element = (size_t)vgg_bytes_little(attribute->type + 4, 4);
    bool variable = class == VARIABLE && (attribute->type[1] & 15) == 1 && element == 16;
    if ((class != STRING && !variable) || element == 0 || vgg_mem_mul(n, element) > attribute->values_size)
        return VGG_ERR_MISSING;
    char **grown = realloc(*out, (*count + n) * sizeof *grown);
    if (!grown) return vgg_fail_memory("a file's names", (*count + n) * sizeof *grown);
    *out = grown;
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *at = attribute->values + i * element;
        size_t length = element;
        if (variable) at = heap_string(hdf, at, &length);
        if (!at || length > LONGEST_STRING || (total += length) > MOST_TEXT) return VGG_ERR_MISSING;
        char *copy = vgg_mem_calloc(length + 1, 1);
        if (!copy) return vgg_fail_memory("a file's names", length + 1);
        memcpy(copy, at, length);
        grown[(*count)++] = copy;
    }
    return VGG_OK;
}

enum vgg_status vgg_hdf_strings(char ***out, size_t *count, const struct vgg_hdf *hdf, uint64_t object,
                                const char *name)
{
    *out = NULL;
    *count = 0;
    struct attribute attribute;
    enum vgg_status status = VGG_ERR_MISSING;
    if (find_attribute(&attribute, hdf, object, name)) {
        status = append_strings(out, count, hdf, &attribute);
    } else {
        char piece[64];
        for (int i = 0; i < MOST_STRINGS; i++) {
            snprintf(piece, sizeof piece, "%s%d", name, i);
            if (!find_attribute(&attribute, hdf, object, piece)) break;
            status = append_strings(out, count, hdf, &attribute);
            if (status != VGG_OK) break;
        }
    }
    if (status == VGG_OK) return VGG_OK;
    vgg_hdf_strings_free(*out, *count);
    *out = NULL;
    *count = 0;
    return status;
}

void vgg_hdf_strings_free(char **strings, size_t count)
{
    for (size_t i = 0; strings && i < count; i++)
        free(strings[i]);
    free(strings);
}
