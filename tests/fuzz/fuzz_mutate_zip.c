/* fuzz_mutate_zip.c: the mutator that knows zip archives. Source of the layout: PKWARE, APPNOTE.TXT 6.3.4, 4.3. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/bytes.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_PARTS = 64, LOCAL = 30, CENTRAL = 46, END = 22, DEFLATED = 8 };

struct part {
    const uint8_t *name, *content; /* content: as it stands in the archive */
    size_t name_size, size;
    uint64_t plain; /* bytes when unpacked */
    uint32_t crc;
    unsigned method;
};

/* Takes an archive apart. Its directory is found at its end; parts that do not lie in it are left out. */
static size_t read_parts(struct part part[MOST_PARTS], const uint8_t *data, size_t size)
{
    size_t end = size < END ? 0 : size - END + 1, count = 0;
    while (end > 0 && memcmp(data + end - 1, "PK\5\6", 4) != 0)
        end--;
    if (end-- == 0) return 0;
    uint64_t at = vgg_bytes_little(data + end + 16, 4);
    while (count < MOST_PARTS && at + CENTRAL <= end && memcmp(data + at, "PK\1\2", 4) == 0) {
        const uint8_t *head = data + at;
        struct part *p = &part[count];
        *p = (struct part) { .name = head + CENTRAL, .name_size = (size_t)vgg_bytes_little(head + 28, 2) };
        p->method = (unsigned)vgg_bytes_little(head + 10, 2);
        p->crc = (uint32_t)vgg_bytes_little(head + 16, 4);
        p->size = (size_t)vgg_bytes_little(head + 20, 4);
        p->plain = vgg_bytes_little(head + 24, 4);
        uint64_t local = vgg_bytes_little(head + 42, 4);
        at += CENTRAL + p->name_size + vgg_bytes_little(head + 30, 2) + vgg_bytes_little(head + 32, 2);
        if (at > end || local + LOCAL > end) continue;
        local += LOCAL + vgg_bytes_little(data + local + 26, 2) + vgg_bytes_little(data + local + 28, 2);
        if (local > end || p->size > end - local) continue;
        p->content = data + local;
        count++;
    }
    return count;
}

static uint8_t *put_bytes(uint8_t *at, const uint8_t *bytes, size_t size)
{
    if (size) memcpy(at, bytes, size);
    return at + size;
}

/* What the local header and the directory have in common. */
static uint8_t *put_head(uint8_t *at, const struct part *p)
{
    at = fuzz_put(at, 20, 2); /* version, flags, method, time, date */
    at = fuzz_put(fuzz_put(fuzz_put(fuzz_put(at, 0, 2), p->method, 2), 0, 2), 0x21, 2);
    at = fuzz_put(fuzz_put(fuzz_put(at, p->crc, 4), p->size, 4), p->plain, 4);
    return fuzz_put(fuzz_put(at, p->name_size, 2), 0, 2);
}

static size_t archive_size(const struct part *part, size_t count)
{
    size_t size = END;
    for (size_t i = 0; i < count; i++)
        size += LOCAL + CENTRAL + 2 * part[i].name_size + part[i].size;
    return size;
}

static void write_archive(uint8_t *to, const struct part *part, size_t count)
{
    uint8_t *at = to;
    uint64_t place[MOST_PARTS];
    for (size_t i = 0; i < count; i++) {
        place[i] = (uint64_t)(at - to);
        at = put_head(put_bytes(at, (const uint8_t *)"PK\3\4", 4), &part[i]);
        at = put_bytes(put_bytes(at, part[i].name, part[i].name_size), part[i].content, part[i].size);
    }
    uint8_t *directory = at;
    for (size_t i = 0; i < count; i++) {
        at = put_head(fuzz_put(put_bytes(at, (const uint8_t *)"PK\1\2", 4), 20, 2), &part[i]);
        at = fuzz_put(fuzz_put(fuzz_put(fuzz_put(at, 0, 2), 0, 2), 0, 2), 0, 4); /* comment, disk, attributes */
        at = put_bytes(fuzz_put(at, place[i], 4), part[i].name, part[i].name_size);
    }
    uint64_t size = (uint64_t)(at - directory);
    at = fuzz_put(put_bytes(at, (const uint8_t *)"PK\5\6", 4), 0, 4);
    at = fuzz_put(fuzz_put(fuzz_put(at, count, 2), count, 2), size, 4);
    fuzz_put(fuzz_put(at, (uint64_t)(directory - to), 4), 0, 2);
}

/* One part's content, or its name, changes, or a part goes or comes twice; checksums and lengths are made to fit. */
size_t fuzz_mutate_zip(uint8_t *data, size_t size, size_t most, unsigned number)
{
    enum { RAW, NAME, DROP, TWICE, METHOD, KINDS = 16 };
    uint32_t seed = number;
    struct part part[MOST_PARTS];
    size_t count = read_parts(part, data, size), kind = fuzz_below(&seed, KINDS);
    if (count == 0 || kind == RAW) return LLVMFuzzerMutate(data, size, most);
    struct part *p = &part[fuzz_below(&seed, count)];
    uint8_t *changed = malloc(most + 1), *made = NULL;
    fuzz_assert(changed, "out of memory");
    if (kind == DROP && count > 1) {
        *p = part[--count];
    } else if (kind == TWICE && count < MOST_PARTS) {
        part[count++] = *p;
    } else if (kind == METHOD) {
        p->method = p->method == DEFLATED ? 0 : DEFLATED;
    } else if (kind == NAME) {
        size_t room = most < 64 ? most : 64;
        if (p->name_size > room) p->name_size = room;
        memcpy(changed, p->name, p->name_size);
        p->name_size = LLVMFuzzerMutate(changed, p->name_size, room);
        p->name = changed;
    } else {
        size_t others = archive_size(part, count) - p->size, room = most > others ? most - others : 0;
        if (p->size > room) p->size = room;
        memcpy(changed, p->content, p->size);
        p->size = LLVMFuzzerMutate(changed, p->size, room);
        p->content = changed;
        if (p->method == 0) {
            p->plain = p->size;
            p->crc = (uint32_t)crc32_z(0, p->content, p->size);
        }
    }
    size_t total = archive_size(part, count);
    if (total <= most && (made = malloc(total))) {
        write_archive(made, part, count);
        memcpy(data, made, total);
        size = total;
    }
    free(made);
    free(changed);
    return size;
}
