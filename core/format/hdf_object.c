#include "core/format/hdf_object.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/mem.h"

enum { MOST_MESSAGES = 1 << 14 }; /* of one object header; files of Keras stay far below */

const unsigned char *vgg_hdf_at(const struct vgg_hdf *hdf, uint64_t address, uint64_t size)
{
    return address <= hdf->size && size <= hdf->size - address ? hdf->map + address : NULL;
}

/* ---- object headers ---- */

bool vgg_hdf_walk_begin(struct vgg_hdf_walk *walk, const struct vgg_hdf *hdf, uint64_t object)
{
    *walk = (struct vgg_hdf_walk) { .hdf = hdf, .blocks = 1 };
    const unsigned char *at = vgg_hdf_at(hdf, object, 16);
    if (!at) return false;
    if (memcmp(at, "OHDR", 4) == 0 && at[4] == 2) {
        int flags = at[5], wide = 1 << (flags & 3);
        uint64_t head = 6u + (flags & 0x20 ? 16u : 0u) + (flags & 0x10 ? 4u : 0u);
        at = vgg_hdf_at(hdf, object + head, (uint64_t)wide);
        if (!at) return false;
        walk->version = 2;
        walk->message_head = flags & 4 ? 6 : 4;
        walk->block[0].address = object + head + (uint64_t)wide;
        walk->block[0].size = vgg_bytes_little(at, wide);
        return true;
    }
    walk->version = 1;
    walk->message_head = 8;
    walk->block[0].address = object + 16;
    walk->block[0].size = vgg_bytes_little(at + 8, 4);
    return at[0] == 1;
}

/* Adds the block that a continuation message names. In version 2 it begins with OCHK and ends with a checksum. */
static bool walk_continue(struct vgg_hdf_walk *walk, const struct vgg_hdf_message *message)
{
    if (message->size < 16 || walk->blocks == VGG_HDF_BLOCKS) return false;
    uint64_t address = vgg_bytes_little(message->data, 8), size = vgg_bytes_little(message->data + 8, 8);
    if (!vgg_hdf_at(walk->hdf, address, size)) return false;
    if (walk->version == 2) {
        if (size < 8) return false;
        address += 4, size -= 8;
    }
    walk->block[walk->blocks].address = address;
    walk->block[walk->blocks++].size = size;
    return true;
}

bool vgg_hdf_walk_next(struct vgg_hdf_walk *walk, struct vgg_hdf_message *message)
{
    while (walk->current < walk->blocks && walk->messages++ < MOST_MESSAGES) {
        uint64_t start = walk->block[walk->current].address, size = walk->block[walk->current].size;
        const unsigned char *at = vgg_hdf_at(walk->hdf, start + walk->offset, (uint64_t)walk->message_head);
        if (walk->offset + (uint64_t)walk->message_head > size) {
            walk->current++;
            walk->offset = 0;
            continue;
        }
        if (!at) return false;
        int flags = walk->version == 1 ? at[4] : at[3];
        message->type = walk->version == 1 ? (int)vgg_bytes_little(at, 2) : at[0];
        message->size = (size_t)vgg_bytes_little(at + (walk->version == 1 ? 2 : 1), 2);
        message->shared = flags & 2;
        walk->offset += (uint64_t)walk->message_head;
        message->data = vgg_hdf_at(walk->hdf, start + walk->offset, message->size);
        if (!message->data || message->size > size - walk->offset) return false;
        walk->offset += message->size;
        if (message->type != VGG_HDF_CONTINUATION) return true;
        if (!walk_continue(walk, message)) return false;
    }
    return false;
}

bool vgg_hdf_message(struct vgg_hdf_message *out, const struct vgg_hdf *hdf, uint64_t object, int type, int n)
{
    struct vgg_hdf_walk walk;
    if (!vgg_hdf_walk_begin(&walk, hdf, object)) return false;
    while (vgg_hdf_walk_next(&walk, out)) {
        if (out->type == type && n-- == 0) return true;
    }
    return false;
}

bool vgg_hdf_space(const unsigned char *at, size_t size, int *rank, uint64_t shape[VGG_MAX_RANK], size_t *count)
{
    enum { SCALAR, SIMPLE, EMPTY }; /* types of version 2 */
    if (size < 4 || (at[0] != 1 && at[0] != 2) || at[1] > VGG_MAX_RANK) return false;
    size_t head = at[0] == 1 ? 8 : 4;
    *rank = at[1];
    *count = at[0] == 2 && at[3] == EMPTY ? 0 : 1;
    if (size < head + 8 * (size_t)*rank) return false;
    for (int i = 0; i < *rank; i++) {
        shape[i] = vgg_bytes_little(at + head + 8 * (size_t)i, 8);
        if (shape[i] > SIZE_MAX / 16) return false;
        *count = vgg_mem_mul(*count, (size_t)shape[i]);
    }
    return *count < SIZE_MAX / 16;
}
